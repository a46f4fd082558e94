use carillon_domain::{ErrorCode, Ref, TenantId};
use carillon_ports::Page;

use crate::common::{Db, new_key, new_tenant, now, scope};

promises!(
    the_first_start_makes_tenant_one_once,
    a_tenant_is_found_by_each_of_its_names,
    a_code_is_taken_until_its_tenant_is_deleted,
    a_deleted_tenant_is_gone,
    tenants_come_in_pages,
);

async fn the_first_start_makes_tenant_one_once(db: &Db) {
    let starts = (0..6u8).map(|n| {
        let store = db.store.tenants.clone();
        tokio::spawn(async move { store.first_start(&new_tenant("main"), &new_key(n)).await.unwrap() })
    });
    let starts: Vec<_> = starts.collect();
    let mut made = 0;
    for start in starts {
        made += i32::from(start.await.unwrap());
    }
    assert_eq!(made, 1);
    assert_eq!(db.store.tenants.tenant_get(&Ref::Code("main".to_owned())).await.unwrap().id, TenantId(1));
    let keys = db.store.tenants.api_key_list(scope(TenantId(1)), Page { limit: 10, after: None }).await.unwrap();
    assert_eq!(keys.items.len(), 1);
    assert_eq!(db.tenant("next").await.0.id, TenantId(2));
}

async fn a_tenant_is_found_by_each_of_its_names(db: &Db) {
    let (tenant, _) = db.tenant("acme").await;
    for name in [Ref::Id(tenant.id.0), Ref::Uuid(tenant.uuid), Ref::Code("acme".to_owned())] {
        assert_eq!(db.store.tenants.tenant_get(&name).await.unwrap(), tenant);
    }
    let at = now();
    let changed = db.store.tenants.tenant_update(tenant.id, "Acme", at).await.unwrap();
    assert_eq!((changed.name.as_str(), changed.updated_at, changed.created_at), ("Acme", at, tenant.created_at));
    assert_eq!(db.store.tenants.tenant_get(&Ref::Id(tenant.id.0)).await.unwrap(), changed);
}

async fn a_code_is_taken_until_its_tenant_is_deleted(db: &Db) {
    let (tenant, _) = db.tenant("acme").await;
    let error = db.store.tenants.tenant_create(&new_tenant("acme")).await.unwrap_err();
    assert_eq!((error.code, error.detail.as_str()), (ErrorCode::Conflict, "there is a tenant \"acme\" already"));
    db.store.tenants.tenant_delete(tenant.id, now()).await.unwrap();
    let (next, _) = db.tenant("acme").await;
    assert_ne!(next.id, tenant.id);
    assert_eq!(db.store.tenants.tenant_get(&Ref::Code("acme".to_owned())).await.unwrap(), next);
}

async fn a_deleted_tenant_is_gone(db: &Db) {
    let (tenant, _) = db.tenant("acme").await;
    db.store.tenants.tenant_delete(tenant.id, now()).await.unwrap();
    let store = &db.store.tenants;
    assert_eq!(store.tenant_get(&Ref::Id(tenant.id.0)).await.unwrap_err().code, ErrorCode::NotFound);
    assert_eq!(store.tenant_update(tenant.id, "x", now()).await.unwrap_err().code, ErrorCode::NotFound);
    assert_eq!(store.tenant_delete(tenant.id, now()).await.unwrap_err().code, ErrorCode::NotFound);
    assert!(store.tenant_list(Page { limit: 10, after: None }).await.unwrap().items.is_empty());
    // and it is not the beginning again
    assert!(!store.first_start(&new_tenant("main"), &new_key(1)).await.unwrap());
}

async fn tenants_come_in_pages(db: &Db) {
    for n in 0..5 {
        db.tenant(&format!("t{n}")).await;
    }
    let mut codes = Vec::new();
    let mut after = None;
    loop {
        let slice = db.store.tenants.tenant_list(Page { limit: 2, after }).await.unwrap();
        codes.extend(slice.items.into_iter().map(|tenant| tenant.code));
        after = slice.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(codes, ["t0", "t1", "t2", "t3", "t4"]);
}
