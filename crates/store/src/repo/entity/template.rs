//! A row of `templates`.
#![allow(unreachable_pub, reason = "SeaORM's derive wants the model public")]

use carillon_domain::template::Template;
use carillon_domain::{TemplateId, TenantId, Timestamp};
use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "templates")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub uuid: Uuid,
    pub tenant_id: i64,
    pub code: String,
    pub name: String,
    pub description: Option<String>,
    pub current_version: Option<i32>,
    pub next_version: i32,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub deleted_at: Option<Timestamp>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl From<Model> for Template {
    fn from(row: Model) -> Self {
        Self {
            id: TemplateId(row.id),
            uuid: row.uuid,
            tenant_id: TenantId(row.tenant_id),
            code: row.code,
            name: row.name,
            description: row.description,
            current_version: row.current_version,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}
