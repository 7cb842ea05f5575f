//! Which API was called how often, and whose token somebody shows.

use sea_orm_migration::prelude::*;

use super::index;

const KEY: u32 = 256;
const API: u32 = 512;
const HASH: u32 = 32;
const FINGERPRINT: u32 = 16;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[sea_orm_migration::async_trait::async_trait]
impl MigrationTrait for Migration {
    #[expect(elided_lifetimes_in_paths, reason = "async_trait wants the signature exactly as the trait has it")]
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        fingerprint(manager).await?;
        index(manager, "credentials_fingerprint", Credentials::Table, &[Credentials::Fingerprint]).await?;
        api_usage(manager).await?;
        index(manager, "api_usage_app_key", ApiUsage::Table, &[ApiUsage::AppKey, ApiUsage::Day]).await
    }
}

/// SQLite and MySQL know no "add column if not exists", so this looks before.
async fn fingerprint(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    if manager.has_column(Credentials::Table.to_string(), Credentials::Fingerprint.to_string()).await? {
        return Ok(());
    }
    let column = ColumnDef::new(Credentials::Fingerprint).var_binary(FINGERPRINT).take();
    manager.alter_table(Table::alter().table(Credentials::Table).add_column(column).take()).await
}

async fn api_usage(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Table::create()
        .table(ApiUsage::Table)
        .if_not_exists()
        .col(ColumnDef::new(ApiUsage::Day).big_integer().not_null())
        .col(ColumnDef::new(ApiUsage::Name).var_binary(HASH).not_null())
        .col(ColumnDef::new(ApiUsage::AppKey).var_binary(KEY).not_null())
        .col(ColumnDef::new(ApiUsage::Api).var_binary(API).not_null())
        .col(ColumnDef::new(ApiUsage::Calls).big_integer().not_null())
        .col(ColumnDef::new(ApiUsage::Refused).big_integer().not_null())
        .primary_key(Index::create().col(ApiUsage::Day).col(ApiUsage::Name))
        .take();
    manager.create_table(table).await
}

#[derive(DeriveIden, Clone, Copy)]
enum Credentials {
    Table,
    Fingerprint,
}

#[derive(DeriveIden, Clone, Copy)]
enum ApiUsage {
    Table,
    Day,
    Name,
    AppKey,
    Api,
    Calls,
    Refused,
}
