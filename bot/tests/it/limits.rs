//! Telegram's limits hold whatever a model writes: lengths, rates, flood waits, marks.

use std::time::Instant;

use demo::telegram::Failure;

use crate::scripted::Step::{Hold, Say};
use crate::support::{ANN, World};
side_by_side! {
    a_long_answer_is_several_messages_and_none_is_too_long,
    however_fast_a_model_is_a_chat_is_changed_once_a_second,
    a_flood_wait_is_kept_and_the_answer_comes_after_it,
    when_telegram_refuses_marks_the_words_come_without,
    an_edit_whose_answer_was_lost_is_repeated_and_a_message_is_not,
    who_has_blocked_the_bot_or_deleted_a_message_stops_nothing,
    many_chats_at_once_stay_within_the_whole_rate,
}

async fn a_long_answer_is_several_messages_and_none_is_too_long() {
    let world = World::linked().await;
    let paragraphs: Vec<String> =
        (0..40).map(|n| format!("**{n}.** {}", "Worte sind schön 😀 ".repeat(16).trim_end())).collect();
    let whole = paragraphs.join("\n\n");
    let (first, second) = whole.split_at(whole.find("**30.**").unwrap());
    world.gateway.answers([Say(first.to_owned()), Hold, Say(second.to_owned())]);
    world.say("Tell me a long story");
    world.telegram.until(ANN, |says| says.len() > 3).await.unwrap();
    world.gateway.let_go();
    let last = paragraphs.last().unwrap().replace("**", "");
    let says = world.last(&last).await;
    let answer = &says[1..];
    assert!(answer.iter().all(|text| text.encode_utf16().count() <= 4096));
    assert_eq!(answer.join("\n\n"), whole.replace("**", ""));
    // Each paragraph's number is bold, in every message.
    let bold: usize = world.telegram.chat(ANN).iter().map(|message| message.entities.len()).sum();
    assert_eq!(bold, 40);
    assert_eq!(world.telegram.floods(), 0);
}

async fn however_fast_a_model_is_a_chat_is_changed_once_a_second() {
    let begun = Instant::now();
    let world = World::linked().await;
    world.gateway.answers((0..150).map(|n| Say(format!("{n} "))));
    world.asked("Count fast", "148 149").await;
    world.last("149").await;
    // The link's welcome, and the answer's first message, may come at once.
    let (writes, seconds) = (world.telegram.writes(ANN).len(), begun.elapsed().as_secs());
    assert!(u64::try_from(writes).unwrap() <= seconds + 4, "{writes} in {seconds} s");
    assert_eq!(world.telegram.floods(), 0);
}

async fn a_flood_wait_is_kept_and_the_answer_comes_after_it() {
    let world = World::linked().await;
    world.telegram.fail_next("editMessageText", Failure::FloodWait(3));
    world.gateway.answers([Say("One".to_owned()), Hold, Say(", two".to_owned())]);
    world.asked("Count", "One …").await;
    world.gateway.let_go();
    world.last("One, two").await;
    // A call during the wait would have been one too many.
    assert_eq!(world.telegram.floods(), 0);
}

async fn when_telegram_refuses_marks_the_words_come_without() {
    let world = World::linked().await;
    let refused = "Bad Request: can't parse entities: somehow".to_owned();
    world.telegram.fail_next("sendMessage", Failure::Refuse(400, refused));
    world.gateway.answers([Say("**Bold**".to_owned())]);
    world.asked("Say it", "Bold").await;
    let message = world.telegram.chat(ANN).pop().unwrap();
    assert_eq!((message.text.as_str(), message.entities.len()), ("Bold", 0));
}

async fn an_edit_whose_answer_was_lost_is_repeated_and_a_message_is_not() {
    let world = World::linked().await;
    world.telegram.fail_next("editMessageText", Failure::Lost);
    world.gateway.answers([Say("One".to_owned()), Hold, Say(", two".to_owned())]);
    world.asked("Count", "One …").await;
    world.gateway.let_go();
    world.last("One, two").await;
    world.telegram.fail_next("sendMessage", Failure::Lost);
    world.say("/echo once");
    world.last("once").await;
    world.asked("/echo twice", "twice").await;
    let echoes = world.telegram.bot_says(ANN).iter().filter(|text| *text == "once").count();
    assert_eq!(echoes, 1);
}

async fn who_has_blocked_the_bot_or_deleted_a_message_stops_nothing() {
    let world = World::linked().await;
    world.gateway.answers([Say("One".to_owned()), Hold, Say(", two".to_owned())]);
    world.asked("Count", "One …").await;
    let shown = world.telegram.chat(ANN).pop().unwrap();
    world.telegram.delete(ANN, shown.id);
    world.gateway.let_go();
    world.asked("/echo still here", "still here").await;
    world.telegram.block(ANN);
    world.say("/echo unheard");
    world.telegram.say(42, "hello");
    world.telegram.until_last(42, "I only talk to people").await.unwrap();
}

async fn many_chats_at_once_stay_within_the_whole_rate() {
    let world = World::new().await;
    for person in 100..160 {
        world.telegram.say(person, "hello");
    }
    for person in 100..160 {
        world.telegram.until_last(person, "I only talk to people").await.unwrap();
    }
    assert_eq!(world.telegram.floods(), 0);
}
