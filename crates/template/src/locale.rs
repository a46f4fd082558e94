//! Which localization a recipient gets.

use carillon_domain::Channel;
use carillon_domain::content::Content;
use carillon_domain::template::TemplateBody;

/// The locale to use: `de-CH` → `de` → `default`. Case does not matter and `_` counts as `-`. Returns the key as
/// `available` has it, or `None` if not even the default is among them.
pub fn choose_locale<'a>(
    available: impl Iterator<Item = &'a str>,
    wanted: Option<&str>,
    default: &str,
) -> Option<&'a str> {
    let available: Vec<&'a str> = available.collect();
    let find = |tag: &str| available.iter().copied().find(|key| same(key, tag));
    let mut tag = wanted.map(str::trim).unwrap_or_default();
    while !tag.is_empty() {
        if let Some(key) = find(tag) {
            return Some(key);
        }
        tag = tag.rfind(['-', '_']).map_or("", |at| &tag[..at]);
    }
    find(default)
}

/// The part of `body` for `channel`, in the nearest locale that has one for this channel, with that locale's key.
pub fn choose_part<'a>(
    body: &'a TemplateBody,
    channel: Channel,
    wanted: Option<&str>,
) -> Option<(&'a str, &'a Content)> {
    let having = body.localizations.iter().filter(|(_, parts)| parts.contains_key(&channel));
    let key = choose_locale(having.map(|(key, _)| key.as_str()), wanted, &body.default_locale)?;
    Some((key, body.localizations.get(key)?.get(&channel)?))
}

/// Whether two tags name the same locale.
pub(crate) fn same(left: &str, right: &str) -> bool {
    let norm = |byte: u8| {
        if byte == b'_' { b'-' } else { byte.to_ascii_lowercase() }
    };
    left.len() == right.len() && left.bytes().map(norm).eq(right.bytes().map(norm))
}

/// Whether `tag` looks like BCP 47: a language of two or three letters, then subtags of up to eight letters or digits.
pub(crate) fn is_well_formed(tag: &str) -> bool {
    let mut subtags = tag.split(['-', '_']);
    let language =
        subtags.next().is_some_and(|tag| (2..=3).contains(&tag.len()) && tag.bytes().all(|b| b.is_ascii_alphabetic()));
    language
        && tag.len() <= 35
        && subtags.all(|tag| (1..=8).contains(&tag.len()) && tag.bytes().all(|b| b.is_ascii_alphanumeric()))
}

#[cfg(test)]
mod tests {
    use super::{choose_locale, is_well_formed};

    fn choose(available: &[&'static str], wanted: Option<&str>) -> Option<&'static str> {
        choose_locale(available.iter().copied(), wanted, "en")
    }

    #[test]
    fn falls_back_from_region_to_language_to_default() {
        let all = ["de", "de-CH", "en", "zh-Hant"];
        assert_eq!(choose(&all, Some("de-CH")), Some("de-CH"));
        assert_eq!(choose(&all, Some("de-AT")), Some("de"));
        assert_eq!(choose(&all, Some("zh-Hant-TW")), Some("zh-Hant"));
        assert_eq!(choose(&all, Some("fr")), Some("en"));
        assert_eq!(choose(&all, Some("deu")), Some("en"), "a longer language is another language");
        assert_eq!(choose(&all, Some("")), Some("en"));
        assert_eq!(choose(&all, None), Some("en"));
        assert_eq!(choose(&["de"], Some("fr")), None);
    }

    #[test]
    fn case_and_underscores_do_not_matter_and_the_key_is_returned_as_it_is() {
        assert_eq!(choose(&["de_ch", "en"], Some("DE-CH")), Some("de_ch"));
        assert_eq!(choose(&["EN"], None), Some("EN"));
    }

    #[test]
    fn well_formed_tags() {
        for good in ["de", "de-CH", "de_CH", "zh-Hant-TW", "sr-Latn", "es-419", "en-x-pirate", "gsw"] {
            assert!(is_well_formed(good), "{good}");
        }
        for bad in ["", "d", "german", "de-", "-de", "de CH", "de--CH", "de/CH", "de-abcdefghi", "дe"] {
            assert!(!is_well_formed(bad), "{bad}");
        }
    }
}
