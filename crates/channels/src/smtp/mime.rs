//! A mail as it goes on the wire. Only what a strict server takes leaves here: CRLF line ends, no line over 998 octets,
//! seven bits, no control characters.

use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use carillon_domain::Timestamp;
use carillon_domain::content::{Attachment, Email};
use carillon_domain::delivery::Failure;
use carillon_domain::message::Message;
use lettre::Address;
use lettre::address::Envelope;
use lettre::message::header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue};
use lettre::message::{Attachment as Part, Body, Mailbox, MultiPart, SinglePart};

use crate::{address, text};

/// The longest word, in octets, that fits a header's line together with its name.
const LONGEST_WORD: usize = 900;

/// A mail, ready to be written.
pub(super) struct Mail {
    pub(super) from: Address,
    pub(super) to: Address,
    /// An address needs SMTPUTF8.
    pub(super) utf8: bool,
    /// The message's length before dot-stuffing, in octets: what SIZE is about.
    pub(super) octets: usize,
    /// The message, dot-stuffed, with its final dot.
    pub(super) wire: Vec<u8>,
}

/// Builds the mail.
///
/// # Errors
/// A permanent failure if a header would carry a control character, an address is none, or an attachment is broken.
pub(super) fn build(message: &Message, email: &Email, from: &Mailbox, at: Timestamp) -> Result<Mail, Failure> {
    let to = address::parse(message.to())
        .ok_or_else(|| Failure::of_message("invalid_recipient", "the recipient is not an e-mail address"))?;
    let name = message.recipient.name.as_deref().filter(|name| !name.trim().is_empty());
    if name.is_some_and(|name| name.len() >= LONGEST_WORD) {
        return Err(Failure::of_message("invalid_header", "the display name is too long"));
    }
    // lettre panics on a line break in a display name.
    if name.is_some_and(|name| name.chars().any(char::is_control)) || text::breaks_header(&email.subject) {
        return Err(Failure::of_message("invalid_header", "a control character in the subject or the display name"));
    }
    let envelope = Envelope::new(Some(from.email.clone()), vec![to.clone()])
        .map_err(|error| Failure::of_message("invalid_recipient", error.to_string()))?;
    let mut builder = lettre::Message::builder()
        .message_id(Some(format!("<{}@{}>", message.uuid, from.email.domain())))
        .date(SystemTime::from(at))
        .from(from.clone())
        .raw_header(recipient(name, &to))
        .envelope(envelope)
        .raw_header(subject(&email.subject));
    if let Some(reply_to) = &email.reply_to {
        let reply_to = address::mailbox(reply_to)
            .ok_or_else(|| Failure::of_message("invalid_reply_to", "replyTo is not an e-mail address"))?;
        builder = builder.reply_to(reply_to);
    }
    let built = match (bodies(email), email.attachments.is_empty()) {
        (Bodies::One(part), true) => builder.singlepart(part),
        (Bodies::Both(parts), true) => builder.multipart(parts),
        (bodies, false) => {
            let mut mixed = match bodies {
                Bodies::One(part) => MultiPart::mixed().singlepart(part),
                Bodies::Both(parts) => MultiPart::mixed().multipart(parts),
            };
            for attachment in &email.attachments {
                mixed = mixed.singlepart(file(attachment)?);
            }
            builder.multipart(mixed)
        }
    };
    let built = built.map_err(|error| Failure::of_message("invalid_message", error.to_string()))?;
    let octets = built.formatted();
    let from = from.email.clone();
    let utf8 = !AsRef::<str>::as_ref(&from).is_ascii() || !AsRef::<str>::as_ref(&to).is_ascii();
    Ok(Mail { utf8: utf8 || !octets.is_ascii(), wire: stuff(&octets), octets: octets.len(), from, to })
}

enum Bodies {
    One(SinglePart),
    Both(MultiPart),
}

fn bodies(email: &Email) -> Bodies {
    let plain = |text: &str| SinglePart::builder().header(ContentType::TEXT_PLAIN).body(body(text));
    let html = |text: &str| SinglePart::builder().header(ContentType::TEXT_HTML).body(body(text));
    match (&email.text, &email.html) {
        // The last alternative is the one that readers prefer.
        (Some(t), Some(h)) => Bodies::Both(MultiPart::alternative().singlepart(plain(t)).singlepart(html(h))),
        (None, Some(h)) => Bodies::One(html(h)),
        (t, None) => Bodies::One(plain(t.as_deref().unwrap_or_default())),
    }
}

/// The text with CRLF line ends, encoded. Seven-bit text goes as it is if every octet of it may.
fn body(text: &str) -> Body {
    let mut lines = String::with_capacity(text.len() + text.len() / 32);
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\r' => {
                rest.next_if_eq(&'\n');
                lines.push_str("\r\n");
            }
            '\n' => lines.push_str("\r\n"),
            c => lines.push(c),
        }
    }
    if lines.bytes().any(|octet| octet.is_ascii_control() && !matches!(octet, b'\r' | b'\n' | b'\t')) {
        return match Body::new_with_encoding(lines, ContentTransferEncoding::Base64) {
            Ok(body) => body,
            // Base64 fits everything; lettre's signature cannot say so.
            Err(octets) => Body::new(octets),
        };
    }
    Body::new(lines)
}

/// A subject in one line: other control characters, of which no reader can make anything, become spaces.
fn subject(text: &str) -> HeaderValue {
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let name = HeaderName::new_from_ascii_str("Subject");
    if text.split(' ').all(|word| word.len() < LONGEST_WORD) && !text.contains("=?") {
        return HeaderValue::new(name, text);
    }
    // lettre folds at spaces only: a longer word would be a line that servers refuse. And it lets pass what only looks
    // like an encoded word, which readers would decode.
    let encoded = encoded_words(&text);
    HeaderValue::dangerous_new_pre_encoded(name, text, encoded)
}

/// RFC 2047: the text in words of base64, a line each.
fn encoded_words(text: &str) -> String {
    let mut words = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        // 45 octets are 60 of base64, and 72 with the frame of an encoded word, which may have 75.
        let (word, after) = rest.split_at(rest.floor_char_boundary(45));
        words.push(format!("=?utf-8?b?{}?=", STANDARD.encode(word)));
        rest = after;
    }
    words.join("\r\n ")
}

/// `To`. lettre writes a name that is only a dot, or looks like an encoded word, in a way that readers do not understand
/// or decode; so the name is always quoted, or encoded when quotes cannot hold it.
fn recipient(name: Option<&str>, to: &Address) -> HeaderValue {
    let address: &str = to.as_ref();
    let value = match name {
        None => address.to_owned(),
        Some(name) if name.is_ascii() && !name.contains("=?") => {
            format!("\"{}\" <{address}>", name.replace('\\', "\\\\").replace('"', "\\\""))
        }
        Some(name) => format!("{}\r\n <{address}>", encoded_words(name)),
    };
    HeaderValue::dangerous_new_pre_encoded(HeaderName::new_from_ascii_str("To"), value.clone(), value)
}

fn file(attachment: &Attachment) -> Result<SinglePart, Failure> {
    let refuse = |what: &str| Failure::of_message("invalid_attachment", what);
    if attachment.filename.chars().any(char::is_control) {
        return Err(refuse("a control character in an attachment's name"));
    }
    let octets = STANDARD.decode(&attachment.content_base64).map_err(|_| refuse("an attachment is not base64"))?;
    let parsed = ContentType::parse(&attachment.content_type).map_err(|_| refuse("an attachment has no media type"))?;
    // Parts of these types have a structure, which an encoded file does not show.
    let composite = ["multipart/", "message/"];
    let lower = attachment.content_type.trim_start().to_ascii_lowercase();
    let kind = if composite.into_iter().any(|prefix| lower.starts_with(prefix)) {
        ContentType::parse("application/octet-stream").map_err(|_| refuse("an attachment has no media type"))?
    } else {
        parsed
    };
    Ok(Part::new(literal(&attachment.filename)).body(octets, kind))
}

/// A name in which no reader finds an encoded word: decoded, it could say something else, or hold a line break.
fn literal(name: &str) -> String {
    name.replace("=?", "= ?")
}

/// RFC 5321 §4.5.2: a line that begins with a dot gets another; the message ends with a dot on a line of its own.
fn stuff(octets: &[u8]) -> Vec<u8> {
    let mut wire = Vec::with_capacity(octets.len() + octets.len() / 64 + 8);
    for line in octets.split_inclusive(|octet| *octet == b'\n') {
        if line.first() == Some(&b'.') {
            wire.push(b'.');
        }
        wire.extend_from_slice(line);
    }
    if !wire.ends_with(b"\r\n") {
        wire.extend_from_slice(b"\r\n");
    }
    wire.extend_from_slice(b".\r\n");
    wire
}
