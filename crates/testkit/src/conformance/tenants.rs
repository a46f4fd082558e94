//! Tenants, their keys, and the first start.

use std::sync::Arc;

use carillon_domain::principal::Role;
use carillon_domain::tenant::{ApiKey, KeyKind};
use carillon_domain::time::SystemEntropy;
use carillon_domain::{Entropy as _, ErrorCode, Ref, TenantId};
use carillon_ports::Page;
use carillon_ports::tenants::{NewApiKey, NewTenant};

use super::db::{Db, scope};
use super::verdicts::refused;

const PAGE: Page = Page { limit: 50, after: None };

fn tenant(db: &Db, code: &str) -> NewTenant {
    let at = db.now();
    NewTenant { uuid: SystemEntropy.uuid(at), code: code.to_owned(), name: code.to_uppercase(), at }
}

fn key(db: &Db, hash: u8) -> NewApiKey {
    let at = db.now();
    NewApiKey {
        uuid: SystemEntropy.uuid(at),
        name: "ci".to_owned(),
        kind: KeyKind::Test,
        prefix: "ck_test_abcd".to_owned(),
        hash: [hash; 32],
        roles: vec![Role::Send, Role::Viewer],
        scopes: Some(vec!["notifications:send".to_owned()]),
        expires_at: Some(at + std::time::Duration::from_secs(3600)),
        at,
    }
}

async fn made(db: &Db, tenant: TenantId, hash: u8) -> ApiKey {
    db.store.tenants.api_key_create(scope(tenant), &key(db, hash)).await.unwrap()
}

async fn usable(db: &Db, hash: u8) -> bool {
    db.store.tenants.api_key_by_hash(&[hash; 32]).await.unwrap().is_some()
}

pub(super) async fn the_first_start_makes_one_tenant_and_one_key_once(db: &Db) {
    assert!(db.store.tenants.first_start(&tenant(db, "default"), &key(db, 1)).await.unwrap());
    assert!(!db.store.tenants.first_start(&tenant(db, "second"), &key(db, 2)).await.unwrap());
    let tenants = db.store.tenants.tenant_list(PAGE).await.unwrap().items;
    assert_eq!(
        tenants.iter().map(|tenant| (tenant.id, tenant.code.as_str())).collect::<Vec<_>>(),
        [(TenantId(1), "default")]
    );
    let found = db.store.tenants.api_key_by_hash(&[1; 32]).await.unwrap().unwrap();
    assert_eq!((found.tenant_id, found.roles), (TenantId(1), vec![Role::Send, Role::Viewer]));
    assert!(!usable(db, 2).await);
}

pub(super) async fn eight_first_starts_at_once_make_one(db: &Db) {
    let tasks: Vec<_> = (0..8)
        .map(|number| {
            let (store, tenant, key) =
                (Arc::clone(&db.store.tenants), tenant(db, &format!("t{number}")), key(db, number));
            tokio::spawn(async move { store.first_start(&tenant, &key).await.unwrap() })
        })
        .collect();
    let mut did = 0;
    for task in tasks {
        did += usize::from(task.await.unwrap());
    }
    assert_eq!(did, 1);
    assert_eq!(db.store.tenants.tenant_list(PAGE).await.unwrap().items.len(), 1);
}

pub(super) async fn a_tenant_is_found_by_id_uuid_and_code(db: &Db) {
    let new = tenant(db, "initech");
    let made = db.store.tenants.tenant_create(&new).await.unwrap();
    assert_eq!((made.uuid, made.code.as_str(), made.created_at), (new.uuid, "initech", new.at));
    for name in [Ref::Id(made.id.0), Ref::Uuid(made.uuid), Ref::Code("initech".to_owned())] {
        assert_eq!(db.store.tenants.tenant_get(&name).await.unwrap(), made);
    }
    assert_eq!(refused(db.store.tenants.tenant_get(&Ref::Id(1 << 40)).await), ErrorCode::NotFound);
}

pub(super) async fn a_tenants_code_is_unique_until_it_is_deleted(db: &Db) {
    assert_eq!(refused(db.store.tenants.tenant_create(&tenant(db, "globex")).await), ErrorCode::Conflict);
    db.store.tenants.tenant_delete(db.other, db.now()).await.unwrap();
    let again = db.store.tenants.tenant_create(&tenant(db, "globex")).await.unwrap();
    assert_ne!(again.id, db.other);
}

pub(super) async fn a_deleted_tenant_is_gone_and_its_keys_stop_working(db: &Db) {
    made(db, db.other, 1).await;
    made(db, db.tenant, 2).await;
    assert!(usable(db, 1).await);
    db.store.tenants.tenant_delete(db.other, db.now()).await.unwrap();
    assert!(!usable(db, 1).await && usable(db, 2).await);
    let gone = Ref::Id(db.other.0);
    assert_eq!(refused(db.store.tenants.tenant_get(&gone).await), ErrorCode::NotFound);
    assert_eq!(refused(db.store.tenants.tenant_update(db.other, "x", db.now()).await), ErrorCode::NotFound);
    assert_eq!(refused(db.store.tenants.tenant_delete(db.other, db.now()).await), ErrorCode::NotFound);
    let listed = db.store.tenants.tenant_list(PAGE).await.unwrap().items;
    assert!(listed.iter().all(|tenant| tenant.id != db.other));
}

pub(super) async fn tenants_are_listed_by_id_in_pages(db: &Db) {
    let mut wanted = vec![db.tenant, db.other];
    for code in ["c", "a", "b"] {
        wanted.push(db.new_tenant(code).await);
    }
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let slice = db.store.tenants.tenant_list(Page { limit: 2, after }).await.unwrap();
        seen.extend(slice.items.iter().map(|tenant| tenant.id));
        after = slice.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(seen, wanted);
}

pub(super) async fn a_tenants_name_changes_and_nothing_else(db: &Db) {
    let before = db.store.tenants.tenant_get(&Ref::Id(db.tenant.0)).await.unwrap();
    let at = db.now() + std::time::Duration::from_secs(1);
    let after = db.store.tenants.tenant_update(db.tenant, "Acme Ltd", at).await.unwrap();
    assert_eq!((after.name.as_str(), after.updated_at), ("Acme Ltd", at));
    assert_eq!((after.id, &after.code, after.created_at), (before.id, &before.code, before.created_at));
}

pub(super) async fn a_key_reads_back_as_it_was_made(db: &Db) {
    let new = key(db, 1);
    let made = db.store.tenants.api_key_create(db.scope(), &new).await.unwrap();
    assert_eq!((made.tenant_id, made.kind, &made.roles), (db.tenant, KeyKind::Test, &new.roles));
    assert_eq!((&made.scopes, made.expires_at, made.revoked_at), (&new.scopes, new.expires_at, None));
    assert_eq!((&made.prefix, made.uuid, made.created_at), (&new.prefix, new.uuid, new.at));
    assert_eq!(db.store.tenants.api_key_by_hash(&new.hash).await.unwrap().unwrap(), made);
    assert_eq!(db.store.tenants.api_key_get(db.scope(), made.id).await.unwrap(), made);
    assert_eq!(db.store.tenants.api_key_by_hash(&[9; 32]).await.unwrap(), None);
}

pub(super) async fn a_revoked_key_stops_working_and_the_first_time_stands(db: &Db) {
    let (by_id, by_uuid) = (made(db, db.tenant, 1).await, made(db, db.tenant, 2).await);
    let first = db.now();
    for (key, name) in [(by_id.id, Ref::Id(by_id.id.0)), (by_uuid.id, Ref::Uuid(by_uuid.uuid))] {
        for at in [first, first + std::time::Duration::from_secs(9)] {
            db.store.tenants.api_key_revoke(db.scope(), &name, at).await.unwrap();
        }
        let revoked = db.store.tenants.api_key_get(db.scope(), key).await.unwrap();
        assert_eq!(revoked.revoked_at, Some(first));
    }
    assert!(!usable(db, 1).await && !usable(db, 2).await);
    let listed = db.store.tenants.api_key_list(db.scope(), PAGE).await.unwrap().items;
    assert_eq!(
        listed.iter().map(|key| key.id).collect::<Vec<_>>(),
        [by_id.id, by_uuid.id],
        "revoked ones are listed too"
    );
}

pub(super) async fn another_tenants_key_is_not_found(db: &Db) {
    let key = made(db, db.tenant, 1).await;
    let at = db.now();
    for name in [Ref::Id(key.id.0), Ref::Uuid(key.uuid)] {
        assert_eq!(refused(db.store.tenants.api_key_revoke(db.foreign(), &name, at).await), ErrorCode::NotFound);
    }
    assert_eq!(refused(db.store.tenants.api_key_get(db.foreign(), key.id).await), ErrorCode::NotFound);
    assert_eq!(db.store.tenants.api_key_list(db.foreign(), PAGE).await.unwrap().items, []);
    assert!(usable(db, 1).await);
}

pub(super) async fn keys_that_ended_lately_are_told(db: &Db) {
    let tenant = db.new_tenant("leaving").await;
    let revoked = made(db, db.tenant, 1).await;
    made(db, tenant, 2).await;
    made(db, db.tenant, 3).await;
    let ended = |since| async move {
        let mut hashes = db.store.tenants.api_keys_ended(since, 100).await.unwrap();
        hashes.sort_unstable();
        hashes
    };
    let at = db.now() + std::time::Duration::from_mins(5);
    assert_eq!(ended(at).await, [] as [[u8; 32]; 0]);
    db.store.tenants.api_key_revoke(db.scope(), &Ref::Id(revoked.id.0), at).await.unwrap();
    assert_eq!(ended(at).await, [[1; 32]]);
    db.store.tenants.tenant_delete(tenant, at).await.unwrap();
    assert_eq!(ended(at).await, [[1; 32], [2; 32]]);
    assert_eq!(ended(at + std::time::Duration::from_secs(1)).await, [] as [[u8; 32]; 0]);
    assert_eq!(db.store.tenants.api_keys_ended(at, 1).await.unwrap().len(), 1);
}
