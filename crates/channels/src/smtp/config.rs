//! The `SMTP_URL`.

use std::path::Path;

use carillon_domain::{Error, ErrorCode};
use secrecy::{ExposeSecret as _, SecretString};
use url::{Host, Url};

use super::tls::Tls;

/// How connections are secured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Security {
    /// Plain text.
    Plain,
    /// STARTTLS if the server offers it.
    Opportunistic,
    /// STARTTLS, or nothing is sent.
    Required,
    /// TLS from the first octet.
    Implicit,
}

/// Who logs in.
pub(super) struct Login {
    pub(super) user: String,
    pub(super) password: SecretString,
}

/// Where mail goes.
pub(super) struct Server {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) security: Security,
    pub(super) login: Option<Login>,
    /// How we introduce ourselves.
    pub(super) hello: String,
    pub(super) tls: Tls,
}

/// `validation_failed` about the SMTP settings. Never with the URL in it, which holds a password.
pub(super) fn refuse(what: &str) -> Error {
    Error::new(ErrorCode::ValidationFailed, format!("SMTP: {what}"))
}

impl Server {
    pub(super) fn new(url: &SecretString, ca_file: Option<&Path>, hello: &str) -> Result<Self, Error> {
        let url = Url::parse(url.expose_secret()).map_err(|_| refuse("the URL is not one"))?;
        // `smtp` is no special scheme to the URL standard: its host is kept as it is written.
        let host = match Host::parse(url.host_str().unwrap_or_default()) {
            Ok(Host::Domain(name)) => name,
            Ok(Host::Ipv4(address)) => address.to_string(),
            Ok(Host::Ipv6(address)) => address.to_string(),
            Err(_) => return Err(refuse("the URL has no host")),
        };
        let login = login(&url)?;
        let security = security(&url, login.is_some())?;
        let port = url.port().unwrap_or(match (security, &login) {
            (Security::Implicit, _) => 465,
            (_, Some(_)) => 587,
            (_, None) => 25,
        });
        Ok(Self { tls: Tls::new(&host, ca_file)?, host, port, security, login, hello: hello.to_owned() })
    }
}

fn security(url: &Url, has_login: bool) -> Result<Security, Error> {
    let mut asked = None;
    for (name, value) in url.query_pairs() {
        match (name.as_ref(), value.as_ref()) {
            ("tls", "none") => asked = Some(Security::Plain),
            ("tls", "opportunistic") => asked = Some(Security::Opportunistic),
            ("tls", "required") => asked = Some(Security::Required),
            ("tls", _) => return Err(refuse("tls is none, opportunistic or required")),
            _ => return Err(refuse("the URL has a parameter other than tls")),
        }
    }
    match (url.scheme(), asked) {
        ("smtps", None) => Ok(Security::Implicit),
        ("smtps", Some(_)) => Err(refuse("smtps:// is TLS from the first octet; tls= is for smtp://")),
        ("smtp", Some(asked)) => Ok(asked),
        // A password must not cross the network in the clear because somebody on the way took STARTTLS out.
        ("smtp", None) if has_login => Ok(Security::Required),
        ("smtp", None) => Ok(Security::Opportunistic),
        _ => Err(refuse("the URL begins with smtp:// or smtps://")),
    }
}

fn login(url: &Url) -> Result<Option<Login>, Error> {
    let user = decode(url.username())?;
    let password = decode(url.password().unwrap_or_default())?;
    match (user.is_empty(), password.is_empty()) {
        (true, true) => Ok(None),
        (true, false) => Err(refuse("the URL has a password and no user")),
        (false, _) => Ok(Some(Login { user, password: password.into() })),
    }
}

/// Percent-decoding; NUL would end a field of AUTH PLAIN.
fn decode(text: &str) -> Result<String, Error> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&octet, after)) = rest.split_first() {
        if octet == b'%' {
            let hex = after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
            let octet = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok());
            out.push(octet.ok_or_else(|| refuse("a % in user or password is written %25"))?);
            rest = &after[2..];
        } else {
            out.push(octet);
            rest = after;
        }
    }
    let text = String::from_utf8(out).map_err(|_| refuse("user and password are UTF-8"))?;
    if text.contains('\0') { Err(refuse("a NUL in user or password")) } else { Ok(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(url: &str) -> Result<Server, Error> {
        Server::new(&url.into(), None, "shop.example")
    }

    #[test]
    fn what_a_url_says() {
        let cases = [
            ("smtp://mail.example", 25, Security::Opportunistic),
            ("smtp://u:p@mail.example", 587, Security::Required),
            ("smtp://u:p@mail.example:2525?tls=none", 2525, Security::Plain),
            ("smtp://127.0.0.1:2525", 2525, Security::Opportunistic),
            ("smtp://[::1]:2525?tls=required", 2525, Security::Required),
            ("smtps://u:p@mail.example", 465, Security::Implicit),
        ];
        for (url, port, security) in cases {
            let server = server(url).unwrap();
            assert_eq!((server.port, server.security), (port, security), "{url}");
        }
    }

    #[test]
    fn user_and_password_are_decoded() {
        let login = server("smtp://a%40b.example:p%3A%2F%25%C3%A9@mail.example").unwrap().login.unwrap();
        assert_eq!(login.user, "a@b.example");
        assert_eq!(login.password.expose_secret(), "p:/%é");
    }

    #[test]
    fn refusals_never_show_the_password() {
        for url in [
            "http://u:geheim@mail.example",
            "smtp://u:geheim@",
            "smtp://u:geheim@mail.example?tls=maybe",
            "smtp://u:geheim@mail.example?x=1",
            "smtps://u:geheim@mail.example?tls=none",
            "smtp://:geheim@mail.example",
            "smtp://u:geheim%zz@mail.example",
            "smtp://u:geheim%00@mail.example",
            "geheim",
        ] {
            let error = server(url).err().unwrap_or_else(|| panic!("{url}"));
            assert!(!error.detail.contains("geheim"), "{}", error.detail);
        }
    }
}
