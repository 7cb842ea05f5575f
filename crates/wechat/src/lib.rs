//! What WeChat speaks: bytes and values, nothing else.
//!
//! This crate turns facts of WeChat's documents into types. It is sans-I/O: bytes in, bytes out; the caller owns
//! the socket, the clock and the random numbers, so the crate can be used by anyone who talks to WeChat.
//!
//! * [`appid`]: the ids of accounts.
//! * [`errcode`]: WeChat's error codes: what they mean, whether a retry helps, what a person can do.
//! * [`calls`]: the API calls that the proxy makes itself: how to ask, how to read the answer.
//! * [`api_path`]: the paths of the calls that others make through the proxy, in a form that reads in one way.
//!
//! Web pages and mini programs that are opened in WeChat:
//!
//! * [`login`]: who the visitor is: the addresses that a browser is sent to, the calls, the answers.
//! * [`mini_program`]: the same for mini programs, and what WeChat seals for a user's session.
//! * [`jssdk`], [`card`]: the signatures for WeChat's JavaScript API and for cards.
//! * [`sign`]: how a backend sees that what a browser brings is genuine.
//!
//! Money:
//!
//! * [`pay`]: WeChat Pay, API v2 and API v3 behind one face: calls, answers, notifications, the merchant's credentials.
//!
//! Messages that WeChat pushes, in the order in which one goes through the parts:
//!
//! * [`callback`]: from a request that anybody may have sent to a verified message, and the way back of an encrypted
//!   reply; with [`signature`] and [`envelope`], which are WeChat's signatures and encryption alone.
//! * [`message`]: what was pushed: who, what, which one, in XML or JSON.
//! * [`document`]: the tree that both formats share; [`xml`] and [`json`]: their readers and writers, and the conversion.
//! * [`reply`]: the answer: read from what a backend says, written for WeChat at once or as customer-service messages.

pub mod api_path;
pub mod appid;
pub mod callback;
pub mod calls;
pub mod card;
pub mod document;
pub mod envelope;
pub mod errcode;
pub mod json;
pub mod jssdk;
pub mod login;
pub mod message;
pub mod mini_program;
pub mod pay;
pub mod reply;
pub mod sign;
pub mod signature;
pub mod xml;

pub use api_path::ApiPath;
pub use appid::Appid;
pub use document::Format;
pub use errcode::{ApiError, Errcode};
pub use message::Message;
