//! The program: what it says of its configuration, how it ends, and that no secret is in anything it writes.

use std::process::{Output, Stdio};

use tokio::process::Command;

use crate::scripted::{CODE, KEY, OWN_KEY};
use crate::support::World;
side_by_side! {
    it_teaches_and_checks,
    a_token_that_telegram_does_not_know_ends_it_and_is_not_shown,
    nothing_that_it_writes_holds_a_secret_or_what_was_said,
}

fn bot(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bot"));
    command.args(arguments).stdin(Stdio::null()).kill_on_drop(true);
    command
}

async fn output(command: &mut Command) -> (Output, String) {
    let output = command.output().await.unwrap();
    let text = [&output.stdout[..], &output.stderr[..]].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    (output, text)
}

async fn it_teaches_and_checks() {
    let (help, text) = output(&mut bot(&["--help"])).await;
    assert!(help.status.success() && text.contains("@BotFather") && text.contains("BOT__TOKEN"), "{text}");
    let (wrong, text) = output(&mut bot(&["check-config"])).await;
    assert_eq!(wrong.status.code(), Some(64));
    assert!(text.contains("token: missing") && text.contains("gateway.key: missing"), "{text}");
    let set = [
        ("BOT__TOKEN", "12:ab"),
        ("BOT__GATEWAY__URL", "https://ollama.example.com"),
        ("BOT__GATEWAY__KEY", "x"),
        ("BOT__STATE", "/tmp/state.json"),
    ];
    let (right, text) = output(bot(&["check-config"]).envs(set)).await;
    assert!(right.status.success() && text.contains("the configuration is right"), "{text}");
}

async fn a_token_that_telegram_does_not_know_ends_it_and_is_not_shown() {
    let world = World::new().await;
    let file = world.folder.path().join("bot.toml");
    let wrong = "999999999:wrong-but-secret";
    let state = world.folder.path().join("other.json");
    let toml = world.toml().replace(world.telegram.token(), wrong);
    let toml = toml.replace(&format!("{:?}", world.state()), &format!("{state:?}"));
    std::fs::write(&file, toml).unwrap();
    let (ended, text) = output(&mut bot(&["--config", file.to_str().unwrap()])).await;
    assert_eq!(ended.status.code(), Some(1));
    assert!(
        text.contains("Telegram does not know this token") && !text.contains("wrong-but-secret"),
        "{text}"
    );
}

async fn nothing_that_it_writes_holds_a_secret_or_what_was_said() {
    let mut world = World::new().await;
    world.end_bot().await;
    let file = world.folder.path().join("bot.toml");
    std::fs::write(&file, world.toml() + "[log]\nfilter = \"trace\"\n").unwrap();
    let log = world.folder.path().join("log");
    let mut command = bot(&["--config", file.to_str().unwrap()]);
    let mut process = command.stderr(std::fs::File::create(&log).unwrap()).spawn().unwrap();
    world.asked(&format!("/start {CODE}"), "You are linked").await;
    world.asked("the question is private", "You said: the question is private").await;
    // Both sides break: errors are where addresses show.
    world.telegram.fail_next("editMessageText", demo::telegram::Failure::Lost);
    world.telegram.fail_next("sendMessage", demo::telegram::Failure::Lost);
    world.asked("/echo private too", "private too").await;
    world.telegram.fail_next("getUpdates", demo::telegram::Failure::Lost);
    world.asked("/hello", "Hello, Person").await;
    let pid = process.id().unwrap().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().await.unwrap().success());
    assert!(process.wait().await.unwrap().success());
    let text = std::fs::read_to_string(&log).unwrap();
    assert!(
        text.contains("linked") && text.contains("could not be sent") && text.contains("ended"),
        "{text}"
    );
    let secret = world.telegram.token().split_once(':').unwrap().1;
    for hidden in [secret, OWN_KEY, KEY, CODE, "private"] {
        assert!(!text.contains(hidden), "{hidden} is in {text}");
    }
}
