//! The product through its front door: a real server, real databases, a real peer over HTTP.
//!
//! The peer is the sandbox where WeChat's own rules matter, and a fake that does as it is told where they are broken.
//! Nothing here waits for a fixed time: it looks for a condition, with a deadline. PostgreSQL and MariaDB are named by
//! `WECHAT_PROXY_TEST_POSTGRES` and `WECHAT_PROXY_TEST_MYSQL`, as for the tests of the store.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]
#![expect(clippy::print_stderr, reason = "a test says what it skips")]

mod harness;

mod bad_input;
mod callbacks_backends;
mod callbacks_bad_input;
mod callbacks_duplicates;
mod callbacks_forwarding;
mod callbacks_nodes;
mod callbacks_order;
mod callbacks_public;
mod callbacks_records;
mod callbacks_replies;
mod callbacks_restarts;
mod callbacks_tries;
mod callbacks_url_check;
mod command_line;
mod deliveries_database;
mod deliveries_schedule;
mod guard;
mod jssdk_cards;
mod jssdk_config;
mod jssdk_hosts;
mod jssdk_wecom;
mod late_replies;
mod late_replies_sandbox;
mod login_begin;
mod login_example_page;
mod login_failures;
mod login_finish;
mod login_links;
mod login_nodes;
mod login_outside;
mod login_returns;
mod login_ticket;
mod login_wecom;
mod mini_programs;
mod nodes;
mod operation;
mod passthrough_calls;
mod passthrough_connections;
mod passthrough_failures;
mod passthrough_healing;
mod passthrough_streams;
mod passthrough_wecom;
mod payment_keys;
mod payment_links;
mod payment_nodes;
mod payment_notices;
mod payment_orders;
mod payment_refunds;
mod payment_restarts;
mod payment_watch;
mod quotas;
mod registration;
mod restarts;
mod sdk_calls;
mod sdk_tokens;
mod secrets;
mod small_ones;
mod tickets;
mod tokens;
mod upstream_failures;
mod verify_files;
