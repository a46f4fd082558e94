use carillon_domain::api_key::ApiKeySecret;
use carillon_domain::principal::TenantScope;
use carillon_domain::tenant::{ApiKey, KeyKind, Tenant};
use carillon_domain::{Action, Error, ErrorCode, FieldError, Ref, Role, Timestamp};
use carillon_ports::tenants::{NewApiKey, NewTenant};

use crate::{Listed, OpCtx, PageRequest, Parts};

const TENANTS: &str = "tenants";
const KEYS: &str = "api-keys";

/// Tenants and their API keys.
pub struct TenantService {
    parts: Parts,
}

/// An API key to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRequest {
    /// For people.
    pub name: String,
    /// Live or test.
    pub kind: KeyKind,
    /// What its holder may do; not more than the maker may.
    pub roles: Vec<Role>,
    /// Narrows the roles.
    pub scopes: Option<Vec<String>>,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
}

/// A key that was just made: the only time that it can be seen.
#[derive(Debug)]
pub struct NewKey {
    /// The key itself.
    pub secret: ApiKeySecret,
    /// Its row.
    pub key: ApiKey,
}

impl TenantService {
    pub(crate) fn new(parts: Parts) -> Self {
        Self { parts }
    }

    /// Makes a tenant.
    pub async fn tenant_create(&self, ctx: &OpCtx, code: &str, name: &str) -> Result<Tenant, Error> {
        ctx.authorize(Action::TenantManage)?;
        check_code(code)?;
        check_name(name)?;
        let uuid = self.parts.entropy.uuid(ctx.now);
        let new = NewTenant { uuid, code: code.to_owned(), name: name.to_owned(), at: ctx.now };
        self.parts.store.tenants.tenant_create(&new).await
    }

    /// One's own; any, for a platform administrator. A foreign one does not exist.
    pub async fn tenant_get(&self, ctx: &OpCtx, tenant: &Ref) -> Result<Tenant, Error> {
        ctx.authorize(Action::TenantRead)?;
        let found = self.parts.store.tenants.tenant_get(tenant).await?;
        if found.id != ctx.tenant && !ctx.principal.is_platform_admin() {
            return Err(Error::not_found("tenant"));
        }
        Ok(found)
    }

    /// All, for a platform administrator; else one's own.
    pub async fn tenant_list(&self, ctx: &OpCtx, page: &PageRequest) -> Result<Listed<Tenant>, Error> {
        ctx.authorize(Action::TenantRead)?;
        let page = page.page(TENANTS)?;
        if !ctx.principal.is_platform_admin() {
            let own = self.parts.store.tenants.tenant_get(&Ref::Id(ctx.tenant.0)).await?;
            return Ok(Listed { data: vec![own], next: None });
        }
        let slice = self.parts.store.tenants.tenant_list(page).await?;
        Ok(Listed::from_slice(slice, TENANTS, |tenant| tenant))
    }

    /// Changes the name.
    pub async fn tenant_update(&self, ctx: &OpCtx, tenant: &Ref, name: &str) -> Result<Tenant, Error> {
        ctx.authorize(Action::TenantManage)?;
        check_name(name)?;
        let found = self.parts.store.tenants.tenant_get(tenant).await?;
        self.parts.store.tenants.tenant_update(found.id, name, ctx.now).await
    }

    /// Marks it deleted.
    ///
    /// # Errors
    /// `invalid_state` for the caller's own: nobody saws off the branch they sit on.
    pub async fn tenant_delete(&self, ctx: &OpCtx, tenant: &Ref) -> Result<(), Error> {
        ctx.authorize(Action::TenantManage)?;
        let found = self.parts.store.tenants.tenant_get(tenant).await?;
        if found.id == ctx.principal.home {
            return Err(Error::new(ErrorCode::InvalidState, "these credentials belong to this tenant"));
        }
        self.parts.store.tenants.tenant_delete(found.id, ctx.now).await
    }

    /// Makes a key and shows it, this once.
    pub async fn api_key_create(&self, ctx: &OpCtx, tenant: &Ref, request: KeyRequest) -> Result<NewKey, Error> {
        let scope = self.keys_of(ctx, tenant).await?;
        check_name(&request.name)?;
        check_roles(ctx, &request.roles)?;
        check_scopes(request.scopes.as_deref())?;
        check_reach(ctx, &request)?;
        if request.expires_at.is_some_and(|at| at <= ctx.now) {
            return Err(Error::invalid(FieldError::new("/expiresAt", "in_the_past", "expiresAt is in the past")));
        }
        let secret = ApiKeySecret::generate(&*self.parts.entropy, request.kind);
        let new = NewApiKey {
            uuid: self.parts.entropy.uuid(ctx.now),
            name: request.name,
            kind: request.kind,
            prefix: secret.prefix().to_owned(),
            hash: secret.hash(),
            roles: request.roles,
            scopes: request.scopes,
            expires_at: request.expires_at,
            at: ctx.now,
        };
        let key = self.parts.store.tenants.api_key_create(scope, &new).await?;
        Ok(NewKey { secret, key })
    }

    /// The keys of a tenant, without the keys themselves.
    pub async fn api_key_list(&self, ctx: &OpCtx, tenant: &Ref, page: &PageRequest) -> Result<Listed<ApiKey>, Error> {
        let scope = self.keys_of(ctx, tenant).await?;
        let slice = self.parts.store.tenants.api_key_list(scope, page.page(KEYS)?).await?;
        Ok(Listed::from_slice(slice, KEYS, |key| key))
    }

    /// Revokes a key; every process knows within 5 s.
    pub async fn api_key_revoke(&self, ctx: &OpCtx, tenant: &Ref, key: &Ref) -> Result<(), Error> {
        let scope = self.keys_of(ctx, tenant).await?;
        self.parts.store.tenants.api_key_revoke(scope, key, ctx.now).await
    }

    /// The scope of a tenant named in the path: a foreign one is `not_found`.
    async fn keys_of(&self, ctx: &OpCtx, tenant: &Ref) -> Result<TenantScope, Error> {
        ctx.authorize(Action::ApiKeyManage)?;
        let found = self.parts.store.tenants.tenant_get(tenant).await?;
        ctx.principal.scope(Action::ApiKeyManage, found.id).map_err(|_| Error::not_found("tenant"))
    }
}

fn check_code(code: &str) -> Result<(), Error> {
    let shape = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_' | '.');
    let letters = code.starts_with(|c: char| c.is_ascii_lowercase());
    if (1..=63).contains(&code.len()) && letters && code.chars().all(shape) {
        return Ok(());
    }
    let message = "a code is 1 to 63 of a-z, 0-9, '-', '_' and '.', beginning with a letter";
    Err(Error::invalid(FieldError::new("/code", "invalid_code", message)))
}

fn check_name(name: &str) -> Result<(), Error> {
    if name.trim().is_empty() || name.chars().count() > 200 || name.chars().any(char::is_control) {
        let message = "a name is 1 to 200 characters, without control characters";
        return Err(Error::invalid(FieldError::new("/name", "invalid_name", message)));
    }
    Ok(())
}

/// Nobody hands out more than they have.
fn check_roles(ctx: &OpCtx, roles: &[Role]) -> Result<(), Error> {
    if roles.is_empty() {
        return Err(Error::invalid(FieldError::new("/roles", "missing_role", "a key needs at least one role")));
    }
    if roles.contains(&Role::PlatformAdmin) && !ctx.principal.is_platform_admin() {
        return Err(Error::new(ErrorCode::Forbidden, "only a platform administrator makes another"));
    }
    Ok(())
}

/// A narrowed key makes keys within its scopes only, and a test key test keys only: neither is a way around itself.
fn check_reach(ctx: &OpCtx, request: &KeyRequest) -> Result<(), Error> {
    if ctx.principal.kind == KeyKind::Test && request.kind != KeyKind::Test {
        return Err(Error::new(ErrorCode::Forbidden, "a test key makes test keys only"));
    }
    let Some(own) = &ctx.principal.scopes else { return Ok(()) };
    let within = |scopes: &Vec<String>| scopes.iter().all(|scope| own.contains(scope));
    if request.scopes.as_ref().is_some_and(within) {
        return Ok(());
    }
    Err(Error::new(ErrorCode::Forbidden, "a key with scopes makes keys with the same or fewer scopes"))
}

fn check_scopes(scopes: Option<&[String]>) -> Result<(), Error> {
    for (index, scope) in scopes.unwrap_or_default().iter().enumerate() {
        if !Action::ALL.iter().any(|action| action.scope() == scope) {
            let known = Action::ALL.iter().map(|action| action.scope());
            let near = carillon_domain::json::nearest(scope, known);
            let hint = near.map_or_else(String::new, |near| format!("; did you mean \"{near}\"?"));
            let pointer = format!("/scopes/{index}");
            let message = format!("there is no scope \"{scope}\"{hint}");
            return Err(Error::invalid(FieldError::new(pointer, "unknown_scope", message)));
        }
    }
    Ok(())
}
