//! The tables' history.
//!
//! Old migrations are never edited: databases in the field have run them. A change is a new file and a new line in
//! [`Migrations::migrations`]. Each step must be repeatable (`if_not_exists`, or a look before), because MySQL commits
//! every change of a table at once, and because two nodes may start at the same moment.

mod m0001_apps_and_credentials;
mod m0002_messages;
mod m0003_logins;
mod m0004_orders;
mod m0005_api_usage;

use std::collections::HashSet;
use std::time::Duration;

use sea_orm::sea_query::{ColumnDef, Iden, Index, IntoIden};
use sea_orm::{DatabaseConnection, DbBackend, DbErr, EntityTrait, QueryOrder, QuerySelect};
use sea_orm_migration::{MigrationTrait, MigratorTrait, SchemaManager, seaql_migrations};

use crate::StoreError;
use crate::database::limited;

/// How often migrating is tried when another node migrates at the same time, and the pause between.
const TRIES: u32 = 20;
const PAUSE: Duration = Duration::from_millis(250);

struct Migrations;

#[sea_orm_migration::async_trait::async_trait]
impl MigratorTrait for Migrations {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m0001_apps_and_credentials::Migration),
            Box::new(m0002_messages::Migration),
            Box::new(m0003_logins::Migration),
            Box::new(m0004_orders::Migration),
            Box::new(m0005_api_usage::Migration),
        ]
    }
}

/// Where a database stands.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// None of our tables.
    Empty,
    /// Some migrations are missing.
    Behind,
    /// Nothing to do.
    Current,
}

/// Finds out where the database stands, without writing.
pub(crate) async fn standing(db: &DatabaseConnection) -> Result<Standing, StoreError> {
    let schema = SchemaManager::new(db);
    if !limited(schema.has_table(Migrations::migration_table_name().to_string())).await? {
        return Ok(Standing::Empty);
    }
    let names = seaql_migrations::Entity::find()
        .select_only()
        .column(seaql_migrations::Column::Version)
        .order_by_asc(seaql_migrations::Column::Version)
        .into_tuple();
    let applied: Vec<String> = limited(names.all(db)).await?;
    let known: HashSet<String> = Migrations::migrations().iter().map(|m| m.name().to_owned()).collect();
    match applied.iter().find(|name| !known.contains(*name)) {
        Some(unknown) => Err(StoreError::NewerSchema { migration: unknown.clone() }),
        None if applied.is_empty() => Ok(Standing::Empty),
        None if applied.len() < known.len() => Ok(Standing::Behind),
        None => Ok(Standing::Current),
    }
}

/// Brings the tables up to date. When several nodes do it at once, one wins and the others see its work.
pub(crate) async fn migrate(db: &DatabaseConnection) -> Result<(), StoreError> {
    let mut last = None;
    for _ in 0..TRIES {
        if standing(db).await? == Standing::Current {
            return Ok(());
        }
        match Migrations::up(db, None).await {
            Ok(()) => return Ok(()),
            Err(e) if is_collision(&e) => last = Some(e),
            Err(e) => return Err(e.into()),
        }
        tokio::time::sleep(PAUSE).await;
    }
    Err(last.map_or(StoreError::Conflict, StoreError::from))
}

/// Anything the database itself said may come from another node's migration, except what no waiting changes.
fn is_collision(error: &DbErr) -> bool {
    match StoreError::from(error.clone()) {
        StoreError::Unavailable { advice, .. } => advice == crate::error::REPORT || advice == crate::error::BUSY,
        StoreError::Conflict => true,
        _ => false,
    }
}

/// A column for values of any length. MySQL's plain `blob` ends at 64 KiB, and SeaORM knows no name for its longer one.
pub(crate) fn long_bytes(manager: &SchemaManager<'_>, name: impl IntoIden) -> ColumnDef {
    let mut column = ColumnDef::new(name);
    match manager.get_database_backend() {
        DbBackend::MySql => column.custom("longblob"),
        _ => column.blob(),
    };
    column
}

/// MySQL knows no "create index if not exists", so this looks before.
pub(crate) async fn index<I: Iden + Copy + 'static>(
    manager: &SchemaManager<'_>,
    name: &str,
    table: I,
    columns: &[I],
) -> Result<(), DbErr> {
    if manager.has_index(table.to_string(), name).await? {
        return Ok(());
    }
    let mut index = Index::create();
    index.name(name).table(table);
    for column in columns {
        index.col(*column);
    }
    manager.create_index(index).await
}
