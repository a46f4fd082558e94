use axum::extract::{Path, State};
use carillon_app::KeyRequest;
use carillon_domain::tenant::KeyKind;
use carillon_domain::{Action, Error, ErrorCode, FieldError, Role, Timestamp, json};
use serde::Deserialize;

use super::Routes;
use crate::Shared;
use crate::answer::{self, Answer};
use crate::caller::{Caller, named};
use crate::dto;
use crate::json::Json;
use crate::openapi::{Operation, operation::Answer as Good};
use crate::query::{PAGE, Raw};

pub(super) fn mount(routes: Routes) -> Routes {
    use Action::{ApiKeyManage, TenantManage, TenantRead};
    let one = |operation: Operation| operation.answers(Good::One(200, "Tenant"));
    routes
        .add(
            Operation::post("/api/v1/tenants", "createTenant", "Make a tenant")
                .needs(TenantManage)
                .body("NewTenant")
                .answers(Good::One(201, "Tenant"))
                .fails(ErrorCode::Conflict),
            create,
        )
        .add(
            Operation::get(
                "/api/v1/tenants",
                "listTenants",
                "List tenants; one's own, unless a platform administrator",
            )
            .needs(TenantRead)
            .query(PAGE)
            .answers(Good::Page("Tenant")),
            list,
        )
        .add(one(Operation::get("/api/v1/tenants/{id}", "getTenant", "Get a tenant")).needs(TenantRead), get)
        .add(
            one(Operation::patch("/api/v1/tenants/{id}", "updateTenant", "Rename a tenant"))
                .needs(TenantManage)
                .body("TenantPatch"),
            update,
        )
        .add(
            Operation::delete("/api/v1/tenants/{id}", "deleteTenant", "Delete a tenant")
                .needs(TenantManage)
                .fails(ErrorCode::InvalidState),
            delete,
        )
        .add(
            Operation::post("/api/v1/tenants/{id}/api-keys", "createApiKey", "Make an API key; it is shown this once")
                .needs(ApiKeyManage)
                .body("NewKey")
                .answers(Good::One(201, "NewApiKey")),
            key_create,
        )
        .add(
            Operation::get(
                "/api/v1/tenants/{id}/api-keys",
                "listApiKeys",
                "List API keys, without the keys themselves",
            )
            .needs(ApiKeyManage)
            .query(PAGE)
            .answers(Good::Page("ApiKey")),
            key_list,
        )
        .add(
            Operation::delete("/api/v1/tenants/{id}/api-keys/{keyId}", "revokeApiKey", "Revoke an API key")
                .needs(ApiKeyManage),
            key_revoke,
        )
}

/// A tenant to make.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewTenant {
    code: String,
    name: String,
}

/// Its new name.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rename {
    name: String,
}

/// A key to make.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct NewKey {
    name: String,
    #[serde(default)]
    kind: Option<String>,
    #[serde(default)]
    roles: Option<Vec<String>>,
    #[serde(default)]
    scopes: Option<Vec<String>>,
    #[serde(default)]
    expires_at: Option<Timestamp>,
}

impl TryFrom<NewKey> for KeyRequest {
    type Error = Error;

    fn try_from(new: NewKey) -> Result<Self, Error> {
        let kind = match new.kind.as_deref() {
            None => KeyKind::Live,
            Some(word) => KeyKind::parse(word).ok_or_else(|| unknown("/kind", word, ["live", "test"]))?,
        };
        let roles = match new.roles {
            None => vec![Role::Admin],
            Some(words) => words.iter().enumerate().map(role).collect::<Result<_, _>>()?,
        };
        Ok(Self { name: new.name, kind, roles, scopes: new.scopes, expires_at: new.expires_at })
    }
}

fn role((index, word): (usize, &String)) -> Result<Role, Error> {
    let refused = || unknown(&format!("/roles/{index}"), word, Role::ALL.map(Role::as_str));
    Role::parse(word).ok_or_else(refused)
}

fn unknown<const N: usize>(pointer: &str, word: &str, known: [&str; N]) -> Error {
    let near = json::nearest(word, known);
    let hint = near
        .map_or_else(|| format!("; it is one of {}", known.join(", ")), |near| format!("; did you mean \"{near}\"?"));
    Error::invalid(FieldError::new(pointer, "invalid_value", format!("\"{word}\" is not known{hint}")))
}

async fn create(State(state): State<Shared>, Caller(ctx): Caller, Json(new): Json<NewTenant>) -> Answer {
    let tenant = state.app.tenants.tenant_create(&ctx, &new.code, &new.name).await?;
    answer::created(&format!("/api/v1/tenants/{}", tenant.uuid), &dto::Tenant::from(tenant))
}

async fn list(State(state): State<Shared>, Caller(ctx): Caller, raw: Raw) -> Answer {
    let page = raw.only(PAGE)?.page()?;
    answer::list(state.app.tenants.tenant_list(&ctx, &page).await?, dto::Tenant::from)
}

async fn get(State(state): State<Shared>, Caller(ctx): Caller, Path(id): Path<String>) -> Answer {
    answer::ok(&dto::Tenant::from(state.app.tenants.tenant_get(&ctx, &named(&id)?).await?))
}

async fn update(
    State(state): State<Shared>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
    Json(Rename { name }): Json<Rename>,
) -> Answer {
    answer::ok(&dto::Tenant::from(state.app.tenants.tenant_update(&ctx, &named(&id)?, &name).await?))
}

async fn delete(State(state): State<Shared>, Caller(ctx): Caller, Path(id): Path<String>) -> Answer {
    state.app.tenants.tenant_delete(&ctx, &named(&id)?).await?;
    Ok(answer::nothing())
}

async fn key_create(
    State(state): State<Shared>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
    Json(new): Json<NewKey>,
) -> Answer {
    let made = state.app.tenants.api_key_create(&ctx, &named(&id)?, new.try_into()?).await?;
    let location = format!("/api/v1/tenants/{}/api-keys/{}", made.key.tenant_id, made.key.uuid);
    answer::created(&location, &dto::NewApiKey::from(made))
}

async fn key_list(State(state): State<Shared>, Caller(ctx): Caller, Path(id): Path<String>, raw: Raw) -> Answer {
    let page = raw.only(PAGE)?.page()?;
    answer::list(state.app.tenants.api_key_list(&ctx, &named(&id)?, &page).await?, dto::ApiKey::from)
}

async fn key_revoke(
    State(state): State<Shared>,
    Caller(ctx): Caller,
    Path((id, key)): Path<(String, String)>,
) -> Answer {
    state.app.tenants.api_key_revoke(&ctx, &named(&id)?, &named(&key)?).await?;
    Ok(answer::nothing())
}
