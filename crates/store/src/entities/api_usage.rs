//! The table of calls to WeChat's APIs: how often a registration called one API on one day.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "api_usage")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub day: i64,
    /// A hash of `app_key` and `api`, which are too long for a key in some databases.
    #[sea_orm(primary_key, auto_increment = false)]
    pub name: Vec<u8>,
    pub app_key: Vec<u8>,
    pub api: Vec<u8>,
    pub calls: i64,
    pub refused: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}
impl ActiveModelBehavior for ActiveModel {}
