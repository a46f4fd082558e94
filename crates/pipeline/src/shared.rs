//! What all tasks of one pipeline share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use carillon_domain::{Channel, Clock, Entropy, Timestamp};
use carillon_ports::{DeliveryHandler, WorkStore};
use carillon_telemetry::Meters;
use chrono::TimeDelta;
use parking_lot::Mutex;
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::lanes::Lanes;
use crate::lease::Lease;
use crate::settings::Settings;
use crate::task::{Done, Parcel};
use crate::wake::Wake;

/// One pipeline's parts. The tokens tell its tasks to end, in the order of `drain`.
pub(crate) struct Shared {
    pub(crate) settings: Settings,
    pub(crate) work: Arc<dyn WorkStore>,
    pub(crate) handler: Arc<dyn DeliveryHandler>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) meters: Arc<Meters>,
    pub(crate) lanes: Mutex<Lanes>,
    pub(crate) lease: Lease,
    pub(crate) outcomes: mpsc::Sender<Done>,
    pub(crate) internal: mpsc::Sender<Parcel>,
    pub(crate) accepting: AtomicBool,
    /// Slots are free and rows wait: a commit of its own.
    pub(crate) commit_wanted: Notify,
    /// A row has become done: drain looks whether it was the last.
    pub(crate) settled: Notify,
    pub(crate) wake: Wake,
    claims: [Notify; 5],
    pub(crate) fenced: CancellationToken,
    pub(crate) stop_claims: CancellationToken,
    pub(crate) stop_outcomes: CancellationToken,
    pub(crate) stop_rest: CancellationToken,
    pub(crate) writing: TaskTracker,
    pub(crate) claiming: TaskTracker,
    pub(crate) finishing: TaskTracker,
}

/// The ends of the queues, for the tasks that serve them.
pub(crate) struct Ends {
    pub(crate) outcomes: mpsc::Receiver<Done>,
    pub(crate) internal: mpsc::Receiver<Parcel>,
}

/// What is handed in from outside.
pub(crate) struct Outside {
    pub(crate) work: Arc<dyn WorkStore>,
    pub(crate) handler: Arc<dyn DeliveryHandler>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) meters: Arc<Meters>,
}

impl Shared {
    pub(crate) fn new(outside: Outside, settings: Settings, lease: Lease) -> (Arc<Self>, Ends) {
        let (outcomes, outcomes_end) = mpsc::channel(settings.group_rows.max(1) * 2);
        let (internal, internal_end) = mpsc::channel(settings.waiting_rows.max(1));
        let Outside { work, handler, clock, entropy, meters } = outside;
        let most = (settings.waiting_rows, settings.waiting_bytes);
        let lanes = Mutex::new(Lanes::new(most, settings.breaker.clone(), Arc::clone(&meters)));
        let shared = Self {
            settings,
            work,
            handler,
            clock,
            entropy,
            meters,
            lanes,
            lease,
            outcomes,
            internal,
            accepting: AtomicBool::new(true),
            commit_wanted: Notify::new(),
            settled: Notify::new(),
            wake: Wake::default(),
            claims: std::array::from_fn(|_| Notify::new()),
            fenced: CancellationToken::new(),
            stop_claims: CancellationToken::new(),
            stop_outcomes: CancellationToken::new(),
            stop_rest: CancellationToken::new(),
            writing: TaskTracker::new(),
            claiming: TaskTracker::new(),
            finishing: TaskTracker::new(),
        };
        (Arc::new(shared), Ends { outcomes: outcomes_end, internal: internal_end })
    }

    /// Another process has our rows, or a part of us is broken: nothing may be sent or written any more.
    pub(crate) fn fence(&self, why: &'static str) {
        if !self.fenced.is_cancelled() {
            tracing::error!(why, "this process may not go on: it stops sending, others take its work over");
        }
        self.accepting.store(false, Ordering::Release);
        self.fenced.cancel();
        self.stop_claims.cancel();
        self.stop_outcomes.cancel();
        self.stop_rest.cancel();
        self.settled.notify_waiters();
    }

    pub(crate) fn nudge(&self, channel: Channel) {
        self.claims[channel as usize].notify_one();
    }

    pub(crate) fn nudge_all(&self) {
        for channel in Channel::ALL {
            self.nudge(channel);
        }
    }

    pub(crate) async fn nudged(&self, channel: Channel) {
        self.claims[channel as usize].notified().await;
    }

    /// Waits for the lease to hold. `false`: it never will.
    pub(crate) async fn holds_lease(&self) -> bool {
        const LOOK: Duration = Duration::from_millis(50);
        loop {
            if self.fenced.is_cancelled() {
                return false;
            }
            if self.lease.holds(self.clock.now()) {
                return true;
            }
            tokio::select! {
                () = self.fenced.cancelled() => return false,
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }

    /// The wall clock's time of `until`, and up to a tenth of the wait (at most 3 s) later: not all come back at once.
    pub(crate) fn not_before(&self, until: std::time::Instant) -> Timestamp {
        const SPREAD: Duration = Duration::from_secs(3);
        let wait = until.saturating_duration_since(Instant::now().into_std());
        let spread = SPREAD.min(wait / 10 + Duration::from_millis(50)).mul_f64(self.entropy.fraction());
        let wait = TimeDelta::from_std(wait + spread).unwrap_or(TimeDelta::minutes(1));
        self.clock.now() + wait
    }
}
