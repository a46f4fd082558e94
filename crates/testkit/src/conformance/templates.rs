//! Templates and their versions.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use carillon_domain::content::{Content, Sms};
use carillon_domain::template::{Localization, Template, TemplateBody, Variable, VersionStatus};
use carillon_domain::time::SystemEntropy;
use carillon_domain::{Channel, Entropy as _, ErrorCode, Ref, TemplateId};
use carillon_ports::Page;
use carillon_ports::templates::{NewTemplate, TemplatePatch};

use super::db::Db;
use super::verdicts::refused;

fn new(db: &Db, code: &str) -> NewTemplate {
    let (code, at) = (code.to_owned(), db.now());
    NewTemplate { uuid: SystemEntropy.uuid(at), name: code.to_uppercase(), code, description: None, at }
}

async fn made(db: &Db, code: &str) -> Template {
    db.store.templates.template_create(db.scope(), &new(db, code)).await.unwrap()
}

fn part(text: &str) -> Localization {
    BTreeMap::from([(Channel::Sms, Content::Sms(Sms { text: text.to_owned() }))])
}

fn body(text: &str) -> TemplateBody {
    let variables = vec![Variable { name: "order".to_owned(), required: true, description: Some("Which".to_owned()) }];
    TemplateBody {
        default_locale: "en".to_owned(),
        variables,
        localizations: BTreeMap::from([("en".to_owned(), part(text)), ("de".to_owned(), part("Hallo"))]),
    }
}

async fn version(db: &Db, template: TemplateId, text: &str) -> i32 {
    let (uuid, at) = (SystemEntropy.uuid(db.now()), db.now());
    db.store.templates.template_version_create(db.scope(), template, uuid, &body(text), at).await.unwrap().version
}

pub(super) async fn a_template_is_found_by_id_uuid_and_code(db: &Db) {
    let template = made(db, "welcome").await;
    assert_eq!((template.tenant_id, template.current_version), (db.tenant, None));
    for name in [Ref::Id(template.id.0), Ref::Uuid(template.uuid), Ref::Code("welcome".to_owned())] {
        assert_eq!(db.store.templates.template_get(db.scope(), &name).await.unwrap(), template);
    }
    let nothing = db.store.templates.template_get(db.scope(), &Ref::Code("other".to_owned())).await;
    assert_eq!(refused(nothing), ErrorCode::NotFound);
}

pub(super) async fn a_code_is_taken_once_per_tenant_until_it_is_deleted(db: &Db) {
    let first = made(db, "welcome").await;
    let again = db.store.templates.template_create(db.scope(), &new(db, "welcome")).await;
    assert_eq!(refused(again), ErrorCode::Conflict);
    db.store.templates.template_create(db.foreign(), &new(db, "welcome")).await.unwrap();
    db.store.templates.template_delete(db.scope(), first.id, db.now()).await.unwrap();
    let second = made(db, "welcome").await;
    let found = db.store.templates.template_get(db.scope(), &Ref::Code("welcome".to_owned())).await.unwrap();
    assert_eq!(found, second);
}

pub(super) async fn templates_are_listed_by_id_in_pages(db: &Db) {
    let mut ids = Vec::new();
    for code in ["c", "a", "b", "d", "e"] {
        ids.push(made(db, code).await.id);
    }
    db.store.templates.template_delete(db.scope(), ids.remove(1), db.now()).await.unwrap();
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let slice = db.store.templates.template_list(db.scope(), Page { limit: 2, after }).await.unwrap();
        seen.extend(slice.items.iter().map(|template| template.id));
        after = slice.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(seen, ids);
    let mut codes = db.store.templates.template_codes(db.scope(), 10).await.unwrap();
    codes.sort_unstable();
    assert_eq!(codes, ["b", "c", "d", "e"]);
    assert_eq!(db.store.templates.template_codes(db.scope(), 3).await.unwrap().len(), 3);
}

pub(super) async fn a_patch_changes_what_it_names(db: &Db) {
    let template = made(db, "welcome").await;
    let at = db.now() + std::time::Duration::from_secs(1);
    let patch = |name: Option<&str>, description: Option<Option<&str>>| TemplatePatch {
        name: name.map(str::to_owned),
        description: description.map(|text| text.map(str::to_owned)),
    };
    let update = |patch: TemplatePatch| async move {
        let changed = db.store.templates.template_update(db.scope(), template.id, &patch, at).await.unwrap();
        (changed.name, changed.description)
    };
    assert_eq!(update(patch(None, Some(Some("why")))).await, ("WELCOME".to_owned(), Some("why".to_owned())));
    assert_eq!(update(patch(Some("Hello"), None)).await, ("Hello".to_owned(), Some("why".to_owned())));
    assert_eq!(update(patch(None, Some(None))).await, ("Hello".to_owned(), None));
    let stored = db.store.templates.template_get(db.scope(), &Ref::Id(template.id.0)).await.unwrap();
    assert_eq!((stored.updated_at, stored.created_at), (at, template.created_at));
}

pub(super) async fn a_version_reads_back_as_it_was_written(db: &Db) {
    let template = made(db, "welcome").await;
    let (uuid, at) = (SystemEntropy.uuid(db.now()), db.now());
    let written =
        db.store.templates.template_version_create(db.scope(), template.id, uuid, &body("Hi"), at).await.unwrap();
    assert_eq!((written.version, written.status, written.published_at), (1, VersionStatus::Draft, None));
    assert_eq!((&written.body, written.uuid, written.created_at), (&body("Hi"), uuid, at));
    let read = db.store.templates.template_version_get(db.scope(), template.id, 1).await.unwrap();
    assert_eq!(read, written);
    let listed =
        db.store.templates.template_version_list(db.scope(), template.id, Page { limit: 9, after: None }).await;
    assert_eq!(listed.unwrap().items, [written]);
    let missing = db.store.templates.template_version_get(db.scope(), template.id, 2).await;
    assert_eq!(refused(missing), ErrorCode::NotFound);
}

pub(super) async fn a_draft_takes_localizations_and_a_published_version_does_not(db: &Db) {
    let template = made(db, "welcome").await.id;
    let number = version(db, template, "Hi").await;
    let store = &db.store.templates;
    let put = |locale: &'static str, text: &'static str| async move {
        store.template_localization_put(db.scope(), template, number, locale, &part(text)).await
    };
    put("fr", "Salut").await.unwrap();
    let changed = put("de", "Servus").await.unwrap();
    assert_eq!(changed.body.localizations.keys().collect::<Vec<_>>(), ["de", "en", "fr"]);
    assert_eq!(changed.body.localizations["de"], part("Servus"));
    store.template_version_publish(db.scope(), template, number, db.now()).await.unwrap();
    assert_eq!(refused(put("de", "Hallo").await), ErrorCode::InvalidState);
    let stored = store.template_version_get(db.scope(), template, number).await.unwrap();
    assert_eq!(stored.body, changed.body);
}

pub(super) async fn publishing_makes_a_version_current_and_again_rolls_back(db: &Db) {
    let template = made(db, "welcome").await.id;
    let (first, second) = (version(db, template, "one").await, version(db, template, "two").await);
    let mut published = Vec::new();
    for number in [first, second, first] {
        let at = db.now();
        published.push(db.store.templates.template_version_publish(db.scope(), template, number, at).await.unwrap());
        let current = db.store.templates.template_get(db.scope(), &Ref::Id(template.0)).await.unwrap().current_version;
        assert_eq!(current, Some(number));
    }
    assert!(published.iter().all(|version| version.status == VersionStatus::Published));
    assert_eq!(published[0], published[2], "a published version never changes");
}

pub(super) async fn a_pinned_version_outlives_its_template(db: &Db) {
    let template = made(db, "welcome").await.id;
    let number = version(db, template, "Hi").await;
    db.store.templates.template_version_publish(db.scope(), template, number, db.now()).await.unwrap();
    db.store.templates.template_delete(db.scope(), template, db.now()).await.unwrap();
    let pinned = db.store.templates.template_version_pinned(db.scope(), template, number).await.unwrap();
    assert_eq!(pinned.body, body("Hi"));
    let store = &db.store.templates;
    let uuid = SystemEntropy.uuid(db.now());
    let page = Page { limit: 9, after: None };
    let answers = [
        refused(store.template_get(db.scope(), &Ref::Id(template.0)).await),
        refused(store.template_update(db.scope(), template, &TemplatePatch::default(), db.now()).await),
        refused(store.template_delete(db.scope(), template, db.now()).await),
        refused(store.template_version_get(db.scope(), template, number).await),
        refused(store.template_version_list(db.scope(), template, page).await),
        refused(store.template_version_create(db.scope(), template, uuid, &body("Hi"), db.now()).await),
        refused(store.template_version_publish(db.scope(), template, number, db.now()).await),
        refused(store.template_localization_put(db.scope(), template, number, "de", &part("Hi")).await),
    ];
    assert_eq!(answers, [ErrorCode::NotFound; 8]);
}

pub(super) async fn another_tenants_template_is_not_found(db: &Db) {
    let template = made(db, "welcome").await;
    let (id, number) = (template.id, version(db, template.id, "Hi").await);
    let (store, foreign, uuid) = (&db.store.templates, db.foreign(), SystemEntropy.uuid(db.now()));
    let page = Page { limit: 9, after: None };
    let answers = [
        refused(store.template_get(foreign, &Ref::Id(id.0)).await),
        refused(store.template_get(foreign, &Ref::Uuid(template.uuid)).await),
        refused(store.template_get(foreign, &Ref::Code("welcome".to_owned())).await),
        refused(store.template_update(foreign, id, &TemplatePatch::default(), db.now()).await),
        refused(store.template_delete(foreign, id, db.now()).await),
        refused(store.template_version_create(foreign, id, uuid, &body("Hi"), db.now()).await),
        refused(store.template_version_get(foreign, id, number).await),
        refused(store.template_version_pinned(foreign, id, number).await),
        refused(store.template_version_list(foreign, id, page).await),
        refused(store.template_localization_put(foreign, id, number, "de", &part("Hi")).await),
        refused(store.template_version_publish(foreign, id, number, db.now()).await),
    ];
    assert_eq!(answers, [ErrorCode::NotFound; 11]);
    assert_eq!(store.template_list(foreign, page).await.unwrap().items, []);
    assert_eq!(store.template_codes(foreign, 9).await.unwrap(), [] as [String; 0]);
    let found = store.template_get(db.scope(), &Ref::Id(id.0)).await.unwrap();
    assert_eq!((found.name, found.current_version), (template.name, None));
}

pub(super) async fn fifty_versions_made_at_once_are_numbered_without_gaps(db: &Db) {
    let template = made(db, "welcome").await.id;
    let tasks: Vec<_> = (0..50)
        .map(|_| {
            let (store, scope, at) = (Arc::clone(&db.store.templates), db.scope(), db.now());
            let create = async move {
                let uuid = SystemEntropy.uuid(at);
                store.template_version_create(scope, template, uuid, &body("Hi"), at).await.unwrap().version
            };
            tokio::spawn(create)
        })
        .collect();
    let mut numbers = Vec::new();
    for task in tasks {
        numbers.push(task.await.unwrap());
    }
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=50).collect::<Vec<_>>());
    let page = Page { limit: 20, after: Some(40) };
    let last = db.store.templates.template_version_list(db.scope(), template, page).await.unwrap();
    assert_eq!(last.items.iter().map(|version| version.version).collect::<Vec<_>>(), (41..=50).collect::<Vec<_>>());
    assert_eq!(last.next, None);
}

pub(super) async fn what_changed_lately_is_told_once_it_is_committed(db: &Db) {
    let changes = |since| async move {
        let found = db.store.templates.template_changes(since, 1_000).await.unwrap();
        found.into_iter().filter(|template| template.tenant_id == db.tenant).map(|t| t.id).collect::<Vec<_>>()
    };
    let began = db.now();
    let template = made(db, "welcome").await.id;
    let number = version(db, template, "Hi").await;
    let later = db.after(Duration::from_mins(5));
    assert_eq!(changes(later).await, []);
    db.store.templates.template_version_publish(db.scope(), template, number, later).await.unwrap();
    assert_eq!(changes(later).await, [template]);
    let last = db.after(Duration::from_mins(10));
    db.store.templates.template_delete(db.scope(), template, last).await.unwrap();
    assert_eq!(changes(last).await, [template], "a deleted one has changed too");
    made(db, "other").await;
    assert_eq!(db.store.templates.template_changes(began, 1).await.unwrap().len(), 1);
}
