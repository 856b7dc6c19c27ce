//! The rule: what a node owes the wishes.

use std::collections::HashSet;
use std::time::Duration;

use fleet::store::{Progress, ProgressState, WantedModel};
use tokio::time::Instant;

use super::decide::{Duty, Here, Memory, Next};
use crate::ollama::names::ModelName;

const BEGAN: i64 = 1000;

fn model(name: &str) -> ModelName {
    ModelName::parse(name).unwrap()
}

fn wish(name: &str, requested_at: i64) -> WantedModel {
    WantedModel { name: model(name).to_string(), requested_at, ..WantedModel::default() }
}

fn said(mut wish: WantedModel, state: ProgressState, brought: bool) -> WantedModel {
    wish.progress.insert("here".to_owned(), Progress { state, brought, ..Progress::default() });
    wish
}

fn here<'a>(has: &[&str], pinned: &'a [ModelName]) -> Here<'a> {
    let has: HashSet<_> = has.iter().map(|name| model(name)).collect();
    Here { node: "here", since: BEGAN, has, pinned }
}

#[test]
fn what_is_wanted_and_absent_is_pulled_the_oldest_first() {
    let (memory, now) = (Memory::default(), Instant::now());
    let wishes = [wish("b", 20), wish("a", 30), wish("c", 10)];
    assert_eq!(memory.next(&wishes, &here(&["c"], &[]), now), Next::Pull(wish("b", 20)));
    assert_eq!(memory.next(&wishes, &here(&["a", "b", "c"], &[]), now), Next::Nothing);
    assert_eq!(memory.next(&[], &here(&[], &[]), now), Next::Nothing);
}

#[test]
fn a_wish_made_while_the_node_lives_renews_what_is_there_once() {
    let (mut memory, now) = (Memory::default(), Instant::now());
    let (newer, has) = (wish("a", BEGAN + 1), here(&["a"], &[]));
    assert_eq!(memory.next(std::slice::from_ref(&newer), &has, now), Next::Pull(newer.clone()));
    memory.begun(&model("a"), &has);
    memory.met(&model("a"), &newer, 9);
    assert_eq!(memory.next(std::slice::from_ref(&newer), &has, now), Next::Nothing);
    let present = Duty::Present(newer.clone(), 9);
    assert_eq!(
        memory.duties(std::slice::from_ref(&newer), &has),
        [present],
        "what could not be said is said"
    );
    let newer = said(newer, ProgressState::Present, false);
    assert_eq!(memory.duties(std::slice::from_ref(&newer), &has), []);
    assert_eq!(memory.duties(&[], &has), [], "it was here before, so it stays");
}

#[test]
fn what_a_wish_brought_goes_with_it_also_after_a_restart_and_never_what_is_pinned() {
    let mut memory = Memory::default();
    memory.begun(&model("a"), &here(&[], &[]));
    let has = here(&["a", "other"], &[]);
    assert_eq!(memory.duties(&[], &has), [Duty::Delete(model("a"))]);
    memory.deleted(&model("a"));
    assert_eq!(memory.duties(&[], &has), []);

    let mut restarted = Memory::default();
    let wishes = [said(wish("a", 10), ProgressState::Present, true)];
    assert_eq!(restarted.duties(&wishes, &has), []);
    assert_eq!(restarted.duties(&[], &has), [Duty::Delete(model("a"))]);
    let pinned = [model("a")];
    assert_eq!(restarted.duties(&[], &here(&["a"], &pinned)), []);
    assert_eq!(restarted.duties(&[], &here(&[], &[])), [], "what is gone by itself is forgotten");
    assert_eq!(restarted.duties(&[], &has), []);
}

#[test]
fn a_failure_is_tried_again_later_each_time_and_a_new_wish_at_once() {
    let (mut memory, now) = (Memory::default(), Instant::now());
    let (nothing, second) = (here(&[], &[]), Duration::from_secs(1));
    let failed = [said(wish("a", 10), ProgressState::Failed, false)];
    let pause = |memory: &mut Memory, spread| {
        memory.failed(&model("a"), &failed[0], now, spread);
        match memory.next(&failed, &nothing, now) {
            Next::At(again) => again - now,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(pause(&mut memory, 0.0), 30 * second);
    assert_eq!(pause(&mut memory, 0.0), 60 * second);
    assert_eq!(pause(&mut memory, 1.0), 150 * second);
    for _ in 0..20 {
        assert!(pause(&mut memory, 0.0) <= 600 * second);
    }
    let later = memory.next(&failed, &nothing, now + 600 * second);
    assert_eq!(later, Next::Pull(failed[0].clone()));
    let others = [failed[0].clone(), wish("b", 20)];
    assert_eq!(memory.next(&others, &nothing, now), Next::Pull(wish("b", 20)), "one failure holds up nobody");
    let unsaid = memory.next(&[wish("a", 10)], &nothing, now);
    assert!(matches!(unsaid, Next::At(_)), "a list that was read before the failure changes nothing");
    assert_eq!(memory.next(&[wish("a", 11)], &nothing, now), Next::Pull(wish("a", 11)), "asked for anew");
}
