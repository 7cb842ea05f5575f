//! The same story on every database: nodes start, teams register, tokens are renewed, changes travel.
//!
//! SQLite runs always. PostgreSQL and MariaDB need a server where the test may create databases: its URL without a
//! database in `WECHAT_PROXY_TEST_POSTGRES` and `WECHAT_PROXY_TEST_MYSQL`; `scripts/test` starts both.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]
#![expect(clippy::print_stderr, reason = "a test says what it skips")]

#[path = "story/apps.rs"]
mod apps;
#[path = "story/changes.rs"]
mod changes;
#[path = "story/credentials.rs"]
mod credentials;
#[path = "story/engines.rs"]
mod engines;
#[path = "story/opening.rs"]
mod opening;

use engines::Engine;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sqlite() {
    tell(Engine::sqlite()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn postgres() {
    if let Some(engine) = Engine::server("WECHAT_PROXY_TEST_POSTGRES", "postgres") {
        tell(engine).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn mariadb() {
    if let Some(engine) = Engine::server("WECHAT_PROXY_TEST_MYSQL", "mysql") {
        tell(engine).await;
    }
}

async fn tell(engine: Engine) {
    opening::several_nodes_start_at_once(&engine.fresh().await).await;
    opening::another_master_key_is_refused_and_nothing_is_written(&engine.fresh().await).await;
    opening::two_new_keys_at_once_and_one_wins(&engine.fresh().await).await;
    opening::keys_rotate(&engine.fresh().await).await;
    opening::a_newer_schema_is_left_alone(&engine.fresh().await).await;
    opening::what_is_wrong_with_a_server_is_said(&engine.fresh().await).await;
    opening::settings_and_health(&engine.fresh().await).await;

    apps::keys_are_told_apart_byte_by_byte(&engine.fresh().await).await;
    apps::everything_comes_back_as_it_was_stored(&engine.fresh().await).await;
    apps::the_second_of_two_updates_is_refused(&engine.fresh().await).await;
    apps::several_are_updated_all_or_none(&engine.fresh().await).await;
    apps::the_same_key_is_registered_once(&engine.fresh().await).await;
    apps::registrations_expire(&engine.fresh().await).await;
    apps::values_do_not_open_in_another_row(&engine.fresh().await).await;

    credentials::one_of_fifty_claimants_wins(&engine.fresh().await).await;
    credentials::a_lease_is_taken_over_after_its_end(&engine.fresh().await).await;
    credentials::a_failure_keeps_the_value_and_stops_those_who_have_not_seen_it(&engine.fresh().await).await;
    credentials::what_is_due(&engine.fresh().await).await;
    credentials::clearing_and_forgetting(&engine.fresh().await).await;

    changes::every_write_is_announced(&engine.fresh().await).await;
    changes::concurrent_writers_are_all_heard(&engine.fresh().await).await;
    changes::a_late_commit_is_heard(&engine.fresh().await).await;
    changes::pruning_keeps_the_count(&engine.fresh().await).await;
    engine.clean().await;
}
