//! The tables of callbacks: messages, what was answered, deliveries that are still owed, late replies, running nodes.

use sea_orm_migration::prelude::*;

use super::{index, long_bytes};

const KEY: u32 = 256;
const APPID: u32 = 128;
const ID: u32 = 16;
const LABEL: u32 = 128;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[sea_orm_migration::async_trait::async_trait]
impl MigrationTrait for Migration {
    #[expect(elided_lifetimes_in_paths, reason = "async_trait wants the signature exactly as the trait has it")]
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        messages(manager).await?;
        answers(manager).await?;
        deliveries(manager).await?;
        late_replies(manager).await?;
        nodes(manager).await?;
        index(manager, "messages_received_at", Messages::Table, &[Messages::ReceivedAt]).await?;
        let due = [Deliveries::DueAt, Deliveries::Backend, Deliveries::Node];
        index(manager, "deliveries_due", Deliveries::Table, &due).await?;
        let lane = [Deliveries::Backend, Deliveries::DueAt, Deliveries::ReceivedAt];
        index(manager, "deliveries_lane", Deliveries::Table, &lane).await?;
        index(manager, "late_replies_due", LateReplies::Table, &[LateReplies::DueAt]).await
    }
}

async fn messages(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Table::create()
        .table(Messages::Table)
        .if_not_exists()
        .col(ColumnDef::new(Messages::Id).var_binary(ID).not_null().primary_key())
        .col(ColumnDef::new(Messages::AppKey).var_binary(KEY).not_null())
        .col(ColumnDef::new(Messages::Appid).var_binary(APPID).not_null())
        .col(ColumnDef::new(Messages::ReceivedAt).big_integer().not_null())
        .col(ColumnDef::new(Messages::Node).var_binary(ID).not_null())
        .col(ColumnDef::new(Messages::MsgType).var_binary(LABEL).not_null())
        .col(ColumnDef::new(Messages::Event).var_binary(LABEL).not_null())
        .col(ColumnDef::new(Messages::Openid).var_binary(LABEL).not_null())
        .col(long_bytes(manager, Messages::Request).not_null())
        .col(long_bytes(manager, Messages::Body).not_null())
        .take();
    manager.create_table(table).await
}

async fn answers(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Table::create()
        .table(Answers::Table)
        .if_not_exists()
        .col(ColumnDef::new(Answers::MessageId).var_binary(ID).not_null().primary_key())
        .col(ColumnDef::new(Answers::DecidedAt).big_integer().not_null())
        .col(long_bytes(manager, Answers::Reply))
        .col(ColumnDef::new(Answers::ReplyFrom).integer())
        .col(ColumnDef::new(Answers::GivenTo).integer())
        .col(ColumnDef::new(Answers::FinishedAt).big_integer())
        .col(long_bytes(manager, Answers::Attempts).not_null())
        .take();
    manager.create_table(table).await
}

async fn deliveries(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Table::create()
        .table(Deliveries::Table)
        .if_not_exists()
        .col(ColumnDef::new(Deliveries::MessageId).var_binary(ID).not_null())
        .col(ColumnDef::new(Deliveries::Position).integer().not_null())
        .col(ColumnDef::new(Deliveries::Backend).var_binary(ID).not_null())
        .col(ColumnDef::new(Deliveries::ReceivedAt).big_integer().not_null())
        .col(ColumnDef::new(Deliveries::State).integer().not_null())
        .col(ColumnDef::new(Deliveries::DueAt).big_integer())
        .col(ColumnDef::new(Deliveries::Step).integer().not_null())
        .col(ColumnDef::new(Deliveries::Sent).integer().not_null())
        .col(ColumnDef::new(Deliveries::Unreachable).boolean().not_null())
        .col(ColumnDef::new(Deliveries::Node).var_binary(ID))
        .col(long_bytes(manager, Deliveries::Attempts).not_null())
        .primary_key(Index::create().col(Deliveries::MessageId).col(Deliveries::Position))
        .take();
    manager.create_table(table).await
}

async fn late_replies(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Table::create()
        .table(LateReplies::Table)
        .if_not_exists()
        .col(ColumnDef::new(LateReplies::MessageId).var_binary(ID).not_null())
        .col(ColumnDef::new(LateReplies::ReplyFrom).integer().not_null())
        .col(ColumnDef::new(LateReplies::CreatedAt).big_integer().not_null())
        .col(ColumnDef::new(LateReplies::State).integer().not_null())
        .col(ColumnDef::new(LateReplies::DueAt).big_integer())
        .col(ColumnDef::new(LateReplies::Tries).integer().not_null())
        .col(ColumnDef::new(LateReplies::Sent).integer().not_null())
        .col(ColumnDef::new(LateReplies::Node).var_binary(ID))
        .col(long_bytes(manager, LateReplies::Pieces).not_null())
        .col(long_bytes(manager, LateReplies::Outcome).not_null())
        .primary_key(Index::create().col(LateReplies::MessageId).col(LateReplies::ReplyFrom))
        .take();
    manager.create_table(table).await
}

async fn nodes(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Table::create()
        .table(Nodes::Table)
        .if_not_exists()
        .col(ColumnDef::new(Nodes::Id).var_binary(ID).not_null().primary_key())
        .col(ColumnDef::new(Nodes::AliveUntil).big_integer().not_null())
        .take();
    manager.create_table(table).await
}

#[derive(DeriveIden, Clone, Copy)]
enum Messages {
    Table,
    Id,
    AppKey,
    Appid,
    ReceivedAt,
    Node,
    MsgType,
    Event,
    Openid,
    Request,
    Body,
}

#[derive(DeriveIden)]
enum Answers {
    Table,
    MessageId,
    DecidedAt,
    Reply,
    ReplyFrom,
    GivenTo,
    FinishedAt,
    Attempts,
}

#[derive(DeriveIden, Clone, Copy)]
enum Deliveries {
    Table,
    MessageId,
    Position,
    Backend,
    ReceivedAt,
    State,
    DueAt,
    Step,
    Sent,
    Unreachable,
    Node,
    Attempts,
}

#[derive(DeriveIden, Clone, Copy)]
enum LateReplies {
    Table,
    MessageId,
    ReplyFrom,
    CreatedAt,
    State,
    DueAt,
    Tries,
    Sent,
    Node,
    Pieces,
    Outcome,
}

#[derive(DeriveIden)]
enum Nodes {
    Table,
    Id,
    AliveUntil,
}
