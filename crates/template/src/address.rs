//! Whether rendered text can be an e-mail address.

/// Whether `text` is plausibly one bare address: `local@domain`, no display name, no list. The transport's parser has
/// the last word.
pub(crate) fn is_plausible(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else {
        return false;
    };
    let plain = |c: char| !c.is_control() && !c.is_whitespace() && !"()<>[]:;,\\\"@".contains(c);
    text.len() <= 254
        && (1..=64).contains(&local.len())
        && local.chars().all(plain)
        && !domain.is_empty()
        && domain.split('.').all(|label| {
            !label.is_empty()
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.chars().all(|c| c.is_alphanumeric() || c == '-')
        })
}

#[cfg(test)]
mod tests {
    use super::is_plausible;

    #[test]
    fn one_bare_address_and_nothing_else() {
        for good in ["ada@example.com", "a.b+c@sub.example.co.uk", "jürgen@büro.example", "x@localhost"] {
            assert!(is_plausible(good), "{good}");
        }
        for bad in [
            "",
            "ada",
            "@example.com",
            "ada@",
            "a@b@c",
            "Ada <ada@example.com>",
            "a@b.c, d@e.f",
            "a b@c.d",
            "a@b..c",
            "a@[127.0.0.1]",
            "a@-b.c",
        ] {
            assert!(!is_plausible(bad), "{bad}");
        }
    }
}
