//! Addresses of services without the passwords in them, for logs, errors and `carillon config`.

/// What stands in place of a secret.
pub const MASK: &str = "***";

/// Words in the name of a query parameter that make its value a secret.
const SECRET_WORDS: [&str; 7] = ["pass", "pwd", "secret", "token", "key", "sig", "auth"];

/// The URL with the password of its user part, and query values whose names sound like secrets, replaced by `***`.
///
/// Works on text that is not quite a URL too, and then rather hides too much: a password in which `@`, `/` or `#` should
/// have been percent-encoded is hidden whole.
pub fn mask_url(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return mask_query(url) };
    let before_query = rest.find('?').unwrap_or(rest.len());
    let Some(at) = rest[..before_query].rfind('@').or_else(|| rest.rfind('@')) else {
        return format!("{scheme}://{}", mask_query(rest));
    };
    let user = &rest[..at];
    let user = user.split_once(':').map_or_else(|| user.to_owned(), |(name, _)| format!("{name}:{MASK}"));
    format!("{scheme}://{user}{}", mask_query(&rest[at..]))
}

fn mask_query(text: &str) -> String {
    let Some((before, query)) = text.split_once('?') else { return text.to_owned() };
    let pairs: Vec<_> = query.split('&').map(mask_pair).collect();
    format!("{before}?{}", pairs.join("&"))
}

fn mask_pair(pair: &str) -> String {
    match pair.split_once('=') {
        Some((name, _)) if is_secret(name) => format!("{name}={MASK}"),
        _ => pair.to_owned(),
    }
}

fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SECRET_WORDS.iter().any(|word| name.contains(word))
}

#[cfg(test)]
mod tests {
    use super::mask_url;

    #[test]
    fn passwords_are_hidden_and_the_rest_is_left() {
        for (url, masked) in [
            ("postgres://u:p@h/db", "postgres://u:***@h/db"),
            ("postgres://u@h:5432/db", "postgres://u@h:5432/db"),
            ("redis://:p@h:6379", "redis://:***@h:6379"),
            ("smtp://me%40x.org:a:b@h:587?tls=required", "smtp://me%40x.org:***@h:587?tls=required"),
            ("sqlite://./carillon.db?mode=rwc", "sqlite://./carillon.db?mode=rwc"),
            (
                "postgres://h/db?user=u&password=p&sslmode=require",
                "postgres://h/db?user=u&password=***&sslmode=require",
            ),
            ("https://h/hook?X-Amz-Signature=abc&apiKey=1", "https://h/hook?X-Amz-Signature=***&apiKey=***"),
            ("", ""),
            ("not a url", "not a url"),
        ] {
            assert_eq!(mask_url(url), masked, "{url}");
        }
    }

    #[test]
    fn what_should_have_been_encoded_is_hidden_too() {
        for url in ["postgres://u:s@cr/et#x@h/db", "postgres://u:se?cret@h/db", "smtp://u:secret@@h?from=a@b.c"] {
            let masked = mask_url(url);
            assert!(masked.contains("***") && !masked.contains("cr") && !masked.contains("et"), "{masked}");
        }
    }
}
