//! The tables of payment: orders, what happened to each, refunds, notices that were refused, certificates of WeChat
//! Pay.

use sea_orm_migration::prelude::*;

use super::{index, long_bytes};

const KEY: u32 = 256;
const APPID: u32 = 128;
const ID: u32 = 16;
const HASH: u32 = 32;
/// Numbers of merchants, orders and refunds, users, types, serial numbers.
const NAME: u32 = 128;
const KIND: u32 = 32;
const REASON: u32 = 64;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[sea_orm_migration::async_trait::async_trait]
impl MigrationTrait for Migration {
    #[expect(elided_lifetimes_in_paths, reason = "async_trait wants the signature exactly as the trait has it")]
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        orders(manager).await?;
        order_events(manager).await?;
        refunds(manager).await?;
        refused_notices(manager).await?;
        platform_certificates(manager).await?;
        index_orders(manager).await?;
        index_refunds(manager).await?;
        index_refused_notices(manager).await
    }
}

async fn orders(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Table::create()
        .table(Orders::Table)
        .if_not_exists()
        .col(ColumnDef::new(Orders::Id).var_binary(ID).not_null().primary_key())
        .col(ColumnDef::new(Orders::AppKey).var_binary(KEY).not_null())
        .col(ColumnDef::new(Orders::Appid).var_binary(APPID).not_null())
        .col(ColumnDef::new(Orders::MchId).var_binary(NAME).not_null())
        .col(ColumnDef::new(Orders::OutTradeNo).var_binary(NAME).not_null())
        .col(ColumnDef::new(Orders::Version).integer().not_null())
        .col(ColumnDef::new(Orders::TradeType).var_binary(NAME).not_null())
        .col(ColumnDef::new(Orders::TotalFee).big_integer().not_null())
        .col(ColumnDef::new(Orders::Openid).var_binary(NAME).not_null())
        .col(ColumnDef::new(Orders::TransactionId).var_binary(NAME).not_null())
        .col(ColumnDef::new(Orders::State).integer().not_null())
        .col(ColumnDef::new(Orders::Content).var_binary(HASH).not_null())
        .col(long_bytes(manager, Orders::Request).not_null())
        .col(long_bytes(manager, Orders::Answer))
        .col(ColumnDef::new(Orders::AnsweredAt).big_integer())
        .col(ColumnDef::new(Orders::CreatedAt).big_integer().not_null())
        .col(ColumnDef::new(Orders::UpdatedAt).big_integer().not_null())
        .col(ColumnDef::new(Orders::PaidAt).big_integer())
        .col(ColumnDef::new(Orders::DueAt).big_integer())
        .col(ColumnDef::new(Orders::Step).integer().not_null())
        .col(ColumnDef::new(Orders::Node).var_binary(ID))
        .col(ColumnDef::new(Orders::Revision).big_integer().not_null())
        .take();
    manager.create_table(table).await
}

async fn order_events(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Table::create()
        .table(OrderEvents::Table)
        .if_not_exists()
        .col(ColumnDef::new(OrderEvents::OrderId).var_binary(ID).not_null())
        .col(ColumnDef::new(OrderEvents::At).big_integer().not_null())
        .col(ColumnDef::new(OrderEvents::Id).var_binary(ID).not_null())
        .col(ColumnDef::new(OrderEvents::Kind).var_binary(KIND).not_null())
        .col(long_bytes(manager, OrderEvents::Detail).not_null())
        // As they are read: those of one order, in the order of time.
        .primary_key(Index::create().col(OrderEvents::OrderId).col(OrderEvents::At).col(OrderEvents::Id))
        .take();
    manager.create_table(table).await
}

async fn refunds(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Table::create()
        .table(Refunds::Table)
        .if_not_exists()
        .col(ColumnDef::new(Refunds::Id).var_binary(ID).not_null().primary_key())
        .col(ColumnDef::new(Refunds::OrderId).var_binary(ID).not_null())
        .col(ColumnDef::new(Refunds::AppKey).var_binary(KEY).not_null())
        .col(ColumnDef::new(Refunds::Appid).var_binary(APPID).not_null())
        .col(ColumnDef::new(Refunds::MchId).var_binary(NAME).not_null())
        .col(ColumnDef::new(Refunds::OutTradeNo).var_binary(NAME).not_null())
        .col(ColumnDef::new(Refunds::TransactionId).var_binary(NAME).not_null())
        .col(ColumnDef::new(Refunds::OutRefundNo).var_binary(NAME).not_null())
        .col(ColumnDef::new(Refunds::RefundId).var_binary(NAME).not_null())
        .col(ColumnDef::new(Refunds::TotalFee).big_integer().not_null())
        .col(ColumnDef::new(Refunds::RefundFee).big_integer().not_null())
        .col(ColumnDef::new(Refunds::Version).integer().not_null())
        .col(ColumnDef::new(Refunds::State).integer().not_null())
        .col(ColumnDef::new(Refunds::Content).var_binary(HASH).not_null())
        .col(long_bytes(manager, Refunds::Request).not_null())
        .col(long_bytes(manager, Refunds::Answer))
        .col(ColumnDef::new(Refunds::CreatedAt).big_integer().not_null())
        .col(ColumnDef::new(Refunds::UpdatedAt).big_integer().not_null())
        .col(ColumnDef::new(Refunds::DueAt).big_integer())
        .col(ColumnDef::new(Refunds::Step).integer().not_null())
        .col(ColumnDef::new(Refunds::Node).var_binary(ID))
        .col(ColumnDef::new(Refunds::Revision).big_integer().not_null())
        .take();
    manager.create_table(table).await
}

async fn refused_notices(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Table::create()
        .table(RefusedNotices::Table)
        .if_not_exists()
        .col(ColumnDef::new(RefusedNotices::Id).var_binary(ID).not_null().primary_key())
        .col(ColumnDef::new(RefusedNotices::AppKey).var_binary(KEY).not_null())
        .col(ColumnDef::new(RefusedNotices::OrderId).var_binary(ID))
        .col(ColumnDef::new(RefusedNotices::At).big_integer().not_null())
        .col(ColumnDef::new(RefusedNotices::Reason).var_binary(REASON).not_null())
        .col(long_bytes(manager, RefusedNotices::Detail).not_null())
        .take();
    manager.create_table(table).await
}

async fn platform_certificates(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Table::create()
        .table(PlatformCertificates::Table)
        .if_not_exists()
        .col(ColumnDef::new(PlatformCertificates::MchId).var_binary(NAME).not_null())
        .col(ColumnDef::new(PlatformCertificates::Serial).var_binary(NAME).not_null())
        .col(ColumnDef::new(PlatformCertificates::NotBefore).big_integer().not_null())
        .col(ColumnDef::new(PlatformCertificates::NotAfter).big_integer().not_null())
        .col(long_bytes(manager, PlatformCertificates::Pem).not_null())
        .primary_key(Index::create().col(PlatformCertificates::MchId).col(PlatformCertificates::Serial))
        .take();
    manager.create_table(table).await
}

async fn index_orders(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Orders::Table;
    index(manager, "orders_due", table, &[Orders::DueAt]).await?;
    index(manager, "orders_created_at", table, &[Orders::CreatedAt]).await?;
    index(manager, "orders_app_key", table, &[Orders::AppKey, Orders::CreatedAt]).await?;
    index(manager, "orders_state", table, &[Orders::State, Orders::CreatedAt]).await?;
    index(manager, "orders_out_trade_no", table, &[Orders::OutTradeNo]).await?;
    index(manager, "orders_transaction_id", table, &[Orders::TransactionId]).await
}

async fn index_refunds(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Refunds::Table;
    // Also finds those that are decided and old, and the orders of those that are not.
    let due = [Refunds::DueAt, Refunds::CreatedAt, Refunds::OrderId];
    index(manager, "refunds_due", table, &due).await?;
    index(manager, "refunds_order_id", table, &[Refunds::OrderId]).await?;
    index(manager, "refunds_transaction_id", table, &[Refunds::TransactionId]).await
}

async fn index_refused_notices(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = RefusedNotices::Table;
    index(manager, "refused_notices_at", table, &[RefusedNotices::At]).await?;
    index(manager, "refused_notices_app_key", table, &[RefusedNotices::AppKey, RefusedNotices::At]).await?;
    index(manager, "refused_notices_order_id", table, &[RefusedNotices::OrderId, RefusedNotices::At]).await
}

#[derive(DeriveIden, Clone, Copy)]
enum Orders {
    Table,
    Id,
    AppKey,
    Appid,
    MchId,
    OutTradeNo,
    Version,
    TradeType,
    TotalFee,
    Openid,
    TransactionId,
    State,
    Content,
    Request,
    Answer,
    AnsweredAt,
    CreatedAt,
    UpdatedAt,
    PaidAt,
    DueAt,
    Step,
    Node,
    Revision,
}

#[derive(DeriveIden, Clone, Copy)]
enum OrderEvents {
    Table,
    OrderId,
    At,
    Id,
    Kind,
    Detail,
}

#[derive(DeriveIden, Clone, Copy)]
enum Refunds {
    Table,
    Id,
    OrderId,
    AppKey,
    Appid,
    MchId,
    OutTradeNo,
    TransactionId,
    OutRefundNo,
    RefundId,
    TotalFee,
    RefundFee,
    Version,
    State,
    Content,
    Request,
    Answer,
    CreatedAt,
    UpdatedAt,
    DueAt,
    Step,
    Node,
    Revision,
}

#[derive(DeriveIden, Clone, Copy)]
enum RefusedNotices {
    Table,
    Id,
    AppKey,
    OrderId,
    At,
    Reason,
    Detail,
}

#[derive(DeriveIden, Clone, Copy)]
enum PlatformCertificates {
    Table,
    MchId,
    Serial,
    NotBefore,
    NotAfter,
    Pem,
}
