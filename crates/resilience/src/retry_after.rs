//! The `Retry-After` header of an answer (RFC 9110 §10.2.3).

use std::time::Duration;

use carillon_domain::Timestamp;

/// The longest that a provider may park a message with one answer; it asks for more, it is asked again.
pub const LONGEST: Duration = Duration::from_hours(1);

/// How long the provider asks us to stay away, as of `now`: whole seconds, or a date in one of the three HTTP formats.
///
/// At most [`LONGEST`]; zero for a date that has passed; `None` for anything else, which is then an answer without the
/// header. Seconds with a fraction, which some providers send although the RFC has none, are rounded up.
pub fn parse(header: &str, now: Timestamp) -> Option<Duration> {
    let header = header.trim();
    seconds(header).or_else(|| until(header, now)).map(|after| after.min(LONGEST))
}

fn seconds(header: &str) -> Option<Duration> {
    let (whole, fraction) = header.split_once('.').unwrap_or((header, "0"));
    if !is_digits(whole) || !is_digits(fraction) {
        return None;
    }
    // Only digits: what does not fit is longer than we wait anyway.
    let whole = whole.parse().unwrap_or(u64::MAX);
    let rest = u64::from(fraction.bytes().any(|digit| digit != b'0'));
    Some(Duration::from_secs(whole.saturating_add(rest)))
}

fn until(header: &str, now: Timestamp) -> Option<Duration> {
    let date = Timestamp::from(httpdate::parse_http_date(header).ok()?);
    Some((date - now).to_std().unwrap_or(Duration::ZERO))
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn now() -> Timestamp {
        "2026-11-23T10:00:00Z".parse().unwrap()
    }

    fn parsed(header: &str) -> Option<u64> {
        parse(header, now()).map(|after| after.as_secs())
    }

    #[test]
    fn seconds_are_read_and_clamped() {
        assert_eq!(parsed("0"), Some(0));
        assert_eq!(parsed(" 120 "), Some(120));
        assert_eq!(parsed("1.2"), Some(2));
        assert_eq!(parsed("2.000"), Some(2));
        assert_eq!(parsed("31536000"), Some(3600));
        assert_eq!(parsed("99999999999999999999999999"), Some(3600));
    }

    #[test]
    fn dates_are_read_in_all_three_formats() {
        assert_eq!(parsed("Mon, 23 Nov 2026 10:01:30 GMT"), Some(90));
        assert_eq!(parsed("Monday, 23-Nov-26 10:01:30 GMT"), Some(90));
        assert_eq!(parsed("Mon Nov 23 10:01:30 2026"), Some(90));
    }

    #[test]
    fn a_date_in_the_past_is_now_and_one_next_year_is_an_hour() {
        assert_eq!(parsed("Mon, 23 Nov 2026 09:59:59 GMT"), Some(0));
        assert_eq!(parsed("Thu, 01 Jan 1970 00:00:00 GMT"), Some(0));
        assert_eq!(parsed("Tue, 23 Nov 2027 10:00:00 GMT"), Some(3600));
    }

    #[test]
    fn garbage_is_no_answer() {
        for header in
            ["", " ", "-1", "+5", "1e3", "soon", "1.", ".5", "1.2.3", "0x10", "٣", "Mon, 99 Nov 2026 10:00:00 GMT"]
        {
            assert_eq!(parsed(header), None, "{header:?}");
        }
    }

    proptest! {
        #[test]
        fn is_total_and_never_over_an_hour(header in ".*", at in -62_000_000_000_i64..253_000_000_000) {
            let now = Timestamp::from_timestamp(at, 0).unwrap();
            if let Some(after) = parse(&header, now) {
                prop_assert!(after <= LONGEST);
            }
        }

        #[test]
        fn what_a_server_writes_is_what_we_read(at in 0_i64..253_000_000_000, after in 0_u64..3600) {
            let now = Timestamp::from_timestamp(at, 0).unwrap();
            let header = httpdate::fmt_http_date((now + Duration::from_secs(after)).into());
            prop_assert_eq!(parse(&header, now), Some(Duration::from_secs(after)));
            prop_assert_eq!(parse(&after.to_string(), now), Some(Duration::from_secs(after)));
        }
    }
}
