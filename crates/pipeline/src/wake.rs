//! When the promoter looks next. Whoever writes a row that is due earlier wakes it.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use carillon_domain::Timestamp;
use chrono::TimeDelta;
use tokio::sync::Notify;

/// The promoter's alarm clock.
#[derive(Debug)]
pub(crate) struct Wake {
    /// Microseconds since 1970.
    planned: AtomicI64,
    earlier: Notify,
}

impl Default for Wake {
    fn default() -> Self {
        Self { planned: AtomicI64::new(i64::MAX), earlier: Notify::new() }
    }
}

impl Wake {
    /// A row on disk is due at `due`.
    pub(crate) fn expect(&self, due: Timestamp) {
        let due = due.timestamp_micros();
        if self.planned.fetch_min(due, Ordering::AcqRel) > due {
            self.earlier.notify_one();
        }
    }

    /// Forgets the plan, before the promoter looks: what is written from here on may be missed by it.
    pub(crate) fn look(&self) {
        self.planned.store(i64::MAX, Ordering::Release);
    }

    /// Sleeps until `wait` from `now` is over, or an earlier row is due.
    pub(crate) async fn sleep(&self, now: Timestamp, wait: Duration) {
        let wait = TimeDelta::from_std(wait).unwrap_or(TimeDelta::MAX);
        let end = now.checked_add_signed(wait).unwrap_or(Timestamp::MAX_UTC).timestamp_micros();
        let mut planned = self.planned.fetch_min(end, Ordering::AcqRel).min(end);
        let began = tokio::time::Instant::now();
        loop {
            let left = u64::try_from(planned - now.timestamp_micros()).unwrap_or(0);
            tokio::select! {
                () = tokio::time::sleep_until(began + Duration::from_micros(left)) => return,
                () = self.earlier.notified() => planned = self.planned.load(Ordering::Acquire).min(planned),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-11-23T10:00:00Z".parse().unwrap()
    }

    async fn slept(wake: &Wake) -> Duration {
        let began = tokio::time::Instant::now();
        wake.sleep(now(), Duration::from_secs(1)).await;
        began.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_due_earlier_shortens_the_sleep() {
        let wake = Wake::default();
        wake.look();
        assert!(slept(&wake).await >= Duration::from_secs(1));
        wake.look();
        wake.expect(now() + TimeDelta::milliseconds(300));
        wake.expect(now() + TimeDelta::milliseconds(700));
        let slept = slept(&wake).await;
        assert!(slept >= Duration::from_millis(300) && slept < Duration::from_millis(310), "{slept:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_sleeper_hears_of_it() {
        let wake = Wake::default();
        wake.look();
        let (slept, ()) = tokio::join!(slept(&wake), async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            wake.expect(now() + TimeDelta::milliseconds(400));
        });
        assert!(slept >= Duration::from_millis(400) && slept < Duration::from_millis(410), "{slept:?}");
    }
}
