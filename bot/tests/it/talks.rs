//! An answer is shown as it grows, whole at the end, and however it ends.

use crate::scripted::Step::{Break, Fail, Hold, Say, Wait};
use crate::support::{ANN, World};
side_by_side! {
    an_answer_grows_and_is_formatted,
    one_turn_at_a_time_and_stop_keeps_what_had_come,
    the_wait_for_a_sleeping_fleet_is_shown_and_counted,
    a_broken_connection_loses_nothing,
    failures_are_told_in_words,
    a_conversation_that_is_over_is_followed_by_a_new_one,
    what_is_written_on_the_page_at_the_same_time_is_told,
}

fn say(text: &str) -> crate::scripted::Step {
    Say(text.to_owned())
}

async fn an_answer_grows_and_is_formatted() {
    let world = World::linked().await;
    world.gateway.answers([say("It is **quite"), Hold, say(" warm** today: `20 < 30`")]);
    world.say("How is the weather?");
    world.last("It is **quite …").await;
    world.gateway.let_go();
    let says = world.last("It is quite warm today: 20 < 30").await;
    assert_eq!(says.len(), 2, "one message, edited: {says:?}");
    let message = world.telegram.chat(ANN).pop().unwrap();
    let kinds: Vec<&str> = message.entities.iter().map(|mark| mark["type"].as_str().unwrap()).collect();
    assert_eq!((kinds, message.edits > 0), (vec!["bold", "code"], true));
    assert_eq!(world.gateway.questions(), [["How is the weather?"]]);
}

async fn one_turn_at_a_time_and_stop_keeps_what_had_come() {
    let world = World::linked().await;
    world.asked("/stop", "I am not answering anything").await;
    world.gateway.answers([say("One, two"), Hold, say(", three")]);
    world.asked("Count", "One, two …").await;
    world.asked("And then?", "I am still answering").await;
    world.asked("/help", "/stop – ").await;
    world.say("/stop");
    world.telegram.until(ANN, |says| says.iter().any(|text| text == "One, two\n\n(stopped)")).await.unwrap();
    assert_eq!(world.gateway.questions(), [["Count"]]);
    world.asked("Again", "You said: Again").await;
    assert_eq!(world.gateway.questions(), [["Count", "Again"]], "the same conversation");
}

async fn the_wait_for_a_sleeping_fleet_is_shown_and_counted() {
    let world = World::linked().await;
    world.gateway.answers([Wait("asleep", 88.0), Hold, say("Here I am")]);
    let says = world.asked("Wake up", "The fleet is asleep; your message wakes it. About").await;
    let first = says.last().unwrap().clone();
    // Without another word of the gateway's.
    world.telegram.until(ANN, |says| *says.last().unwrap() != first).await.unwrap();
    world.gateway.let_go();
    let says = world.last("Here I am").await;
    assert_eq!(says.len(), 2, "the wait is gone: {says:?}");
}

async fn a_broken_connection_loses_nothing() {
    let world = World::linked().await;
    world.gateway.answers([say("The first half"), Break, Hold, say(" and the second")]);
    world.asked("Tell me", "The first half …").await;
    world.gateway.let_go();
    world.last("The first half and the second").await;
    let looks = world.gateway.calls().iter().filter(|call| call.starts_with("GET /conversations/0")).count();
    assert!(looks > 0);
}

async fn failures_are_told_in_words() {
    let world = World::linked().await;
    world.gateway.answers([say("So far"), Fail("the model ended unexpectedly")]);
    world.asked("One", "So far\n\n(the model ended unexpectedly)").await;
    world.gateway.refuses(429, "you have used your tokens of this minute");
    world.asked("Two", "The gateway says: you have used your tokens").await;
    world.gateway.answers([]);
    world.asked("Three", "(The model said nothing.)").await;
    world.asked("Four", "You said: Four").await;
}

async fn a_conversation_that_is_over_is_followed_by_a_new_one() {
    let world = World::linked().await;
    world.asked("One", "You said: One").await;
    world.gateway.close_all();
    world.asked("Two", "this is a new one.)\n\nYou said: Two").await;
    world.gateway.delete_all();
    world.asked("Three", "this is a new one.)\n\nYou said: Three").await;
    world.asked("Four", "You said: Four").await;
    assert_eq!(world.gateway.questions(), [["Three", "Four"]]);
}

async fn what_is_written_on_the_page_at_the_same_time_is_told() {
    let world = World::linked().await;
    world.asked("One", "You said: One").await;
    world.gateway.refuses(409, "this conversation is being written to elsewhere");
    world.asked("Two", "being written to elsewhere, perhaps on the page").await;
    world.asked("Three", "You said: Three").await;
}
