//! A bot that ends and starts again knows everybody, answers nothing twice, and shows answers to their end.

use crate::scripted::Step::{Hold, Say};
use crate::support::{ANN, World};
side_by_side! {
    links_and_conversations_are_kept,
    an_update_that_comes_again_is_not_answered_again,
    an_answer_under_way_is_shown_to_its_end_by_the_next_process,
    an_answer_that_ended_meanwhile_is_shown_too,
}

async fn links_and_conversations_are_kept() {
    let mut world = World::linked().await;
    world.asked("One", "You said: One").await;
    world.end_bot().await;
    world.say("Two");
    world.start_bot();
    world.last("You said: Two").await;
    assert_eq!(world.gateway.questions(), [["One", "Two"]]);
}

async fn an_update_that_comes_again_is_not_answered_again() {
    let mut world = World::linked().await;
    world.asked("One", "You said: One").await;
    world.end_bot().await;
    // As if it had died before Telegram knew that it had them.
    world.telegram.repeat_updates();
    world.start_bot();
    world.asked("Two", "You said: Two").await;
    assert_eq!(world.gateway.questions(), [["One", "Two"]]);
    let linked = world.telegram.bot_says(ANN).iter().filter(|text| text.contains("You are linked")).count();
    assert_eq!(linked, 1);
}

async fn an_answer_under_way_is_shown_to_its_end_by_the_next_process() {
    let mut world = World::linked().await;
    world.gateway.answers([Say("The first half".to_owned()), Hold, Say(" and the second".to_owned())]);
    world.asked("Tell me", "The first half …").await;
    let before = world.telegram.chat(ANN).len();
    world.end_bot().await;
    world.start_bot();
    // It is still one turn.
    world.asked("And?", "I am still answering").await;
    world.gateway.let_go();
    let whole = "The first half and the second";
    world.telegram.until(ANN, |says| says.iter().any(|text| text == whole)).await.unwrap();
    assert_eq!(world.telegram.chat(ANN).len(), before + 2, "no message but the question and its answer came");
    world.say("Next");
    world.telegram.until(ANN, |says| says.last().unwrap() == "You said: Next").await.unwrap();
    world.end_bot().await;
    assert!(!std::fs::read_to_string(world.state()).unwrap().contains("unfinished"));
}

async fn an_answer_that_ended_meanwhile_is_shown_too() {
    let mut world = World::linked().await;
    world.gateway.answers([Say("Half".to_owned()), Hold, Say(" and half".to_owned())]);
    world.asked("Tell me", "Half …").await;
    world.end_bot().await;
    world.gateway.let_go();
    world.start_bot();
    world.last("Half and half").await;
}
