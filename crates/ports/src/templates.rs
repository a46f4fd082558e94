//! Templates and their versions.

use async_trait::async_trait;
use carillon_domain::principal::TenantScope;
use carillon_domain::template::{Localization, Template, TemplateBody, TemplateVersion};
use carillon_domain::{Error, Ref, TemplateId, Timestamp};
use uuid::Uuid;

use crate::page::{Page, Slice};

/// A template to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTemplate {
    /// The public uuid.
    pub uuid: Uuid,
    /// Unique within the tenant.
    pub code: String,
    /// For people.
    pub name: String,
    /// For people.
    pub description: Option<String>,
    /// When.
    pub at: Timestamp,
}

/// What to change of a template; `None` leaves it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TemplatePatch {
    /// For people.
    pub name: Option<String>,
    /// For people; `Some(None)` clears it.
    pub description: Option<Option<String>>,
}

/// Every method names the tenant; a foreign or deleted template is `not_found`.
#[async_trait]
pub trait TemplateStore: Send + Sync + 'static {
    /// Makes one. `conflict` if the code is taken.
    async fn template_create(&self, scope: TenantScope, new: &NewTemplate) -> Result<Template, Error>;

    /// Gets one by id, uuid or code.
    async fn template_get(&self, scope: TenantScope, template: &Ref) -> Result<Template, Error>;

    /// By id; the position is the last id.
    async fn template_list(&self, scope: TenantScope, page: Page) -> Result<Slice<Template>, Error>;

    /// What was changed or deleted at `since` or later, in any tenant, at most `limit`: caches of other processes forget
    /// it. A change is seen once its transaction has committed, which may be a while after the time it bears.
    async fn template_changes(&self, since: Timestamp, limit: u32) -> Result<Vec<Template>, Error>;

    /// The codes, at most `limit`, for "did you mean".
    async fn template_codes(&self, scope: TenantScope, limit: u32) -> Result<Vec<String>, Error>;

    /// Changes name or description.
    async fn template_update(
        &self,
        scope: TenantScope,
        template: TemplateId,
        patch: &TemplatePatch,
        at: Timestamp,
    ) -> Result<Template, Error>;

    /// Hides it; versions that notifications pinned stay readable by [`template_version_pinned`](TemplateStore::template_version_pinned).
    /// The code becomes free.
    async fn template_delete(&self, scope: TenantScope, template: TemplateId, at: Timestamp) -> Result<(), Error>;

    /// Makes the next draft: numbers are gapless per template, also under concurrent calls.
    async fn template_version_create(
        &self,
        scope: TenantScope,
        template: TemplateId,
        uuid: Uuid,
        body: &TemplateBody,
        at: Timestamp,
    ) -> Result<TemplateVersion, Error>;

    /// One version.
    async fn template_version_get(
        &self,
        scope: TenantScope,
        template: TemplateId,
        version: i32,
    ) -> Result<TemplateVersion, Error>;

    /// One version, of a deleted template too: what a later attempt renders from.
    async fn template_version_pinned(
        &self,
        scope: TenantScope,
        template: TemplateId,
        version: i32,
    ) -> Result<TemplateVersion, Error>;

    /// By number; the position is the last number.
    async fn template_version_list(
        &self,
        scope: TenantScope,
        template: TemplateId,
        page: Page,
    ) -> Result<Slice<TemplateVersion>, Error>;

    /// Puts a localization into a draft; `invalid_state` if it is published.
    async fn template_localization_put(
        &self,
        scope: TenantScope,
        template: TemplateId,
        version: i32,
        locale: &str,
        localization: &Localization,
    ) -> Result<TemplateVersion, Error>;

    /// Publishes a version and makes it current. Publishing a published version makes it current again (rollback).
    async fn template_version_publish(
        &self,
        scope: TenantScope,
        template: TemplateId,
        version: i32,
        at: Timestamp,
    ) -> Result<TemplateVersion, Error>;
}
