//! E-mail addresses on their way out.

use lettre::Address;
use lettre::message::Mailbox;

/// The address with its domain in ASCII; `None` if it is not one bare address with a domain name. The door has checked
/// it already; a defect there must not become an injected header here.
pub(crate) fn parse(text: &str) -> Option<Address> {
    if text.len() > 320 || text.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return None;
    }
    let (user, domain) = text.rsplit_once('@')?;
    // An address literal (`[127.0.0.1]`) would let a recipient choose the host.
    let url::Host::Domain(domain) = url::Host::parse(domain).ok()? else { return None };
    Address::new(user, domain).ok()
}

/// The sender as it is configured, such as `Shop <no-reply@shop.example>`.
pub(crate) fn mailbox(text: &str) -> Option<Mailbox> {
    if text.chars().any(char::is_control) {
        return None;
    }
    let mailbox: Mailbox = text.trim().parse().ok()?;
    let email = parse(mailbox.email.as_ref())?;
    Some(Mailbox::new(mailbox.name.filter(|name| !name.is_empty()), email))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domains_become_ascii() {
        let address = parse("ada@bücher.example").unwrap();
        assert_eq!(AsRef::<str>::as_ref(&address), "ada@xn--bcher-kva.example");
    }

    #[test]
    fn nothing_but_one_bare_address() {
        for bad in [
            "",
            "ada",
            "@x.example",
            "ada@",
            "ada@[127.0.0.1]",
            "ada@127.0.0.1",
            "a\r\nb@x.example",
            "a b@x.example",
            "ada@x.example\0",
            "<ada@x.example>",
            "ada@x.example>,<b@x.example",
            "ada@x.example\u{2028}",
        ] {
            assert!(parse(bad).is_none(), "{bad:?}");
        }
    }

    #[test]
    fn a_sender_may_have_a_name() {
        let sender = mailbox("Bücher Shop <no-reply@shop.example>").unwrap();
        assert_eq!(sender.name.as_deref(), Some("Bücher Shop"));
        assert!(mailbox("no-reply@shop.example").unwrap().name.is_none());
        assert!(mailbox("Shop\r\nBcc: x@y.example <no-reply@shop.example>").is_none());
        assert!(mailbox("Shop").is_none());
    }
}
