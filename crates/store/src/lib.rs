//! What the proxy remembers; the only place that knows a database.
//!
//! One set of entities, queries and migrations serves SQLite, PostgreSQL and MySQL/MariaDB. Nothing here speaks HTTP
//! or knows a business rule: the engine decides, this crate keeps. Time is always a parameter ([`Timestamp`]).
//!
//! | part | what it holds |
//! |---|---|
//! | [`Timestamp`] | a moment, in milliseconds |
//! | [`StoreError`] | what can go wrong, and what to do about it |
//! | [`Keyring`] | master keys; every secret in a table is sealed under the first |
//! | [`DatabaseUrl`] | where the database is, never shown with its password |
//! | `database` | connections, limits on every wait, transactions that are repeated after a deadlock |
//! | `entities`, `migrations` | the tables |
//! | [`Store`] | opening: file, connections, migrations, master key; health |
//! | [`App`] | registrations |
//! | [`Credential`] | tokens and tickets, their leases and failures |
//! | [`Change`], [`ChangeReader`] | what other processes changed |
//! | [`Journal`] | writes of many requests in one commit: messages, answers, deliveries |
//! | [`Message`], [`Answer`] | WeChat's callbacks and what they were answered |
//! | [`Delivery`] | what a backend still has to get |
//! | [`LateReply`] | what came when WeChat no longer waited |
//! | `logins` | round trips that are over, and tickets of visitors |
//! | `sealed_token`, `token_keys` | what travels through a browser, sealed |
//! | `nodes` | which processes are alive |
//! | `settings` | values that belong to the whole server |
//!
//! What must stay true: a write to a registration or credential and the change row that announces it are one
//! transaction, and no secret reaches a table, an error or a log unsealed.

mod apps;
mod changes;
mod credentials;
mod database;
mod database_url;
mod deliveries;
mod entities;
mod error;
mod ids;
mod journal;
mod late_replies;
mod logins;
mod master_keys;
mod messages;
mod migrations;
mod nodes;
mod seal;
mod sealed_token;
mod settings;
mod store;
mod time;
mod token_keys;

pub use apps::{App, MAX_APPID_BYTES, MAX_KEY_BYTES, PayVersion, PreviousKey, Removed, Secrets, Settings, TokenMode};
pub use changes::{CHANGE_OVERLAP, Change, ChangeReader, Subject};
pub use credentials::{Credential, DueCredential, Failure, Lease, MAX_CREDENTIAL_ID_BYTES, MAX_OWNER_BYTES, NewValue};
pub use database_url::DatabaseUrl;
pub use deliveries::{Delivery, DeliveryState};
pub use error::StoreError;
pub use ids::{BackendId, MessageId, NoMessageId, NodeId};
pub use journal::{Journal, JournalWriter, SharedAnswer, Written};
pub use late_replies::{LateReply, LateReplyState};
pub use messages::{Answer, MAX_LABEL_BYTES, Message, MessageFilter, MessageState, Recipient};
pub use seal::Keyring;
pub use settings::MAX_SETTING_NAME_BYTES;
pub use store::Store;
pub use time::Timestamp;
