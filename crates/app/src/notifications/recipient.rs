//! Checks addresses at the door: what passes can stand in a header and be dialled.

use std::net::IpAddr;
use std::str::FromStr as _;

use carillon_domain::{Channel, FieldError, Recipient};
use email_address::{EmailAddress, Options};

use super::command::RecipientInput;

/// The checked recipient, or every finding.
pub(super) fn check(input: &RecipientInput, channel: Channel) -> Result<Recipient, Vec<FieldError>> {
    let mut findings = Vec::new();
    let mut field = |name: &str, result: Result<Option<String>, (&'static str, String)>| {
        result.unwrap_or_else(|(code, message)| {
            findings.push(FieldError::new(format!("/recipient/{name}"), code, message));
            None
        })
    };
    let recipient = Recipient {
        user_id: field("userId", word(input.user_id.as_deref(), "recipient.userId", 255)),
        email: field("email", input.email.as_deref().map(email).transpose()),
        phone: field("phone", input.phone.as_deref().map(phone).transpose()),
        push_token: field("pushToken", word(input.push_token.as_deref(), "recipient.pushToken", 4096)),
        name: field("name", word(input.name.as_deref(), "recipient.name", 200)),
    };
    if findings.is_empty() && recipient.address(channel).is_none() {
        let (name, what) = match channel {
            Channel::Email => ("email", "an e-mail needs recipient.email"),
            Channel::Sms => ("phone", "an SMS needs recipient.phone"),
            Channel::Whatsapp => ("phone", "a WhatsApp message needs recipient.phone"),
            Channel::Push => ("pushToken", "a push needs recipient.pushToken"),
            Channel::InApp => ("userId", "an in-app message needs recipient.userId"),
        };
        findings.push(FieldError::new(format!("/recipient/{name}"), "missing_address", what));
    }
    if findings.is_empty() { Ok(recipient) } else { Err(findings) }
}

fn word(value: Option<&str>, what: &str, most: usize) -> Result<Option<String>, (&'static str, String)> {
    let Some(value) = value else { return Ok(None) };
    if value.is_empty() || value.chars().count() > most {
        return Err(("out_of_range", format!("{what} is 1 to {most} characters")));
    }
    if value.chars().any(|c| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')) {
        return Err(("control_character", format!("{what} holds a control character")));
    }
    Ok(Some(value.to_owned()))
}

/// An address with a dotted domain, in ASCII after IDNA. No display name, no IP literal, nothing quoted.
fn email(text: &str) -> Result<String, (&'static str, String)> {
    let refused = || ("invalid_email", "recipient.email is not an e-mail address".to_owned());
    let (local, domain) = text.rsplit_once('@').ok_or_else(refused)?;
    if text.len() > 320 || local.starts_with('"') || text.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(refused());
    }
    let domain = idna::domain_to_ascii_strict(domain).map_err(|_| refused())?;
    let address = format!("{local}@{domain}");
    let options = Options::default().with_required_tld().without_domain_literal().without_display_text();
    let parsed = EmailAddress::parse_with_options(&address, options).map_err(|_| refused())?;
    if IpAddr::from_str(parsed.domain()).is_ok() {
        return Err(refused());
    }
    Ok(address)
}

/// The kinds of number whose lengths make up a plan's possible lengths.
const KINDS: [phonenumber::Type; 10] = {
    use phonenumber::Type;
    [
        Type::FixedLine,
        Type::Mobile,
        Type::TollFree,
        Type::PremiumRate,
        Type::SharedCost,
        Type::PersonalNumber,
        Type::Voip,
        Type::Pager,
        Type::Uan,
        Type::Voicemail,
    ]
};

/// A possible number in E.164: a country code that exists, and a length that its plan knows.
fn phone(text: &str) -> Result<String, (&'static str, String)> {
    let refused = || {
        let message = "recipient.phone is not a phone number with a country code, such as +441632960961";
        ("invalid_phone", message.to_owned())
    };
    let digits: String = text.chars().filter(|c| !matches!(c, ' ' | '-' | '.' | '(' | ')' | '/' | '\u{a0}')).collect();
    let plain = digits.strip_prefix('+').ok_or_else(refused)?;
    if !(7..=15).contains(&plain.len()) || !plain.bytes().all(|b| b.is_ascii_digit()) {
        return Err(refused());
    }
    let number = phonenumber::parse(None, &digits).map_err(|_| refused())?;
    let national = number.national().to_string().len();
    let plans = phonenumber::metadata::DATABASE.by_code(&number.code().value()).ok_or_else(refused)?;
    let lengths = |plan: &phonenumber::Metadata| {
        let kinds = KINDS.iter().filter_map(|kind| plan.descriptors().get(*kind)?.possible_length().into());
        kinds.flatten().any(|length| usize::from(*length) == national)
    };
    let possible = plans.into_iter().any(lengths);
    if possible { Ok(number.format().mode(phonenumber::Mode::E164).to_string()) } else { Err(refused()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_can_be_delivered_pass() {
        for (given, kept) in [
            ("ada@example.com", "ada@example.com"),
            ("o'hara+news@sub.example.co.uk", "o'hara+news@sub.example.co.uk"),
            ("ada@bücher.example", "ada@xn--bcher-kva.example"),
        ] {
            assert_eq!(email(given).as_deref(), Ok(kept));
        }
    }

    #[test]
    fn addresses_that_hide_something_do_not() {
        for given in [
            "",
            "ada",
            "@example.com",
            "ada@",
            "ada@localhost",
            "ada@127.0.0.1",
            "ada@[127.0.0.1]",
            "a b@example.com",
            "ada@example.com\r\nBcc: eve@example.com",
            "Ada <ada@example.com>",
            "\"ada\"@example.com",
            "ada@exa mple.com",
            "a@b@example.com",
            "ada@-example.com",
            "ada\0@example.com",
            "ada\u{2028}@example.com",
        ] {
            assert!(email(given).is_err(), "{given:?} passed");
        }
    }

    #[test]
    fn possible_numbers_pass_and_are_kept_in_e164() {
        for (given, kept) in [
            ("+441632960961", "+441632960961"),
            ("+44 (1632) 960-961", "+441632960961"),
            ("+15550000000", "+15550000000"),
            ("+4915112345678", "+4915112345678"),
        ] {
            assert_eq!(phone(given).as_deref(), Ok(kept));
        }
    }

    #[test]
    fn impossible_numbers_do_not() {
        for given in ["", "12345", "441632960961", "+999123456789", "+1555", "+44163296096112345", "+44x1632960961"] {
            assert!(phone(given).is_err(), "{given:?} passed");
        }
    }
}
