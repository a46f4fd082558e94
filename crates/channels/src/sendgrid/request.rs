//! The body of `POST /v3/mail/send`, borrowed from the message and written once.

use carillon_domain::content::Email;
use carillon_domain::delivery::Failure;
use carillon_domain::message::Message;
use lettre::message::Mailbox;
use serde::Serialize;
use uuid::Uuid;

use crate::{address, text};

#[derive(Serialize)]
struct Send<'a> {
    personalizations: [Personalization<'a>; 1],
    from: Party<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reply_to: Option<Party<'a>>,
    subject: &'a str,
    content: Vec<Part<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    attachments: Vec<File<'a>>,
    headers: Headers<'a>,
}

#[derive(Serialize)]
struct Personalization<'a> {
    to: [Party<'a>; 1],
    custom_args: Args,
}

/// Comes back with every event of SendGrid's webhook.
#[derive(Serialize)]
struct Args {
    notification: Uuid,
}

#[derive(Serialize)]
struct Headers<'a> {
    #[serde(rename = "Message-ID")]
    message_id: &'a str,
}

#[derive(Serialize)]
struct Party<'a> {
    email: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
}

#[derive(Serialize)]
struct Part<'a> {
    r#type: &'static str,
    value: &'a str,
}

#[derive(Serialize)]
struct File<'a> {
    content: &'a str,
    r#type: &'a str,
    filename: &'a str,
    disposition: &'static str,
}

/// The JSON of one message.
///
/// # Errors
/// A permanent failure if the message holds what no mail can carry.
pub(super) fn body(message: &Message, email: &Email, from: &Mailbox) -> Result<Vec<u8>, Failure> {
    let refuse = |code, what: &str| Failure::of_message(code, what);
    let to = address::parse(message.to()).ok_or_else(|| refuse("invalid_recipient", "not an e-mail address"))?;
    let reply_to = match email.reply_to.as_deref() {
        None => None,
        Some(reply_to) => {
            Some(address::mailbox(reply_to).ok_or_else(|| refuse("invalid_reply_to", "not an e-mail address"))?)
        }
    };
    let name = message.recipient.name.as_deref().filter(|name| !name.is_empty());
    if text::breaks_header(&email.subject) || name.is_some_and(text::breaks_header) {
        return Err(refuse("invalid_header", "a line break or NUL in the subject or the display name"));
    }
    let mut content = Vec::with_capacity(2);
    // SendGrid wants text before HTML, and refuses empty values.
    for (r#type, value) in [("text/plain", &email.text), ("text/html", &email.html)] {
        if let Some(value) = value.as_deref().filter(|value| !value.is_empty()) {
            content.push(Part { r#type, value });
        }
    }
    if content.is_empty() {
        content.push(Part { r#type: "text/plain", value: " " });
    }
    let mut attachments = Vec::with_capacity(email.attachments.len());
    for file in &email.attachments {
        if [&file.filename, &file.content_type].into_iter().any(|field| text::breaks_header(field)) {
            return Err(refuse("invalid_attachment", "a line break or NUL in an attachment's name or type"));
        }
        attachments.push(File {
            content: &file.content_base64,
            r#type: &file.content_type,
            filename: &file.filename,
            disposition: "attachment",
        });
    }
    let message_id = format!("<{}@{}>", message.uuid, from.email.domain());
    let send = Send {
        personalizations: [Personalization {
            to: [Party { email: to.as_ref(), name }],
            custom_args: Args { notification: message.uuid },
        }],
        from: party(from),
        reply_to: reply_to.as_ref().map(party),
        subject: &email.subject,
        content,
        attachments,
        headers: Headers { message_id: &message_id },
    };
    // Only strings with string keys: it cannot fail, but if it does the message is at fault.
    serde_json::to_vec(&send).map_err(|error| refuse("unserialisable", &error.to_string()))
}

fn party(mailbox: &Mailbox) -> Party<'_> {
    Party { email: mailbox.email.as_ref(), name: mailbox.name.as_deref() }
}
