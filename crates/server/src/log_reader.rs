//! Reads along in the event log, a few events at a time, to see how late events come to light.

use std::sync::Arc;
use std::time::Duration;

use carillon_domain::{Clock, Error, Timestamp};
use carillon_ports::EventLog;
use carillon_ports::events::{EventCursor, EventPage};

/// Events per look. They begin with those that were the longest under way; what is beyond them is passed over.
const SAMPLE: u32 = 200;
/// Subscribers should not wait longer.
const LATE: Duration = Duration::from_secs(2);

/// A reader at the log's end.
pub(crate) struct LogReader {
    log: Arc<dyn EventLog>,
    clock: Arc<dyn Clock>,
    /// Where it stands, and when it looked.
    at: Option<(EventCursor, Timestamp)>,
    late: bool,
}

impl LogReader {
    pub(crate) fn new(log: Arc<dyn EventLog>, clock: Arc<dyn Clock>) -> Self {
        Self { log, clock, at: None, late: false }
    }

    /// What has come since the last look, and how late the latest comer was then already. `None`: it cannot be told now.
    pub(crate) async fn look(&mut self) -> Option<Duration> {
        match self.read_on().await {
            Ok(lag) => {
                let late = lag > LATE;
                if late && !self.late {
                    tracing::warn!(seconds = lag.as_secs(), "events come to light late: commits wait for something");
                }
                self.late = late;
                Some(lag)
            }
            Err(error) => {
                tracing::debug!(%error, "the event log could not be read");
                None
            }
        }
    }

    async fn read_on(&mut self) -> Result<Duration, Error> {
        let now = self.clock.now();
        let Some((after, looked)) = &self.at else {
            self.at = Some((self.log.event_log_end().await?, now));
            return Ok(Duration::ZERO);
        };
        let EventPage { events, mut next, more } = self.log.event_log_read(after, SAMPLE).await?;
        let ends = events.iter().filter_map(|event| event.transitions.last());
        let lag = ends.filter_map(|last| (*looked - last.at).to_std().ok()).max().unwrap_or_default();
        if more {
            next = self.log.event_log_end().await?;
        }
        self.at = Some((next, now));
        Ok(lag)
    }
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use carillon_domain::notification::event::Transition;
    use carillon_domain::{EventKind, NotificationId, TenantId};
    use carillon_ports::events::Event;
    use parking_lot::Mutex;

    use super::*;

    struct Hands(Mutex<Timestamp>);

    impl Clock for Hands {
        fn now(&self) -> Timestamp {
            *self.0.lock()
        }
    }

    /// A log of times; the cursor counts them.
    struct Times(Mutex<Vec<Timestamp>>);

    #[async_trait]
    impl EventLog for Times {
        async fn event_log_end(&self) -> Result<EventCursor, Error> {
            Ok(EventCursor::new(self.0.lock().len().to_string()))
        }

        async fn event_log_read(&self, after: &EventCursor, limit: u32) -> Result<EventPage, Error> {
            let (times, from) = (self.0.lock(), after.as_str().parse::<usize>().unwrap());
            let event = |at: &Timestamp| Event {
                notification: NotificationId(1),
                tenant: TenantId(1),
                transitions: vec![Transition::new(EventKind::Sent, *at)],
            };
            let events: Vec<_> = times[from..].iter().take(limit as usize).map(event).collect();
            let more = events.len() == limit as usize;
            Ok(EventPage { next: EventCursor::new((from + events.len()).to_string()), events, more })
        }
    }

    #[tokio::test]
    async fn an_event_that_could_have_been_seen_before_is_late() {
        let start: Timestamp = "2026-11-23T10:00:00Z".parse().unwrap();
        let second = |n: u64| start + Duration::from_secs(n);
        let (clock, log) = (Arc::new(Hands(Mutex::new(start))), Arc::new(Times(Mutex::new(vec![start]))));
        let mut reader = LogReader::new(log.clone(), clock.clone());
        let mut look = async |now: u64, new: Vec<u64>| {
            log.0.lock().extend(new.into_iter().map(second));
            *clock.0.lock() = second(now);
            reader.look().await.unwrap().as_secs()
        };
        assert_eq!(look(5, vec![]).await, 0, "it begins at the end");
        assert_eq!(look(6, vec![5, 6]).await, 0);
        assert_eq!(look(9, vec![9, 2]).await, 4, "at 6 it was 4 s old and not to be seen");
        assert_eq!(look(10, vec![10; 500]).await, 0);
        assert_eq!(look(11, vec![]).await, 0, "what a full look leaves is passed over");
    }
}
