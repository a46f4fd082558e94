//! What SendGrid documents about the body of `POST /v3/mail/send`, as far as we use it.

use std::collections::BTreeMap;

use serde::Deserialize;

#[derive(Deserialize)]
struct Mail {
    personalizations: Vec<Personalization>,
    from: Party,
    reply_to: Option<Party>,
    subject: String,
    content: Vec<Part>,
    #[serde(default)]
    attachments: Vec<File>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Personalization {
    to: Vec<Party>,
    #[serde(default)]
    custom_args: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Party {
    email: String,
}

#[derive(Deserialize)]
struct Part {
    r#type: String,
    value: String,
}

#[derive(Deserialize)]
struct File {
    content: String,
    filename: String,
}

const RESERVED: [&str; 11] = [
    "x-sg-id",
    "x-sg-eid",
    "received",
    "dkim-signature",
    "content-type",
    "content-transfer-encoding",
    "to",
    "from",
    "subject",
    "reply-to",
    "cc",
];

/// The notification's uuid and the address, or what is wrong.
pub(super) fn check(body: &[u8]) -> Result<(String, String), String> {
    let mail: Mail = serde_json::from_slice(body).map_err(|error| format!("Bad Request: {error}"))?;
    let [personalization] = mail.personalizations.as_slice() else {
        return Err("personalizations: exactly one".to_owned());
    };
    let [to] = personalization.to.as_slice() else {
        return Err("personalizations.0.to: exactly one".to_owned());
    };
    for party in [Some(to), Some(&mail.from), mail.reply_to.as_ref()].into_iter().flatten() {
        if !party.email.contains('@') || !party.email.is_ascii() || party.email.contains(char::is_whitespace) {
            return Err("Does not contain a valid address.".to_owned());
        }
    }
    if mail.subject.is_empty() || mail.subject.contains(['\r', '\n']) {
        return Err("The subject is required, in one line.".to_owned());
    }
    let order: Vec<_> = mail.content.iter().map(|part| part.r#type.as_str()).collect();
    if !matches!(order.as_slice(), ["text/plain" | "text/html"] | ["text/plain", "text/html"]) {
        return Err("content: text/plain, then text/html".to_owned());
    }
    if mail.content.iter().any(|part| part.value.is_empty()) {
        return Err("The content value must be a string at least one character in length.".to_owned());
    }
    if mail.attachments.iter().any(|file| file.content.is_empty() || file.filename.is_empty()) {
        return Err("attachments: content and filename are required".to_owned());
    }
    if let Some(name) = mail.headers.keys().find(|name| RESERVED.contains(&name.to_ascii_lowercase().as_str())) {
        return Err(format!("headers: {name} is reserved"));
    }
    let id = personalization.custom_args.get("notification").ok_or("custom_args.notification is missing")?;
    Ok((id.clone(), to.email.clone()))
}
