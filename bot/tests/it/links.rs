//! Nobody is talked to but who is linked, and nobody is linked but by a code.

use std::os::unix::fs::PermissionsExt;

use crate::scripted::{CODE, KEY};
use crate::support::{ANN, World};
side_by_side! {
    a_stranger_is_told_how_to_be_linked_and_nothing_else_works,
    a_code_links_a_person_and_the_key_is_nobodys_to_read,
    wrong_codes_come_to_an_end,
    a_link_that_is_no_more_is_said_and_forgotten,
    in_a_group_it_talks_to_nobody,
    what_is_no_text_is_answered_so,
}

async fn a_stranger_is_told_how_to_be_linked_and_nothing_else_works() {
    let world = World::new().await;
    let sentence = "I only talk to people whom an administrator";
    for text in ["hello", "/models", "/echo hi", "/export"] {
        let said = world.telegram.chat(ANN).len();
        world.say(text);
        let says = world.telegram.until(ANN, |_| world.telegram.chat(ANN).len() == said + 2).await.unwrap();
        assert!(
            says.last().unwrap().starts_with(sentence) && says.last().unwrap().lines().count() == 1,
            "{text}"
        );
    }
    world.asked("/help", "/model – ").await;
    world.asked("/start", "send me /start CODE").await;
    assert_eq!(world.gateway.calls(), Vec::<String>::new());
}

async fn a_code_links_a_person_and_the_key_is_nobodys_to_read() {
    let mut world = World::new().await;
    world.asked("/start WRONG", "That code is wrong").await;
    assert!(!std::fs::read_to_string(world.state()).unwrap().contains("key"));
    let says = world.asked(&format!("/start {CODE}"), "You are linked").await;
    assert!(says.last().unwrap().contains("Administrators may look at conversations"));
    world.asked("Good morning", "You said: Good morning").await;
    // Another person has nothing of it.
    world.telegram.say(42, "Good morning");
    world.telegram.until_last(42, "I only talk to people").await.unwrap();
    world.end_bot().await;
    let kept = std::fs::read_to_string(world.state()).unwrap();
    assert!(kept.contains(KEY) && kept.contains("\"41\""), "{kept}");
    assert_eq!(std::fs::metadata(world.state()).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::read_dir(world.folder.path()).unwrap().count(), 1, "no partial file is left");
}

async fn wrong_codes_come_to_an_end() {
    let world = World::new().await;
    for _ in 0..5 {
        let before = world.telegram.chat(ANN).len();
        world.say("/start WRONG");
        world.telegram.until(ANN, |_| world.telegram.chat(ANN).len() == before + 2).await.unwrap();
    }
    world.asked(&format!("/start {CODE}"), "too many wrong codes").await;
    assert_eq!(world.gateway.calls().len(), 5);
    assert_eq!(world.telegram.floods(), 0);
}

async fn a_link_that_is_no_more_is_said_and_forgotten() {
    let world = World::linked().await;
    world.gateway.revoke();
    world.asked("Are you there?", "does not know your link any more").await;
    world.asked("/hello", "I only talk to people").await;
    assert!(!std::fs::read_to_string(world.state()).unwrap().contains(KEY));
}

async fn in_a_group_it_talks_to_nobody() {
    let world = World::linked().await;
    world.telegram.say_in(-7, ANN, "just among us");
    world.telegram.say_in(-7, ANN, "/hello@another_bot");
    world.telegram.say_in(-7, ANN, "/hello");
    let says = world.telegram.until(-7, |says| !says.is_empty()).await.unwrap();
    assert!(says[0].contains("only talk in private chats"));
    // What it would have said to the first two would have come before.
    assert_eq!(says.len(), 1);
    assert!(world.gateway.questions().is_empty());
}

async fn what_is_no_text_is_answered_so() {
    let world = World::linked().await;
    world.telegram.send_picture(ANN);
    world.last("I only read text").await;
    assert!(world.telegram.commands().contains(&"history".to_owned()), "Telegram was told the commands");
}
