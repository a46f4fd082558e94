//! API keys: hashes only.

use carillon_domain::principal::TenantScope;
use carillon_domain::tenant::ApiKey;
use carillon_domain::{ApiKeyId, Error, Ref, TenantId, Timestamp};
use carillon_ports::tenants::NewApiKey;
use carillon_ports::{Page, Slice};
use sea_orm::ActiveValue::Set;
use sea_orm::{
    ActiveModelTrait, ColumnTrait as _, Condition, DatabaseTransaction, EntityTrait as _, QueryFilter as _,
    QueryOrder as _, QuerySelect as _,
};

use super::entity::api_key::{ActiveModel, Column, Entity};
use super::entity::tenant;
use super::{Repo, slice, tenants};
use crate::error::{from_orm, from_orm_taken};
use crate::row::json;

impl Repo {
    pub(super) async fn key_create(&self, scope: TenantScope, new: &NewApiKey) -> Result<ApiKey, Error> {
        let write = self.db.write().await?;
        // Locked, so that a tenant that is just being deleted gets no key after it.
        let owner = tenant::Entity::find_by_id(scope.tenant().0).filter(tenants::alive()).lock_exclusive();
        owner.one(&write.tx).await.map_err(from_orm)?.ok_or_else(tenants::missing)?;
        let made = insert(&write.tx, scope.tenant(), new).await?;
        write.commit().await?;
        Ok(made)
    }

    pub(super) async fn key_list(&self, scope: TenantScope, page: Page) -> Result<Slice<ApiKey>, Error> {
        let rows = Entity::find()
            .filter(of(scope).add(Column::Id.gt(page.after.unwrap_or(0))))
            .order_by_asc(Column::Id)
            .limit(u64::from(page.limit) + 1)
            .all(self.db.read())
            .await
            .map_err(from_orm)?;
        slice(page, rows, |row| row.id, ApiKey::try_from)
    }

    pub(super) async fn key_revoke(&self, scope: TenantScope, key: &Ref, at: Timestamp) -> Result<(), Error> {
        let one = match key {
            Ref::Id(id) => Column::Id.eq(*id),
            Ref::Uuid(uuid) => Column::Uuid.eq(*uuid),
            Ref::Code(_) => return Err(missing()),
        };
        let one = of(scope).add(one);
        let write = self.db.write().await?;
        let row = Entity::find().filter(one).lock_exclusive().one(&write.tx).await.map_err(from_orm)?;
        let row = row.ok_or_else(missing)?;
        if row.revoked_at.is_none() {
            let mut row = ActiveModel::from(row);
            row.revoked_at = Set(Some(at));
            row.update(&write.tx).await.map_err(from_orm)?;
        }
        write.commit().await
    }

    pub(super) async fn key_by_hash(&self, hash: &[u8; 32]) -> Result<Option<ApiKey>, Error> {
        let row = Entity::find()
            .inner_join(tenant::Entity)
            .filter(Column::Hash.eq(hash.to_vec()))
            .filter(Column::RevokedAt.is_null())
            .filter(tenants::alive())
            .one(self.db.read())
            .await
            .map_err(from_orm)?;
        row.map(ApiKey::try_from).transpose()
    }

    pub(super) async fn keys_ended(&self, since: Timestamp, limit: u32) -> Result<Vec<[u8; 32]>, Error> {
        // Two questions, each with an index of its own.
        let revoked = Entity::find().filter(Column::RevokedAt.gte(since));
        let orphaned = Entity::find().inner_join(tenant::Entity).filter(tenant::Column::DeletedAt.gte(since));
        let mut ended = Vec::new();
        for question in [revoked, orphaned] {
            let question = question.select_only().column(Column::Hash).limit(u64::from(limit));
            let hashes: Vec<Vec<u8>> = question.into_tuple().all(self.db.read()).await.map_err(from_orm)?;
            ended.extend(hashes.into_iter().filter_map(|hash| <[u8; 32]>::try_from(hash).ok()));
        }
        ended.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(ended)
    }

    pub(super) async fn key_get(&self, scope: TenantScope, key: ApiKeyId) -> Result<ApiKey, Error> {
        let row = Entity::find().filter(of(scope).add(Column::Id.eq(key.0))).one(self.db.read()).await;
        row.map_err(from_orm)?.ok_or_else(missing)?.try_into()
    }
}

fn of(scope: TenantScope) -> Condition {
    Condition::all().add(Column::TenantId.eq(scope.tenant().0))
}

fn missing() -> Error {
    Error::not_found("API key")
}

pub(super) async fn insert(tx: &DatabaseTransaction, owner: TenantId, new: &NewApiKey) -> Result<ApiKey, Error> {
    let row = ActiveModel {
        uuid: Set(new.uuid),
        tenant_id: Set(owner.0),
        name: Set(new.name.clone()),
        kind: Set(new.kind.as_str().to_owned()),
        prefix: Set(new.prefix.clone()),
        hash: Set(new.hash.to_vec()),
        roles: Set(json(&new.roles)?),
        scopes: Set(new.scopes.as_ref().map(json).transpose()?),
        expires_at: Set(new.expires_at),
        created_at: Set(new.at),
        ..Default::default()
    };
    let taken = || "this key is there already".to_owned();
    row.insert(tx).await.map_err(|error| from_orm_taken(error, taken))?.try_into()
}
