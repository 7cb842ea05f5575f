//! The sandbox as others meet it: over connections, with its faults, its control API and its page.
//!
//! Each test starts the real listener on a port of its own and talks plain HTTP with a client that sees every byte. The
//! clock is stepped, so nothing waits for time to pass; where something has to have happened, the event stream says so.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "the lints allow these in test functions; the helpers of tests are no test functions"
)]

mod apis;
mod bridge;
mod client;
mod contacts;
mod control;
mod faults;
mod followers;
mod limits;
mod login;
mod materials;
mod members;
mod merchant;
mod messages;
mod mini_program;
mod pages;
mod pay_bills;
mod pay_knobs;
mod pay_refunds;
mod pay_v2;
mod pay_v3;
mod pusher;
mod qr_login;
mod receiver;
mod serving;
mod shop;
mod templates;
mod tls;
mod visitor;
