//! What only this engine can get wrong: lost answers, several processes, plans. What every store promises is proven by
//! the conformance suite.

mod answers;
mod commands;
mod frontier;
mod hot;
mod log;
mod months;
mod plans;
mod processes;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use carillon_domain::notification::Notification;
use carillon_domain::notification::event::Transition;
use carillon_domain::{Channel, EventKind, NotificationId, Priority, Recipient, Status, TenantId, Timestamp};
use carillon_ports::WorkStore as _;
use carillon_ports::work::{
    AcceptUnit, Birth, Claimable, Doubt, Finish, Hold, Idempotency, Job, NewNotification, Payload, Verdict,
};
use chrono::DateTime;
use sqlx::postgres::PgPoolOptions;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, PgPool};
use uuid::Uuid;

use super::Postgres;

const T: TenantId = TenantId(1);
const LEASE: Duration = Duration::from_secs(10);

/// A database of a test's own.
struct Fixture {
    admin: String,
    name: String,
    pool: PgPool,
    next: AtomicI64,
}

/// `None`: left out, there is no server.
async fn fixture() -> Option<Fixture> {
    static NEXT: AtomicI64 = AtomicI64::new(0);
    let Ok(admin) = std::env::var("CARILLON_TEST_POSTGRES") else {
        assert_ne!(std::env::var("CARILLON_TEST_REQUIRE").as_deref(), Ok("1"), "CARILLON_TEST_POSTGRES is not set");
        eprintln!("LEFT OUT: PostgreSQL's hot path; CARILLON_TEST_POSTGRES is not set");
        return None;
    };
    let name = format!("carillon_hot_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    run(&admin, format!("CREATE DATABASE {name}")).await;
    let (server, _) = admin.rsplit_once('/').unwrap();
    let url = format!("{server}/{name}");
    let max_connections = 4;
    crate::migrate(crate::Options { target: crate::Target::Postgres { url: url.clone(), max_connections } })
        .await
        .unwrap();
    let settings = "SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off; SET jit = off; \
                    SET lock_timeout = '1s'";
    let pool = PgPoolOptions::new()
        .max_connections(12)
        .acquire_timeout(Duration::from_secs(5))
        .after_connect(move |connection, _| Box::pin(async move { connection.execute(settings).await.map(drop) }))
        .connect(&url)
        .await
        .unwrap();
    Some(Fixture { admin, name, pool, next: AtomicI64::new(1) })
}

async fn run(admin: &str, statement: String) {
    let mut connection = PgConnection::connect(admin).await.unwrap();
    sqlx::query(AssertSqlSafe(statement)).execute(&mut connection).await.unwrap();
}

/// A moment of the tests, in seconds from their beginning.
fn at(seconds: i64) -> Timestamp {
    DateTime::from_timestamp(1_900_000_000 + seconds, 0).unwrap()
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

fn keyed(items: Vec<NewNotification>, key: &str) -> AcceptUnit {
    let answer = format!("answer to {key}");
    let idempotency = Idempotency { tenant: T, key: key.to_owned(), fingerprint: [7; 32], answer, at: at(0) };
    AcceptUnit { items, idempotency: Some(idempotency) }
}

fn finish(id: NotificationId, hold: Hold) -> Finish {
    Finish {
        id,
        tenant: T,
        hold,
        verdict: Verdict::Sent { provider_message_id: Some("p\0-1".to_owned()), delivered: false, capture: None },
        provider: "smtp".to_owned(),
        attempts: 1,
        at: at(10),
        transitions: vec![Transition::new(EventKind::Sent, at(10))],
    }
}

impl Fixture {
    /// Another process on the same database, with an epoch of its own.
    async fn process(&self, lease: Duration) -> Arc<Postgres> {
        let store = Postgres::new(self.pool.clone(), self.pool.clone());
        store.begin(lease).await.unwrap();
        store
    }

    async fn end(self) {
        self.pool.close().await;
        run(&self.admin, format!("DROP DATABASE {} WITH (FORCE)", self.name)).await;
    }

    fn mail(&self, birth: Birth) -> NewNotification {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let recipient = Recipient { email: Some(format!("ada{id}@example.com")), ..Recipient::default() };
        NewNotification {
            notification: Notification {
                id: NotificationId(id),
                uuid: Uuid::from_u128(0x1234_0000 + u128::try_from(id).unwrap()),
                tenant_id: T,
                channel: Channel::Email,
                status: Status::Queued,
                priority: Priority::Normal,
                recipient,
                template: None,
                locale: None,
                provider: None,
                provider_message_id: None,
                attempts: 0,
                error: None,
                metadata: None,
                correlation_id: None,
                ordering_key: None,
                scheduled_at: None,
                expires_at: None,
                created_at: at(0),
                updated_at: at(0),
                sent_at: None,
                delivered_at: None,
                read_at: None,
                run: 1,
                test: false,
            },
            payload: Payload { variables: "{\"name\":\"Ada\"}".to_owned(), direct: None },
            birth,
            transitions: vec![Transition::new(EventKind::Requested, at(0))],
        }
    }

    fn ordered(&self, key: &str, birth: Birth) -> NewNotification {
        let mut new = self.mail(birth);
        new.notification.ordering_key = Some(key.to_owned());
        new
    }

    async fn count(&self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql).fetch_one(&self.pool).await.unwrap()
    }
}

/// Claims e-mails of normal priority with hands from `first` on.
async fn claim(store: &Postgres, limit: u32, first: i64) -> Vec<Job> {
    let assign = |rows: &[Claimable]| (first..).take(rows.len()).map(|hand| Some(hold(hand))).collect::<Vec<_>>();
    store.claim(Channel::Email, Priority::Normal, limit, at(20), &assign).await.unwrap()
}
