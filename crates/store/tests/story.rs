//! The same story on every database: nodes start, teams register, tokens are renewed, changes travel, callbacks are
//! kept, payments are decided.
//!
//! SQLite runs always. PostgreSQL and MariaDB need a server where the test may create databases: its URL without a
//! database in `WECHAT_PROXY_TEST_POSTGRES` and `WECHAT_PROXY_TEST_MYSQL`; `scripts/test` starts both.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]
#![expect(clippy::print_stderr, reason = "a test says what it skips")]

#[path = "story/api_usage.rs"]
mod api_usage;
#[path = "story/apps.rs"]
mod apps;
#[path = "story/changes.rs"]
mod changes;
#[path = "story/credentials.rs"]
mod credentials;
#[path = "story/deliveries.rs"]
mod deliveries;
#[path = "story/engines.rs"]
mod engines;
#[path = "story/journal.rs"]
mod journal;
#[path = "story/late_replies.rs"]
mod late_replies;
#[path = "story/logins.rs"]
mod logins;
#[path = "story/messages.rs"]
mod messages;
#[path = "story/nodes.rs"]
mod nodes;
#[path = "story/opening.rs"]
mod opening;
#[path = "story/orders.rs"]
mod orders;
#[path = "story/payment_retention.rs"]
mod payment_retention;
#[path = "story/payments.rs"]
mod payments;
#[path = "story/platform_certificates.rs"]
mod platform_certificates;
#[path = "story/refunds.rs"]
mod refunds;
#[path = "story/refused_notices.rs"]
mod refused_notices;
#[path = "story/upgrades.rs"]
mod upgrades;

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
    // Each in a box: one future of them all is too much for a thread's stack.
    Box::pin(tell_of_opening(&engine)).await;
    Box::pin(tell_of_apps(&engine)).await;
    Box::pin(tell_of_credentials(&engine)).await;
    Box::pin(tell_of_changes(&engine)).await;
    Box::pin(tell_of_journal(&engine)).await;
    Box::pin(tell_of_messages(&engine)).await;
    Box::pin(tell_of_deliveries(&engine)).await;
    Box::pin(tell_of_late_replies(&engine)).await;
    Box::pin(tell_of_nodes(&engine)).await;
    Box::pin(tell_of_logins(&engine)).await;
    Box::pin(tell_of_payments(&engine)).await;
    Box::pin(tell_of_orders(&engine)).await;
    Box::pin(tell_of_refunds(&engine)).await;
    Box::pin(tell_of_old_payments(&engine)).await;
    Box::pin(tell_of_what_wechat_pay_says(&engine)).await;
    Box::pin(tell_of_calls_to_wechat(&engine)).await;
    Box::pin(tell_of_upgrades(&engine)).await;
    engine.clean().await;
}

async fn tell_of_opening(engine: &Engine) {
    opening::several_nodes_start_at_once(&engine.fresh().await).await;
    opening::another_master_key_is_refused_and_nothing_is_written(&engine.fresh().await).await;
    opening::two_new_keys_at_once_and_one_wins(&engine.fresh().await).await;
    opening::keys_rotate(&engine.fresh().await).await;
    opening::a_newer_schema_is_left_alone(&engine.fresh().await).await;
    opening::what_is_wrong_with_a_server_is_said(&engine.fresh().await).await;
    opening::settings_and_health(&engine.fresh().await).await;
}

async fn tell_of_apps(engine: &Engine) {
    apps::keys_are_told_apart_byte_by_byte(&engine.fresh().await).await;
    apps::everything_comes_back_as_it_was_stored(&engine.fresh().await).await;
    apps::the_second_of_two_updates_is_refused(&engine.fresh().await).await;
    apps::several_are_updated_all_or_none(&engine.fresh().await).await;
    apps::the_same_key_is_registered_once(&engine.fresh().await).await;
    apps::registrations_expire(&engine.fresh().await).await;
    apps::files_are_found_by_name_and_go_with_their_registration(&engine.fresh().await).await;
    apps::values_do_not_open_in_another_row(&engine.fresh().await).await;
}

async fn tell_of_credentials(engine: &Engine) {
    credentials::one_of_fifty_claimants_wins(&engine.fresh().await).await;
    credentials::a_lease_is_taken_over_after_its_end(&engine.fresh().await).await;
    credentials::a_failure_keeps_the_value_and_stops_those_who_have_not_seen_it(&engine.fresh().await).await;
    credentials::what_is_due(&engine.fresh().await).await;
    credentials::clearing_and_forgetting(&engine.fresh().await).await;
    credentials::a_credential_is_found_by_its_newest_value(&engine.fresh().await).await;
}

async fn tell_of_changes(engine: &Engine) {
    changes::every_write_is_announced(&engine.fresh().await).await;
    changes::concurrent_writers_are_all_heard(&engine.fresh().await).await;
    changes::a_late_commit_is_heard(&engine.fresh().await).await;
    changes::pruning_keeps_the_count(&engine.fresh().await).await;
}

async fn tell_of_journal(engine: &Engine) {
    journal::what_waits_together_is_one_commit(&engine.fresh().await).await;
    journal::two_journals_at_once_and_one_of_them_has_it(&engine.fresh().await).await;
    journal::the_first_answer_stays_and_is_brought_up_to_date(&engine.fresh().await).await;
    journal::a_delivery_that_is_known_stays_as_it_is(&engine.fresh().await).await;
    journal::what_is_large_fits(&engine.fresh().await).await;
    journal::a_group_that_fails_is_written_by_nobody(&engine.fresh().await).await;
    journal::at_the_end_what_waits_is_written_and_nothing_more_is_taken(&engine.fresh().await).await;
}

async fn tell_of_messages(engine: &Engine) {
    messages::a_message_comes_back_as_it_was_stored(&engine.fresh().await).await;
    messages::all_who_want_the_answer_are_told_the_same_holder(&engine.fresh().await).await;
    messages::what_a_node_left_unfinished_is_taken_over_once(&engine.fresh().await).await;
    messages::messages_are_listed_by_what_is_asked_for(&engine.fresh().await).await;
    messages::every_message_is_in_one_state(&engine.fresh().await).await;
    messages::pages_follow_each_other_without_gaps(&engine.fresh().await).await;
    messages::old_messages_go_with_all_that_belongs_to_them(&engine.fresh().await).await;
}

async fn tell_of_deliveries(engine: &Engine) {
    deliveries::two_nodes_take_each_row_once_and_the_longest_due_first(&engine.fresh().await).await;
    deliveries::lanes_of_two_nodes_do_not_get_in_each_others_way(&engine.fresh().await).await;
    deliveries::rows_that_are_due_together_are_taken_by_age(&engine.fresh().await).await;
    deliveries::who_has_a_delivery_settles_it_and_nobody_else(&engine.fresh().await).await;
    deliveries::what_was_not_tried_is_given_back(&engine.fresh().await).await;
    deliveries::what_a_dead_node_has_is_anybodys(&engine.fresh().await).await;
    deliveries::what_waits_for_a_backend_that_is_down_keeps_its_step(&engine.fresh().await).await;
    deliveries::a_backend_that_is_back_gets_what_did_not_reach_it_by_age(&engine.fresh().await).await;
    deliveries::what_is_over_can_be_renewed(&engine.fresh().await).await;
}

async fn tell_of_late_replies(engine: &Engine) {
    late_replies::one_late_reply_of_each_backend_is_kept(&engine.fresh().await).await;
    late_replies::two_nodes_take_each_late_reply_once(&engine.fresh().await).await;
    late_replies::a_late_reply_goes_on_where_it_was_left(&engine.fresh().await).await;
}

async fn tell_of_nodes(engine: &Engine) {
    nodes::a_node_is_alive_until_the_moment_it_named(&engine.fresh().await).await;
    nodes::only_on_a_database_for_one_node_the_others_are_ended(&engine.fresh().await).await;
}

async fn tell_of_logins(engine: &Engine) {
    logins::a_round_trip_is_spent_once(&engine.fresh().await).await;
    logins::a_ticket_is_taken_once_by_its_registration_in_time(&engine.fresh().await).await;
}

async fn tell_of_payments(engine: &Engine) {
    payments::of_many_who_place_one_order_exactly_one_does(&engine.fresh().await).await;
    payments::no_change_is_lost_among_many(&engine.fresh().await).await;
    payments::a_change_is_written_whole_or_not_at_all(&engine.fresh().await).await;
    payments::backends_are_told_once(&engine.fresh().await).await;
    payments::who_asks_is_overtaken_by_who_knows(&engine.fresh().await).await;
    payments::what_belongs_to_no_known_order_has_no_events(&engine.fresh().await).await;
    payments::what_a_later_version_wrote_is_not_misread(&engine.fresh().await).await;
}

async fn tell_of_orders(engine: &Engine) {
    orders::an_order_comes_back_as_it_was_stored(&engine.fresh().await).await;
    orders::names_that_do_not_fit_are_refused(&engine.fresh().await).await;
    orders::orders_are_listed_by_what_is_asked_for(&engine.fresh().await).await;
    orders::pages_of_orders_follow_each_other_without_gaps(&engine.fresh().await).await;
    orders::two_nodes_take_each_due_order_once(&engine.fresh().await).await;
    orders::what_a_node_has_is_its_own_until_it_is_changed_let_go_or_the_node_dead(&engine.fresh().await).await;
    orders::what_happened_is_told_in_the_order_of_time(&engine.fresh().await).await;
    orders::what_happens_often_is_written_down_a_few_times(&engine.fresh().await).await;
}

async fn tell_of_refunds(engine: &Engine) {
    refunds::a_refund_comes_back_as_it_was_stored(&engine.fresh().await).await;
    refunds::refunds_are_found_by_what_they_belong_to(&engine.fresh().await).await;
    refunds::two_nodes_take_each_due_refund_once(&engine.fresh().await).await;
}

async fn tell_of_old_payments(engine: &Engine) {
    payment_retention::each_kind_has_its_own_time(&engine.fresh().await).await;
    payment_retention::refunds_are_remembered_as_long_as_their_order(&engine.fresh().await).await;
    payment_retention::old_payments_go_some_hundred_at_a_time_with_all_that_belongs_to_them(&engine.fresh().await)
        .await;
    payment_retention::what_changes_while_it_is_removed_is_kept_whole_or_gone(&engine.fresh().await).await;
}

async fn tell_of_what_wechat_pay_says(engine: &Engine) {
    refused_notices::the_newest_of_each_registration_are_kept(&engine.fresh().await).await;
    refused_notices::a_flood_leaves_no_more_than_the_bound(&engine.fresh().await).await;
    platform_certificates::certificates_are_kept_until_they_are_over(&engine.fresh().await).await;
    platform_certificates::nodes_that_download_at_once_agree(&engine.fresh().await).await;
}

async fn tell_of_calls_to_wechat(engine: &Engine) {
    api_usage::what_many_nodes_count_at_once_is_added_up(&engine.fresh().await).await;
    api_usage::the_newest_day_comes_first_and_what_was_called_most(&engine.fresh().await).await;
    api_usage::counts_that_do_not_fit_are_refused_together(&engine.fresh().await).await;
    api_usage::old_days_are_forgotten(&engine.fresh().await).await;
}

async fn tell_of_upgrades(engine: &Engine) {
    upgrades::a_database_from_before_the_counts_of_calls_is_upgraded(&engine.fresh().await).await;
    upgrades::an_upgrade_that_ended_half_way_is_finished(&engine.fresh().await).await;
}
