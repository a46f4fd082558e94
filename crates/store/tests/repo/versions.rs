use std::collections::BTreeMap;

use carillon_domain::content::{Content, Email, Push, Sms};
use carillon_domain::template::{Localization, TemplateBody, Variable, VersionStatus};
use carillon_domain::{Channel, ErrorCode, Ref};
use carillon_ports::Page;
use serde_json::json;

use super::templates::make;
use crate::common::{Db, now, uuid};

promises!(
    a_version_comes_back_as_it_went_in,
    numbers_have_no_gaps_under_concurrency,
    a_draft_can_be_changed_and_a_published_version_cannot,
    publishing_again_rolls_back,
    a_pinned_version_outlives_its_template,
    a_version_belongs_to_its_tenant,
    versions_come_in_pages,
);

fn sms(text: &str) -> Localization {
    BTreeMap::from([(Channel::Sms, Content::Sms(Sms { text: text.to_owned() }))])
}

fn body() -> TemplateBody {
    let data = json!({"order": 7, "nested": {"a": [1, null]}}).as_object().cloned();
    let mut english = sms("Hi {{ name }} \u{1f514}");
    english.insert(
        Channel::Email,
        Content::Email(Email { subject: "S".to_owned(), html: Some("<b>".to_owned()), ..Email::default() }),
    );
    english.insert(Channel::Push, Content::Push(Push { title: "T".to_owned(), data, ..Push::default() }));
    TemplateBody {
        default_locale: "en".to_owned(),
        variables: vec![Variable { name: "name".to_owned(), required: true, description: None }],
        localizations: BTreeMap::from([("en".to_owned(), english), ("de".to_owned(), sms("Hallo"))]),
    }
}

async fn a_version_comes_back_as_it_went_in(db: &Db) {
    let (_, scope) = db.tenant("acme").await;
    let template = make(db, scope, "welcome").await.id;
    let store = &db.store.templates;
    let made = store.template_version_create(scope, template, uuid(), &body(), now()).await.unwrap();
    assert_eq!((made.version, made.status, made.published_at), (1, VersionStatus::Draft, None));
    assert_eq!(made.body, body());
    assert_eq!(store.template_version_get(scope, template, 1).await.unwrap(), made);
    let error = store.template_version_get(scope, template, 2).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::NotFound);
}

async fn numbers_have_no_gaps_under_concurrency(db: &Db) {
    let (_, scope) = db.tenant("acme").await;
    let template = make(db, scope, "welcome").await.id;
    let calls: Vec<_> = (0..8)
        .map(|_| {
            let store = db.store.templates.clone();
            tokio::spawn(async move { store.template_version_create(scope, template, uuid(), &body(), now()).await })
        })
        .collect();
    let mut numbers = Vec::new();
    for call in calls {
        numbers.push(call.await.unwrap().unwrap().version);
    }
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=8).collect::<Vec<_>>());
    // A refused one leaves no gap either: its uuid is taken.
    let store = &db.store.templates;
    let first = store.template_version_get(scope, template, 1).await.unwrap();
    assert!(store.template_version_create(scope, template, first.uuid, &body(), now()).await.is_err());
    let next = store.template_version_create(scope, template, uuid(), &body(), now()).await.unwrap();
    assert_eq!(next.version, 9);
}

async fn a_draft_can_be_changed_and_a_published_version_cannot(db: &Db) {
    let (_, scope) = db.tenant("acme").await;
    let template = make(db, scope, "welcome").await.id;
    let store = &db.store.templates;
    store.template_version_create(scope, template, uuid(), &body(), now()).await.unwrap();
    let changed = store.template_localization_put(scope, template, 1, "de", &sms("Servus")).await.unwrap();
    assert_eq!(changed.body.localizations["de"], sms("Servus"));
    let changed = store.template_localization_put(scope, template, 1, "fr", &sms("Salut")).await.unwrap();
    assert_eq!(changed.body.localizations.len(), 3);
    let at = now();
    let published = store.template_version_publish(scope, template, 1, at).await.unwrap();
    assert_eq!((published.status, published.published_at), (VersionStatus::Published, Some(at)));
    let error = store.template_localization_put(scope, template, 1, "de", &sms("x")).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::InvalidState);
    assert_eq!(store.template_version_get(scope, template, 1).await.unwrap(), published);
}

async fn publishing_again_rolls_back(db: &Db) {
    let (_, scope) = db.tenant("acme").await;
    let template = make(db, scope, "welcome").await.id;
    let store = &db.store.templates;
    let current = async || store.template_get(scope, &Ref::Id(template.0)).await.unwrap().current_version;
    for number in [1, 2] {
        store.template_version_create(scope, template, uuid(), &body(), now()).await.unwrap();
        store.template_version_publish(scope, template, number, now()).await.unwrap();
        assert_eq!(current().await, Some(number));
    }
    let first = store.template_version_get(scope, template, 1).await.unwrap();
    let again = store.template_version_publish(scope, template, 1, now()).await.unwrap();
    assert_eq!((again, current().await), (first, Some(1)));
    let error = store.template_version_publish(scope, template, 3, now()).await.unwrap_err();
    assert_eq!((error.code, current().await), (ErrorCode::NotFound, Some(1)));
}

async fn a_pinned_version_outlives_its_template(db: &Db) {
    let (_, scope) = db.tenant("acme").await;
    let template = make(db, scope, "welcome").await.id;
    let store = &db.store.templates;
    let made = store.template_version_create(scope, template, uuid(), &body(), now()).await.unwrap();
    store.template_delete(scope, template, now()).await.unwrap();
    assert_eq!(store.template_version_pinned(scope, template, 1).await.unwrap(), made);
    let page = Page { limit: 10, after: None };
    let gone = [
        store.template_version_get(scope, template, 1).await.map(drop),
        store.template_version_list(scope, template, page).await.map(drop),
        store.template_version_create(scope, template, uuid(), &body(), now()).await.map(drop),
        store.template_version_publish(scope, template, 1, now()).await.map(drop),
        store.template_localization_put(scope, template, 1, "en", &sms("x")).await.map(drop),
    ];
    for answer in gone {
        assert_eq!(answer.unwrap_err().code, ErrorCode::NotFound);
    }
}

async fn a_version_belongs_to_its_tenant(db: &Db) {
    let (_, ours) = db.tenant("acme").await;
    let (_, theirs) = db.tenant("other").await;
    let template = make(db, theirs, "secret").await.id;
    let store = &db.store.templates;
    store.template_version_create(theirs, template, uuid(), &body(), now()).await.unwrap();
    let page = Page { limit: 10, after: None };
    let refused = [
        store.template_version_get(ours, template, 1).await.map(drop),
        store.template_version_pinned(ours, template, 1).await.map(drop),
        store.template_version_list(ours, template, page).await.map(drop),
        store.template_version_create(ours, template, uuid(), &body(), now()).await.map(drop),
        store.template_version_publish(ours, template, 1, now()).await.map(drop),
        store.template_localization_put(ours, template, 1, "en", &sms("x")).await.map(drop),
    ];
    for answer in refused {
        assert_eq!(answer.unwrap_err().code, ErrorCode::NotFound);
    }
}

async fn versions_come_in_pages(db: &Db) {
    let (_, scope) = db.tenant("acme").await;
    let template = make(db, scope, "welcome").await.id;
    let store = &db.store.templates;
    for _ in 0..3 {
        store.template_version_create(scope, template, uuid(), &body(), now()).await.unwrap();
    }
    let first = store.template_version_list(scope, template, Page { limit: 2, after: None }).await.unwrap();
    let second = store.template_version_list(scope, template, Page { limit: 2, after: first.next }).await.unwrap();
    let all: Vec<_> = first.items.iter().chain(&second.items).collect();
    assert_eq!(all.iter().map(|version| version.version).collect::<Vec<_>>(), [1, 2, 3]);
    assert!(all.iter().all(|version| version.body == body()));
    assert_eq!(second.next, None);
}
