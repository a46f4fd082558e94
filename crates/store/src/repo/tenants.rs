//! Tenants, and the first start.

use async_trait::async_trait;
use carillon_domain::principal::TenantScope;
use carillon_domain::tenant::{ApiKey, Tenant};
use carillon_domain::{ApiKeyId, Error, Ref, TenantId, Timestamp};
use carillon_ports::tenants::{NewApiKey, NewTenant, TenantStore};
use carillon_ports::{Page, Slice};
use sea_orm::ActiveValue::Set;
use sea_orm::{
    ActiveModelTrait, ColumnTrait as _, Condition, ConnectionTrait as _, DatabaseTransaction, DbBackend,
    EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
};

use super::entity::tenant::{ActiveModel, Column, Entity};
use super::{Repo, api_keys, slice};
use crate::error::{from_orm, from_orm_taken};

#[async_trait]
impl TenantStore for Repo {
    async fn first_start(&self, tenant: &NewTenant, key: &NewApiKey) -> Result<bool, Error> {
        let write = self.db.write().await?;
        // On SQLite the transaction itself keeps others out. Readers go on.
        if write.tx.get_database_backend() == DbBackend::Postgres {
            let lock = "LOCK TABLE tenants IN SHARE ROW EXCLUSIVE MODE";
            write.tx.execute_unprepared(lock).await.map_err(from_orm)?;
        }
        if Entity::find().limit(1).one(&write.tx).await.map_err(from_orm)?.is_some() {
            return Ok(false);
        }
        // A first start that failed may have used up a number of the sequence; the first tenant is 1 all the same.
        if write.tx.get_database_backend() == DbBackend::Postgres {
            let reset = "SELECT setval(pg_get_serial_sequence('tenants', 'id'), 1, false)";
            write.tx.execute_unprepared(reset).await.map_err(from_orm)?;
        }
        let made = insert(&write.tx, tenant).await?;
        api_keys::insert(&write.tx, made.id, key).await?;
        write.commit().await?;
        Ok(true)
    }

    async fn tenant_create(&self, new: &NewTenant) -> Result<Tenant, Error> {
        let write = self.db.write().await?;
        let made = insert(&write.tx, new).await?;
        write.commit().await?;
        Ok(made)
    }

    async fn tenant_get(&self, tenant: &Ref) -> Result<Tenant, Error> {
        let one = match tenant {
            Ref::Id(id) => Column::Id.eq(*id),
            Ref::Uuid(uuid) => Column::Uuid.eq(*uuid),
            Ref::Code(code) => Column::Code.eq(code.as_str()),
        };
        let row = Entity::find().filter(alive().add(one)).one(self.db.read()).await.map_err(from_orm)?;
        row.map(Tenant::from).ok_or_else(missing)
    }

    async fn tenant_list(&self, page: Page) -> Result<Slice<Tenant>, Error> {
        let rows = Entity::find()
            .filter(alive().add(Column::Id.gt(page.after.unwrap_or(0))))
            .order_by_asc(Column::Id)
            .limit(u64::from(page.limit) + 1)
            .all(self.db.read())
            .await
            .map_err(from_orm)?;
        slice(page, rows, |row| row.id, |row| Ok(row.into()))
    }

    async fn tenant_update(&self, tenant: TenantId, name: &str, at: Timestamp) -> Result<Tenant, Error> {
        let change = ActiveModel { name: Set(name.to_owned()), updated_at: Set(at), ..Default::default() };
        self.tenant_change(tenant, change).await
    }

    async fn tenant_delete(&self, tenant: TenantId, at: Timestamp) -> Result<(), Error> {
        let change = ActiveModel { deleted_at: Set(Some(at)), updated_at: Set(at), ..Default::default() };
        self.tenant_change(tenant, change).await.map(drop)
    }

    async fn api_key_create(&self, scope: TenantScope, new: &NewApiKey) -> Result<ApiKey, Error> {
        self.key_create(scope, new).await
    }

    async fn api_key_list(&self, scope: TenantScope, page: Page) -> Result<Slice<ApiKey>, Error> {
        self.key_list(scope, page).await
    }

    async fn api_key_revoke(&self, scope: TenantScope, key: &Ref, at: Timestamp) -> Result<(), Error> {
        self.key_revoke(scope, key, at).await
    }

    async fn api_key_by_hash(&self, hash: &[u8; 32]) -> Result<Option<ApiKey>, Error> {
        self.key_by_hash(hash).await
    }

    async fn api_keys_ended(&self, since: Timestamp, limit: u32) -> Result<Vec<[u8; 32]>, Error> {
        self.keys_ended(since, limit).await
    }

    async fn api_key_get(&self, scope: TenantScope, key: ApiKeyId) -> Result<ApiKey, Error> {
        self.key_get(scope, key).await
    }
}

impl Repo {
    async fn tenant_change(&self, tenant: TenantId, change: ActiveModel) -> Result<Tenant, Error> {
        let write = self.db.write().await?;
        let rows = Entity::update_many()
            .set(change)
            .filter(alive().add(Column::Id.eq(tenant.0)))
            .exec_with_returning(&write.tx)
            .await
            .map_err(from_orm)?;
        let row = rows.into_iter().next().ok_or_else(missing)?;
        write.commit().await?;
        Ok(row.into())
    }
}

pub(super) fn alive() -> Condition {
    Condition::all().add(Column::DeletedAt.is_null())
}

pub(super) fn missing() -> Error {
    Error::not_found("tenant")
}

async fn insert(tx: &DatabaseTransaction, new: &NewTenant) -> Result<Tenant, Error> {
    let row = ActiveModel {
        uuid: Set(new.uuid),
        code: Set(new.code.clone()),
        name: Set(new.name.clone()),
        created_at: Set(new.at),
        updated_at: Set(new.at),
        ..Default::default()
    };
    let taken = || format!("there is a tenant \"{}\" already", new.code);
    row.insert(tx).await.map(Tenant::from).map_err(|error| from_orm_taken(error, taken))
}
