use carillon_domain::ErrorCode;
use carillon_domain::Ref;
use carillon_domain::content::{Content, Email};
use carillon_domain::delivery::Capture;
use carillon_ports::SandboxStore as _;
use carillon_ports::page::Page;
use carillon_ports::sandbox::SandboxFilter;
use carillon_ports::work::Tries;

use super::*;

#[tokio::test]
async fn ids_are_never_handed_out_twice() {
    let f = fixture().await;
    assert_eq!(f.store.ids().await.unwrap(), (1, 1024));
    assert_eq!(f.store.ids().await.unwrap(), (1025, 1024));
}

#[tokio::test]
async fn what_was_accepted_reads_back_as_it_was_given() {
    let f = fixture().await;
    let mut big = f.mail(Birth::Ready);
    big.payload.variables = format!("{{\"text\":\"{}\"}}", "x".repeat(3000));
    let mut bare = f.mail(Birth::Ready);
    bare.payload = Payload::default();
    for new in [f.mail(held(1)), big, bare] {
        let id = f.accept(new.clone()).await;
        assert_eq!(f.get(id).await, new.notification);
        assert_eq!(f.store.notification_payload(scope(T), id).await.unwrap(), new.payload);
    }
    assert_eq!(f.count("notification_content").await, 1);
}

#[tokio::test]
async fn a_key_makes_it_happen_once_even_within_a_group() {
    let f = fixture().await;
    let group = [
        keyed(vec![f.mail(held(1))], "a", 1),
        keyed(vec![f.mail(held(2))], "a", 1),
        keyed(vec![f.mail(held(3))], "a", 2),
        keyed(vec![f.mail(held(4))], "b", 2),
    ];
    let answers: Vec<_> = f.store.accept(&group).await.into_iter().map(Result::unwrap).collect();
    let stored = Accepted::Stored { blocked: vec![] };
    assert_eq!(answers, [stored.clone(), Accepted::Replayed("answer to a".to_owned()), Accepted::Mismatch, stored]);
    let again = f.store.accept(&group[..1]).await;
    assert_eq!(
        again.into_iter().map(Result::unwrap).collect::<Vec<_>>(),
        [Accepted::Replayed("answer to a".to_owned())]
    );
    assert_eq!(f.count("notifications").await, 2);
    assert_eq!(f.store.idempotency_sweep(at(1)).await.unwrap(), 2);
}

#[tokio::test]
async fn a_unit_that_is_refused_does_not_take_the_others_along() {
    let f = fixture().await;
    let first = f.mail(held(1));
    let twin = first.clone();
    let mut half = f.mail(held(3));
    half.notification.uuid = first.notification.uuid;
    let group =
        [keyed(vec![first], "a", 1), unit(vec![f.mail(held(2)), twin]), unit(vec![half]), unit(vec![f.mail(held(4))])];
    let answers = f.store.accept(&group).await;
    assert!(answers[0].is_ok() && answers[3].is_ok());
    assert_eq!(answers[1].as_ref().unwrap_err().code, ErrorCode::Conflict);
    assert_eq!(answers[2].as_ref().unwrap_err().code, ErrorCode::Conflict);
    assert_eq!((f.count("notifications").await, f.count("queue").await, f.count("events").await), (2, 2, 2));
}

#[tokio::test]
async fn each_verdict_leaves_the_row_where_it_says() {
    let f = fixture().await;
    let mut ids = Vec::new();
    for hand in 1..=5 {
        ids.push(f.accept(f.mail(held(hand))).await);
    }
    let tries = Tries { message_failures: 1, provider_failures: 2, trouble_since: Some(at(9)) };
    assert_eq!(f.finish(ids[0], hold(1), sent()).await, Finished::default());
    let later = Verdict::Retry { due: at(60), error: Some(failure()), tries };
    assert!(!f.finish(ids[1], hold(2), later).await.ready);
    let now = Verdict::Retry { due: at(10), error: None, tries };
    assert!(f.finish(ids[2], hold(3), now).await.ready);
    f.finish(ids[3], hold(4), failed()).await;
    f.finish(ids[4], hold(5), Verdict::Held { error: failure() }).await;

    let first = f.get(ids[0]).await;
    assert_eq!((first.status, first.sent_at, first.attempts), (Status::Sent, Some(at(10)), 1));
    assert_eq!(first.provider_message_id.as_deref(), Some("p-1"));
    let mut states = Vec::new();
    let mut statuses = Vec::new();
    for &id in &ids {
        states.push(f.state(id).await);
        statuses.push(f.status(id).await);
    }
    assert_eq!(states, [None, Some(2), Some(0), Some(3), Some(3)]);
    assert_eq!(statuses, [Status::Sent, Status::Queued, Status::Queued, Status::Failed, Status::Unknown]);
    let jobs = f.claim(10, at(11)).await;
    assert_eq!(jobs.iter().map(|j| (j.notification.id, j.tries)).collect::<Vec<_>>(), [(ids[2], tries)]);
    assert_eq!(jobs[0].payload.variables, "{\"name\":\"Ada\"}");
    assert_eq!(f.store.promote(at(61), 10).await.unwrap().rows, 1);
    assert_eq!(f.kinds(ids[1]).await, [EventKind::Sending], "what was queued already is not queued anew");
}

#[tokio::test]
async fn a_lost_lease_is_told_and_its_knowledge_kept() {
    let mut f = fixture().await;
    let resend = f.accept(f.mail(held(1))).await;
    let parked = f.accept(f.mail(Birth::Leased(Hold { doubt: Doubt::Hold, started: true, ..hold(2) }))).await;
    f.raise(1).await;
    f.restart().await;
    assert_eq!(f.status(parked).await, Status::Unknown);
    let finished = f.store.finish(&[finish(resend, hold(1), sent()), finish(parked, hold(2), sent())], &[]).await;
    assert_eq!(finished.unwrap().lost, [resend, parked]);
    assert_eq!((f.status(resend).await, f.state(resend).await), (Status::Queued, Some(0)));
    assert_eq!((f.status(parked).await, f.state(parked).await), (Status::Sent, None));
    assert_eq!(f.kinds(parked).await, [EventKind::Unknown, EventKind::Sent]);
}

#[tokio::test]
async fn after_a_kill_only_what_was_permitted_is_in_doubt() {
    let mut f = fixture().await;
    let mut ids = Vec::new();
    for hand in 1..=4 {
        ids.push(f.accept(f.mail(held(hand))).await);
    }
    let started = f.accept(f.mail(Birth::Leased(Hold { started: true, ..hold(5) }))).await;
    let impossible = f.accept(f.mail(Birth::Leased(Hold { started: true, doubt: Doubt::Impossible, ..hold(6) }))).await;
    f.raise(2).await;
    f.restart().await;
    for (id, doubt) in [(ids[0], true), (ids[1], true), (ids[2], false), (ids[3], false), (started, true)] {
        let expected: &[EventKind] = if doubt { &[EventKind::Unknown, EventKind::Queued] } else { &[] };
        assert_eq!(f.kinds(id).await, expected, "{id}");
        assert_eq!(f.state(id).await, Some(0));
    }
    assert_eq!(f.kinds(impossible).await, []);
    assert_eq!(f.claim(10, at(1)).await.len(), 6);
    let rescued = f.store.rescue(at(1)).await.unwrap();
    assert_eq!((rescued.rows, rescued.unknown()), (6, 3), "what the begin has freed is told");
    assert_eq!(f.status(ids[0]).await, Status::Queued, "the old frontier does not count for the new epoch");
}

#[tokio::test]
async fn released_rows_are_ready_and_their_old_hold_is_void() {
    let f = fixture().await;
    let id = f.accept(f.mail(held(1))).await;
    assert_eq!(f.store.release(&[(id, hold(9))]).await.unwrap(), 0);
    assert_eq!(f.store.release(&[(id, hold(1))]).await.unwrap(), 1);
    assert_eq!(f.finish(id, hold(1), failed()).await.lost, [id]);
    assert_eq!(f.claim(1, at(1)).await.len(), 1);
}

#[tokio::test]
async fn a_claim_is_fair_over_tenants_and_skips_the_deleted() {
    let f = fixture().await;
    for _ in 0..20 {
        f.accept(f.of(TenantId(1), Birth::Ready)).await;
    }
    for tenant in [2, 3, 4] {
        f.accept(f.of(TenantId(tenant), Birth::Ready)).await;
    }
    let gone = |writer: &mut super::super::thread::Writer| {
        writer.transact(|conn| Ok(conn.execute("INSERT INTO tenants VALUES (3, '2026-01-01'), (2, NULL)", [])?))
    };
    f.store.thread.run(gone).await.unwrap();
    let tenants: Vec<_> = f.claim(6, at(1)).await.iter().map(|j| j.notification.tenant_id.0).collect();
    assert_eq!(tenants.len(), 6);
    assert!(tenants.contains(&2) && tenants.contains(&4) && !tenants.contains(&3), "{tenants:?}");
    assert_eq!(f.claim(2, at(-1)).await.len(), 0, "not due");
    assert_eq!(f.claim(100, at(1)).await.len(), 16);
    assert_eq!(f.claim(100, at(1)).await.len(), 0);
}

#[tokio::test]
async fn the_round_of_tenants_goes_on_where_it_ended() {
    let f = fixture().await;
    for tenant in 1..=4 {
        for _ in 0..2 {
            f.accept(f.of(TenantId(tenant), Birth::Ready)).await;
        }
    }
    let mut seen = Vec::new();
    for _ in 0..8 {
        seen.extend(f.claim(1, at(1)).await.iter().map(|j| j.notification.tenant_id.0));
    }
    assert_eq!(seen, [1, 2, 3, 4, 1, 2, 3, 4]);
}

#[tokio::test]
async fn scheduled_rows_come_due() {
    let f = fixture().await;
    let id = f.accept(f.mail(Birth::Waiting)).await;
    assert_eq!(f.status(id).await, Status::Accepted);
    let early = f.store.promote(at(40), 10).await.unwrap();
    assert_eq!((early.rows, early.next), (0, Some(Duration::from_mins(1))));
    let due = f.store.promote(at(100), 10).await.unwrap();
    assert_eq!((due.rows, due.next), (1, None));
    assert_eq!((f.status(id).await, f.kinds(id).await), (Status::Queued, vec![EventKind::Queued]));
    assert_eq!(f.claim(1, at(100)).await.len(), 1);
}

#[tokio::test]
async fn the_sandbox_keeps_what_was_sent() {
    let f = fixture().await;
    let content = Content::Email(Email { subject: "Hi".to_owned(), text: Some("x".to_owned()), ..Email::default() });
    let mut uuids = Vec::new();
    for hand in 1..=5 {
        let new = f.mail(held(hand));
        uuids.push(new.notification.uuid);
        let id = f.accept(new).await;
        let capture = Some(Capture { to: format!("{hand}@example.com"), content: content.clone() });
        f.finish(id, hold(hand), Verdict::Sent { provider_message_id: None, delivered: true, capture }).await;
        assert_eq!(f.status(id).await, Status::Delivered);
    }
    let filter = SandboxFilter::default();
    let page = f.store.sandbox_list(scope(T), &filter, Page { limit: 2, after: None }).await.unwrap();
    assert_eq!(page.items.iter().map(|m| m.to.as_str()).collect::<Vec<_>>(), ["5@example.com", "4@example.com"]);
    let rest = f.store.sandbox_list(scope(T), &filter, Page { limit: 9, after: page.next }).await.unwrap();
    assert_eq!((rest.items.len(), rest.next), (3, None));
    let one = f.store.sandbox_get(scope(T), &Ref::Uuid(uuids[0])).await.unwrap();
    assert_eq!((one.content, one.to.as_str()), (content, "1@example.com"));
    assert_eq!(f.store.sandbox_get(scope(TenantId(2)), &Ref::Id(one.id)).await.unwrap_err().code, ErrorCode::NotFound);
    assert_eq!(f.store.sandbox_trim(3).await.unwrap(), 2);
    assert_eq!(f.store.sandbox_clear(scope(T)).await.unwrap(), 3);
}

#[tokio::test]
async fn the_gauges_count_by_channel_and_state() {
    let f = fixture().await;
    f.accept(f.mail(Birth::Ready)).await;
    f.accept(f.mail(held(1))).await;
    f.accept(f.mail(held(2))).await;
    let mut depth: Vec<_> = f.store.queue_depth().await.unwrap().iter().map(|d| (d.state, d.rows)).collect();
    depth.sort_unstable();
    assert_eq!(depth, [(0, 1), (1, 2)]);
    f.store.ping().await.unwrap();
    assert!(f.store.heartbeat().await.unwrap());
    f.store.end().await.unwrap();
}
