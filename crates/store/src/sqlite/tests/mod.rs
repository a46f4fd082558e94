//! The hot path against a real file.

mod commands;
mod disk;
mod hot;
mod lists;
mod ordering;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use carillon_domain::notification::event::Transition;
use carillon_domain::notification::{DeliveryError, Notification};
use carillon_domain::principal::{Action, Principal, TenantScope};
use carillon_domain::{
    Channel, EventKind, NotificationId, NotificationRef, Priority, Recipient, Status, TenantId, Timestamp,
};
use carillon_ports::work::{
    AcceptUnit, Accepted, Birth, Claimable, Doubt, Finish, Finished, Hold, Idempotency, Job, NewNotification, Payload,
    Raise, Verdict,
};
use carillon_ports::{NotificationStore as _, WorkStore as _};
use chrono::DateTime;
use tempfile::TempDir;
use uuid::Uuid;

use super::Sqlite;
use crate::gate::Gate;

const T: TenantId = TenantId(1);

/// A store in a folder of its own.
struct Fixture {
    store: Arc<Sqlite>,
    folder: TempDir,
    next: AtomicI64,
}

/// An open store with an open epoch.
async fn fixture() -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("carillon.db");
    let conn = rusqlite::Connection::open(&path).unwrap();
    conn.execute_batch(include_str!("../../migrations/0001_core.sqlite.sql")).unwrap();
    conn.execute_batch("CREATE TABLE tenants (id INTEGER PRIMARY KEY, deleted_at TEXT)").unwrap();
    drop(conn);
    let store = Sqlite::open(&path, Gate::default()).unwrap();
    store.begin(Duration::from_secs(10)).await.unwrap();
    Fixture { store, folder, next: AtomicI64::new(1) }
}

/// A moment of the tests, in seconds from their beginning.
fn at(seconds: i64) -> Timestamp {
    DateTime::from_timestamp(1_900_000_000 + seconds, 0).unwrap()
}

fn scope(tenant: TenantId) -> TenantScope {
    Principal::system(tenant).scope(Action::NotificationRead, tenant).unwrap()
}

fn hold(hand: i64) -> Hold {
    Hold { lane: 1, hand, started: false, doubt: Doubt::Resend }
}

fn held(hand: i64) -> Birth {
    Birth::Leased(hold(hand))
}

fn unit(items: Vec<NewNotification>) -> AcceptUnit {
    AcceptUnit { items, idempotency: None }
}

fn keyed(items: Vec<NewNotification>, key: &str, fingerprint: u8) -> AcceptUnit {
    let idempotency = Some(Idempotency {
        tenant: T,
        key: key.to_owned(),
        fingerprint: [fingerprint; 32],
        answer: format!("answer to {key}"),
        at: at(0),
    });
    AcceptUnit { items, idempotency }
}

fn failure() -> DeliveryError {
    DeliveryError { code: "mailbox_unavailable".to_owned(), message: "no such mailbox".to_owned(), permanent: true }
}

fn finish(id: NotificationId, hold: Hold, verdict: Verdict) -> Finish {
    Finish {
        id,
        tenant: T,
        hold,
        verdict,
        provider: "smtp".to_owned(),
        attempts: 1,
        at: at(10),
        transitions: vec![Transition::new(EventKind::Sending, at(10))],
    }
}

fn sent() -> Verdict {
    Verdict::Sent { provider_message_id: Some("p-1".to_owned()), delivered: false, capture: None }
}

fn failed() -> Verdict {
    Verdict::Failed { error: failure(), reason: "permanent" }
}

impl Fixture {
    fn path(&self) -> PathBuf {
        self.folder.path().join("carillon.db")
    }

    /// A notification of tenant 1 by e-mail.
    fn mail(&self, birth: Birth) -> NewNotification {
        self.of(T, birth)
    }

    fn of(&self, tenant: TenantId, birth: Birth) -> NewNotification {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let recipient = Recipient { email: Some(format!("ada{id}@example.com")), ..Recipient::default() };
        let status = match birth {
            Birth::Waiting => Status::Accepted,
            Birth::Delivered => Status::Delivered,
            Birth::Leased(_) | Birth::Ready => Status::Queued,
        };
        NewNotification {
            notification: Notification {
                id: NotificationId(id),
                uuid: Uuid::from_u128(0x1234_0000 + u128::try_from(id).unwrap()),
                tenant_id: tenant,
                channel: Channel::Email,
                status,
                priority: Priority::Normal,
                recipient,
                template: None,
                locale: None,
                provider: None,
                provider_message_id: None,
                attempts: 0,
                error: None,
                metadata: Some("{\"order\":\"42\"}".to_owned()),
                correlation_id: None,
                ordering_key: None,
                scheduled_at: matches!(birth, Birth::Waiting).then(|| at(100)),
                expires_at: None,
                created_at: at(0),
                updated_at: at(0),
                sent_at: None,
                delivered_at: None,
                read_at: None,
                run: 1,
                test: false,
            },
            payload: Payload {
                variables: "{\"name\":\"Ada\"}".to_owned(),
                direct: Some("{\"subject\":\"Hi\",\"text\":\"there\"}".to_owned()),
            },
            birth,
            transitions: vec![Transition::new(EventKind::Requested, at(0)), Transition::new(EventKind::Queued, at(0))],
        }
    }

    /// A notification with an ordering key.
    fn ordered(&self, key: &str, birth: Birth) -> NewNotification {
        let mut new = self.mail(birth);
        new.notification.ordering_key = Some(key.to_owned());
        new
    }

    /// Accepts one and returns its id.
    async fn accept(&self, new: NewNotification) -> NotificationId {
        let id = new.notification.id;
        let answers = self.store.accept(&[unit(vec![new])]).await;
        assert!(matches!(answers[..], [Ok(Accepted::Stored { .. })]), "{answers:?}");
        id
    }

    async fn finish(&self, id: NotificationId, hold: Hold, verdict: Verdict) -> Finished {
        self.store.finish(&[finish(id, hold, verdict)], &[]).await.unwrap()
    }

    async fn raise(&self, hi: i64) -> Finished {
        self.store.finish(&[], &[Raise { lane: 1, hi }]).await.unwrap()
    }

    /// Claims e-mails of normal priority with hands from 1,000 on.
    async fn claim(&self, limit: u32, now: Timestamp) -> Vec<Job> {
        let assign = |rows: &[Claimable]| (1_000..).take(rows.len()).map(|hand| Some(hold(hand))).collect::<Vec<_>>();
        self.store.claim(Channel::Email, Priority::Normal, limit, now, &assign).await.unwrap()
    }

    async fn get(&self, id: NotificationId) -> Notification {
        self.store.notification_get(scope(T), NotificationRef::Id(id)).await.unwrap()
    }

    async fn status(&self, id: NotificationId) -> Status {
        self.get(id).await.status
    }

    /// What happened, without the first two.
    async fn kinds(&self, id: NotificationId) -> Vec<EventKind> {
        let entries = self.store.notification_timeline(scope(T), id).await.unwrap();
        entries.iter().skip(2).map(|entry| entry.transition.kind).collect()
    }

    /// State of the queue row, if there is one.
    async fn state(&self, id: NotificationId) -> Option<i64> {
        self.store
            .readers
            .read(move |conn| {
                let mut statement = conn.prepare("SELECT state FROM queue WHERE id = ?1")?;
                let mut rows = statement.query([id.0])?;
                Ok(rows.next()?.map(|r| r.get(0)).transpose()?)
            })
            .await
            .unwrap()
    }

    async fn count(&self, table: &'static str) -> i64 {
        let count = move |conn: &rusqlite::Connection| {
            Ok(conn.query_row(&format!("SELECT count(*) FROM {table}"), [], |r| r.get(0))?)
        };
        self.store.readers.read(count).await.unwrap()
    }

    /// As after a kill: the same file, another process. (The old one's thread is simply no longer asked.)
    async fn restart(&mut self) {
        self.store = Sqlite::open(&self.path(), Gate::default()).unwrap();
        self.store.begin(Duration::from_secs(10)).await.unwrap();
    }
}
