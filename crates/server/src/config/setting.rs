//! What a setting is: the row of the table that resolution, `carillon config`, the reference and `.env.example` share.

/// One setting.
#[derive(Debug)]
pub(crate) struct Setting {
    /// The environment variable; its main name.
    pub(crate) name: &'static str,
    /// The key in `carillon.toml`; with `-` for `_` it is the flag.
    pub(crate) key: &'static str,
    /// Older names of the environment variable; the main name wins.
    pub(crate) aliases: &'static [&'static str],
    /// What holds if nobody says anything; `None`: nothing.
    pub(crate) default: Option<&'static str>,
    /// Which values are possible.
    pub(crate) kind: Kind,
    /// Under which heading the reference shows it.
    pub(crate) group: Group,
    /// For people, in Markdown, one paragraph.
    pub(crate) doc: &'static str,
}

/// The headings of the reference, in its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Group {
    /// Ports, folders, logs.
    Process,
    /// Where notifications are kept.
    Database,
    /// How they get out.
    Delivery,
    /// What can be seen.
    Observability,
    /// Accepted, without effect.
    Later,
}

impl Group {
    /// All, in the order of the reference.
    pub(crate) const ALL: [Self; 5] = [Self::Process, Self::Database, Self::Delivery, Self::Observability, Self::Later];

    /// The heading.
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Process => "The process",
            Self::Database => "The database",
            Self::Delivery => "Delivery",
            Self::Observability => "Observability",
            Self::Later => "Accepted, not used by this version",
        }
    }
}

/// Which values a setting can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Any text.
    Text,
    /// A name or an address to listen on.
    Host,
    /// A TCP port; 0 lets the system choose.
    Port,
    /// A whole number between the two.
    Number(u64, u64),
    /// A file or folder.
    Path,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A URL of one of these schemes. Its password is masked.
    Url(&'static [&'static str]),
    /// An e-mail address, with or without a name.
    Mailbox,
    /// Shown as `***`. Has no flag, because other users can read a process's flags.
    Secret,
    /// Known, taken and ignored; `true` if its value is a secret.
    Ignored(bool),
}

impl Setting {
    /// Whether the value may hold a secret, so that `NAME_FILE` makes sense.
    pub(crate) const fn takes_file(&self) -> bool {
        matches!(self.kind, Kind::Secret | Kind::Url(_))
    }

    /// The flag without its dashes, if there is one.
    pub(crate) fn flag(&self) -> Option<String> {
        (!matches!(self.kind, Kind::Secret | Kind::Ignored(_))).then(|| self.key.replace('_', "-"))
    }

    /// The value as anybody may see it.
    pub(crate) fn masked(&self, value: &str) -> String {
        match self.kind {
            Kind::Secret | Kind::Ignored(true) => carillon_telemetry::redact::MASK.to_owned(),
            Kind::Url(_) | Kind::Ignored(false) => carillon_telemetry::redact::mask_url(value),
            _ => value.to_owned(),
        }
    }

    /// Which values are possible, in words; `None` if any are.
    pub(crate) fn expects(&self) -> Option<String> {
        Some(match self.kind {
            Kind::Text | Kind::Secret | Kind::Ignored(_) => return None,
            Kind::Host => "a host name or an IP address".to_owned(),
            Kind::Port => "a port, 0 to 65535".to_owned(),
            Kind::Number(low, high) => format!("a whole number, {low} to {high}"),
            Kind::Path => "a path".to_owned(),
            Kind::Word(words) => one_of(words),
            Kind::Url(schemes) => {
                let schemes: Vec<_> = schemes.iter().map(|scheme| format!("{scheme}://…")).collect();
                format!("a URL {}", one_of(&schemes))
            }
            Kind::Mailbox => "an e-mail address such as \"Carillon <noreply@example.com>\"".to_owned(),
        })
    }

    /// Whether `value` is possible.
    pub(crate) fn allows(&self, value: &str) -> bool {
        match self.kind {
            Kind::Text | Kind::Secret | Kind::Ignored(_) => true,
            Kind::Host => !value.is_empty() && value.chars().all(|c| c.is_ascii_alphanumeric() || ".-_:[]".contains(c)),
            Kind::Port => value.parse::<u16>().is_ok(),
            Kind::Number(low, high) => value.parse::<u64>().is_ok_and(|number| (low..=high).contains(&number)),
            Kind::Path => !value.contains('\0'),
            Kind::Word(words) => words.contains(&value),
            Kind::Url(schemes) => url::Url::parse(value).is_ok_and(|url| {
                schemes.contains(&url.scheme())
                    // PostgreSQL on a Unix socket names its folder in the query.
                    && (url.scheme().starts_with("postgres") || url.host_str().is_some_and(|host| !host.is_empty()))
            }),
            Kind::Mailbox => is_mailbox(value),
        }
    }
}

/// `a`, `a or b`, `a, b or c`.
fn one_of(words: &[impl AsRef<str>]) -> String {
    let words: Vec<&str> = words.iter().map(AsRef::as_ref).collect();
    match words.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => words.concat(),
    }
}

/// Looks like an address; the mail library has the last word.
fn is_mailbox(value: &str) -> bool {
    let address = match value.rsplit_once('<') {
        Some((_, rest)) => match rest.trim_end().strip_suffix('>') {
            Some(address) => address,
            None => return false,
        },
        None => value,
    };
    let clean = |part: &str| {
        !part.is_empty() && !part.contains(|c: char| c.is_whitespace() || c.is_control() || "<>".contains(c))
    };
    !value.contains(['\r', '\n'])
        && address.trim().rsplit_once('@').is_some_and(|(user, host)| clean(user) && clean(host))
}
