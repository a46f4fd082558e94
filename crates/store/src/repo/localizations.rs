//! What a version says, per locale: JSON text of channel → content.

use std::collections::{BTreeMap, HashMap};

use carillon_domain::content::Content;
use carillon_domain::principal::TenantScope;
use carillon_domain::template::{Localization, TemplateVersion};
use carillon_domain::{Channel, Error, ErrorCode, TemplateId};
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ColumnTrait as _, ConnectionTrait, EntityTrait as _, QueryFilter as _};
use serde_json::{Map, Value};

use super::entity::localization::{ActiveModel, Column, Entity};
use super::entity::version::DRAFT;
use super::templates::locked;
use super::{Repo, versions};
use crate::error::from_orm;
use crate::row::json;

impl Repo {
    pub(super) async fn localization_put(
        &self,
        scope: TenantScope,
        template: TemplateId,
        version: i32,
        locale: &str,
        localization: &Localization,
    ) -> Result<TemplateVersion, Error> {
        let write = self.db.write().await?;
        locked(&write.tx, scope, template).await?;
        let row = versions::find(&write.tx, scope, template, version).await?;
        if row.status != DRAFT {
            let detail = format!("version {version} is published and never changes; make a new version");
            return Err(Error::new(ErrorCode::InvalidState, detail));
        }
        let replace = OnConflict::columns([Column::VersionId, Column::Locale]).update_column(Column::Parts).to_owned();
        Entity::insert(active(row.id, locale, localization)?)
            .on_conflict(replace)
            .exec_without_returning(&write.tx)
            .await
            .map_err(from_orm)?;
        let changed = versions::whole(&write.tx, row).await?;
        write.commit().await?;
        Ok(changed)
    }
}

/// Stores all localizations of a new version.
pub(super) async fn insert<C: ConnectionTrait>(
    db: &C,
    version: i64,
    localizations: &BTreeMap<String, Localization>,
) -> Result<(), Error> {
    if localizations.is_empty() {
        return Ok(());
    }
    let rows = localizations.iter().map(|(locale, parts)| active(version, locale, parts));
    let rows = rows.collect::<Result<Vec<_>, _>>()?;
    Entity::insert_many(rows).exec_without_returning(db).await.map(drop).map_err(from_orm)
}

/// The localizations of these versions, by version and locale.
pub(super) async fn of<C: ConnectionTrait>(
    db: &C,
    versions: impl IntoIterator<Item = i64>,
) -> Result<HashMap<i64, BTreeMap<String, Localization>>, Error> {
    let rows = Entity::find().filter(Column::VersionId.is_in(versions)).all(db).await.map_err(from_orm)?;
    let mut found: HashMap<i64, BTreeMap<String, Localization>> = HashMap::new();
    for row in rows {
        found.entry(row.version_id).or_default().insert(row.locale, parse(&row.parts)?);
    }
    Ok(found)
}

fn active(version: i64, locale: &str, parts: &Localization) -> Result<ActiveModel, Error> {
    Ok(ActiveModel {
        version_id: Set(version),
        locale: Set(locale.to_owned()),
        parts: Set(json(parts)?),
        ..Default::default()
    })
}

/// What is stored was read by the same rules when it came in: a finding here is not the caller's mistake.
fn parse(text: &str) -> Result<Localization, Error> {
    let parts: Map<String, Value> = serde_json::from_str(text).map_err(Error::internal)?;
    let read = |(channel, value): (String, Value)| {
        let channel: Channel = channel.parse()?;
        Ok((channel, Content::parse(channel, value, "")?))
    };
    parts.into_iter().map(read).collect::<Result<_, Error>>().map_err(Error::internal)
}
