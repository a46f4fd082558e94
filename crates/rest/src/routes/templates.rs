use axum::extract::{Path, State};
use carillon_app::view::TemplatePatch;
use carillon_app::{PreviewRequest, VersionInput};
use carillon_domain::{Action, Channel, Error, ErrorCode};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use super::Routes;
use crate::Shared;
use crate::answer::{self, Answer};
use crate::caller::{Caller, named};
use crate::dto;
use crate::json::{Json, NoBody};
use crate::openapi::{Operation, operation::Answer as Good};
use crate::query::{PAGE, Raw};

pub(super) fn mount(routes: Routes) -> Routes {
    use Action::{TemplateEdit, TemplateRead};
    let one = |operation: Operation| operation.answers(Good::One(200, "Template"));
    let version = |operation: Operation| operation.answers(Good::One(200, "TemplateVersion"));
    routes
        .add(
            Operation::post("/api/v1/templates", "createTemplate", "Make a template")
                .needs(TemplateEdit)
                .body("NewTemplate")
                .answers(Good::One(201, "Template"))
                .fails(ErrorCode::Conflict),
            create,
        )
        .add(
            Operation::get("/api/v1/templates", "listTemplates", "List templates")
                .needs(TemplateRead)
                .query(PAGE)
                .answers(Good::Page("Template")),
            list,
        )
        .add(one(Operation::get("/api/v1/templates/{id}", "getTemplate", "Get a template")).needs(TemplateRead), get)
        .add(
            one(Operation::patch("/api/v1/templates/{id}", "updateTemplate", "Change name or description"))
                .needs(TemplateEdit)
                .body("TemplatePatch"),
            update,
        )
        .add(
            Operation::delete("/api/v1/templates/{id}", "deleteTemplate", "Delete a template").needs(TemplateEdit),
            delete,
        )
        .add(
            Operation::post("/api/v1/templates/{id}/versions", "createVersion", "Make the next draft")
                .needs(TemplateEdit)
                .body("NewTemplateVersion")
                .answers(Good::One(201, "TemplateVersion")),
            version_create,
        )
        .add(
            Operation::get("/api/v1/templates/{id}/versions", "listVersions", "List versions")
                .needs(TemplateRead)
                .query(PAGE)
                .answers(Good::Page("TemplateVersion")),
            version_list,
        )
        .add(
            version(Operation::get("/api/v1/templates/{id}/versions/{version}", "getVersion", "Get a version"))
                .needs(TemplateRead),
            version_get,
        )
        .add(
            version(Operation::put(
                "/api/v1/templates/{id}/versions/{version}/localizations/{locale}",
                "putLocalization",
                "Put a localization into a draft",
            ))
            .needs(TemplateEdit)
            .body("Localization")
            .fails(ErrorCode::InvalidState),
            localization_put,
        )
        .add(
            version(Operation::post(
                "/api/v1/templates/{id}/versions/{version}/publish",
                "publishVersion",
                "Publish a version: it never changes from then on",
            ))
            .needs(TemplateEdit),
            publish,
        )
        .add(
            one(Operation::post(
                "/api/v1/templates/{id}/rollback",
                "rollbackTemplate",
                "Make an earlier version current",
            ))
            .needs(TemplateEdit)
            .body("Rollback")
            .fails(ErrorCode::InvalidState),
            rollback,
        )
        .add(
            Operation::post("/api/v1/templates/{id}/preview", "previewTemplate", "See what a person would get")
                .needs(TemplateRead)
                .body("Preview")
                .answers(Good::One(200, "Content")),
            preview,
        )
}

/// A template to make.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewTemplate {
    code: String,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    description: Option<String>,
}

/// What to change.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Patch {
    #[serde(default, deserialize_with = "given")]
    name: Option<String>,
    #[serde(default, deserialize_with = "given")]
    #[expect(clippy::option_option, reason = "absent leaves it, null clears it")]
    description: Option<Option<String>>,
}

/// Which version to go back to.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rollback {
    version: i32,
}

/// What to preview.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Preview {
    #[serde(default)]
    version: Option<i32>,
    #[serde(default)]
    locale: Option<String>,
    channel: Channel,
    #[serde(default)]
    variables: Option<Map<String, Value>>,
}

/// Tells a field that is there from one that is not: `null` is a value.
fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// Versions are numbers; anything else names none.
fn number(version: &str) -> Result<i32, Error> {
    version.parse().map_err(|_| Error::not_found("version"))
}

async fn create(State(state): State<Shared>, Caller(ctx): Caller, Json(new): Json<NewTemplate>) -> Answer {
    let (name, description) = (new.name.as_deref(), new.description.as_deref());
    let template = state.app.templates.template_create(&ctx, &new.code, name, description).await?;
    answer::created(&format!("/api/v1/templates/{}", template.uuid), &dto::Template::from(template))
}

async fn list(State(state): State<Shared>, Caller(ctx): Caller, raw: Raw) -> Answer {
    let page = raw.only(PAGE)?.page()?;
    answer::list(state.app.templates.template_list(&ctx, &page).await?, dto::Template::from)
}

async fn get(State(state): State<Shared>, Caller(ctx): Caller, Path(id): Path<String>) -> Answer {
    let template = state.app.templates.template_get(&ctx, &named(&id)?).await?;
    answer::ok(&dto::Template::from(template))
}

async fn update(
    State(state): State<Shared>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
    Json(Patch { name, description }): Json<Patch>,
) -> Answer {
    let patch = TemplatePatch { name, description };
    let template = state.app.templates.template_update(&ctx, &named(&id)?, &patch).await?;
    answer::ok(&dto::Template::from(template))
}

async fn delete(State(state): State<Shared>, Caller(ctx): Caller, Path(id): Path<String>) -> Answer {
    state.app.templates.template_delete(&ctx, &named(&id)?).await?;
    Ok(answer::nothing())
}

async fn version_create(
    State(state): State<Shared>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
    Json(input): Json<VersionInput>,
) -> Answer {
    let version = state.app.templates.template_version_create(&ctx, &named(&id)?, input).await?;
    let location = format!("/api/v1/templates/{}/versions/{}", version.template_id, version.version);
    answer::created(&location, &dto::TemplateVersion::from(version))
}

async fn version_list(State(state): State<Shared>, Caller(ctx): Caller, Path(id): Path<String>, raw: Raw) -> Answer {
    let page = raw.only(PAGE)?.page()?;
    let listed = state.app.templates.template_version_list(&ctx, &named(&id)?, &page).await?;
    answer::list(listed, dto::TemplateVersion::from)
}

async fn version_get(
    State(state): State<Shared>,
    Caller(ctx): Caller,
    Path((id, version)): Path<(String, String)>,
) -> Answer {
    let version = state.app.templates.template_version_get(&ctx, &named(&id)?, number(&version)?).await?;
    answer::ok(&dto::TemplateVersion::from(version))
}

async fn localization_put(
    State(state): State<Shared>,
    Caller(ctx): Caller,
    Path((id, version, locale)): Path<(String, String, String)>,
    Json(parts): Json<Map<String, Value>>,
) -> Answer {
    let templates = &state.app.templates;
    let version = number(&version)?;
    let version = templates.template_localization_put(&ctx, &named(&id)?, version, &locale, parts).await?;
    answer::ok(&dto::TemplateVersion::from(version))
}

async fn publish(
    State(state): State<Shared>,
    Caller(ctx): Caller,
    Path((id, version)): Path<(String, String)>,
    _: NoBody,
) -> Answer {
    let version = state.app.templates.template_version_publish(&ctx, &named(&id)?, number(&version)?).await?;
    answer::ok(&dto::TemplateVersion::from(version))
}

async fn rollback(
    State(state): State<Shared>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
    Json(Rollback { version }): Json<Rollback>,
) -> Answer {
    let template = state.app.templates.template_rollback(&ctx, &named(&id)?, version).await?;
    answer::ok(&dto::Template::from(template))
}

async fn preview(
    State(state): State<Shared>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
    Json(Preview { version, locale, channel, variables }): Json<Preview>,
) -> Answer {
    let request = PreviewRequest { version, locale, channel, variables: variables.unwrap_or_default() };
    answer::ok(&state.app.templates.template_preview(&ctx, &named(&id)?, &request).await?)
}
