//! A row of `api_keys`.
#![allow(unreachable_pub, reason = "SeaORM's derive wants the model public")]

use carillon_domain::tenant::{ApiKey, KeyKind};
use carillon_domain::{ApiKeyId, Error, Role, TenantId, Timestamp};
use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "api_keys")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub uuid: Uuid,
    pub tenant_id: i64,
    pub name: String,
    pub kind: String,
    pub prefix: String,
    pub hash: Vec<u8>,
    pub roles: String,
    pub scopes: Option<String>,
    pub expires_at: Option<Timestamp>,
    pub revoked_at: Option<Timestamp>,
    pub created_at: Timestamp,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {
    #[sea_orm(belongs_to = "super::tenant::Entity", from = "Column::TenantId", to = "super::tenant::Column::Id")]
    Tenant,
}

impl Related<super::tenant::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::Tenant.def()
    }
}

impl ActiveModelBehavior for ActiveModel {}

impl TryFrom<Model> for ApiKey {
    type Error = Error;

    fn try_from(row: Model) -> Result<Self, Error> {
        let roles: Vec<String> = serde_json::from_str(&row.roles).map_err(Error::internal)?;
        let scopes = row.scopes.as_deref().map(serde_json::from_str).transpose().map_err(Error::internal)?;
        Ok(Self {
            id: ApiKeyId(row.id),
            uuid: row.uuid,
            tenant_id: TenantId(row.tenant_id),
            name: row.name,
            kind: KeyKind::parse(&row.kind).ok_or_else(|| Error::internal("a key of an unknown kind is stored"))?,
            prefix: row.prefix,
            roles: roles.iter().map(|word| role(word)).collect::<Result<_, _>>()?,
            scopes,
            expires_at: row.expires_at,
            revoked_at: row.revoked_at,
            created_at: row.created_at,
        })
    }
}

fn role(word: &str) -> Result<Role, Error> {
    Role::parse(word).ok_or_else(|| Error::internal("a key with an unknown role is stored"))
}
