use carillon_domain::principal::TenantScope;
use carillon_domain::template::Template;
use carillon_domain::{ErrorCode, Ref};
use carillon_ports::Page;
use carillon_ports::templates::{NewTemplate, TemplatePatch};

use crate::common::{Db, now, uuid};

promises!(
    a_template_is_found_by_each_of_its_names,
    a_code_is_taken_within_its_tenant_until_deleted,
    a_patch_changes_what_it_names,
    a_template_belongs_to_its_tenant,
    templates_come_in_pages,
);

pub(crate) async fn make(db: &Db, scope: TenantScope, code: &str) -> Template {
    let new = NewTemplate { uuid: uuid(), code: code.to_owned(), name: "N".to_owned(), description: None, at: now() };
    db.store.templates.template_create(scope, &new).await.unwrap()
}

async fn a_template_is_found_by_each_of_its_names(db: &Db) {
    let (_, scope) = db.tenant("acme").await;
    let template = make(db, scope, "welcome").await;
    assert_eq!(template.current_version, None);
    for name in [Ref::Id(template.id.0), Ref::Uuid(template.uuid), Ref::Code("welcome".to_owned())] {
        assert_eq!(db.store.templates.template_get(scope, &name).await.unwrap(), template);
    }
}

async fn a_code_is_taken_within_its_tenant_until_deleted(db: &Db) {
    let (_, ours) = db.tenant("acme").await;
    let (_, theirs) = db.tenant("other").await;
    let first = make(db, ours, "welcome").await;
    make(db, theirs, "welcome").await;
    let again =
        NewTemplate { uuid: uuid(), code: "welcome".to_owned(), name: "N".to_owned(), description: None, at: now() };
    let error = db.store.templates.template_create(ours, &again).await.unwrap_err();
    assert_eq!((error.code, error.detail.as_str()), (ErrorCode::Conflict, "there is a template \"welcome\" already"));
    db.store.templates.template_delete(ours, first.id, now()).await.unwrap();
    let error = db.store.templates.template_delete(ours, first.id, now()).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::NotFound);
    assert_ne!(make(db, ours, "welcome").await.id, first.id);
}

async fn a_patch_changes_what_it_names(db: &Db) {
    let (_, scope) = db.tenant("acme").await;
    let id = make(db, scope, "welcome").await.id;
    let store = &db.store.templates;
    let at = now();
    let patch = TemplatePatch { name: None, description: Some(Some("for new people".to_owned())) };
    let changed = store.template_update(scope, id, &patch, at).await.unwrap();
    assert_eq!((changed.name.as_str(), changed.updated_at), ("N", at));
    assert_eq!(changed.description.as_deref(), Some("for new people"));
    let patch = TemplatePatch { name: Some("Welcome".to_owned()), description: Some(None) };
    let changed = store.template_update(scope, id, &patch, at).await.unwrap();
    assert_eq!((changed.name.as_str(), changed.description), ("Welcome", None));
}

async fn a_template_belongs_to_its_tenant(db: &Db) {
    let (_, ours) = db.tenant("acme").await;
    let (_, theirs) = db.tenant("other").await;
    let foreign = make(db, theirs, "secret").await;
    let store = &db.store.templates;
    for name in [Ref::Id(foreign.id.0), Ref::Uuid(foreign.uuid), Ref::Code("secret".to_owned())] {
        assert_eq!(store.template_get(ours, &name).await.unwrap_err().code, ErrorCode::NotFound);
    }
    let patch = TemplatePatch::default();
    assert_eq!(store.template_update(ours, foreign.id, &patch, now()).await.unwrap_err().code, ErrorCode::NotFound);
    assert_eq!(store.template_delete(ours, foreign.id, now()).await.unwrap_err().code, ErrorCode::NotFound);
    assert!(store.template_codes(ours, 10).await.unwrap().is_empty());
}

async fn templates_come_in_pages(db: &Db) {
    let (_, scope) = db.tenant("acme").await;
    for code in ["c", "a", "b"] {
        make(db, scope, code).await;
    }
    let store = &db.store.templates;
    let first = store.template_list(scope, Page { limit: 2, after: None }).await.unwrap();
    let second = store.template_list(scope, Page { limit: 2, after: first.next }).await.unwrap();
    let codes: Vec<_> = first.items.iter().chain(&second.items).map(|template| template.code.as_str()).collect();
    assert_eq!((codes.as_slice(), second.next), (["c", "a", "b"].as_slice(), None));
    assert_eq!(store.template_codes(scope, 2).await.unwrap(), ["a", "b"]);
}
