//! What WeChat speaks: bytes and values, nothing else.
//!
//! This crate turns facts of WeChat's documents into types. It is sans-I/O: bytes in, bytes out; the caller owns
//! the socket, the clock and the random numbers, so the crate can be used by anyone who talks to WeChat.
//!
//! * [`appid`]: the ids of accounts.
//! * [`errcode`]: WeChat's error codes: what they mean, whether a retry helps, what a person can do.
//! * [`calls`]: the API calls that the proxy makes itself: how to ask, how to read the answer.

pub mod appid;
pub mod calls;
pub mod errcode;

pub use appid::Appid;
pub use errcode::{ApiError, Errcode};
