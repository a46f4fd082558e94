//! Templates. Every change of a template or one of its versions begins with the template's row lock, which makes the
//! numbers gapless and keeps a draft from changing while it is published.

use async_trait::async_trait;
use carillon_domain::principal::TenantScope;
use carillon_domain::template::{Localization, Template, TemplateBody, TemplateVersion};
use carillon_domain::{Error, Ref, TemplateId, Timestamp};
use carillon_ports::templates::{NewTemplate, TemplatePatch, TemplateStore};
use carillon_ports::{Page, Slice};
use sea_orm::ActiveValue::Set;
use sea_orm::{
    ActiveModelTrait, ColumnTrait as _, Condition, DatabaseTransaction, EntityTrait as _, QueryFilter as _,
    QueryOrder as _, QuerySelect as _,
};
use uuid::Uuid;

use super::entity::template::{ActiveModel, Column, Entity, Model};
use super::{Repo, slice};
use crate::error::{from_orm, from_orm_taken};

#[async_trait]
impl TemplateStore for Repo {
    async fn template_create(&self, scope: TenantScope, new: &NewTemplate) -> Result<Template, Error> {
        let row = ActiveModel {
            uuid: Set(new.uuid),
            tenant_id: Set(scope.tenant().0),
            code: Set(new.code.clone()),
            name: Set(new.name.clone()),
            description: Set(new.description.clone()),
            next_version: Set(1),
            created_at: Set(new.at),
            updated_at: Set(new.at),
            ..Default::default()
        };
        let taken = || format!("there is a template \"{}\" already", new.code);
        let write = self.db.write().await?;
        let made = row.insert(&write.tx).await.map_err(|error| from_orm_taken(error, taken))?;
        write.commit().await?;
        Ok(made.into())
    }

    async fn template_get(&self, scope: TenantScope, template: &Ref) -> Result<Template, Error> {
        let one = match template {
            Ref::Id(id) => Column::Id.eq(*id),
            Ref::Uuid(uuid) => Column::Uuid.eq(*uuid),
            Ref::Code(code) => Column::Code.eq(code.as_str()),
        };
        let row = Entity::find().filter(alive(scope).add(one)).one(self.db.read()).await.map_err(from_orm)?;
        row.map(Template::from).ok_or_else(missing)
    }

    async fn template_list(&self, scope: TenantScope, page: Page) -> Result<Slice<Template>, Error> {
        let rows = Entity::find()
            .filter(alive(scope).add(Column::Id.gt(page.after.unwrap_or(0))))
            .order_by_asc(Column::Id)
            .limit(u64::from(page.limit) + 1)
            .all(self.db.read())
            .await
            .map_err(from_orm)?;
        slice(page, rows, |row| row.id, |row| Ok(row.into()))
    }

    async fn template_changes(&self, since: Timestamp, limit: u32) -> Result<Vec<Template>, Error> {
        let changed = Entity::find().filter(Column::UpdatedAt.gte(since)).limit(u64::from(limit));
        let rows = changed.all(self.db.read()).await.map_err(from_orm)?;
        Ok(rows.into_iter().map(Template::from).collect())
    }

    async fn template_codes(&self, scope: TenantScope, limit: u32) -> Result<Vec<String>, Error> {
        let codes = Entity::find()
            .select_only()
            .column(Column::Code)
            .filter(alive(scope))
            .order_by_asc(Column::Code)
            .limit(u64::from(limit));
        codes.into_tuple().all(self.db.read()).await.map_err(from_orm)
    }

    async fn template_update(
        &self,
        scope: TenantScope,
        template: TemplateId,
        patch: &TemplatePatch,
        at: Timestamp,
    ) -> Result<Template, Error> {
        let write = self.db.write().await?;
        let mut row = ActiveModel::from(locked(&write.tx, scope, template).await?);
        if let Some(name) = &patch.name {
            row.name = Set(name.clone());
        }
        if let Some(description) = &patch.description {
            row.description = Set(description.clone());
        }
        row.updated_at = Set(at);
        let row = row.update(&write.tx).await.map_err(from_orm)?;
        write.commit().await?;
        Ok(row.into())
    }

    async fn template_delete(&self, scope: TenantScope, template: TemplateId, at: Timestamp) -> Result<(), Error> {
        let write = self.db.write().await?;
        let mut row = ActiveModel::from(locked(&write.tx, scope, template).await?);
        row.deleted_at = Set(Some(at));
        row.updated_at = Set(at);
        row.update(&write.tx).await.map_err(from_orm)?;
        write.commit().await
    }

    async fn template_version_create(
        &self,
        scope: TenantScope,
        template: TemplateId,
        uuid: Uuid,
        body: &TemplateBody,
        at: Timestamp,
    ) -> Result<TemplateVersion, Error> {
        self.version_create(scope, template, uuid, body, at).await
    }

    async fn template_version_get(
        &self,
        scope: TenantScope,
        template: TemplateId,
        version: i32,
    ) -> Result<TemplateVersion, Error> {
        self.template_exists(scope, template).await?;
        self.version_get(scope, template, version).await
    }

    async fn template_version_pinned(
        &self,
        scope: TenantScope,
        template: TemplateId,
        version: i32,
    ) -> Result<TemplateVersion, Error> {
        self.version_get(scope, template, version).await
    }

    async fn template_version_list(
        &self,
        scope: TenantScope,
        template: TemplateId,
        page: Page,
    ) -> Result<Slice<TemplateVersion>, Error> {
        self.template_exists(scope, template).await?;
        self.version_list(scope, template, page).await
    }

    async fn template_localization_put(
        &self,
        scope: TenantScope,
        template: TemplateId,
        version: i32,
        locale: &str,
        localization: &Localization,
    ) -> Result<TemplateVersion, Error> {
        self.localization_put(scope, template, version, locale, localization).await
    }

    async fn template_version_publish(
        &self,
        scope: TenantScope,
        template: TemplateId,
        version: i32,
        at: Timestamp,
    ) -> Result<TemplateVersion, Error> {
        self.version_publish(scope, template, version, at).await
    }
}

impl Repo {
    async fn template_exists(&self, scope: TenantScope, template: TemplateId) -> Result<(), Error> {
        let row = Entity::find().filter(one(scope, template)).one(self.db.read()).await.map_err(from_orm)?;
        row.map(drop).ok_or_else(missing)
    }
}

/// The template's row, locked until the transaction ends.
pub(super) async fn locked(tx: &DatabaseTransaction, scope: TenantScope, template: TemplateId) -> Result<Model, Error> {
    let row = Entity::find().filter(one(scope, template)).lock_exclusive().one(tx).await.map_err(from_orm)?;
    row.ok_or_else(missing)
}

fn alive(scope: TenantScope) -> Condition {
    Condition::all().add(Column::TenantId.eq(scope.tenant().0)).add(Column::DeletedAt.is_null())
}

fn one(scope: TenantScope, template: TemplateId) -> Condition {
    alive(scope).add(Column::Id.eq(template.0))
}

fn missing() -> Error {
    Error::not_found("template")
}
