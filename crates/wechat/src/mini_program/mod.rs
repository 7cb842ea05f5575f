//! Mini programs: their login, and what WeChat seals for the user's session.
//!
//! Source: `code2Session` and "verification and decryption of open data" of the mini program documents. In the order of
//! a login: the `code` of `wx.login` becomes a [`Session`] by [`Call::mini_program_session`](crate::calls::Call) and
//! [`read_session`]; with its [`SessionKey`] what the mini program sends later is verified and opened.
//!
//! What must stay true: a session_key proves who the user is, so it is in no `Debug` and no error; and what a
//! stranger sends to be opened tells him nothing about the key.

mod open;
mod session;

pub use open::{MAX_ENCRYPTED_LENGTH, OpenError};
pub use session::{Session, SessionKey, SessionKeyError, read_session};
