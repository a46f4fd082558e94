//! What the inbox is asked for: `channel`, `recipient`, `cursor`. A page is lenient: empty fields of its form mean "all".

use carillon_app::PageRequest;
use carillon_app::view::SandboxFilter;
use carillon_domain::Error;

/// The filter and page of a query string.
pub(crate) fn read(query: &str) -> Result<(SandboxFilter, PageRequest), Error> {
    let query = query.as_bytes();
    let channel = field(query, "channel").map(|word| word.parse()).transpose()?;
    let recipient = field(query, "recipient").map(|text| text.trim().to_owned());
    let filter = SandboxFilter { channel, recipient, since: None };
    Ok((filter, PageRequest { limit: Some(50), cursor: field(query, "cursor") }))
}

/// The first value of `name` that is not empty.
pub(crate) fn field(form: &[u8], name: &str) -> Option<String> {
    let mut pairs = url::form_urlencoded::parse(form);
    let found = pairs.find(|(known, value)| known == name && !value.is_empty() && !value.contains('\0'));
    found.map(|(_, value)| value.into_owned())
}

#[cfg(test)]
mod tests {
    use carillon_domain::Channel;

    use super::*;

    #[test]
    fn empty_fields_mean_all() {
        let (filter, page) = read("channel=&recipient=%2B441632960961&cursor=").unwrap();
        assert_eq!((filter.channel, page.cursor), (None, None));
        assert_eq!(filter.recipient.as_deref(), Some("+441632960961"));
        assert_eq!(read("channel=sms").unwrap().0.channel, Some(Channel::Sms));
        assert!(read("channel=pigeon").is_err());
    }
}
