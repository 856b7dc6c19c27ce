//! What the commands do.

use crate::support::{ANN, World};
side_by_side! {
    models_are_listed_and_chosen_each_with_its_conversation,
    a_new_conversation_begins_and_an_old_one_goes_on,
    an_export_is_a_file_if_telegram_can_take_it,
    a_fleet_that_never_was_awake_is_woken_by_a_models_name,
}

async fn models_are_listed_and_chosen_each_with_its_conversation() {
    let world = World::linked().await;
    world.asked("/hello", "Hello, Person 41! You talk to").await;
    world.asked("/echo <b>as it is</b> *x*", "<b>as it is</b> *x*").await;
    world.asked("/echo", "Write something behind it").await;
    let says = world.asked("/models", "• gemma3:4b (in memory: answers at once)").await;
    assert!(
        says.last().unwrap().starts_with("• small:1b\n"),
        "one that only embeds is none to talk to: {says:?}"
    );
    // The one in memory answers who has not chosen.
    world.asked("One", "You said: One").await;
    world.asked("/models", "→ gemma3:4b").await;
    world.asked("/model gemma", "Which one? gemma3:4b, gemma3:12b").await;
    world.asked("/model secret", "no such model").await;
    world.asked("/model small", "You talk to small:1b now.").await;
    world.asked("Two", "You said: Two").await;
    world.asked("/model gemma3:4b", "Your conversation with it goes on").await;
    world.asked("Three", "You said: Three").await;
    assert_eq!(world.gateway.questions(), [vec!["One", "Three"], vec!["Two"]]);
    world.asked("/nothing", "/help lists them all").await;
}

async fn a_new_conversation_begins_and_an_old_one_goes_on() {
    let world = World::linked().await;
    world.asked("/history", "There is no conversation yet").await;
    world.asked("One", "You said: One").await;
    world.asked("/new", "A new conversation begins").await;
    world.asked("Two", "You said: Two").await;
    let says = world.asked("/history", "2. One (gemma3:4b, 2026-09-21)").await;
    assert!(says.last().unwrap().starts_with("1. → Two"), "{says:?}");
    world.asked("/history 9", "Which one?").await;
    world.asked("/history 2", "Going on with \u{201c}One\u{201d}").await;
    world.asked("Three", "You said: Three").await;
    assert_eq!(world.gateway.questions(), [vec!["One", "Three"], vec!["Two"]]);
}

async fn an_export_is_a_file_if_telegram_can_take_it() {
    let world = World::linked().await;
    world.asked("/export", "All your conversations.").await;
    let message = world.telegram.chat(ANN).pop().unwrap();
    let (name, content) = message.document.unwrap();
    assert_eq!((name.as_str(), &content[..]), ("conversations-ann.json", &b"{\"conversations\":[]}"[..]));
    world.gateway.exports(vec![b' '; 50_000_001]);
    world.asked("/export", "more than the 50 MB").await;
}

async fn a_fleet_that_never_was_awake_is_woken_by_a_models_name() {
    let mut world = World::linked().await;
    world.gateway.knows_no_models();
    let says = world.asked("Good morning", "I know of no model").await;
    assert!(says.last().unwrap().starts_with("I know of no model"), "these are not the gateway's words");
    world.asked("/model gemma3:4b", "if there is such a model").await;
    world.asked("One", "You said: One").await;
    // Or by the one that the configuration names.
    world.end_bot().await;
    let state = std::fs::read_to_string(world.state()).unwrap();
    std::fs::write(world.state(), state.replace("\"model\": \"gemma3:4b\",", "")).unwrap();
    world.start_bot_with("model = \"small:1b\"\n");
    world.asked("/hello", "You talk to small:1b").await;
    world.asked("Two", "You said: Two").await;
    assert_eq!(world.gateway.questions(), [["One"], ["Two"]]);
}
