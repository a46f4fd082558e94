//! Versions of a template.

use std::collections::BTreeMap;

use carillon_domain::principal::TenantScope;
use carillon_domain::template::{Localization, TemplateBody, TemplateVersion, VersionStatus};
use carillon_domain::{Error, TemplateId, Timestamp};
use carillon_ports::{Page, Slice};
use sea_orm::ActiveValue::Set;
use sea_orm::{
    ActiveModelTrait, ColumnTrait as _, Condition, ConnectionTrait, EntityTrait as _, QueryFilter as _,
    QueryOrder as _, QuerySelect as _,
};
use uuid::Uuid;

use super::entity::template;
use super::entity::version::{ActiveModel, Column, DRAFT, Entity, Model, PUBLISHED};
use super::templates::locked;
use super::{Repo, localizations, slice};
use crate::error::from_orm;
use crate::row::json;

impl Repo {
    pub(super) async fn version_create(
        &self,
        scope: TenantScope,
        template: TemplateId,
        uuid: Uuid,
        body: &TemplateBody,
        at: Timestamp,
    ) -> Result<TemplateVersion, Error> {
        let write = self.db.write().await?;
        let parent = locked(&write.tx, scope, template).await?;
        let number = parent.next_version;
        let mut parent = template::ActiveModel::from(parent);
        parent.next_version = Set(number + 1);
        parent.updated_at = Set(at);
        parent.update(&write.tx).await.map_err(from_orm)?;
        let row = ActiveModel {
            uuid: Set(uuid),
            template_id: Set(template.0),
            tenant_id: Set(scope.tenant().0),
            version: Set(number),
            status: Set(DRAFT.to_owned()),
            default_locale: Set(body.default_locale.clone()),
            variables: Set(json(&body.variables)?),
            created_at: Set(at),
            ..Default::default()
        };
        let row = row.insert(&write.tx).await.map_err(from_orm)?;
        localizations::insert(&write.tx, row.id, &body.localizations).await?;
        write.commit().await?;
        assemble(row, body.localizations.clone())
    }

    pub(super) async fn version_get(
        &self,
        scope: TenantScope,
        template: TemplateId,
        version: i32,
    ) -> Result<TemplateVersion, Error> {
        let row = find(self.db.read(), scope, template, version).await?;
        whole(self.db.read(), row).await
    }

    pub(super) async fn version_list(
        &self,
        scope: TenantScope,
        template: TemplateId,
        page: Page,
    ) -> Result<Slice<TemplateVersion>, Error> {
        let rows = Entity::find()
            .filter(of(scope, template).add(Column::Version.gt(page.after.unwrap_or(0))))
            .order_by_asc(Column::Version)
            .limit(u64::from(page.limit) + 1)
            .all(self.db.read())
            .await
            .map_err(from_orm)?;
        let ids = rows.iter().map(|row| row.id);
        let mut parts = localizations::of(self.db.read(), ids).await?;
        slice(
            page,
            rows,
            |row| i64::from(row.version),
            |row| {
                let parts = parts.remove(&row.id).unwrap_or_default();
                assemble(row, parts)
            },
        )
    }

    /// Also the rollback: a version that is published already becomes the current one again.
    pub(super) async fn version_publish(
        &self,
        scope: TenantScope,
        template: TemplateId,
        version: i32,
        at: Timestamp,
    ) -> Result<TemplateVersion, Error> {
        let write = self.db.write().await?;
        let mut parent = template::ActiveModel::from(locked(&write.tx, scope, template).await?);
        let mut row = find(&write.tx, scope, template, version).await?;
        if row.status != PUBLISHED {
            let mut draft = ActiveModel::from(row);
            draft.status = Set(PUBLISHED.to_owned());
            draft.published_at = Set(Some(at));
            row = draft.update(&write.tx).await.map_err(from_orm)?;
        }
        parent.current_version = Set(Some(version));
        parent.updated_at = Set(at);
        parent.update(&write.tx).await.map_err(from_orm)?;
        let published = whole(&write.tx, row).await?;
        write.commit().await?;
        Ok(published)
    }
}

/// One version's row.
pub(super) async fn find<C: ConnectionTrait>(
    db: &C,
    scope: TenantScope,
    template: TemplateId,
    version: i32,
) -> Result<Model, Error> {
    let one = of(scope, template).add(Column::Version.eq(version));
    let row = Entity::find().filter(one).one(db).await.map_err(from_orm)?;
    row.ok_or_else(|| Error::not_found("version of this template"))
}

/// The row with its localizations.
pub(super) async fn whole<C: ConnectionTrait>(db: &C, row: Model) -> Result<TemplateVersion, Error> {
    let parts = localizations::of(db, [row.id]).await?.remove(&row.id).unwrap_or_default();
    assemble(row, parts)
}

fn of(scope: TenantScope, template: TemplateId) -> Condition {
    Condition::all().add(Column::TenantId.eq(scope.tenant().0)).add(Column::TemplateId.eq(template.0))
}

fn assemble(row: Model, localizations: BTreeMap<String, Localization>) -> Result<TemplateVersion, Error> {
    let status = match row.status.as_str() {
        DRAFT => VersionStatus::Draft,
        PUBLISHED => VersionStatus::Published,
        _ => return Err(Error::internal("a version with an unknown status is stored")),
    };
    let variables = serde_json::from_str(&row.variables).map_err(Error::internal)?;
    Ok(TemplateVersion {
        id: row.id,
        uuid: row.uuid,
        template_id: TemplateId(row.template_id),
        version: row.version,
        status,
        body: TemplateBody { default_locale: row.default_locale, variables, localizations },
        created_at: row.created_at,
        published_at: row.published_at,
    })
}
