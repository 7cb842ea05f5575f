//! Login on web pages: who the visitor is, by OAuth2.
//!
//! Sources: "web authorization" of the official account documents, "website application" of the open platform
//! documents, "OAuth" of the WeCom documents. In the order of a login: [`UserAgent`] tells which page fits the browser;
//! [`authorize_url`], [`qrconnect_url`] and [`corp_sso_url`] are where it is sent; the `code` that comes back becomes a user
//! by the calls of `calls.rs` and the readers of `answers.rs`.
//!
//! What must stay true: an identity is read whole or not at all; a web access_token is never in `Debug`.

mod answers;
mod calls;
mod mended;
mod names;
mod urls;
mod user_agent;

pub(crate) use answers::id;
pub use answers::{Exchanged, MAX_ID_LENGTH, Member, read_exchange, read_member, read_profile};
pub use names::{Lang, Scope};
pub use urls::{authorize_url, corp_sso_url, qrconnect_url};
pub use user_agent::UserAgent;
