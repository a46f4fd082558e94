//! What the sandbox caught.

use std::time::Duration;

use carillon_domain::content::{Content, Email, Sms};
use carillon_domain::delivery::Capture;
use carillon_domain::{Channel, ErrorCode, Ref, TenantId};
use carillon_ports::Page;
use carillon_ports::sandbox::SandboxFilter;
use carillon_ports::work::Doubt;

use super::db::{Db, Row};
use super::draft::{email, sms};
use super::verdicts::{captured, refused};

const PAGE: Page = Page { limit: 50, after: None };

/// Catches one message of `tenant` to `to`.
async fn caught(db: &Db, tenant: TenantId, channel: Channel, to: &str) -> Row {
    let text = format!("to {to}");
    let (draft, content) = if channel == Channel::Sms {
        (sms(), Content::Sms(Sms { text }))
    } else {
        (email(), Content::Email(Email { subject: "Hello".to_owned(), text: Some(text), ..Email::default() }))
    };
    let row = db.accept(draft.of(tenant).test().started(Doubt::Impossible)).await;
    db.finish(row, captured(Capture { to: to.to_owned(), content })).await;
    row
}

async fn recipients(db: &Db, filter: &SandboxFilter) -> Vec<String> {
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = Page { limit: 2, after };
        let slice = db.store.sandbox.sandbox_list(db.scope(), filter, page).await.unwrap();
        seen.extend(slice.items.into_iter().map(|message| message.to));
        after = slice.next;
        if after.is_none() {
            return seen;
        }
    }
}

pub(super) async fn caught_messages_are_listed_newest_first_and_filtered(db: &Db) {
    for to in ["+1", "+2", "+3"] {
        caught(db, db.tenant, Channel::Sms, to).await;
    }
    tokio::time::sleep(Duration::from_millis(2)).await;
    let since = db.now();
    caught(db, db.tenant, Channel::Email, "+1").await;
    let any = SandboxFilter::default;
    assert_eq!(recipients(db, &any()).await, ["+1", "+3", "+2", "+1"]);
    assert_eq!(recipients(db, &SandboxFilter { channel: Some(Channel::Email), ..any() }).await, ["+1"]);
    assert_eq!(recipients(db, &SandboxFilter { recipient: Some("+2".to_owned()), ..any() }).await, ["+2"]);
    assert_eq!(recipients(db, &SandboxFilter { since: Some(since), ..any() }).await, ["+1"]);
    let both = SandboxFilter { recipient: Some("+1".to_owned()), channel: Some(Channel::Sms), since: None };
    assert_eq!(recipients(db, &both).await.len(), 1);
}

pub(super) async fn a_caught_message_is_found_by_its_id_or_its_notification(db: &Db) {
    let row = caught(db, db.tenant, Channel::Sms, "+1").await;
    let uuid = db.get(row).await.uuid;
    let by_uuid = db.store.sandbox.sandbox_get(db.scope(), &Ref::Uuid(uuid)).await.unwrap();
    assert_eq!((by_uuid.notification_uuid, by_uuid.to.as_str()), (uuid, "+1"));
    let by_id = db.store.sandbox.sandbox_get(db.scope(), &Ref::Id(by_uuid.id)).await.unwrap();
    assert_eq!(by_id, by_uuid);
    let missing = db.store.sandbox.sandbox_get(db.scope(), &Ref::Id(1 << 40)).await;
    assert_eq!(refused(missing), ErrorCode::NotFound);
}

pub(super) async fn another_tenants_caught_message_is_not_found_and_not_cleared(db: &Db) {
    let row = caught(db, db.tenant, Channel::Sms, "+1").await;
    let uuid = db.get(row).await.uuid;
    let message = db.store.sandbox.sandbox_get(db.scope(), &Ref::Uuid(uuid)).await.unwrap();
    for name in [Ref::Uuid(uuid), Ref::Id(message.id)] {
        assert_eq!(refused(db.store.sandbox.sandbox_get(db.foreign(), &name).await), ErrorCode::NotFound);
    }
    let listed = db.store.sandbox.sandbox_list(db.foreign(), &SandboxFilter::default(), PAGE).await.unwrap();
    assert_eq!(listed.items, []);
    assert_eq!(db.store.sandbox.sandbox_clear(db.foreign()).await.unwrap(), 0);
    assert_eq!(db.store.sandbox.sandbox_clear(db.scope()).await.unwrap(), 1);
    assert_eq!(recipients(db, &SandboxFilter::default()).await, [] as [String; 0]);
}

pub(super) async fn a_trim_keeps_the_newest_of_each_tenant(db: &Db) {
    for number in 0..5 {
        caught(db, db.tenant, Channel::Sms, &format!("+{number}")).await;
    }
    let small = caught(db, db.other, Channel::Sms, "+9").await;
    assert_eq!(db.store.sandbox.sandbox_trim(2).await.unwrap(), 3);
    assert_eq!(recipients(db, &SandboxFilter::default()).await, ["+4", "+3"]);
    let uuid = db.get(small).await.uuid;
    db.store.sandbox.sandbox_get(db.foreign(), &Ref::Uuid(uuid)).await.unwrap();
    assert_eq!(db.store.sandbox.sandbox_trim(2).await.unwrap(), 0);
}
