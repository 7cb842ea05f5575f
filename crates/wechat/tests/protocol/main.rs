//! What WeChat speaks against what is published about it: test vectors, samples, and properties that must hold for
//! anything. One binary; each file is one subject.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod api_paths;
mod callbacks;
mod conversions;
mod envelopes;
mod jssdk;
mod later;
mod login_answers;
mod login_links;
mod messages;
mod mini_programs;
mod pay;
mod replies;
mod signs;
mod trees;
mod vectors;
mod xml_dialect;
