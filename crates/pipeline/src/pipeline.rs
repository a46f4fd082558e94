use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use async_trait::async_trait;
use carillon_domain::{Clock, Entropy, Error, ErrorCode};
use carillon_ports::work::Accepted;
use carillon_ports::{Acceptor, DeliveryHandler, Submission, WorkStore};
use carillon_telemetry::Meters;
use futures_util::FutureExt as _;
use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};
use tokio_util::task::TaskTracker;

use crate::acceptor::{Arrival, write_groups};
use crate::ids::Ids;
use crate::lease::{Lease, Mark};
use crate::settings::Settings;
use crate::shared::{Outside, Shared};
use crate::{claims, drain, janitor, outcomes, sender};

/// Units with more rows have a writer of their own, so that a send does not wait for a batch of a thousand.
const SMALL_UNIT: usize = 16;
/// How many small and large units may wait for a writer.
const SMALL_UNITS_WAITING: usize = 4096;
const LARGE_UNITS_WAITING: usize = 64;
/// Writers for small units: while one commits, the other collects.
const SMALL_WRITERS: usize = 2;

/// Accepting, delivering and finishing: everything between the core and the store. Cheap to clone.
#[derive(Clone)]
pub struct Pipeline(Arc<Inner>);

struct Inner {
    shared: Arc<Shared>,
    doors: Doors,
    ids: Ids,
}

impl Drop for Inner {
    /// Nobody can ask for a drain any more: the parts end, and the lease by itself.
    fn drop(&mut self) {
        self.shared.stop_claims.cancel();
        self.shared.stop_outcomes.cancel();
        self.shared.stop_rest.cancel();
    }
}

/// Where submissions enter.
pub(crate) struct Doors {
    open: Mutex<Option<(mpsc::Sender<Arrival>, mpsc::Sender<Arrival>)>>,
}

impl Doors {
    /// Nothing more enters; what is inside is still written.
    pub(crate) fn close(&self) {
        self.open.lock().take();
    }

    fn enter(&self, arrival: Arrival) -> Result<(), Error> {
        let open = self.open.lock();
        let Some((small, large)) = &*open else { return Err(stopping()) };
        let door = if arrival.submission.items.len() > SMALL_UNIT { large } else { small };
        door.try_send(arrival).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => {
                Error::new(ErrorCode::Overloaded, "too much waits to be written; nothing was accepted")
                    .with_retry_after(std::time::Duration::from_secs(1))
            }
            mpsc::error::TrySendError::Closed(_) => stopping(),
        })
    }
}

/// How the pipeline is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Health {
    /// Takes work.
    pub accepting: bool,
    /// May not go on: the process should exit.
    pub fenced: bool,
    /// The lease surely holds; without it nothing is sent.
    pub leased: bool,
    /// Rows in memory.
    pub waiting_rows: usize,
    /// Rows that a provider may have and whose outcome is not on disk.
    pub active: usize,
}

impl Pipeline {
    /// Opens the epoch and starts to work.
    ///
    /// # Errors
    /// What the store says.
    pub async fn start(
        work: Arc<dyn WorkStore>,
        handler: Arc<dyn DeliveryHandler>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        meters: Arc<Meters>,
        settings: Settings,
    ) -> Result<Self, Error> {
        let mark = Mark::at(clock.now());
        work.begin(settings.lease).await?;
        let lease = Lease::new(settings.lease, mark);
        let (shared, ends) = Shared::new(Outside { work, handler, clock, entropy, meters }, settings, lease);

        let (small, small_end) = mpsc::channel(SMALL_UNITS_WAITING);
        let (large, large_end) = mpsc::channel(LARGE_UNITS_WAITING);
        let small_end = Arc::new(tokio::sync::Mutex::new(small_end));
        for _ in 0..SMALL_WRITERS {
            spawn(&shared, &shared.writing, write_groups(Arc::clone(&shared), Arc::clone(&small_end)));
        }
        let large_end = Arc::new(tokio::sync::Mutex::new(large_end));
        spawn(&shared, &shared.writing, write_groups(Arc::clone(&shared), large_end));

        for channel in &shared.settings.channels {
            spawn(&shared, &shared.claiming, claims::claim_channel(Arc::clone(&shared), *channel));
        }
        spawn(&shared, &shared.finishing, outcomes::write_outcomes(Arc::clone(&shared), ends.outcomes));
        let rest = TaskTracker::new();
        spawn(&shared, &rest, sender::send_internal(Arc::clone(&shared), ends.internal));
        spawn(&shared, &rest, janitor::heartbeat(Arc::clone(&shared)));
        spawn(&shared, &rest, janitor::rescue(Arc::clone(&shared)));
        spawn(&shared, &rest, janitor::promote(Arc::clone(&shared)));
        spawn(&shared, &rest, janitor::heal(Arc::clone(&shared)));
        spawn(&shared, &rest, janitor::turn(Arc::clone(&shared)));
        spawn(&shared, &rest, janitor::sweep(Arc::clone(&shared)));
        spawn(&shared, &rest, janitor::measure(Arc::clone(&shared)));
        let doors = Doors { open: Mutex::new(Some((small, large))) };
        Ok(Self(Arc::new(Inner { shared, doors, ids: Ids::default() })))
    }

    /// Writes `unit` and resolves after the commit. The caller's deadline is the caller's: a dropped future does not undo
    /// the write.
    ///
    /// # Errors
    /// `overloaded` if too much waits to be written, `unavailable` while stopping or fenced, or what the store says.
    pub async fn accept(&self, unit: Submission) -> Result<Accepted, Error> {
        if !self.0.shared.accepting.load(Ordering::Acquire) {
            return Err(stopping());
        }
        let (reply, answer) = oneshot::channel();
        self.0.doors.enter(Arrival { submission: unit, reply })?;
        answer.await.unwrap_or_else(|_| Err(stopping()))
    }

    /// The first of `count` (1 to 1,000) consecutive notification ids.
    ///
    /// # Errors
    /// What the store says.
    pub async fn next_ids(&self, count: usize) -> Result<i64, Error> {
        self.0.ids.next(&*self.0.shared.work, count).await
    }

    /// Something became ready in the table: claim soon. Never waits.
    pub fn nudge(&self) {
        let shared = &self.0.shared;
        shared.wake.expect(shared.clock.now());
        shared.nudge_all();
    }

    /// Stops intake, gives back what is unsent, waits for calls in flight, writes their outcomes and ends the lease.
    /// Returns when that is done, or when the settings' `drain` is over. Asking again does no harm.
    pub async fn drain(&self) {
        drain::drain(&self.0.shared, &self.0.doors).await;
    }

    /// How it is.
    pub fn healthy(&self) -> Health {
        let shared = &self.0.shared;
        let (load, active) = {
            let lanes = shared.lanes.lock();
            (lanes.load(), lanes.active())
        };
        Health {
            accepting: shared.accepting.load(Ordering::Acquire),
            fenced: shared.fenced.is_cancelled(),
            leased: shared.lease.holds(shared.clock.now()),
            waiting_rows: load.0,
            active,
        }
    }

    /// Resolves when the process may not go on and should exit.
    pub async fn fenced(&self) {
        self.0.shared.fenced.cancelled().await;
    }
}

#[async_trait]
impl Acceptor for Pipeline {
    async fn accept(&self, submission: Submission) -> Result<Accepted, Error> {
        Self::accept(self, submission).await
    }

    async fn ids(&self, count: usize) -> Result<i64, Error> {
        self.next_ids(count).await
    }

    fn nudge(&self) {
        Self::nudge(self);
    }
}

fn stopping() -> Error {
    Error::unavailable("the pipeline is stopping")
}

/// A part without which nothing works: if it breaks, the process must not look alive.
fn spawn(shared: &Arc<Shared>, tracker: &TaskTracker, part: impl Future<Output = ()> + Send + 'static) {
    let shared = Arc::clone(shared);
    tracker.spawn(async move {
        if AssertUnwindSafe(part).catch_unwind().await.is_err() {
            shared.fence("a part of the pipeline panicked");
        }
    });
}
