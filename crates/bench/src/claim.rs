//! What a claim costs while the backlog behind it grows: the store alone, without a server.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use carillon_domain::notification::Notification;
use carillon_domain::notification::event::Transition;
use carillon_domain::time::{SystemClock, SystemEntropy};
use carillon_domain::{
    Channel, Clock as _, Entropy as _, EventKind, NotificationId, Priority, Recipient, Status, TenantId,
};
use carillon_ports::Store;
use carillon_ports::work::{AcceptUnit, Birth, Claimable, Doubt, Hold, NewNotification, Payload};
use carillon_store::{Options, Target};

use crate::report::Report;
use crate::server;

/// Rows of one claim.
const LIMIT: u32 = 500;
/// Claims that are timed at each size.
const CLAIMS: usize = 9;
/// Tenants that share the backlog; the first owns half of it.
const TENANTS: i64 = 1_000;
const GROUP: usize = 500;

/// Times claims of 500 rows at backlogs of 10,000 rows and on, by tens, up to `most`.
pub(crate) async fn run(postgres: Option<&str>, most: u64, report: &mut Report) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let target = match postgres {
        Some(url) => Target::Postgres { url: server::fresh(url).await?, max_connections: 8 },
        None => Target::Sqlite { folder: folder.path().join("data") },
    };
    let opened = carillon_store::open(Options { target }).await.map_err(|error| anyhow!("{error}"))?;
    let store = opened.store;
    store.work.begin(Duration::from_hours(1)).await.map_err(|error| anyhow!("{error}"))?;
    let (mut rows, mut first) = (0, None);
    let hand = AtomicI64::new(1);
    let mut size = 10_000;
    while size <= most {
        while rows < size {
            rows += grow(&store, rows).await?;
        }
        // What a server's autovacuum would have done by now, without waiting for it.
        tokio::time::sleep(Duration::from_secs(2)).await;
        let p50 = claims(&store, &hand).await?;
        report.add(&format!("claim of {LIMIT}, backlog {size}"), p50, "ms");
        let first = *first.get_or_insert(p50);
        if size > 10_000 {
            report.add(&format!("claim at {size} to claim at 10000"), p50 / first, "ratio");
        }
        size *= 10;
    }
    drop(store);
    opened.guard.close().await;
    Ok(())
}

/// Adds a group of ready rows.
async fn grow(store: &Store, rows: u64) -> Result<u64> {
    let (first, count) = store.work.ids().await.map_err(|error| anyhow!("{error}"))?;
    let ids: Vec<_> = (first..first + i64::from(count)).collect();
    let (now, mut group) = (SystemClock.now(), Vec::with_capacity(GROUP));
    for (nth, id) in ids.iter().enumerate() {
        let nth = i64::try_from(rows)? + i64::try_from(nth)?;
        let tenant = if nth % 2 == 0 { 1 } else { 1 + nth % TENANTS };
        let recipient = Recipient { email: Some(format!("user{id}@example.com")), ..Recipient::default() };
        let notification = Notification {
            id: NotificationId(*id),
            uuid: SystemEntropy.uuid(now),
            tenant_id: TenantId(tenant),
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
            created_at: now,
            updated_at: now,
            sent_at: None,
            delivered_at: None,
            read_at: None,
            run: 1,
            test: false,
        };
        let direct = Some(r#"{"subject":"Hello","text":"It works."}"#.to_owned());
        let payload = Payload { variables: "{}".to_owned(), direct };
        let transitions = vec![Transition::new(EventKind::Requested, now), Transition::new(EventKind::Queued, now)];
        let item = NewNotification { notification, payload, birth: Birth::Ready, transitions };
        group.push(AcceptUnit { items: vec![item], idempotency: None });
        if group.len() == GROUP {
            write(store, &mut group).await?;
        }
    }
    write(store, &mut group).await?;
    Ok(u64::try_from(ids.len())?)
}

async fn write(store: &Store, group: &mut Vec<AcceptUnit>) -> Result<()> {
    for answer in store.work.accept(group).await {
        answer.map_err(|error| anyhow!("{error}"))?;
    }
    group.clear();
    Ok(())
}

/// The median of some claims, in milliseconds.
async fn claims(store: &Store, next: &AtomicI64) -> Result<f64> {
    let assign = |rows: &[Claimable]| {
        let hold =
            || Hold { lane: 1, hand: next.fetch_add(1, Ordering::Relaxed), started: false, doubt: Doubt::Resend };
        rows.iter().map(|_| Some(hold())).collect()
    };
    let mut times = Vec::with_capacity(CLAIMS);
    for _ in 0..CLAIMS {
        let began = Instant::now();
        let claim = store.work.claim(Channel::Email, Priority::Normal, LIMIT, SystemClock.now(), &assign).await;
        let jobs = claim.map_err(|error| anyhow!("{error}"))?;
        times.push(began.elapsed());
        anyhow::ensure!(!jobs.is_empty(), "a claim of a backlog came back empty");
    }
    times.sort();
    Ok(times[CLAIMS / 2].as_secs_f64() * 1e3)
}
