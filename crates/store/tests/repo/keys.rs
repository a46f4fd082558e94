use carillon_domain::tenant::KeyKind;
use carillon_domain::{ErrorCode, Ref, Role};
use carillon_ports::Page;

use crate::common::{Db, new_key, now};

promises!(
    a_key_is_found_by_its_hash,
    a_revoked_key_works_no_more_and_the_first_time_stands,
    the_keys_of_a_deleted_tenant_work_no_more,
    a_key_belongs_to_its_tenant,
);

async fn a_key_is_found_by_its_hash(db: &Db) {
    let (_, scope) = db.tenant("acme").await;
    let new = new_key(7);
    let key = db.store.tenants.api_key_create(scope, &new).await.unwrap();
    assert_eq!((key.kind, key.roles.as_slice()), (KeyKind::Test, [Role::Send, Role::Viewer].as_slice()));
    assert_eq!((&key.scopes, key.expires_at, key.created_at), (&new.scopes, new.expires_at, new.at));
    assert_eq!(db.store.tenants.api_key_by_hash(&[7; 32]).await.unwrap(), Some(key.clone()));
    assert_eq!(db.store.tenants.api_key_by_hash(&[8; 32]).await.unwrap(), None);
    assert_eq!(db.store.tenants.api_key_get(scope, key.id).await.unwrap(), key);
    assert_eq!(db.store.tenants.api_key_create(scope, &new).await.unwrap_err().code, ErrorCode::Conflict);
}

async fn a_revoked_key_works_no_more_and_the_first_time_stands(db: &Db) {
    let (_, scope) = db.tenant("acme").await;
    let store = &db.store.tenants;
    let key = store.api_key_create(scope, &new_key(7)).await.unwrap();
    let at = now();
    store.api_key_revoke(scope, &Ref::Uuid(key.uuid), at).await.unwrap();
    store.api_key_revoke(scope, &Ref::Id(key.id.0), now()).await.unwrap();
    assert_eq!(store.api_key_by_hash(&[7; 32]).await.unwrap(), None);
    let listed = store.api_key_list(scope, Page { limit: 10, after: None }).await.unwrap().items;
    assert_eq!(listed.iter().map(|key| key.revoked_at).collect::<Vec<_>>(), [Some(at)]);
}

async fn the_keys_of_a_deleted_tenant_work_no_more(db: &Db) {
    let (tenant, scope) = db.tenant("acme").await;
    let store = &db.store.tenants;
    store.api_key_create(scope, &new_key(7)).await.unwrap();
    store.tenant_delete(tenant.id, now()).await.unwrap();
    assert_eq!(store.api_key_by_hash(&[7; 32]).await.unwrap(), None);
    assert_eq!(store.api_key_create(scope, &new_key(8)).await.unwrap_err().code, ErrorCode::NotFound);
}

async fn a_key_belongs_to_its_tenant(db: &Db) {
    let (_, ours) = db.tenant("acme").await;
    let (_, theirs) = db.tenant("other").await;
    let store = &db.store.tenants;
    let key = store.api_key_create(theirs, &new_key(7)).await.unwrap();
    assert_eq!(store.api_key_get(ours, key.id).await.unwrap_err().code, ErrorCode::NotFound);
    for name in [Ref::Id(key.id.0), Ref::Uuid(key.uuid), Ref::Code("ci".to_owned())] {
        assert_eq!(store.api_key_revoke(ours, &name, now()).await.unwrap_err().code, ErrorCode::NotFound);
    }
    assert!(store.api_key_list(ours, Page { limit: 10, after: None }).await.unwrap().items.is_empty());
    assert!(store.api_key_by_hash(&[7; 32]).await.unwrap().is_some());
}
