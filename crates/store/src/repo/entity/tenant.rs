//! A row of `tenants`.
#![allow(unreachable_pub, reason = "SeaORM's derive wants the model public")]

use carillon_domain::tenant::Tenant;
use carillon_domain::{TenantId, Timestamp};
use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "tenants")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub uuid: Uuid,
    pub code: String,
    pub name: String,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub deleted_at: Option<Timestamp>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl From<Model> for Tenant {
    fn from(row: Model) -> Self {
        Self {
            id: TenantId(row.id),
            uuid: row.uuid,
            code: row.code,
            name: row.name,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}
