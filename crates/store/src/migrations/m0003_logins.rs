//! The tables of logins: round trips that are over, tickets to be fetched once; and files that prove a domain to WeChat.

use sea_orm_migration::prelude::*;

use super::{index, long_bytes};

const KEY: u32 = 256;
const ID: u32 = 16;
const FILE_NAME: u32 = 128;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[sea_orm_migration::async_trait::async_trait]
impl MigrationTrait for Migration {
    #[expect(elided_lifetimes_in_paths, reason = "async_trait wants the signature exactly as the trait has it")]
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        spent_round_trips(manager).await?;
        login_tickets(manager).await?;
        verify_files(manager).await?;
        index(manager, "spent_round_trips_ends_at", SpentRoundTrips::Table, &[SpentRoundTrips::EndsAt]).await?;
        index(manager, "login_tickets_ends_at", LoginTickets::Table, &[LoginTickets::EndsAt]).await?;
        index(manager, "verify_files_app_key", VerifyFiles::Table, &[VerifyFiles::AppKey]).await
    }
}

async fn spent_round_trips(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Table::create()
        .table(SpentRoundTrips::Table)
        .if_not_exists()
        .col(ColumnDef::new(SpentRoundTrips::Id).var_binary(ID).not_null().primary_key())
        .col(ColumnDef::new(SpentRoundTrips::EndsAt).big_integer().not_null())
        .take();
    manager.create_table(table).await
}

async fn login_tickets(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Table::create()
        .table(LoginTickets::Table)
        .if_not_exists()
        .col(ColumnDef::new(LoginTickets::Id).var_binary(ID).not_null().primary_key())
        .col(ColumnDef::new(LoginTickets::AppKey).var_binary(KEY).not_null())
        .col(ColumnDef::new(LoginTickets::EndsAt).big_integer().not_null())
        .col(long_bytes(manager, LoginTickets::Visitor).not_null())
        .take();
    manager.create_table(table).await
}

async fn verify_files(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Table::create()
        .table(VerifyFiles::Table)
        .if_not_exists()
        .col(ColumnDef::new(VerifyFiles::Name).var_binary(FILE_NAME).not_null())
        .col(ColumnDef::new(VerifyFiles::AppKey).var_binary(KEY).not_null())
        .col(long_bytes(manager, VerifyFiles::Content).not_null())
        .primary_key(Index::create().col(VerifyFiles::Name).col(VerifyFiles::AppKey))
        .take();
    manager.create_table(table).await
}

#[derive(DeriveIden, Clone, Copy)]
enum SpentRoundTrips {
    Table,
    Id,
    EndsAt,
}

#[derive(DeriveIden, Clone, Copy)]
enum LoginTickets {
    Table,
    Id,
    AppKey,
    EndsAt,
    Visitor,
}

#[derive(DeriveIden, Clone, Copy)]
enum VerifyFiles {
    Table,
    Name,
    AppKey,
    Content,
}
