//! What every store promises, written once. A store's own tests call [`check`] with a way to open the same table
//! twice, as two processes would.

mod accounts;
mod nodes;
mod shared;
mod quota;
mod conversations;
mod oversight;

use futures_util::{StreamExt, stream};

use super::Store;

/// How many calls of a race are under way at once.
#[derive(Clone, Copy)]
pub(super) struct Race(pub(super) usize);

/// Handles that the calls of a race are spread over.
const HANDS: usize = 4;

/// Runs the whole suite. `open` gives a new handle to the same, at first empty, table.
pub(super) async fn check<S: Store>(open: impl Fn() -> S, race: Race) {
    let open = &open;
    accounts::keys_are_kept_and_listed(open).await;
    accounts::a_key_is_revoked_by_its_id(open).await;
    accounts::an_unclear_id_revokes_nothing(open).await;
    accounts::many_keys_are_all_listed(open).await;
    accounts::usage_adds_up(open).await;
    accounts::sums_from_many_hands_all_count(open, race).await;
    accounts::everybodys_usage_is_told_from_a_day_on(open).await;
    nodes::a_report_stands_in_the_place_of_the_last(open).await;
    nodes::stale_and_forgotten_nodes_are_not_seen(open).await;
    nodes::a_node_hears_its_order_by_its_report(open).await;
    nodes::an_order_is_never_overtaken_by_an_older_one(open).await;
    nodes::a_hundred_nodes_report_at_once(open, race).await;
    nodes::a_summary_counts_while_it_is_fresh(open).await;
    shared::a_lease_is_taken_by_its_version(open).await;
    shared::of_many_contenders_one_has_the_lease(open, race).await;
    shared::a_state_changes_under_its_version(open).await;
    shared::of_a_thousand_wakes_one_counts(open, race).await;
    shared::models_are_wanted_until_they_are_not(open).await;
    shared::no_progress_overwrites_another(open, race).await;
    quota::who_is_denied_is_listed(open).await;
    quota::a_window_holds_both_limits(open).await;
    quota::what_is_settled_makes_room(open).await;
    quota::a_hundred_at_the_limit_overshoot_by_nothing(open, race).await;
    conversations::a_conversation_is_kept_and_changes_under_its_version(open).await;
    conversations::lists_have_the_latest_first_and_nobody_elses(open).await;
    conversations::messages_are_told_in_pages(open).await;
    conversations::a_message_stands_in_the_place_of_the_last(open).await;
    conversations::long_messages_are_whole(open).await;
    conversations::a_reader_sees_the_old_text_or_the_new(open).await;
    conversations::more_than_is_promised_is_refused(open).await;
    conversations::stretches_of_messages_go(open).await;
    conversations::what_is_deleted_is_gone_and_stays_so(open).await;
    conversations::one_at_a_time_has_the_pen(open).await;
    conversations::of_many_writers_one_has_the_pen(open, race).await;
    conversations::a_writer_hears_that_it_should_stop(open).await;
    oversight::people_are_seen_once_and_later(open).await;
    oversight::the_audit_log_counts_and_chains(open).await;
    oversight::many_hands_append_without_a_gap(open, race).await;
    oversight::a_code_is_taken_once_and_in_time(open, race).await;
    oversight::a_chore_is_claimed_by_one(open, race).await;
}

/// `count` calls, `race` of them at once, over several handles; their results in no order.
async fn all<S: Store, T>(
    open: &impl Fn() -> S,
    race: Race,
    count: usize,
    call: impl AsyncFn(&S, usize) -> T,
) -> Vec<T> {
    let hands: Vec<S> = (0..HANDS).map(|_| open()).collect();
    let calls = (0..count).map(|at| call(&hands[at % HANDS], at));
    stream::iter(calls).buffer_unordered(race.0).collect().await
}
