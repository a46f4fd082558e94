//! What is known of one connection. Written on every request with plain stores, judged once a second.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering};
use std::task::Waker;

use futures_util::task::AtomicWaker;

/// A head must be whole after so many seconds.
const HEAD: u32 = 10;
/// A connection may do nothing for so many seconds: longer than load balancers keep theirs, so that they close first.
const IDLE: u32 = 75;
/// The same when the connections run short.
const IDLE_WHEN_FULL: u32 = 2;

/// What a connection is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// Go on.
    Stay,
    /// Finish what is under way, and take nothing new.
    Finish,
    /// Go.
    Leave,
}

/// What is known of one connection.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Requests so far.
    heads: AtomicU32,
    /// Requests whose answer is not there yet.
    under_way: AtomicU32,
    /// Something was read that belongs to no request yet.
    read: AtomicBool,
    /// Something was written since the last look.
    wrote: AtomicBool,
    /// HTTP/2 talks outside of requests too.
    http2: AtomicBool,
    /// Every answer says that it is the last.
    last: AtomicBool,
    order: AtomicU8,
    waker: AtomicWaker,
}

impl Seen {
    pub(super) fn read(&self) {
        self.read.store(true, Ordering::Relaxed);
    }

    pub(super) fn wrote(&self) {
        self.wrote.store(true, Ordering::Relaxed);
    }

    pub(super) fn request(&self, http2: bool) {
        self.heads.fetch_add(1, Ordering::Relaxed);
        self.under_way.fetch_add(1, Ordering::Relaxed);
        self.read.store(false, Ordering::Relaxed);
        if http2 {
            self.http2.store(true, Ordering::Relaxed);
        }
    }

    pub(super) fn answered(&self) {
        self.under_way.fetch_sub(1, Ordering::Relaxed);
        self.read.store(false, Ordering::Relaxed);
    }

    /// It has begun to ask, and does not come to the point.
    pub(super) fn drips(&self) -> bool {
        self.under_way.load(Ordering::Relaxed) == 0 && self.read.load(Ordering::Relaxed)
    }

    /// From now on every answer closes its connection.
    pub(super) fn say_farewell(&self) {
        self.last.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_last(&self) -> bool {
        self.last.load(Ordering::Relaxed)
    }

    pub(super) fn tell(&self, order: Order) {
        self.order.store(order as u8, Ordering::Release);
        self.waker.wake();
    }

    pub(super) fn order(&self, waker: &Waker) -> Order {
        self.waker.register(waker);
        match self.order.load(Ordering::Acquire) {
            0 => Order::Stay,
            1 => Order::Finish,
            _ => Order::Leave,
        }
    }
}

/// What the watchman remembers of a connection between two looks.
#[derive(Debug, Default)]
pub(super) struct Notes {
    heads: u32,
    dripping: u32,
    quiet: u32,
}

impl Notes {
    /// One look, one second after the last. True: it has stayed too long.
    pub(super) fn look(&mut self, seen: &Seen, full: bool) -> bool {
        let heads = seen.heads.load(Ordering::Relaxed);
        let asked = std::mem::replace(&mut self.heads, heads) != heads;
        let wrote = seen.wrote.swap(false, Ordering::Relaxed);
        if asked || seen.under_way.load(Ordering::Relaxed) > 0 {
            (self.dripping, self.quiet) = (0, 0);
            return false;
        }
        let drips = seen.drips() && !seen.http2.load(Ordering::Relaxed);
        self.dripping = if drips { self.dripping + 1 } else { 0 };
        self.quiet = if wrote { 0 } else { self.quiet + 1 };
        self.dripping > HEAD || self.quiet > if full { IDLE_WHEN_FULL } else { IDLE }
    }
}

#[cfg(test)]
mod tests {
    use super::{HEAD, IDLE, IDLE_WHEN_FULL, Notes, Seen};

    /// After how many looks the connection must go, if something happens before each.
    fn looks(seen: &Seen, full: bool, happens: impl Fn(&Seen)) -> Option<u32> {
        let mut notes = Notes::default();
        (1..=200).find(|_| {
            happens(seen);
            notes.look(seen, full)
        })
    }

    #[test]
    fn a_head_that_drips_and_a_connection_that_idles_must_go() {
        assert_eq!(looks(&Seen::default(), false, Seen::read), Some(HEAD + 1));
        assert_eq!(looks(&Seen::default(), false, |_| ()), Some(IDLE + 1));
        assert_eq!(looks(&Seen::default(), true, |_| ()), Some(IDLE_WHEN_FULL + 1));
        let after_a_request = Seen::default();
        after_a_request.request(false);
        after_a_request.answered();
        assert_eq!(looks(&after_a_request, false, Seen::read), Some(HEAD + 2));
    }

    #[test]
    fn whoever_asks_waits_or_reads_an_answer_may_stay() {
        let asks = |seen: &Seen| {
            seen.read();
            seen.request(false);
            seen.answered();
        };
        assert_eq!(looks(&Seen::default(), true, asks), None);
        let waits = Seen::default();
        waits.request(false);
        assert_eq!(looks(&waits, true, Seen::read), None);
        assert_eq!(looks(&Seen::default(), true, Seen::wrote), None);
    }

    #[test]
    fn http2_may_talk_between_requests_but_not_for_ever() {
        let seen = Seen::default();
        seen.request(true);
        seen.answered();
        assert_eq!(looks(&seen, false, Seen::read), Some(IDLE + 2));
    }
}
