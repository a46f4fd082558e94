//! Text on its way into HTML.

use std::fmt;

/// Displays text so that it stands for itself between tags and in quoted attributes.
pub(crate) struct Escaped<'a>(pub(crate) &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        while let Some(at) = rest.find(['&', '<', '>', '"', '\'', '\0']) {
            f.write_str(&rest[..at])?;
            f.write_str(match rest.as_bytes()[at] {
                b'&' => "&amp;",
                b'<' => "&lt;",
                b'>' => "&gt;",
                b'"' => "&quot;",
                b'\'' => "&#39;",
                _ => "\u{fffd}",
            })?;
            rest = &rest[at + 1..];
        }
        f.write_str(rest)
    }
}

/// Whether a link may be clicked: the web only, never `javascript:`.
pub(crate) fn is_web(link: &str) -> bool {
    link.starts_with("https://") || link.starts_with("http://")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_gets_out() {
        let text = "<script>\"&'</script>ä\0";
        assert_eq!(Escaped(text).to_string(), "&lt;script&gt;&quot;&amp;&#39;&lt;/script&gt;ä\u{fffd}");
        assert!(is_web("https://example.com") && !is_web("javascript:alert(1)"));
    }
}
