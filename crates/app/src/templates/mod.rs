//! Templates: a code, immutable published versions, localizations, a part per channel.

mod catalog;
mod input;

use carillon_domain::content::Content;
use carillon_domain::principal::TenantScope;
use carillon_domain::template::{Template, TemplateVersion};
use carillon_domain::{Action, Channel, Error, FieldError, Ref};
use carillon_ports::templates::{NewTemplate, TemplatePatch};
use carillon_template::{Engine, check_variables, choose_part};
use serde_json::{Map, Value};

use crate::{Listed, OpCtx, PageRequest, Parts};

pub use catalog::Catalog;
pub use input::VersionInput;

const TEMPLATES: &str = "templates";
const VERSIONS: &str = "template-versions";

/// Templates and their versions.
pub struct TemplateService {
    parts: Parts,
    engine: Engine,
}

/// What to preview.
#[derive(Debug, Clone, PartialEq)]
pub struct PreviewRequest {
    /// Which version; the current one, or the newest draft if none is published.
    pub version: Option<i32>,
    /// For whom.
    pub locale: Option<String>,
    /// By which way.
    pub channel: Channel,
    /// With what.
    pub variables: Map<String, Value>,
}

impl TemplateService {
    pub(crate) fn new(parts: Parts) -> Self {
        Self { parts, engine: Engine::default() }
    }

    /// Makes a template, without a version yet.
    pub async fn template_create(
        &self,
        ctx: &OpCtx,
        code: &str,
        name: Option<&str>,
        description: Option<&str>,
    ) -> Result<Template, Error> {
        let scope = ctx.authorize(Action::TemplateEdit)?;
        input::check_code(code)?;
        let name = name.unwrap_or(code);
        input::check_name(name)?;
        description.map_or(Ok(()), input::check_description)?;
        let new = NewTemplate {
            uuid: self.parts.entropy.uuid(ctx.now),
            code: code.to_owned(),
            name: name.to_owned(),
            description: description.map(str::to_owned),
            at: ctx.now,
        };
        let template = self.parts.store.templates.template_create(scope, &new).await?;
        self.parts.catalog.forget(&template).await;
        Ok(template)
    }

    /// One, by id, uuid or code.
    pub async fn template_get(&self, ctx: &OpCtx, template: &Ref) -> Result<Template, Error> {
        let scope = ctx.authorize(Action::TemplateRead)?;
        self.parts.store.templates.template_get(scope, template).await
    }

    /// By id.
    pub async fn template_list(&self, ctx: &OpCtx, page: &PageRequest) -> Result<Listed<Template>, Error> {
        let scope = ctx.authorize(Action::TemplateRead)?;
        let slice = self.parts.store.templates.template_list(scope, page.page(TEMPLATES)?).await?;
        Ok(Listed::from_slice(slice, TEMPLATES, |template| template))
    }

    /// Changes name or description.
    pub async fn template_update(&self, ctx: &OpCtx, template: &Ref, patch: &TemplatePatch) -> Result<Template, Error> {
        let scope = ctx.authorize(Action::TemplateEdit)?;
        if let Some(name) = &patch.name {
            input::check_name(name)?;
        }
        if let Some(Some(description)) = &patch.description {
            input::check_description(description)?;
        }
        let found = self.parts.store.templates.template_get(scope, template).await?;
        self.parts.store.templates.template_update(scope, found.id, patch, ctx.now).await
    }

    /// Hides it. What was accepted with it is still delivered.
    pub async fn template_delete(&self, ctx: &OpCtx, template: &Ref) -> Result<(), Error> {
        let scope = ctx.authorize(Action::TemplateEdit)?;
        let found = self.parts.store.templates.template_get(scope, template).await?;
        self.parts.store.templates.template_delete(scope, found.id, ctx.now).await?;
        self.parts.catalog.forget(&found).await;
        Ok(())
    }

    /// Makes the next draft.
    pub async fn template_version_create(
        &self,
        ctx: &OpCtx,
        template: &Ref,
        version: VersionInput,
    ) -> Result<TemplateVersion, Error> {
        let scope = ctx.authorize(Action::TemplateEdit)?;
        let found = self.parts.store.templates.template_get(scope, template).await?;
        let body = version.into_body()?;
        carillon_template::validate(&self.engine, &body)?;
        let uuid = self.parts.entropy.uuid(ctx.now);
        self.parts.store.templates.template_version_create(scope, found.id, uuid, &body, ctx.now).await
    }

    /// One version.
    pub async fn template_version_get(
        &self,
        ctx: &OpCtx,
        template: &Ref,
        version: i32,
    ) -> Result<TemplateVersion, Error> {
        let scope = ctx.authorize(Action::TemplateRead)?;
        let found = self.parts.store.templates.template_get(scope, template).await?;
        self.parts.store.templates.template_version_get(scope, found.id, version).await
    }

    /// By number.
    pub async fn template_version_list(
        &self,
        ctx: &OpCtx,
        template: &Ref,
        page: &PageRequest,
    ) -> Result<Listed<TemplateVersion>, Error> {
        let scope = ctx.authorize(Action::TemplateRead)?;
        let found = self.parts.store.templates.template_get(scope, template).await?;
        let page = page.page(VERSIONS)?;
        let slice = self.parts.store.templates.template_version_list(scope, found.id, page).await?;
        Ok(Listed::from_slice(slice, VERSIONS, |version| version))
    }

    /// Puts a localization into a draft.
    pub async fn template_localization_put(
        &self,
        ctx: &OpCtx,
        template: &Ref,
        version: i32,
        locale: &str,
        parts: Map<String, Value>,
    ) -> Result<TemplateVersion, Error> {
        let scope = ctx.authorize(Action::TemplateEdit)?;
        let store = &self.parts.store.templates;
        let found = store.template_get(scope, template).await?;
        let localization = input::localization(parts, "")?;
        let mut body = store.template_version_get(scope, found.id, version).await?.body;
        body.localizations.insert(locale.to_owned(), localization.clone());
        let prefix = format!("/localizations/{locale}");
        carillon_template::validate(&self.engine, &body).map_err(|mut error| {
            for field in &mut error.fields {
                if let Some(rest) = field.pointer.strip_prefix(&prefix) {
                    field.pointer = rest.to_owned();
                }
            }
            error
        })?;
        store.template_localization_put(scope, found.id, version, locale, &localization).await
    }

    /// Publishes a version: immutable from now on, and what new notifications use.
    pub async fn template_version_publish(
        &self,
        ctx: &OpCtx,
        template: &Ref,
        version: i32,
    ) -> Result<TemplateVersion, Error> {
        let scope = ctx.authorize(Action::TemplateEdit)?;
        self.make_current(ctx, scope, template, version).await
    }

    /// Makes an earlier, published version current again.
    ///
    /// # Errors
    /// `invalid_state` for a draft: publishing is a decision of its own.
    pub async fn template_rollback(&self, ctx: &OpCtx, template: &Ref, version: i32) -> Result<Template, Error> {
        let scope = ctx.authorize(Action::TemplateEdit)?;
        let store = &self.parts.store.templates;
        let found = store.template_get(scope, template).await?;
        let target = store.template_version_get(scope, found.id, version).await?;
        if target.published_at.is_none() {
            let detail = format!("version {version} was never published");
            return Err(Error::new(carillon_domain::ErrorCode::InvalidState, detail));
        }
        self.make_current(ctx, scope, template, version).await?;
        store.template_get(scope, template).await
    }

    /// What a person would get.
    pub async fn template_preview(
        &self,
        ctx: &OpCtx,
        template: &Ref,
        request: &PreviewRequest,
    ) -> Result<Content, Error> {
        let scope = ctx.authorize(Action::TemplateRead)?;
        let store = &self.parts.store.templates;
        let found = store.template_get(scope, template).await?;
        let version = match request.version.or(found.current_version) {
            Some(version) => store.template_version_get(scope, found.id, version).await?,
            None => self.newest(scope, &found).await?,
        };
        check_variables(&version.body.variables, &request.variables)?;
        let locale = request.locale.as_deref();
        let (locale, part) =
            choose_part(&version.body, request.channel, locale).ok_or_else(|| no_part(request.channel))?;
        let at = format!("/localizations/{locale}/{}", request.channel);
        self.engine.render_once(part, &request.variables, &at)
    }

    async fn newest(&self, scope: TenantScope, template: &Template) -> Result<TemplateVersion, Error> {
        let (mut newest, mut after) = (None, None);
        loop {
            let page = carillon_ports::Page { limit: 200, after };
            let slice = self.parts.store.templates.template_version_list(scope, template.id, page).await?;
            newest = slice.items.into_iter().next_back().or(newest);
            after = slice.next;
            if after.is_none() {
                let none = || FieldError::new("/version", "no_version", "the template has no version yet");
                return newest.ok_or_else(|| Error::invalid(none()));
            }
        }
    }

    async fn make_current(
        &self,
        ctx: &OpCtx,
        scope: TenantScope,
        template: &Ref,
        version: i32,
    ) -> Result<TemplateVersion, Error> {
        let store = &self.parts.store.templates;
        let found = store.template_get(scope, template).await?;
        let published = store.template_version_publish(scope, found.id, version, ctx.now).await?;
        self.parts.catalog.forget(&found).await;
        Ok(published)
    }
}

pub(crate) fn no_part(channel: Channel) -> Error {
    let message = format!("the template says nothing for the channel {channel}");
    Error::invalid(FieldError::new("/channel", "no_template_part", message))
}
