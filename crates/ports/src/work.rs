//! The hot path of the store: accept, claim, finish, and the lease that guards them. Each engine has its own
//! statements behind this trait; `docs/architecture.md` tells the path of one notification through them.
//!
//! Words. An *epoch* is one life of one process. A *dispatch lane* is a queue in that process's memory, one per
//! provider account and priority. A row's *hand* is its number in that lane. A row may be sent once its intent is on
//! disk: it was written with `started`, or its hand is at or below the lane's committed `hi`.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use carillon_domain::delivery::Capture;
use carillon_domain::notification::event::Transition;
use carillon_domain::notification::{DeliveryError, Notification};
use carillon_domain::{Channel, Error, NotificationId, Priority, TenantId, Timestamp};

/// What to write for one notification.
#[derive(Debug, Clone)]
pub struct NewNotification {
    /// The row; its `id` comes from [`WorkStore::ids`], its `status` is `accepted` (waiting), `queued` or `delivered`.
    pub notification: Notification,
    /// What it was made of, for rendering again.
    pub payload: Payload,
    /// In which state its queue row begins.
    pub birth: Birth,
    /// The transitions of this commit: `requested`, then `queued` or what `birth` implies.
    pub transitions: Vec<Transition>,
}

/// What a notification is rendered from: JSON texts, stored as they are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Payload {
    /// The variables: a JSON object. Empty string: none.
    pub variables: String,
    /// The `directContent` object, if no template is pinned.
    pub direct: Option<String>,
}

/// How a queue row begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Birth {
    /// No queue row: the commit itself delivers it (`in_app`).
    Delivered,
    /// Leased to this process, which holds it in memory.
    Leased(Hold),
    /// Due now, held by nobody: spilled.
    Ready,
    /// Due at the notification's `scheduled_at`.
    Waiting,
}

/// A place in this process's memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hold {
    /// Dispatch lane: account index × 4 + priority.
    pub lane: i32,
    /// The row's number in the lane; rises by one.
    pub hand: i64,
    /// Written as already on its way: a slot was free.
    pub started: bool,
    /// What is to be done if this process dies with it.
    pub doubt: Doubt,
}

/// What a rescuer does with a row whose dead owner may have sent it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i16)]
pub enum Doubt {
    /// Send again, and say so in the timeline.
    Resend = 0,
    /// Park as `unknown`.
    Hold = 1,
    /// The effect and the outcome are one transaction: no outcome, no effect.
    Impossible = 2,
}

/// What stands or falls together: one send, or one batch request.
#[derive(Debug, Clone)]
pub struct AcceptUnit {
    /// 1 to 1,000 rows with ascending ids, all of one tenant.
    pub items: Vec<NewNotification>,
    /// The key that makes it happen once.
    pub idempotency: Option<Idempotency>,
}

/// An idempotency key as it is claimed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idempotency {
    /// Keys are the tenant's own.
    pub tenant: TenantId,
    /// 1 to 255 printable characters.
    pub key: String,
    /// SHA-256 of the request.
    pub fingerprint: [u8; 32],
    /// The answer to replay, as JSON text.
    pub answer: String,
    /// When it is claimed; kept for 72 h from here.
    pub at: Timestamp,
}

/// What became of a unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Accepted {
    /// On disk. `blocked` holds the positions of items that wait behind another of their ordering key (their hold, if
    /// any, was not taken: state blocked, owner none).
    Stored {
        /// Positions in [`AcceptUnit::items`].
        blocked: Vec<usize>,
    },
    /// The key was used with the same request: this was the answer.
    Replayed(String),
    /// The key was used with another request.
    Mismatch,
}

/// A row that a claim has locked and not yet leased.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claimable {
    /// The notification.
    pub id: NotificationId,
    /// Whose.
    pub tenant: TenantId,
    /// By which way.
    pub channel: Channel,
    /// How urgent.
    pub priority: Priority,
    /// Came with a test key.
    pub test: bool,
}

/// A leased row with all that delivering needs.
#[derive(Debug, Clone)]
pub struct Job {
    /// The notification as stored.
    pub notification: Notification,
    /// What it is rendered from.
    pub payload: Payload,
    /// Where it is held.
    pub hold: Hold,
    /// What earlier attempts of this run have cost.
    pub tries: Tries,
}

/// The retry budget's state, kept on the queue row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tries {
    /// Answers about this message.
    pub message_failures: i32,
    /// Consecutive failures of the provider or the way there.
    pub provider_failures: i32,
    /// When the provider trouble began.
    pub trouble_since: Option<Timestamp>,
}

/// What one attempt came to. Written only if the row is still leased to this process with this hold.
#[derive(Debug, Clone)]
pub struct Finish {
    /// Which.
    pub id: NotificationId,
    /// Whose.
    pub tenant: TenantId,
    /// Its hold: the fence, together with the epoch.
    pub hold: Hold,
    /// What now.
    pub verdict: Verdict,
    /// Which provider was tried.
    pub provider: String,
    /// Attempts so far, over all runs, this one included (unchanged if none was made).
    pub attempts: i32,
    /// When it ended.
    pub at: Timestamp,
    /// The transitions of this commit.
    pub transitions: Vec<Transition>,
}

/// What becomes of the queue row and the notification.
#[derive(Debug, Clone)]
pub enum Verdict {
    /// Queue row gone; status `sent`, or `delivered`.
    Sent {
        /// The provider's own id.
        provider_message_id: Option<String>,
        /// The person has it already.
        delivered: bool,
        /// The sandbox's copy, stored along.
        capture: Option<Capture>,
    },
    /// Waits until `due`; status `queued` (also from `unknown`), owner none, hold cleared.
    Retry {
        /// When; at or before now means ready at once.
        due: Timestamp,
        /// What the last attempt said; `None` when none was made (given back).
        error: Option<DeliveryError>,
        /// The budget's new state.
        tries: Tries,
    },
    /// Dead letter: the queue row is parked with `reason`; status `failed`. The next of its ordering key moves up.
    Failed {
        /// What a client sees.
        error: DeliveryError,
        /// `permanent`, `exhausted`, `technical` or `expired`.
        reason: &'static str,
    },
    /// The provider may have it and the account says hold: parked, status `unknown`, next of the ordering key moves up.
    Held {
        /// What a client sees.
        error: DeliveryError,
    },
}

/// Lets a lane send up to `hi`, from the commit on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Raise {
    /// The dispatch lane.
    pub lane: i32,
    /// The new `hi`; never lowers.
    pub hi: i64,
}

/// What a finish transaction found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Finished {
    /// Rows whose lease was lost: their outcome was not written (but a provider's acceptance was noted as late).
    pub lost: Vec<NotificationId>,
    /// Rows of the raised lanes that were cancelled while they waited in memory: drop them.
    pub cancelled: Vec<NotificationId>,
    /// A row has become ready in the table (ordering, retry at once): claim soon.
    pub ready: bool,
}

/// What a rescue found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rescued {
    /// Rows freed.
    pub rows: u64,
    /// Of them, those that a provider may have: by channel, and by the provider of an earlier attempt where there was one.
    /// Which account the dead process had chosen is not on disk.
    pub doubted: BTreeMap<(Channel, Option<String>), Doubted>,
}

impl Rescued {
    /// Rows that a provider may have.
    pub fn unknown(&self) -> u64 {
        self.doubted.values().map(|doubted| doubted.resent + doubted.held).sum()
    }
}

/// What became of rows that a provider may have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Doubted {
    /// Ready, to be sent once more.
    pub resent: u64,
    /// Parked.
    pub held: u64,
}

/// What a promotion did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Promoted {
    /// Rows that have become ready.
    pub rows: u64,
    /// When the next one is due, as a wait from now; `None` if none waits.
    pub next: Option<Duration>,
}

/// Rows per state, roughly, for gauges; never on the hot path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueDepth {
    /// By which way.
    pub channel: Channel,
    /// 0 ready, 1 leased, 2 waiting, 3 parked, 4 blocked.
    pub state: i16,
    /// How many.
    pub rows: u64,
}

/// How rows of one channel and priority become leased: given the locked candidates, says where each goes; `None`
/// leaves it in the table.
pub type Assign<'a> = &'a (dyn Fn(&[Claimable]) -> Vec<Option<Hold>> + Send + Sync);

/// The queue. All methods belong to the epoch that [`begin`](WorkStore::begin) opened.
#[async_trait]
pub trait WorkStore: Send + Sync + 'static {
    /// Opens this process's epoch with a lease of `lease`. On SQLite, whose data folder nobody else can hold, all
    /// earlier leases are void: rows are freed as [`rescue`](WorkStore::rescue) frees them, and the first call of that tells.
    async fn begin(&self, lease: Duration) -> Result<(), Error>;

    /// Renews the lease. `false`: fenced, another process has rescued our rows; drop all and leave.
    async fn heartbeat(&self) -> Result<bool, Error>;

    /// Ends the epoch: the lease expires at once.
    async fn end(&self) -> Result<(), Error>;

    /// Frees the rows of dead epochs: surely unsent ones become ready, maybe-sent ones follow their [`Doubt`]
    /// (`Resend`: events `unknown` and `queued`, ready; `Hold`: event `unknown`, parked).
    async fn rescue(&self, now: Timestamp) -> Result<Rescued, Error>;

    /// A block of notification ids: first and count. Never handed out twice, ascending within the process.
    async fn ids(&self) -> Result<(i64, u32), Error>;

    /// Writes units that arrived together in one transaction. One result per unit, in order. A unit that the database
    /// refuses is answered alone; the others are stored. An ambiguous commit is resolved in here, not reported.
    async fn accept(&self, group: &[AcceptUnit]) -> Vec<Result<Accepted, Error>>;

    /// Leases up to `limit` ready rows of `channel` and `priority`, fair over tenants, by due time.
    async fn claim(
        &self,
        channel: Channel,
        priority: Priority,
        limit: u32,
        now: Timestamp,
        assign: Assign<'_>,
    ) -> Result<Vec<Job>, Error>;

    /// Writes outcomes and raises lanes, in one transaction. Either list may be empty.
    async fn finish(&self, outcomes: &[Finish], raises: &[Raise]) -> Result<Finished, Error>;

    /// Gives back rows that this epoch holds and has surely not sent: ready again.
    async fn release(&self, rows: &[(NotificationId, Hold)]) -> Result<u64, Error>;

    /// Makes due rows ready, at most `limit`, highest priority first.
    async fn promote(&self, now: Timestamp, limit: u32) -> Result<Promoted, Error>;

    /// Readies the head of each ordering lane that has work and no ready or leased row. Returns how many: it must be 0.
    async fn heal_ordering(&self) -> Result<u64, Error>;

    /// Makes room for the ids of months to come, and moves to the next one's when the calendar has turned. Returns whether
    /// a new month began. A store that keeps its history in one piece has nothing to do.
    async fn history_turn(&self, now: Timestamp) -> Result<bool, Error>;

    /// Deletes idempotency keys older than `before`, in chunks.
    async fn idempotency_sweep(&self, before: Timestamp) -> Result<u64, Error>;

    /// Rows per channel and state.
    async fn queue_depth(&self) -> Result<Vec<QueueDepth>, Error>;

    /// Whether the database answers, and takes writes.
    async fn ping(&self) -> Result<(), Error>;
}
