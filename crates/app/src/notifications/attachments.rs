//! Checks files at the door: what passes can stand in a message's headers and is what it says.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use carillon_domain::content::{Attachment, Content};
use carillon_domain::{Error, FieldError};

/// Checks the files of an e-mail whose content is at the pointer `at`.
///
/// # Errors
/// `validation_failed` for the first that is wrong.
pub(crate) fn check(content: &Content, at: &str) -> Result<(), Error> {
    let Content::Email(email) = content else { return Ok(()) };
    for (index, attachment) in email.attachments.iter().enumerate() {
        if let Some((name, code, message)) = finding(attachment) {
            let pointer = format!("{at}/attachments/{index}/{name}");
            return Err(Error::invalid(FieldError::new(pointer, code, message)));
        }
    }
    Ok(())
}

fn finding(file: &Attachment) -> Option<(&'static str, &'static str, &'static str)> {
    let named = (1..=255).contains(&file.filename.len())
        && !file.filename.chars().any(|c| c.is_control() || matches!(c, '/' | '\\' | '\u{2028}' | '\u{2029}'));
    if !named {
        let message = "filename is 1 to 255 bytes, without a path and without control characters";
        Some(("filename", "invalid_filename", message))
    } else if !is_media_type(&file.content_type) {
        Some(("contentType", "invalid_media_type", "contentType is not a media type such as application/pdf"))
    } else if STANDARD.decode(&file.content_base64).is_err() {
        Some(("contentBase64", "invalid_base64", "contentBase64 is not standard base64"))
    } else {
        None
    }
}

/// RFC 2045 §5.1: `type/subtype`, perhaps with parameters.
fn is_media_type(text: &str) -> bool {
    let token = |text: &str| {
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic() && !b"()<>@,;:\\\"/[]?=".contains(&b))
    };
    let quoted = |text: &str| {
        let inner = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        inner.is_some_and(|inner| inner.bytes().all(|b| matches!(b, b' '..=b'~') && !matches!(b, b'"' | b'\\' | b';')))
    };
    let mut parts = text.split(';').map(|part| part.trim_matches(' '));
    let essence = parts.next().and_then(|essence| essence.split_once('/'));
    text.len() <= 255
        && essence.is_some_and(|(kind, subtype)| token(kind) && token(subtype))
        && parts.all(|part| {
            part.split_once('=').is_some_and(|(name, value)| token(name) && (token(value) || quoted(value)))
        })
}

#[cfg(test)]
mod tests {
    use super::is_media_type;

    #[test]
    fn media_types_pass_and_nothing_else() {
        for good in ["application/pdf", "text/plain; charset=utf-8", "text/x; a=\"b c\"; d=e", "image/svg+xml"] {
            assert!(is_media_type(good), "{good}");
        }
        for bad in
            ["", "pdf", "a/", "/b", "a/b/c", "a/b;", "a/b; c", "a/b; c=", "a b/c", "a/b\r\nX: y", "ä/b", "a/b; c=\"d"]
        {
            assert!(!is_media_type(bad), "{bad:?}");
        }
    }
}
