//! Text for its place: HTML, JSON, URLs.

use std::fmt::Write as _;

use super::value::Val;
use super::{Budget, Problem};

/// Appends `text` with the five characters escaped that mean something in HTML, in text and in attributes.
pub(super) fn escape_html(text: &str, out: &mut String) {
    let mut from = 0;
    for (at, byte) in text.bytes().enumerate() {
        let entity = match byte {
            b'<' => "&lt;",
            b'>' => "&gt;",
            b'&' => "&amp;",
            b'"' => "&quot;",
            b'\'' => "&#39;",
            _ => continue,
        };
        out.push_str(&text[from..at]);
        out.push_str(entity);
        from = at + 1;
    }
    out.push_str(&text[from..]);
}

/// Bytes that [`escape_html`] makes of `text`.
pub(super) fn escaped_len(text: &str) -> usize {
    text.bytes().fold(text.len(), |len, byte| match byte {
        b'<' | b'>' => len + 3,
        b'&' | b'\'' => len + 4,
        b'"' => len + 5,
        _ => len,
    })
}

/// Percent-encodes all but the unreserved characters and `/`.
pub(super) fn escape_url(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            out.push(char::from(byte));
        } else {
            const HEX: &[u8; 16] = b"0123456789ABCDEF";
            out.push('%');
            out.push(char::from(HEX[usize::from(byte >> 4)]));
            out.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
    out
}

/// Appends `value` as JSON that is also safe inside HTML: `<`, `>`, `&` and `'` are written as `\u00XX`.
pub(super) fn write_json(value: &Val<'_>, budget: &mut Budget, out: &mut String) -> Result<(), Problem> {
    budget.steps(1)?;
    match value {
        Val::Missing(_) | Val::Null => out.push_str("null"),
        Val::Bool(true) => out.push_str("true"),
        Val::Bool(false) => out.push_str("false"),
        Val::Int(_) | Val::Float(_) => value.write_number(out),
        Val::Str(text) | Val::Safe(text) => write_json_text(text, budget, out)?,
        Val::Array(_) | Val::List(_) => {
            let mut separator = '[';
            for item in value.items(budget)? {
                out.push(separator);
                separator = ',';
                write_json(&item, budget, out)?;
            }
            out.push_str(if separator == '[' { "[]" } else { "]" });
        }
        Val::Object(_) | Val::Dict(_) => {
            let mut separator = '{';
            for key in value.items(budget)? {
                let Some(name) = key.as_str() else { continue };
                out.push(separator);
                separator = ',';
                write_json_text(name, budget, out)?;
                out.push(':');
                write_json(&value.member(name).unwrap_or(Val::Null), budget, out)?;
            }
            out.push_str(if separator == '{' { "{}" } else { "}" });
        }
    }
    Ok(())
}

fn write_json_text(text: &str, budget: &mut Budget, out: &mut String) -> Result<(), Problem> {
    // `\u003c` is the longest that a byte becomes.
    let special =
        text.bytes().filter(|byte| matches!(byte, b'"' | b'\\' | b'<' | b'>' | b'&' | b'\'' | 0..=0x1f)).count();
    budget.bytes(text.len().saturating_add(5 * special))?;
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '<' | '>' | '&' | '\'' | '\0'..='\x1f' | '\u{2028}' | '\u{2029}' => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    Ok(())
}
