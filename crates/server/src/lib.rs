//! How WeChat, teams' servers, browsers and operators reach the proxy; the binary `wechat-proxy`.
//!
//! The way of a request: [`connections`] accept it, [`ready_answers`] answer it at once if they can, else [`routes`]
//! send it to the handlers of its audience (`from_wechat`, `from_visitors`, `from_backends`, `from_operators`,
//! `from_sdks`, `from_anyone`), which ask the engine and
//! make an [`answer`]. The binary is a thin shell: [`cli`] and [`config`] say what is wanted, [`commands`] do it.

pub mod answer;
pub mod cli;
pub mod commands;
pub mod config;
pub mod logging;
mod message_filter;
pub mod server;
pub mod tls;

mod app_path;
mod client_address;
mod connections;
mod cross_origin;
mod direct_calls;
mod example_pages;
mod framing;
mod from_anyone;
mod from_backends;
mod from_operators;
mod from_sdks;
mod from_visitors;
mod from_wechat;
mod js_config;
mod login;
mod mini_program;
mod open_connections;
mod own_names;
mod parameters;
mod passthrough;
mod payment;
mod qrcode;
mod ready_answers;
mod registration;
mod request_id;
mod request_log;
mod routes;
mod sdk_tokens;

pub use config::Config;
pub use server::Server;
