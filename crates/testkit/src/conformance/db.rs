//! A database under test, and the short words in which cases speak of it.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use carillon_domain::notification::Notification;
use carillon_domain::notification::event::{EventKind, Transition};
use carillon_domain::principal::{Action, Principal, TenantScope};
use carillon_domain::time::{SystemClock, SystemEntropy};
use carillon_domain::{
    Channel, Clock as _, Entropy as _, Error, NotificationId, NotificationRef, Priority, TenantId, Timestamp,
};
use carillon_ports::Store;
use carillon_ports::tenants::NewTenant;
use carillon_ports::work::{AcceptUnit, Accepted, Claimable, Doubt, Finish, Finished, Hold, Idempotency, Job, Verdict};

use super::draft::Draft;

/// The dispatch lane that every case uses unless it says otherwise.
pub(super) const LANE: i32 = 1;

/// How an engine opens the database once more, as a second process would.
#[async_trait]
pub trait Engine: Send + Sync + 'static {
    /// A second store on the same database; `None` where only one process may hold it.
    async fn second(&self) -> Option<Store>;
}

/// A database of its own for one case, with an open epoch.
pub struct Db {
    /// The store under test.
    pub store: Store,
    /// The tenant that cases write for.
    pub(super) tenant: TenantId,
    /// The tenant that must not see it.
    pub(super) other: TenantId,
    engine: Arc<dyn Engine>,
    ids: Mutex<std::ops::Range<i64>>,
    hands: AtomicI64,
}

/// A row that was accepted or claimed, and where it is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) id: NotificationId,
    pub(super) tenant: TenantId,
    pub(super) hold: Hold,
}

impl Row {
    pub(super) fn at(self) -> NotificationRef {
        NotificationRef::Id(self.id)
    }
}

impl From<&Job> for Row {
    fn from(job: &Job) -> Self {
        Self { id: job.notification.id, tenant: job.notification.tenant_id, hold: job.hold }
    }
}

impl Db {
    /// Opens the epoch, and makes two tenants unless the case wants to be the first.
    pub async fn open(store: Store, engine: Arc<dyn Engine>, tenants: bool) -> Self {
        store.work.begin(Duration::from_secs(60)).await.unwrap();
        let mut db = Self {
            store,
            tenant: TenantId(0),
            other: TenantId(0),
            engine,
            ids: Mutex::new(0..0),
            hands: AtomicI64::new(0),
        };
        if tenants {
            db.tenant = db.new_tenant("acme").await;
            db.other = db.new_tenant("globex").await;
        }
        db
    }

    /// Another process's store on the same database, where the engine allows one.
    pub(super) async fn second(&self) -> Option<Store> {
        self.engine.second().await
    }

    pub(super) async fn new_tenant(&self, code: &str) -> TenantId {
        let (at, name) = (self.now(), code.to_owned());
        let new = NewTenant { uuid: SystemEntropy.uuid(at), code: code.to_owned(), name, at };
        self.store.tenants.tenant_create(&new).await.unwrap().id
    }

    pub(super) fn now(&self) -> Timestamp {
        SystemClock.now()
    }

    pub(super) fn after(&self, wait: Duration) -> Timestamp {
        self.now() + wait
    }

    pub(super) fn scope(&self) -> TenantScope {
        scope(self.tenant)
    }

    pub(super) fn foreign(&self) -> TenantScope {
        scope(self.other)
    }

    /// The next place in the lane.
    pub(super) fn hold(&self, doubt: Doubt, started: bool) -> Hold {
        Hold { lane: LANE, hand: self.hands.fetch_add(1, Ordering::SeqCst) + 1, started, doubt }
    }

    /// `count` ids in ascending order, from one block.
    pub(super) async fn ids(&self, count: usize) -> Vec<i64> {
        let count = i64::try_from(count).unwrap();
        loop {
            {
                let mut ids = self.ids.lock().unwrap();
                if ids.end - ids.start >= count {
                    let first = ids.start;
                    ids.start += count;
                    return (first..first + count).collect();
                }
            }
            let (first, block) = self.store.work.ids().await.unwrap();
            let mut ids = self.ids.lock().unwrap();
            if ids.is_empty() || first > ids.start {
                *ids = first..first + i64::from(block);
            }
        }
    }

    /// One unit of `drafts`, without a key.
    pub(super) async fn unit(&self, drafts: &[Draft]) -> (AcceptUnit, Vec<Row>) {
        let (ids, at) = (self.ids(drafts.len()).await, self.now());
        let mut unit = AcceptUnit { items: Vec::new(), idempotency: None };
        let mut rows = Vec::new();
        for (draft, id) in drafts.iter().zip(ids) {
            let tenant = draft.tenant.unwrap_or(self.tenant);
            let hold = draft.held.map(|(doubt, started)| self.hold(doubt, started));
            unit.items.push(draft.build(id, tenant, hold, at));
            let hold = hold.unwrap_or(Hold { lane: 0, hand: 0, started: false, doubt: Doubt::Resend });
            rows.push(Row { id: NotificationId(id), tenant, hold });
        }
        (unit, rows)
    }

    /// Writes one unit and expects it stored.
    pub(super) async fn accept_many(&self, drafts: &[Draft]) -> (Vec<Row>, Vec<usize>) {
        let (unit, rows) = self.unit(drafts).await;
        match self.accept_unit(unit).await.unwrap() {
            Accepted::Stored { blocked } => (rows, blocked),
            other => panic!("expected it stored, got {other:?}"),
        }
    }

    pub(super) async fn accept(&self, draft: Draft) -> Row {
        self.accept_many(&[draft]).await.0[0]
    }

    pub(super) async fn accept_unit(&self, unit: AcceptUnit) -> Result<Accepted, Error> {
        let mut answers = self.store.work.accept(&[unit]).await;
        assert_eq!(answers.len(), 1, "one answer per unit");
        answers.remove(0)
    }

    /// A key for the tenant of this case; equal fingerprints stand for equal requests.
    pub(super) fn key(&self, key: &str, fingerprint: u8, answer: &str) -> Idempotency {
        let (key, answer) = (key.to_owned(), answer.to_owned());
        Idempotency { tenant: self.tenant, key, fingerprint: [fingerprint; 32], answer, at: self.now() }
    }

    /// Claims at most `limit` of normal e-mail.
    pub(super) async fn claim(&self, limit: u32) -> Vec<Job> {
        self.claim_of(Channel::Email, Priority::Normal, limit, self.now()).await
    }

    pub(super) async fn claim_of(&self, channel: Channel, priority: Priority, limit: u32, now: Timestamp) -> Vec<Job> {
        let assign = |rows: &[Claimable]| rows.iter().map(|_| Some(self.hold(Doubt::Resend, false))).collect();
        self.store.work.claim(channel, priority, limit, now, &assign).await.unwrap()
    }

    /// Claims all that is ready, whatever its channel and priority.
    pub(super) async fn claim_all(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        for channel in Channel::ALL {
            for priority in Priority::ALL {
                loop {
                    let jobs = self.claim_of(channel, priority, 100, self.now()).await;
                    if jobs.is_empty() {
                        break;
                    }
                    rows.extend(jobs.iter().map(Row::from));
                }
            }
        }
        rows
    }

    /// The ids of [`claim_all`](Self::claim_all), ascending.
    pub(super) async fn claim_ids(&self) -> Vec<NotificationId> {
        let mut ids: Vec<_> = self.claim_all().await.into_iter().map(|row| row.id).collect();
        ids.sort_unstable();
        ids
    }

    /// As [`claim_ids`](Self::claim_ids), after a call that was refused beside one that was not: what the refused one
    /// had locked is skipped for a moment.
    pub(super) async fn claim_soon(&self) -> Vec<NotificationId> {
        for _ in 0..100 {
            let ids = self.claim_ids().await;
            if !ids.is_empty() {
                return ids;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Vec::new()
    }

    /// What an attempt on `row` with `verdict` would write.
    pub(super) fn outcome(&self, row: Row, verdict: Verdict) -> Finish {
        let at = self.now();
        let kinds: &[EventKind] = match &verdict {
            Verdict::Sent { delivered: true, .. } => &[EventKind::Sending, EventKind::Sent, EventKind::Delivered],
            Verdict::Sent { .. } => &[EventKind::Sending, EventKind::Sent],
            Verdict::Retry { .. } => &[EventKind::Sending, EventKind::AttemptFailed, EventKind::RetryScheduled],
            Verdict::Failed { .. } => &[EventKind::Sending, EventKind::Failed, EventKind::DeadLettered],
            Verdict::Held { .. } => &[EventKind::Sending, EventKind::Unknown],
        };
        let transitions = kinds.iter().map(|&kind| Transition::new(kind, at)).collect();
        let (provider, attempts) = ("smtp".to_owned(), 1);
        Finish { id: row.id, tenant: row.tenant, hold: row.hold, verdict, provider, attempts, at, transitions }
    }

    pub(super) async fn finish(&self, row: Row, verdict: Verdict) -> Finished {
        self.store.work.finish(&[self.outcome(row, verdict)], &[]).await.unwrap()
    }

    /// The process dies and another begins: the old epoch's rows are rescued.
    pub(super) async fn restart(&self) {
        self.store.work.end().await.unwrap();
        self.store.work.begin(Duration::from_secs(60)).await.unwrap();
        self.store.work.rescue(self.now()).await.unwrap();
    }

    pub(super) async fn get(&self, row: Row) -> Notification {
        self.store.notifications.notification_get(scope(row.tenant), row.at()).await.unwrap()
    }

    /// The public names of what happened, oldest first.
    pub(super) async fn timeline(&self, row: Row) -> Vec<&'static str> {
        let entries = self.store.notifications.notification_timeline(scope(row.tenant), row.id).await.unwrap();
        assert!(entries.windows(2).all(|pair| pair[0].id != pair[1].id), "entries have ids of their own");
        entries.iter().map(|entry| entry.transition.kind.name()).collect()
    }
}

/// The right to do anything in `tenant`.
pub(super) fn scope(tenant: TenantId) -> TenantScope {
    Principal::system(tenant).scope(Action::NotificationOperate, tenant).unwrap()
}
