//! A row of `template_versions`.
#![allow(unreachable_pub, reason = "SeaORM's derive wants the model public")]

use carillon_domain::Timestamp;
use sea_orm::entity::prelude::*;

/// As `status` has it.
pub const DRAFT: &str = "draft";
/// As `status` has it.
pub const PUBLISHED: &str = "published";

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "template_versions")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub uuid: Uuid,
    pub template_id: i64,
    pub tenant_id: i64,
    pub version: i32,
    pub status: String,
    pub default_locale: String,
    pub variables: String,
    pub created_at: Timestamp,
    pub published_at: Option<Timestamp>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
