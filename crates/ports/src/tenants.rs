//! Tenants, their API keys, and the first start.

use async_trait::async_trait;
use carillon_domain::principal::{Role, TenantScope};
use carillon_domain::tenant::{ApiKey, KeyKind, Tenant};
use carillon_domain::{ApiKeyId, Error, Ref, TenantId, Timestamp};
use uuid::Uuid;

use crate::page::{Page, Slice};

/// A tenant to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTenant {
    /// The public uuid.
    pub uuid: Uuid,
    /// Unique.
    pub code: String,
    /// For people.
    pub name: String,
    /// When.
    pub at: Timestamp,
}

/// An API key to store: its hash, never the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewApiKey {
    /// The public uuid.
    pub uuid: Uuid,
    /// For people.
    pub name: String,
    /// Live or test.
    pub kind: KeyKind,
    /// The first characters of the key.
    pub prefix: String,
    /// SHA-256 of the key.
    pub hash: [u8; 32],
    /// What its holder may do.
    pub roles: Vec<Role>,
    /// Narrows the roles.
    pub scopes: Option<Vec<String>>,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
    /// When.
    pub at: Timestamp,
}

/// Tenants and keys. Authorisation is by platform role or by scope, which the caller has.
#[async_trait]
pub trait TenantStore: Send + Sync + 'static {
    /// Makes the first tenant and its first key, if there is no tenant at all: `true` if this call did it. Two
    /// processes that start together make one.
    async fn first_start(&self, tenant: &NewTenant, key: &NewApiKey) -> Result<bool, Error>;

    /// Makes one. `conflict` if the code is taken.
    async fn tenant_create(&self, new: &NewTenant) -> Result<Tenant, Error>;

    /// Gets one by id, uuid or code.
    async fn tenant_get(&self, tenant: &Ref) -> Result<Tenant, Error>;

    /// By id; the position is the last id.
    async fn tenant_list(&self, page: Page) -> Result<Slice<Tenant>, Error>;

    /// Changes the name.
    async fn tenant_update(&self, tenant: TenantId, name: &str, at: Timestamp) -> Result<Tenant, Error>;

    /// Marks it deleted: its keys stop working, its rows are no longer claimed, its code becomes free.
    async fn tenant_delete(&self, tenant: TenantId, at: Timestamp) -> Result<(), Error>;

    /// Makes a key.
    async fn api_key_create(&self, scope: TenantScope, new: &NewApiKey) -> Result<ApiKey, Error>;

    /// By id; the position is the last id. Revoked ones are listed too.
    async fn api_key_list(&self, scope: TenantScope, page: Page) -> Result<Slice<ApiKey>, Error>;

    /// Revokes one, by id or uuid; the first time stands.
    async fn api_key_revoke(&self, scope: TenantScope, key: &Ref, at: Timestamp) -> Result<(), Error>;

    /// The key with that hash, if it is neither revoked nor a deleted tenant's. Expiry is the caller's to check.
    async fn api_key_by_hash(&self, hash: &[u8; 32]) -> Result<Option<ApiKey>, Error>;

    /// The hashes of at most `limit` keys that were revoked at `since` or later, or whose tenant was deleted then: caches
    /// forget them. One is seen once its transaction has committed, which may be a while after the time it bears.
    async fn api_keys_ended(&self, since: Timestamp, limit: u32) -> Result<Vec<[u8; 32]>, Error>;

    /// The key's row, for tests of revocation and for the audit.
    async fn api_key_get(&self, scope: TenantScope, key: ApiKeyId) -> Result<ApiKey, Error>;
}
