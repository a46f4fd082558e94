//! Times and spans as people type them.

use carillon_domain::Timestamp;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

/// A span such as `90s`, `15m`, `12h`, `7d` or `2w`.
pub(crate) fn span(text: &str) -> Result<TimeDelta, String> {
    let wrong = || format!("\"{text}\" is not a span of time: a number with s, m, h, d or w, such as 12h");
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let seconds: i64 = match &text[digits.len()..] {
        "s" => 1,
        "m" | "min" => 60,
        "h" => 3_600,
        "d" => 86_400,
        "w" => 604_800,
        _ => return Err(wrong()),
    };
    let number: i64 = digits.parse().map_err(|_| wrong())?;
    number.checked_mul(seconds).filter(|_| number >= 0).and_then(TimeDelta::try_seconds).ok_or_else(wrong)
}

/// A moment: RFC 3339, or a span, which counts from now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    /// On the calendar.
    At(Timestamp),
    /// So far from now.
    Span(TimeDelta),
}

impl std::str::FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(time) = DateTime::parse_from_rfc3339(text) {
            return Ok(Self::At(time.with_timezone(&Utc)));
        }
        let relative = text.strip_prefix('+').unwrap_or(text);
        span(relative).map(Self::Span).map_err(|_| {
            format!("\"{text}\" is not a time: 2026-12-24T18:00:00Z, or a span from now such as 30m, 12h or 7d")
        })
    }
}

impl Moment {
    /// As the server wants it; a span lies before `now`.
    pub(crate) fn back_from(self, now: Timestamp) -> String {
        self.wire(now, -1)
    }

    /// As the server wants it; a span lies after `now`.
    pub(crate) fn ahead_of(self, now: Timestamp) -> String {
        self.wire(now, 1)
    }

    fn wire(self, now: Timestamp, sign: i32) -> String {
        let time = match self {
            Self::At(time) => time,
            Self::Span(span) => now.checked_add_signed(span * sign).unwrap_or(now),
        };
        time.to_rfc3339_opts(SecondsFormat::Millis, true)
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};

    use super::Moment;

    #[test]
    fn spans_and_moments() {
        let now = DateTime::from_timestamp(1_790_000_000, 0).unwrap_or_default().with_timezone(&Utc);
        let moment = |text: &str| text.parse::<Moment>();
        assert_eq!(moment("12h").unwrap().back_from(now), "2026-09-21T02:13:20.000Z");
        assert_eq!(moment("+90s").unwrap().ahead_of(now), "2026-09-21T14:14:50.000Z");
        assert_eq!(moment("2026-12-24T18:00:00+01:00").unwrap().ahead_of(now), "2026-12-24T17:00:00.000Z");
        for wrong in ["", "12", "h", "-5m", "1y", "tomorrow", "99999999999999999w", "1é"] {
            assert!(moment(wrong).is_err(), "{wrong}");
        }
    }
}
