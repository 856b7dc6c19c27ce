//! A node that dies takes its own streams and nobody else's; one that is told to go takes none.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tokio::time::{sleep, timeout};

use crate::ask::{Answer, End, Family, all, failed};
use crate::fleet::{Fleet, Setting};
use crate::machines::Pace;
use crate::process::{lives, signal};
use crate::table::Row;

/// At once, on a machine that has other things to do.
const AT_ONCE: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_node_costs_its_own_streams_and_nobody_elses() {
    let fleet = Fleet::start(Setting { min: 2, max: 2, ..Setting::default() }).await;
    fleet.machines.hold_after(5);
    fleet.ready(2).await;
    sleep(Duration::from_secs(3)).await; // until the front has read of both
    let mut streams = Vec::new();
    // The emptier node is chosen, so that each gets two of either family.
    for at in 0..8 {
        let family = if at % 4 < 2 { Family::Native } else { Family::OpenAi };
        let mut answer = fleet.caller.ask(&fleet.url(0), family).await;
        answer.read(3).await;
        streams.push((family, answer));
    }
    let tokens = Arc::new(AtomicUsize::new(0));
    let waiting: Vec<_> =
        (0..6).map(|_| fleet.caller.ask_whole(&fleet.url(0), Family::Native, &tokens)).collect();
    sleep(Duration::from_secs(1)).await;
    let victim = streams[0].1.node.clone().expect("the head says who serves");
    let on_victim = |answer: &Answer| answer.node.as_ref() == Some(&victim);
    let pid = fleet.view().await.notes.iter().find(|note| note.id == victim).unwrap().pid;
    let struck = Instant::now();
    signal(pid, Signal::KILL);

    let (cut, whole): (Vec<_>, Vec<_>) = streams.into_iter().partition(|(_, answer)| on_victim(answer));
    for family in [Family::Native, Family::OpenAi] {
        assert!(cut.iter().any(|(of, _)| *of == family), "{family:?} is on the node that dies");
        assert!(whole.iter().any(|(of, _)| *of == family), "{family:?} is on the other");
    }
    let cuts = cut.len();
    for (family, answer) in cut {
        let end = timeout(AT_ONCE, answer.finish()).await.expect("an error at once");
        assert!(
            matches!(&end, End::Told(text) if text.contains("send the request again")),
            "{family:?}: {end:?}"
        );
    }
    fleet.machines.release();
    let mut others = Vec::new();
    for (_, answer) in whole {
        others.push(answer.finish().await);
    }
    others.extend(all(waiting).await);
    assert_eq!(failed(&others), 0, "{others:?}");
    fleet
        .until("another takes its place", |view| (view.ready() == 2 && view.launched == 3).then_some(()))
        .await;
    let recovery = struck.elapsed();
    Row { fault: "kill -9 of a node", open: 14, cut: cuts, others: failed(&others), recovery }.tell();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_told_to_go_with_a_hundred_streams_cuts_none_and_ends_by_itself() {
    let pace = Pace { slots: 128, words: 20, speed: 500.0 };
    let fleet = Fleet::start(Setting { min: 1, max: 1, pace, ..Setting::default() }).await;
    fleet.machines.hold_after(5);
    fleet.ready(1).await;
    let view = fleet.view().await;
    let (node, pid) = (view.nodes[0].report.clone(), view.notes[0].pid);
    // Half by the front, half straight to the node, as a load balancer sends them.
    let urls = [fleet.url(0), format!("https://{}", node.address)];
    let tokens = Arc::new(AtomicUsize::new(0));
    let streams: Vec<_> = (0..100)
        .map(|at| {
            let family = if at % 4 < 2 { Family::Native } else { Family::OpenAi };
            fleet.caller.ask_whole(&urls[at % 2], family, &tokens)
        })
        .collect();
    while fleet.machines.inside().0 < 100 {
        assert!(!streams.iter().any(|stream| stream.is_finished()), "none may end yet");
        sleep(Duration::from_millis(50)).await;
    }
    let struck = Instant::now();
    signal(pid, Signal::TERM);
    fleet
        .until("it drains", |view| {
            (view.node(&node.node)?.report.state == ::fleet::report::NodeState::Draining).then_some(())
        })
        .await;
    sleep(Duration::from_secs(3)).await; // beyond `accept_for_seconds`
    assert!(lives(pid), "its streams still run");
    let late = fleet.caller.ask_whole(&urls[0], Family::Native, &tokens);
    sleep(Duration::from_secs(1)).await;
    assert_eq!(fleet.machines.inside().0, 100, "it takes nothing new");
    fleet.machines.release();
    let ends = all(streams).await;
    assert_eq!(failed(&ends), 0, "{:?}", ends.iter().find(|end| **end != End::Whole));
    fleet.until("it ends by itself", |_| (!lives(pid)).then_some(())).await;
    assert!(struck.elapsed() < Duration::from_secs(90), "and before its deadline");
    let late = all(vec![late]).await;
    assert_eq!(late, [End::Whole], "who came later is served by its successor");
    fleet.ready(1).await;
    let recovery = struck.elapsed();
    Row { fault: "SIGTERM of a node", open: 100, cut: failed(&ends), others: failed(&late), recovery }.tell();
}
