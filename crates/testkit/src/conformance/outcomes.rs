//! Outcomes: what each verdict leaves behind, and what the fence keeps out.

use std::time::Duration;

use carillon_domain::content::{Content, Sms};
use carillon_domain::delivery::Capture;
use carillon_domain::{Channel, ErrorCode, Priority, Status};
use carillon_ports::Page;
use carillon_ports::sandbox::SandboxFilter;
use carillon_ports::work::{Doubt, Raise};

use super::db::{Db, LANE, Row};
use super::draft::{email, sms};
use super::verdicts::{captured, error, failed, held, refused, retry, sent};

const PAGE: Page = Page { limit: 50, after: None };

pub(super) async fn a_sent_one_is_out_of_the_queue_and_says_by_whom(db: &Db) {
    let row = db.accept(email().started(Doubt::Resend)).await;
    assert_eq!(db.get(row).await.status, Status::Sending);
    let finished = db.finish(row, sent()).await;
    assert_eq!((finished.lost.len(), finished.ready), (0, false));
    let n = db.get(row).await;
    assert_eq!((n.status, n.attempts, n.provider.as_deref()), (Status::Sent, 1, Some("smtp")));
    assert_eq!(n.provider_message_id.as_deref(), Some("p-1"));
    assert!(n.sent_at.is_some() && n.delivered_at.is_none());
    let story = ["notification.requested", "notification.queued", "notification.sending", "notification.sent"];
    assert_eq!(db.timeline(row).await, story);
    assert!(db.store.work.queue_depth().await.unwrap().iter().all(|depth| depth.rows == 0));
}

pub(super) async fn the_sandbox_copy_is_stored_with_the_outcome(db: &Db) {
    let row = db.accept(sms().test().started(Doubt::Impossible)).await;
    let content = Content::Sms(Sms { text: "Hello".to_owned() });
    db.finish(row, captured(Capture { to: "+441632960961".to_owned(), content: content.clone() })).await;
    let n = db.get(row).await;
    assert_eq!(n.status, Status::Delivered);
    assert!(n.sent_at.is_some() && n.delivered_at.is_some());
    let caught = db.store.sandbox.sandbox_list(db.scope(), &Default::default(), PAGE).await.unwrap().items;
    assert_eq!(caught.len(), 1);
    assert_eq!((&caught[0].content, caught[0].to.as_str()), (&content, "+441632960961"));
    assert_eq!((caught[0].channel, caught[0].notification_uuid), (Channel::Sms, n.uuid));
}

pub(super) async fn a_retry_waits_until_it_is_due(db: &Db) {
    let row = db.accept(email().started(Doubt::Resend)).await;
    let due = db.after(Duration::from_secs(30));
    assert!(!db.finish(row, retry(due)).await.ready);
    let n = db.get(row).await;
    assert_eq!((n.status, n.attempts), (Status::Queued, 1));
    assert_eq!(n.error, Some(error("greylisted", false)));
    assert_eq!(db.claim_ids().await, []);
    assert_eq!(db.store.work.promote(due, 10).await.unwrap().rows, 1);
    let jobs = db.claim_of(Channel::Email, Priority::Normal, 10, due + Duration::from_secs(1)).await;
    assert_eq!(jobs.len(), 1);
    assert_eq!(jobs[0].notification.attempts, 1);
}

pub(super) async fn a_retry_that_is_due_is_ready_at_once(db: &Db) {
    let row = db.accept(email().leased()).await;
    assert!(db.finish(row, retry(db.now() - Duration::from_millis(1))).await.ready);
    assert_eq!(db.claim_ids().await, [row.id]);
}

pub(super) async fn a_failed_one_is_a_dead_letter(db: &Db) {
    let row = db.accept(email().started(Doubt::Resend)).await;
    db.finish(row, failed()).await;
    let n = db.get(row).await;
    assert_eq!((n.status, n.error.clone()), (Status::Failed, Some(error("mailbox_unavailable", true))));
    assert_eq!(db.claim_ids().await, []);
    let letter = db.store.notifications.dead_letter_get(db.scope(), row.at()).await.unwrap();
    assert_eq!((letter.reason.as_str(), &letter.error, &letter.notification), ("permanent", &n.error, &n));
    let listed = db.store.notifications.dead_letter_list(db.scope(), &Default::default(), PAGE).await.unwrap();
    assert_eq!(listed.items, [letter]);
}

pub(super) async fn one_on_hold_is_unknown_and_parked(db: &Db) {
    let row = db.accept(email().started(Doubt::Hold)).await;
    db.finish(row, held()).await;
    assert_eq!(db.get(row).await.status, Status::Unknown);
    assert_eq!(db.claim_ids().await, []);
    let letter = db.store.notifications.dead_letter_get(db.scope(), row.at()).await.unwrap();
    assert_eq!(letter.reason, "unknown");
}

pub(super) async fn a_stale_hold_changes_nothing(db: &Db) {
    let old = db.accept(email().leased()).await;
    db.store.work.release(&[(old.id, old.hold)]).await.unwrap();
    let new = db.claim_all().await[0];
    let before = (db.get(new).await, db.timeline(new).await);
    for verdict in [failed(), held(), retry(db.now())] {
        assert_eq!(db.finish(old, verdict).await.lost, [old.id]);
        assert_eq!((db.get(new).await, db.timeline(new).await), before);
    }
    assert_eq!(db.claim_ids().await, [], "the new holder still has it");
    assert_eq!(db.finish(new, sent()).await.lost, []);
}

pub(super) async fn an_outcome_is_written_once(db: &Db) {
    let row = db.accept(email().started(Doubt::Resend)).await;
    assert_eq!(db.finish(row, sent()).await.lost, []);
    assert_eq!(db.finish(row, failed()).await.lost, [row.id]);
    assert_eq!(db.get(row).await.status, Status::Sent);
    assert_eq!(refused(db.store.notifications.dead_letter_get(db.scope(), row.at()).await), ErrorCode::NotFound);
}

pub(super) async fn a_lost_lease_does_not_spoil_its_neighbours(db: &Db) {
    let (rows, _) = db.accept_many(&[email().leased(), email().leased(), email().leased()]).await;
    let stale = Row { hold: db.hold(Doubt::Resend, false), ..rows[1] };
    let outcomes = [db.outcome(rows[0], sent()), db.outcome(stale, failed()), db.outcome(rows[2], failed())];
    let finished = db.store.work.finish(&outcomes, &[Raise { lane: LANE, hi: rows[2].hold.hand }]).await.unwrap();
    assert_eq!(finished.lost, [rows[1].id]);
    assert_eq!(db.get(rows[0]).await.status, Status::Sent);
    assert_eq!(db.get(rows[2]).await.status, Status::Failed);
    assert_eq!(db.get(rows[1]).await.status, Status::Sending, "still held by its rightful owner, and raised");
}

pub(super) async fn a_late_acceptance_settles_what_was_unknown(db: &Db) {
    let row = db.accept(email().started(Doubt::Hold)).await;
    db.restart().await;
    assert_eq!(db.get(row).await.status, Status::Unknown);
    assert_eq!(db.finish(row, sent()).await.lost, [row.id]);
    let n = db.get(row).await;
    assert_eq!((n.status, n.provider_message_id.as_deref()), (Status::Sent, Some("p-1")));
    assert_eq!(db.timeline(row).await.last(), Some(&"notification.sent"));
    assert_eq!(refused(db.store.notifications.dead_letter_get(db.scope(), row.at()).await), ErrorCode::NotFound);
}

pub(super) async fn a_lost_sandbox_outcome_had_no_effect(db: &Db) {
    let row = db.accept(sms().test().started(Doubt::Impossible)).await;
    db.restart().await;
    let before = db.timeline(row).await;
    let content = Content::Sms(Sms { text: "Hello".to_owned() });
    let capture = Capture { to: "+441632960961".to_owned(), content };
    assert_eq!(db.finish(row, captured(capture)).await.lost, [row.id]);
    assert_eq!(db.timeline(row).await, before);
    let caught = db.store.sandbox.sandbox_list(db.scope(), &SandboxFilter::default(), PAGE).await.unwrap();
    assert_eq!(caught.items, []);
    assert_eq!(db.claim_ids().await, [row.id]);
}

pub(super) async fn nothing_to_write_is_no_mistake(db: &Db) {
    assert_eq!(db.store.work.finish(&[], &[]).await.unwrap(), Default::default());
    assert_eq!(db.store.work.release(&[]).await.unwrap(), 0);
    assert_eq!(db.store.work.accept(&[]).await.len(), 0);
}
