//! What a provider said, made fit for a timeline that others read.

/// The longest that a provider's own words may become, in characters.
const LONGEST: usize = 200;

/// A provider's words: one line, shortened, with the recipient's address taken out (it is personal, and logs and
/// metrics carry these words).
pub(crate) fn tell(words: &str, recipient: &str) -> String {
    // Bounded before anything is searched: an answer may be 64 KiB long.
    let words: String = words.chars().take(4 * LONGEST).collect();
    let without = if recipient.is_empty() { words } else { words.replace(recipient, "(recipient)") };
    let mut out = String::with_capacity(without.len().min(4 * LONGEST));
    for (index, c) in without.trim().chars().enumerate() {
        if index == LONGEST {
            out.push('…');
            break;
        }
        out.push(if c.is_control() { ' ' } else { c });
    }
    out
}

/// Whether `text` may not stand in a header: CR and LF would start a new one, NUL ends it for many parsers.
pub(crate) fn breaks_header(text: &str) -> bool {
    text.contains(['\r', '\n', '\0'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_recipient_never_shows() {
        assert_eq!(tell("no mailbox ada@x.example here", "ada@x.example"), "no mailbox (recipient) here");
    }

    #[test]
    fn one_short_line() {
        let told = tell(&format!("a\r\nb{}", "é".repeat(5000)), "");
        assert!(told.starts_with("a  b"));
        assert_eq!(told.chars().count(), LONGEST + 1);
        assert!(told.ends_with('…'));
    }
}
