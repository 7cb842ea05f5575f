//! The first tables: registrations, credentials, changes, master keys, settings of the server.

use sea_orm_migration::prelude::*;

use super::{index, long_bytes};

/// Bytes of the longest names; what checks them before stands in the files of the same nouns.
const KEY: u32 = 256;
const APPID: u32 = 128;
const CREDENTIAL_ID: u32 = 320;
const OWNER: u32 = 128;
const SETTING_NAME: u32 = 128;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[sea_orm_migration::async_trait::async_trait]
impl MigrationTrait for Migration {
    #[expect(elided_lifetimes_in_paths, reason = "async_trait wants the signature exactly as the trait has it")]
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        apps(manager).await?;
        credentials(manager).await?;
        others(manager).await?;
        index(manager, "apps_appid", Apps::Table, &[Apps::Appid]).await?;
        index(manager, "apps_expires_at", Apps::Table, &[Apps::ExpiresAt]).await?;
        index(manager, "credentials_appid", Credentials::Table, &[Credentials::Appid]).await?;
        index(manager, "credentials_due", Credentials::Table, &[Credentials::DueAt, Credentials::UsedAt]).await
    }
}

async fn apps(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Table::create()
        .table(Apps::Table)
        .if_not_exists()
        .col(ColumnDef::new(Apps::Key).var_binary(KEY).not_null().primary_key())
        .col(ColumnDef::new(Apps::Appid).var_binary(APPID).not_null())
        .col(long_bytes(manager, Apps::Settings).not_null())
        .col(long_bytes(manager, Apps::Secrets).not_null())
        .col(ColumnDef::new(Apps::SecretCheckedAt).big_integer())
        .col(ColumnDef::new(Apps::ExpiresAt).big_integer())
        .col(ColumnDef::new(Apps::CreatedAt).big_integer().not_null())
        .col(ColumnDef::new(Apps::UpdatedAt).big_integer().not_null())
        .col(ColumnDef::new(Apps::Revision).big_integer().not_null())
        .take();
    manager.create_table(table).await
}

async fn credentials(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Table::create()
        .table(Credentials::Table)
        .if_not_exists()
        .col(ColumnDef::new(Credentials::Id).var_binary(CREDENTIAL_ID).not_null().primary_key())
        .col(ColumnDef::new(Credentials::Appid).var_binary(APPID).not_null())
        .col(long_bytes(manager, Credentials::Value))
        .col(ColumnDef::new(Credentials::IssuedAt).big_integer())
        .col(ColumnDef::new(Credentials::ExpiresAt).big_integer())
        .col(ColumnDef::new(Credentials::RefreshAt).big_integer().not_null())
        .col(ColumnDef::new(Credentials::ForcedAt).big_integer())
        .col(ColumnDef::new(Credentials::UsedAt).big_integer().not_null())
        .col(ColumnDef::new(Credentials::Version).big_integer().not_null())
        .col(long_bytes(manager, Credentials::Failure))
        .col(ColumnDef::new(Credentials::LeaseOwner).var_binary(OWNER))
        .col(ColumnDef::new(Credentials::LeaseUntil).big_integer())
        .col(ColumnDef::new(Credentials::DueAt).big_integer().not_null())
        .take();
    manager.create_table(table).await
}

async fn others(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let changes = Table::create()
        .table(Changes::Table)
        .if_not_exists()
        .col(ColumnDef::new(Changes::Id).big_integer().not_null().auto_increment().primary_key())
        .col(ColumnDef::new(Changes::Kind).integer().not_null())
        .col(ColumnDef::new(Changes::Subject).var_binary(CREDENTIAL_ID).not_null())
        .col(ColumnDef::new(Changes::ChangedAt).big_integer().not_null())
        .take();
    manager.create_table(changes).await?;
    let master_keys = Table::create()
        .table(MasterKeys::Table)
        .if_not_exists()
        .col(ColumnDef::new(MasterKeys::Number).integer().not_null().primary_key())
        .col(ColumnDef::new(MasterKeys::KeyId).var_binary(8).not_null().unique_key())
        .col(ColumnDef::new(MasterKeys::Proof).var_binary(255).not_null())
        .col(ColumnDef::new(MasterKeys::CreatedAt).big_integer().not_null())
        .take();
    manager.create_table(master_keys).await?;
    let settings = Table::create()
        .table(ServerSettings::Table)
        .if_not_exists()
        .col(ColumnDef::new(ServerSettings::Name).var_binary(SETTING_NAME).not_null().primary_key())
        .col(long_bytes(manager, ServerSettings::Value).not_null())
        .take();
    manager.create_table(settings).await
}

#[derive(DeriveIden, Clone, Copy)]
enum Apps {
    Table,
    Key,
    Appid,
    Settings,
    Secrets,
    SecretCheckedAt,
    ExpiresAt,
    CreatedAt,
    UpdatedAt,
    Revision,
}

#[derive(DeriveIden, Clone, Copy)]
enum Credentials {
    Table,
    Id,
    Appid,
    Value,
    IssuedAt,
    ExpiresAt,
    RefreshAt,
    ForcedAt,
    UsedAt,
    Version,
    Failure,
    LeaseOwner,
    LeaseUntil,
    DueAt,
}

#[derive(DeriveIden)]
enum Changes {
    Table,
    Id,
    Kind,
    Subject,
    ChangedAt,
}

#[derive(DeriveIden)]
enum MasterKeys {
    Table,
    Number,
    KeyId,
    Proof,
    CreatedAt,
}

#[derive(DeriveIden)]
enum ServerSettings {
    Table,
    Name,
    Value,
}
