//! What a start prints on standard output, also without a terminal: where everything is, and the next command.

use std::io::Write as _;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};

/// What the banner tells.
#[derive(Debug)]
pub(crate) struct Banner<'a> {
    /// Where clients reach us, without a slash at the end.
    pub(crate) url: &'a str,
    /// The database, such as `SQLite at ./carillon-data/carillon.db`; no password.
    pub(crate) database: &'a str,
    /// It was made by this start.
    pub(crate) fresh: bool,
    /// Who sends e-mail, such as `smtp`; `None`: the sandbox.
    pub(crate) provider: Option<&'a str>,
    /// The key that this start made. Printed here and nowhere else, ever.
    pub(crate) first_key: Option<&'a SecretString>,
}

impl Banner<'_> {
    /// The text, with an empty line at its end.
    fn text(&self) -> String {
        let url = self.url;
        let new = if self.fresh { " (new)" } else { "" };
        let (rest, sandbox) = (format!("{url}/api/v1"), format!("{url}/sandbox"));
        let width = rest.chars().count().max(sandbox.chars().count());
        let where_to = self.provider.map_or_else(
            || "every message lands here until a provider is set".to_owned(),
            |provider| format!("e-mail leaves through {provider}; every other channel lands here"),
        );
        let (title, key) = match self.first_key {
            Some(key) => ("Your first notification (this key is shown once; keep it):", key.expose_secret()),
            None => ("Send a notification:", "$CARILLON_API_KEY"),
        };
        // A variable is not expanded inside single quotes.
        let header = match self.first_key {
            Some(_) => format!("'X-API-Key: {key}'"),
            None => format!("\"X-API-Key: {key}\""),
        };
        format!(
            "carillon {version} · all in one · {database}{new}\n\
             \n  REST       {rest:<width$}    docs  {url}/api\
             \n  Sandbox    {sandbox:<width$}    {where_to}\n\
             \n  {title}\
             \n    curl -s {url}/api/v1/notifications/send \\\
             \n      -H {header} -H 'Content-Type: application/json' \\\
             \n      -d '{{\"channel\":\"email\",\"recipient\":{{\"email\":\"you@example.com\"}},\"directContent\":{{\"subject\":\"Hello\",\"text\":\"It works.\"}}}}'\n\n",
            version = env!("CARGO_PKG_VERSION"),
            database = self.database,
        )
    }

    /// Prints it. A standard output that is gone stops nobody from serving.
    pub(crate) fn print(&self) {
        put(&self.text());
    }
}

/// The last line of a start: from here on requests are served.
pub(crate) fn ready(after: Duration) {
    put(&format!("ready in {} ms\n", after.as_millis()));
}

fn put(text: &str) {
    let mut stdout = std::io::stdout().lock();
    let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;

    use super::Banner;

    #[test]
    fn a_first_start_shows_the_key_once() {
        let key = SecretString::from("ck_live_abc");
        let banner = Banner {
            url: "http://localhost:3000",
            database: "SQLite at ./carillon-data/carillon.db",
            fresh: true,
            provider: None,
            first_key: Some(&key),
        };
        let text = banner.text();
        assert_eq!(text.matches("ck_live_abc").count(), 1);
        assert!(text.starts_with("carillon 0.1.0 · all in one · SQLite at ./carillon-data/carillon.db (new)\n\n  REST       http://localhost:3000/api/v1     docs  http://localhost:3000/api\n  Sandbox    http://localhost:3000/sandbox    every message"), "{text}");
        assert!(!format!("{banner:?}").contains("ck_live_abc"));
    }

    #[test]
    fn a_later_start_lets_the_shell_fill_it_in() {
        let banner = Banner {
            url: "https://n.example",
            database: "PostgreSQL",
            fresh: false,
            provider: Some("smtp"),
            first_key: None,
        };
        let text = banner.text();
        assert!(text.contains("-H \"X-API-Key: $CARILLON_API_KEY\"") && !text.contains("shown once"), "{text}");
        assert!(text.contains("through smtp"), "{text}");
    }
}
