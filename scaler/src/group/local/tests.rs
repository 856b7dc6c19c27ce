//! Processes come, are replaced, end by name, and are found again.

use std::collections::BTreeMap;
use std::path::Path;

use tokio::time::timeout;

use super::*;
use crate::group::Life;

fn settings(directory: &Path, script: &str) -> Settings {
    let words = ["sh", "-c", script, "{id}"];
    let local = Local {
        command: words.map(str::to_owned).to_vec(),
        environment: BTreeMap::from([("WHERE".to_owned(), "{address}".to_owned())]),
        directory: directory.to_owned(),
        stop_seconds: Duration::from_secs(60),
    };
    Settings { name: "n".to_owned(), min: 0, max: 3, local }
}

/// Waits until the group looks like that.
async fn until(group: &LocalGroup, what: impl Fn(&Description) -> bool) -> Description {
    for _ in 0..1200 {
        let seen = group.describe().await.unwrap();
        if what(&seen) {
            return seen;
        }
        sleep(Duration::from_millis(25)).await;
    }
    panic!("never: {:?}", group.describe().await)
}

fn serving(seen: &Description) -> Vec<NodeId> {
    let living = seen.instances.iter().filter(|one| one.life == Life::InService);
    living.map(|one| one.id.clone()).collect()
}

#[tokio::test]
async fn nodes_come_with_their_name_and_address_and_end_by_name() {
    let place = tempfile::tempdir().unwrap();
    let group = LocalGroup::open(settings(place.path(), "echo $0 $WHERE; exec sleep 600")).unwrap();
    assert_eq!(group.describe().await.unwrap().instances, []);
    group.set_desired(2).await.unwrap();
    let seen = until(&group, |seen| serving(seen).len() == 2).await;
    let [first, second] = serving(&seen).try_into().unwrap();
    let log = place.path().join(format!("{first}.log"));
    let said = loop {
        let said = std::fs::read_to_string(&log).unwrap();
        if said.ends_with('\n') {
            break said;
        }
        sleep(Duration::from_millis(25)).await;
    };
    assert!(said.starts_with(&format!("{first} 127.0.0.1:")), "{said}");
    group.terminate(&first).await.unwrap();
    let seen = until(&group, |seen| seen.instances.len() == 1).await;
    assert_eq!((serving(&seen), seen.desired), (vec![second], 1), "and none in its place");
    assert!(matches!(group.terminate(&first).await, Err(GroupError::Gone(_))));
    group.close(std::future::pending()).await;
    assert_eq!(group.describe().await.unwrap().instances, []);
}

#[tokio::test]
async fn bounds_hold() {
    let place = tempfile::tempdir().unwrap();
    let mut settings = settings(place.path(), "exec sleep 600");
    settings.min = 1;
    let group = LocalGroup::open(settings).unwrap();
    let seen = until(&group, |seen| serving(seen).len() == 1).await;
    for desired in [0, 4] {
        assert!(matches!(group.set_desired(desired).await, Err(GroupError::Refused(_))), "{desired}");
    }
    assert!(matches!(group.terminate(&serving(&seen)[0]).await, Err(GroupError::Refused(_))));
    group.close(std::future::pending()).await;
}

#[tokio::test]
async fn what_ends_by_itself_or_is_sick_is_replaced() {
    let place = tempfile::tempdir().unwrap();
    let group = LocalGroup::open(settings(place.path(), "exec sleep 600")).unwrap();
    group.set_desired(1).await.unwrap();
    let first = serving(&group.describe().await.unwrap())[0].clone();
    group.mark_unhealthy(&first).await.unwrap();
    let seen = until(&group, |seen| seen.instances.len() == 1 && serving(seen) != [first.clone()]).await;
    assert_eq!(seen.desired, 1);
    group.close(std::future::pending()).await;
}

#[tokio::test]
async fn a_command_that_does_not_work_is_a_refused_launch_and_waits() {
    let place = tempfile::tempdir().unwrap();
    let group = LocalGroup::open(settings(place.path(), "exit 7")).unwrap();
    group.set_desired(1).await.unwrap();
    let seen = until(&group, |seen| seen.refusal.is_some()).await;
    assert!(seen.refusal.unwrap().why.contains("exit status: 7"));
    assert_eq!(group.describe().await.unwrap().instances, [], "not again at once");
    let mut nonsense = settings(place.path(), "");
    nonsense.local.command = vec!["/nowhere/at/all".to_owned()];
    nonsense.local.directory = place.path().join("other");
    let group = LocalGroup::open(nonsense).unwrap();
    group.set_desired(1).await.unwrap();
    assert!(group.describe().await.unwrap().refusal.unwrap().why.starts_with("/nowhere/at/all: "));
}

#[tokio::test]
async fn one_that_ignores_the_signal_is_killed() {
    let place = tempfile::tempdir().unwrap();
    let mut settings = settings(place.path(), "trap '' TERM; while :; do sleep 0.1; done");
    settings.local.stop_seconds = Duration::from_millis(300);
    let group = LocalGroup::open(settings).unwrap();
    group.set_desired(1).await.unwrap();
    let id = serving(&group.describe().await.unwrap())[0].clone();
    group.terminate(&id).await.unwrap();
    until(&group, |seen| seen.instances.is_empty()).await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_next_scaler_finds_what_still_runs() {
    let place = tempfile::tempdir().unwrap();
    let settings = settings(place.path(), "exec sleep 600");
    let group = LocalGroup::open(settings.clone()).unwrap();
    group.set_desired(1).await.unwrap();
    let seen = group.describe().await.unwrap();
    let watch = LocalGroup::watch(settings.clone()).unwrap();
    assert_eq!(watch.describe().await.unwrap(), seen, "who watches sees the same");
    assert!(matches!(watch.set_desired(2).await, Err(GroupError::Refused(_))));
    let other = LocalGroup::open(settings.clone()).unwrap();
    assert!(matches!(other.set_desired(2).await, Err(GroupError::Busy(_))), "one keeps them");
    // A scaler that is killed drops nothing: its children live on, its lock does not.
    group.inner.lock().await.lock = None;
    assert_eq!(other.describe().await.unwrap(), seen);
    other.terminate(&serving(&seen)[0]).await.unwrap();
    until(&other, |seen| seen.instances.is_empty()).await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_child_that_was_started_and_not_yet_noted_is_found_by_its_mark() {
    let place = tempfile::tempdir().unwrap();
    let settings = settings(place.path(), "sleep 600 & wait");
    let group = LocalGroup::open(settings.clone()).unwrap();
    group.set_desired(1).await.unwrap();
    let seen = group.describe().await.unwrap();
    // As its scaler left it that died between the start and the second note.
    let inner = group.inner.lock().await;
    let note = inner.notes.read().remove(0);
    inner.notes.write(&Note { pid: 0, started: None, ..note.clone() }).unwrap();
    // And one that died before the start.
    inner.notes.write(&Note { id: "n-none".to_owned(), pid: 0, started: None, ..note }).unwrap();
    drop(inner);
    group.inner.lock().await.lock = None;
    let other = LocalGroup::open(settings).unwrap();
    assert_eq!(other.describe().await.unwrap(), seen, "one, and the leader of its children");
    other.terminate(&serving(&seen)[0]).await.unwrap();
    until(&other, |seen| seen.instances.is_empty()).await;
}

#[tokio::test]
async fn of_two_scalers_the_one_that_leads_keeps_the_nodes_whoever_came_first() {
    let place = tempfile::tempdir().unwrap();
    let settings = settings(place.path(), "exec sleep 600");
    let (first, second) =
        (LocalGroup::open(settings.clone()).unwrap(), LocalGroup::open(settings.clone()).unwrap());
    first.keep(false).await;
    first.describe().await.unwrap();
    second.keep(true).await;
    second.describe().await.unwrap();
    second.set_desired(2).await.unwrap();
    let seen = until(&first, |seen| serving(seen).len() == 2).await;
    // The lead goes over, and with it the nodes: no other is started, and none ends with who has started it.
    second.keep(false).await;
    first.keep(true).await;
    assert_eq!(first.describe().await.unwrap(), seen);
    second.keep(false).await;
    second.close(std::future::pending()).await;
    drop(second);
    let third = LocalGroup::open(settings).unwrap();
    third.keep(false).await;
    let nodes = serving(&until(&third, |seen| serving(seen).len() == 2).await);
    // For as long as a process that another test starts has not become its program, it holds the lock of this one too.
    let ended = async {
        while let Err(error) = first.terminate(&nodes[0]).await {
            assert!(matches!(error, GroupError::Busy(_)), "{error}");
            sleep(Duration::from_millis(25)).await;
        }
    };
    timeout(Duration::from_secs(30), ended).await.expect("the lock is free again");
    until(&first, |seen| serving(seen) == nodes[1..]).await;
    first.close(std::future::pending()).await;
}
