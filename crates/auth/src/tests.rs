use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use async_trait::async_trait;
use carillon_domain::principal::TenantScope;
use carillon_domain::tenant::{ApiKey, KeyKind, Tenant};
use carillon_domain::time::{ManualClock, SystemEntropy};
use carillon_domain::{ApiKeyId, Ref, Role};
use carillon_ports::tenants::{NewApiKey, NewTenant};
use carillon_ports::{Page, Slice};
use chrono::{DateTime, TimeDelta};
use uuid::Uuid;

use super::*;

/// Two tenants, and one key of the first.
struct Fake {
    hash: [u8; 32],
    roles: Vec<Role>,
    expires_at: Option<Timestamp>,
    away: AtomicBool,
    asked: AtomicUsize,
    ended: AtomicBool,
}

fn now() -> Timestamp {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap()
}

fn tenant(id: i64) -> Tenant {
    Tenant {
        id: TenantId(id),
        uuid: Uuid::from_u128(u128::try_from(id).unwrap()),
        code: format!("tenant-{id}"),
        name: String::new(),
        created_at: now(),
        updated_at: now(),
    }
}

impl Fake {
    fn ask(&self) -> Result<(), Error> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        if self.away.load(Ordering::SeqCst) { Err(Error::unavailable("away")) } else { Ok(()) }
    }
}

#[async_trait]
impl TenantStore for Fake {
    async fn api_key_by_hash(&self, hash: &[u8; 32]) -> Result<Option<ApiKey>, Error> {
        self.ask()?;
        let is_good = *hash == self.hash && !self.ended.load(Ordering::SeqCst);
        Ok(is_good.then(|| ApiKey {
            id: ApiKeyId(7),
            uuid: Uuid::nil(),
            tenant_id: TenantId(1),
            name: String::new(),
            kind: KeyKind::Test,
            prefix: String::new(),
            roles: self.roles.clone(),
            scopes: Some(vec!["notifications:send".to_owned()]),
            expires_at: self.expires_at,
            revoked_at: None,
            created_at: now(),
        }))
    }

    async fn tenant_get(&self, wanted: &Ref) -> Result<Tenant, Error> {
        self.ask()?;
        let is = |t: &Tenant| match wanted {
            Ref::Id(id) => t.id.0 == *id,
            Ref::Uuid(uuid) => t.uuid == *uuid,
            Ref::Code(code) => t.code == *code,
        };
        [tenant(1), tenant(2)].into_iter().find(is).ok_or_else(|| Error::not_found("tenant"))
    }

    async fn api_keys_ended(&self, _: Timestamp, _: u32) -> Result<Vec<[u8; 32]>, Error> {
        if self.away.load(Ordering::SeqCst) {
            return Err(Error::unavailable("away"));
        }
        Ok(if self.ended.load(Ordering::SeqCst) { vec![self.hash] } else { Vec::new() })
    }

    async fn first_start(&self, _: &NewTenant, _: &NewApiKey) -> Result<bool, Error> {
        unreachable!()
    }
    async fn tenant_create(&self, _: &NewTenant) -> Result<Tenant, Error> {
        unreachable!()
    }
    async fn tenant_list(&self, _: Page) -> Result<Slice<Tenant>, Error> {
        unreachable!()
    }
    async fn tenant_update(&self, _: TenantId, _: &str, _: Timestamp) -> Result<Tenant, Error> {
        unreachable!()
    }
    async fn tenant_delete(&self, _: TenantId, _: Timestamp) -> Result<(), Error> {
        unreachable!()
    }
    async fn api_key_create(&self, _: TenantScope, _: &NewApiKey) -> Result<ApiKey, Error> {
        unreachable!()
    }
    async fn api_key_list(&self, _: TenantScope, _: Page) -> Result<Slice<ApiKey>, Error> {
        unreachable!()
    }
    async fn api_key_revoke(&self, _: TenantScope, _: &Ref, _: Timestamp) -> Result<(), Error> {
        unreachable!()
    }
    async fn api_key_get(&self, _: TenantScope, _: ApiKeyId) -> Result<ApiKey, Error> {
        unreachable!()
    }
}

struct Scene {
    store: Arc<Fake>,
    clock: Arc<ManualClock>,
    auth: Authenticator,
    secret: ApiKeySecret,
}

fn scene(roles: &[Role], expires_at: Option<Timestamp>) -> Scene {
    let secret = ApiKeySecret::generate(&SystemEntropy, KeyKind::Test);
    let store = Arc::new(Fake {
        hash: secret.hash(),
        roles: roles.to_vec(),
        expires_at,
        away: AtomicBool::new(false),
        asked: AtomicUsize::new(0),
        ended: AtomicBool::new(false),
    });
    let clock = Arc::new(ManualClock::new(now()));
    let auth = Authenticator::new(store.clone(), clock.clone());
    Scene { store, clock, auth, secret }
}

#[tokio::test]
async fn a_key_becomes_its_holder_and_the_store_is_asked_once() {
    let s = scene(&[Role::Send], None);
    for _ in 0..3 {
        let principal = s.auth.authenticate(s.secret.expose()).await.unwrap();
        assert_eq!(principal.home, TenantId(1));
        assert_eq!(principal.subject, Subject::ApiKey(ApiKeyId(7)));
        assert_eq!(principal.kind, KeyKind::Test);
        assert_eq!(*principal.roles, [Role::Send]);
        assert!(principal.scopes.unwrap().contains("notifications:send"));
    }
    assert_eq!(s.store.asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn an_unknown_key_is_refused_from_memory_and_what_is_no_key_never_reaches_the_store() {
    let s = scene(&[], None);
    let other = ApiKeySecret::generate(&SystemEntropy, KeyKind::Live);
    for token in [other.expose(), other.expose(), "", "ck_live_short", "Bearer x"] {
        assert_eq!(s.auth.authenticate(token).await.unwrap_err().code, ErrorCode::Unauthenticated);
    }
    assert_eq!(s.store.asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_key_that_has_ended_is_forgotten_by_the_next_follow() {
    let s = scene(&[], None);
    for _ in 0..20 {
        s.auth.follow().await.unwrap();
        s.auth.authenticate(s.secret.expose()).await.unwrap();
        s.clock.advance(TimeDelta::seconds(1));
    }
    assert_eq!(s.store.asked.load(Ordering::SeqCst), 1, "believed for as long as it is followed");
    s.store.ended.store(true, Ordering::SeqCst);
    s.auth.follow().await.unwrap();
    assert_eq!(s.auth.authenticate(s.secret.expose()).await.unwrap_err().code, ErrorCode::Unauthenticated);
}

#[tokio::test]
async fn without_a_follow_a_key_is_believed_for_five_seconds() {
    let s = scene(&[], None);
    s.auth.follow().await.unwrap();
    s.auth.authenticate(s.secret.expose()).await.unwrap();
    s.store.ended.store(true, Ordering::SeqCst);
    s.clock.advance(TimeDelta::seconds(4));
    s.auth.authenticate(s.secret.expose()).await.unwrap();
    s.clock.advance(TimeDelta::milliseconds(1_001));
    assert_eq!(s.auth.authenticate(s.secret.expose()).await.unwrap_err().code, ErrorCode::Unauthenticated);
}

#[tokio::test]
async fn a_cached_key_still_expires() {
    let s = scene(&[], Some(now() + TimeDelta::seconds(1)));
    s.auth.authenticate(s.secret.expose()).await.unwrap();
    s.clock.advance(TimeDelta::seconds(1));
    assert_eq!(s.auth.authenticate(s.secret.expose()).await.unwrap_err().code, ErrorCode::Unauthenticated);
}

#[tokio::test]
async fn an_outage_is_no_bad_credential_and_is_not_remembered() {
    let s = scene(&[], None);
    s.store.away.store(true, Ordering::SeqCst);
    let error = s.auth.authenticate(s.secret.expose()).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::Unavailable);
    assert!(error.retry_after.is_some());
    s.store.away.store(false, Ordering::SeqCst);
    s.auth.authenticate(s.secret.expose()).await.unwrap();
}

#[tokio::test]
async fn ones_own_tenant_is_always_allowed_and_others_are_for_platform_administrators() {
    let uuid = |id: i64| tenant(id).uuid.to_string();
    for (role, foreign) in [(Role::Admin, Err(ErrorCode::Forbidden)), (Role::PlatformAdmin, Ok(TenantId(2)))] {
        let s = scene(&[role], None);
        let principal = s.auth.authenticate(s.secret.expose()).await.unwrap();
        assert_eq!(s.auth.tenant(&principal, None).await.unwrap(), TenantId(1));
        for own in ["1", "tenant-1", &uuid(1)] {
            assert_eq!(s.auth.tenant(&principal, Some(own)).await.unwrap(), TenantId(1), "{own}");
        }
        for other in ["2", "tenant-2", &uuid(2)] {
            assert_eq!(s.auth.tenant(&principal, Some(other)).await.map_err(|e| e.code), foreign, "{other}");
        }
        let nobody = s.auth.tenant(&principal, Some("nobody")).await.map_err(|e| e.code);
        let expected = if role == Role::Admin { ErrorCode::Forbidden } else { ErrorCode::NotFound };
        assert_eq!(nobody, Err(expected));
    }
}

#[test]
fn nothing_of_a_secret_shows() {
    let s = scene(&[], None);
    assert!(!format!("{:?} {:?}", s.auth, s.secret).contains(s.secret.expose()));
}
