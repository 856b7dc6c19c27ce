//! The program says everything that is wrong with its configuration at once, and shows a key only when it is made.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

use crate::support::PATIENCE;

const GOOD: &str = r#"
[listen]
address = "127.0.0.1:0"
admin = "127.0.0.1:0"

[[issuers]]
issuer = "https://issuer.example"
kind = "oidc"
audiences = ["ollama"]
"#;

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gateway"));
    command.env_clear();
    command
}

/// Writes `text` as `gateway.toml`, with the store beside it.
fn folder(text: &str) -> TempDir {
    let dir = TempDir::new().unwrap();
    let store = dir.path().join("fleet.db");
    std::fs::write(dir.path().join("gateway.toml"), format!("{text}\n[store]\npath = {store:?}\n")).unwrap();
    dir
}

fn run(dir: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let config = dir.join("gateway.toml");
    let mut command = program();
    command.current_dir(dir).arg("--config").arg(config).args(arguments).envs(environment.iter().copied());
    command.output().unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn every_mistake_is_told_at_once_with_64() {
    let bad = r#"
[listen]
address = "here"
connections = 0
[tls]
certificate = "missing.pem"
private_key = "missing.key"
[ollama]
url = "https://ollama.example/x"
[access]
allowed_networks = ["10.0.0.0/99"]
allowed_origins = ["https://page.example/path"]
[limits]
header_seconds = -1
body_bytes = "much"
speed = 9
[nonsense]
a = 1
[[issuers]]
issuer = "http://issuer.example"
kind = "oidc"
"#;
    let dir = folder(bad);
    for arguments in [&["check-config"][..], &[], &["serve"], &["keys", "list"]] {
        let output = run(dir.path(), arguments, &[("GATEWAY__QUEUE__CAPACITY", "none")]);
        assert_eq!(output.status.code(), Some(64), "{arguments:?}");
        let told = err(&output);
        for key in [
            "listen.address",
            "listen.connections",
            "tls.certificate",
            "tls.private_key",
            "ollama.url",
            "access.allowed_networks",
            "access.allowed_origins",
            "limits.header_seconds",
            "limits.body_bytes",
            "limits.speed",
            "nonsense",
            "issuers[0].issuer",
            "issuers[0].audiences",
            "queue.capacity",
        ] {
            assert!(told.lines().any(|line| line.trim_start().starts_with(key)), "{key} in:\n{told}");
        }
        assert_eq!(out(&output), "");
    }
}

#[test]
fn other_mistakes_are_64_too() {
    let missing = program().args(["--config", "/nonexistent/gateway.toml", "check-config"]).output().unwrap();
    assert_eq!(missing.status.code(), Some(64));
    assert!(err(&missing).contains("/nonexistent/gateway.toml"));
    for (text, word) in [
        ("[listen\n", "gateway.toml"),
        ("[limits]\nidle_seconds = 0\n", "limits.idle_seconds"),
        ("[limits]\nwrite_stall_seconds = 0\n", "limits.write_stall_seconds"),
        ("[limits]\nbody_bytes = 0\n", "limits.body_bytes"),
        ("[listen]\nadmin = \"0.0.0.0:9090\"\n", "listen.admin"),
        ("[roles.user]\nmodels = [\"http://x/y\"]\n", "roles.user.models"),
        ("[conversations]\narchive = \"ftp://place\"\n", "conversations.archive"),
        ("[conversations]\narchive = \"s3:///prefix\"\n", "names no bucket"),
        ("[conversations]\nrecent_messages = 39\n", "conversations.recent_messages"),
        ("[conversations]\nmessage_characters = 1000001\n", "conversations.message_characters"),
        ("[conversations]\ncontext_tokens = 100\n", "conversations.context_tokens"),
        ("[conversations]\ntitles_model = \"a b\"\n", "conversations.titles_model"),
    ] {
        let output = run(folder(text).path(), &["check-config"], &[]);
        assert_eq!(output.status.code(), Some(64), "{text}");
        assert!(err(&output).contains(word), "{word} in:\n{}", err(&output));
    }
    let unknown = run(folder(GOOD).path(), &["check-config"], &[("GATEWAY__LISTEN__ADDRES", "127.0.0.1:1")]);
    assert_eq!(unknown.status.code(), Some(64));
    assert!(err(&unknown).contains("listen.addres:"), "{}", err(&unknown));
}

#[test]
fn a_right_configuration_and_help_are_0() {
    let dir = folder(GOOD);
    let output = run(dir.path(), &["check-config"], &[]);
    assert_eq!((output.status.code(), err(&output)), (Some(0), String::new()));
    for arguments in [&["--help"][..], &["keys", "--help"], &["keys", "create", "--help"], &["--version"]] {
        let output = program().args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
        assert!(!out(&output).is_empty());
    }
    let help = out(&program().arg("--help").output().unwrap());
    for word in ["--config", "check-config", "keys", "GATEWAY__LISTEN__ADDRESS"] {
        assert!(help.contains(word), "{word} in:\n{help}");
    }
    assert_eq!(program().arg("--nonsense").output().unwrap().status.code(), Some(64));
}

#[test]
fn the_environment_is_laid_over_the_file() {
    let dir = folder(&GOOD.replace("127.0.0.1:0", "192.0.2.1:1")); // no address of this machine
    let bad = run(dir.path(), &[], &[("GATEWAY__LISTEN__ADDRESS", "nowhere")]);
    assert_eq!(bad.status.code(), Some(64));
    assert!(err(&bad).contains("listen.address"), "{}", err(&bad));
    let mut serving = program()
        .current_dir(dir.path())
        .args(["--config", "gateway.toml"])
        .env("GATEWAY__LISTEN__ADDRESS", "127.0.0.1:0")
        .env("GATEWAY__LISTEN__ADMIN", "127.0.0.1:0")
        .env("GATEWAY__LISTEN__CORES", "1")
        .env("GATEWAY__DRAIN__ACCEPT_FOR_SECONDS", "0.1")
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (lines, line) = std::sync::mpsc::channel();
    let log = BufReader::new(serving.stderr.take().unwrap());
    std::thread::spawn(move || log.lines().map_while(Result::ok).try_for_each(|line| lines.send(line)));
    let serves =
        std::iter::from_fn(|| line.recv_timeout(PATIENCE).ok()).find(|line| line.contains("\"serving\""));
    let log = serves.expect("it serves");
    let port = log.split("127.0.0.1:").nth(1).and_then(|rest| rest.split('"').next()).expect("its address");
    assert!(std::net::TcpStream::connect(format!("127.0.0.1:{port}")).is_ok(), "{log}");
    serving.kill().unwrap();
    serving.wait().unwrap();
}

#[test]
fn a_key_is_shown_once() {
    let dir = folder(GOOD);
    let keys = |arguments: &[&str]| run(dir.path(), &[&["keys"], arguments].concat(), &[]);
    let created = keys(&["create", "--owner", "robot", "--role", "operator", "--expires-days", "7"]);
    assert_eq!(created.status.code(), Some(0), "{}", err(&created));
    let told = out(&created);
    let secret = told.lines().next().unwrap();
    assert!(secret.starts_with("ollm_") && secret.len() == 48, "{secret}");
    let listed = out(&keys(&["list"]));
    let row = listed.lines().find(|line| line.contains("robot")).expect("the key is listed");
    assert!(row.contains("good") && row.contains("operator"), "{row}");
    assert!(!listed.contains(secret) && !listed.contains(&secret[5..15]), "the key is not shown again");
    let id = row.split_whitespace().next().unwrap();
    assert!(told.contains(id));
    assert_eq!(keys(&["revoke", id]).status.code(), Some(0));
    assert!(out(&keys(&["list"])).lines().any(|line| line.starts_with(id) && line.contains("revoked")));
    for wrong in
        [&["revoke", "000000000000"][..], &["revoke", "x"], &["create", "--owner", "a", "--role", "none"]]
    {
        let refused = keys(wrong);
        assert_eq!(refused.status.code(), Some(1), "{wrong:?}");
        assert!(err(&refused).starts_with("gateway: ") && out(&refused).is_empty(), "{}", err(&refused));
    }
    let database = std::fs::read(dir.path().join("fleet.db")).unwrap();
    assert!(memchr::memmem::find(&database, secret.as_bytes()).is_none(), "only its hash is kept");
}
