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
//! | [`Credential`] | tokens and tickets, their leases and failures; found by [`fingerprint`] too |
//! | [`Change`], [`ChangeReader`] | what other processes changed |
//! | [`Journal`] | writes of many requests in one commit: messages, answers, deliveries |
//! | [`Message`], [`Answer`] | WeChat's callbacks and what they were answered |
//! | [`Delivery`] | what a backend still has to get |
//! | [`LateReply`] | what came when WeChat no longer waited |
//! | [`PaymentChange`], [`News`] | one step of a payment, and what backends are told of it |
//! | [`Order`], [`OrderEvent`] | what is to be paid, and what happened to it |
//! | [`Refund`] | money that goes back |
//! | [`RefusedNotice`] | notifications of payments that were not believed |
//! | [`PlatformCertificateRow`] | with what WeChat Pay signs |
//! | `payment_retention` | forgetting payments that are long over |
//! | [`ApiUse`] | how often which API of WeChat was called |
//! | `logins` | round trips that are over, and tickets of visitors |
//! | `sealed_token`, `token_keys` | what travels through a browser, sealed |
//! | `nodes` | which processes are alive |
//! | `settings` | values that belong to the whole server |
//!
//! What must stay true: a write to a registration or credential and the change row that announces it are one
//! transaction, and no secret reaches a table, an error or a log unsealed.

mod api_usage;
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
mod order_events;
mod orders;
mod payment_ids;
mod payment_retention;
mod payments;
mod platform_certificates;
mod refunds;
mod refused_notices;
mod seal;
mod sealed_token;
mod settings;
mod store;
mod time;
mod token_keys;

pub use api_usage::{ApiUse, MAX_API_BYTES};
pub use apps::{App, MAX_APPID_BYTES, MAX_KEY_BYTES, PayVersion, PreviousKey, Removed, Secrets, Settings, TokenMode};
pub use changes::{CHANGE_OVERLAP, Change, ChangeReader, Subject};
pub use credentials::{
    Credential, DueCredential, Failure, Lease, MAX_CREDENTIAL_ID_BYTES, MAX_OWNER_BYTES, NewValue, fingerprint,
};
pub use database_url::DatabaseUrl;
pub use deliveries::{Delivery, DeliveryState};
pub use error::StoreError;
pub use ids::{BackendId, MessageId, NoMessageId, NodeId};
pub use journal::{Journal, JournalWriter, SharedAnswer, Written};
pub use late_replies::{LateReply, LateReplyState};
pub use messages::{Answer, MAX_LABEL_BYTES, Message, MessageFilter, MessageState, Recipient};
pub use order_events::{MAX_EVENT_KIND_BYTES, OrderEvent};
pub use orders::{Order, OrderFilter, OrderState};
pub use payment_ids::{NoOrderId, NoRefundId, OrderId, RefundId};
pub use payments::{MAX_PAY_NAME_BYTES, News, PaymentChange};
pub use platform_certificates::PlatformCertificateRow;
pub use refunds::{Refund, RefundState};
pub use refused_notices::{MAX_NOTICE_REASON_BYTES, RefusedNotice};
pub use seal::Keyring;
pub use settings::MAX_SETTING_NAME_BYTES;
pub use store::Store;
pub use time::Timestamp;
