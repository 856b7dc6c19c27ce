//! `demo up` says how to reach it, and leaves nothing behind, however it ends. A stub stands in for the gateway.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// A demo in a folder of its own.
struct Demo {
    process: Child,
    folder: TempDir,
}

impl Demo {
    fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let gateway = stub(folder.path());
        let process = Command::new(env!("CARGO_BIN_EXE_demo"))
            .args(["up", "--single", "--simulated", "--gateway"])
            .arg(gateway)
            .arg("--directory")
            .arg(folder.path())
            .stdin(Stdio::null())
            .stdout(fs::File::create(folder.path().join("out")).unwrap())
            .spawn()
            .unwrap();
        Self { process, folder }
    }

    /// `demo.json`, once it is there.
    fn details(&self) -> Value {
        let file = self.folder.path().join("demo.json");
        eventually("demo.json", || file.exists());
        serde_json::from_slice(&fs::read(file).unwrap()).unwrap()
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.process.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn eventually(what: &str, mut reached: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !reached() {
        assert!(begun.elapsed() < Duration::from_secs(20), "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Is there a process of this number that still runs?
fn lives(pid: u64) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(')').next().is_some_and(|rest| !rest.is_empty() && !rest.trim_start().starts_with('Z'))
}

fn pids(details: &Value) -> Vec<u64> {
    details["pids"].as_object().unwrap().values().map(|pid| pid.as_u64().unwrap()).collect()
}

#[test]
fn it_tells_people_and_programs_how_to_reach_it_and_ends_at_a_signal() {
    for signal in [Signal::INT, Signal::TERM] {
        let mut demo = Demo::start();
        let details = demo.details();
        for key in ["url", "ca_file", "issuer", "origin", "ui_user", "ui_password"] {
            assert!(details[key].is_string(), "{key}");
        }
        assert!(details["ui_url"].is_null());
        for (of, keys) in [
            ("tokens", &["user", "admin", "limited", "expired"][..]),
            ("models", &["chat", "embed", "denied"]),
        ] {
            assert!(keys.iter().all(|key| details[of][key].is_string()), "{of}");
        }
        assert_eq!(
            details["pids"].as_object().unwrap().keys().collect::<Vec<_>>(),
            ["gateway", "issuer", "ollama"]
        );
        let out = demo.folder.path().join("out");
        eventually("the curl line", || fs::read_to_string(&out).unwrap().contains("curl -N --cacert"));
        assert!(pids(&details).into_iter().all(lives));
        demo.signal(signal);
        assert!(demo.process.wait().unwrap().success());
        assert!(!pids(&details).into_iter().any(lives));
    }
}

#[test]
fn killed_outright_it_takes_its_processes_along() {
    let mut demo = Demo::start();
    let details = demo.details();
    demo.signal(Signal::KILL);
    demo.process.wait().unwrap();
    eventually("no process is left", || !pids(&details).into_iter().any(lives));
}

#[test]
fn without_a_gateway_it_says_how_to_get_one() {
    let folder = TempDir::new().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_demo"));
    command.args(["--simulated", "--gateway", "/nowhere", "--directory"]).arg(folder.path());
    let output = command.output().unwrap();
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("cargo build -p gateway"));
}

/// A program that calls this test binary back to play the gateway.
fn stub(folder: &Path) -> std::path::PathBuf {
    let path = folder.join("gateway");
    let ourselves = std::env::current_exe().unwrap();
    let script = format!(
        "#!/bin/sh\nSTUB_CONFIG=\"$2\" exec {} --exact up::plays_the_gateway --ignored\n",
        ourselves.display()
    );
    fs::write(&path, script).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

#[tokio::test]
#[ignore = "not a test: what the stub runs"]
async fn plays_the_gateway() {
    let Ok(config) = std::env::var("STUB_CONFIG") else { return };
    let config = fs::read_to_string(config).unwrap();
    let value = |key: &str| {
        let line = config.lines().find(|line| line.starts_with(&format!("{key} = "))).unwrap();
        line.split('"').nth(1).unwrap().to_owned()
    };
    let certificate = CertificateDer::from_pem_file(value("certificate")).unwrap();
    let key = PrivateKeyDer::from_pem_file(value("private_key")).unwrap();
    let tls = ServerConfig::builder().with_no_client_auth().with_single_cert(vec![certificate], key).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(tls));
    let listener = TcpListener::bind(value("address")).await.unwrap();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let Ok(mut stream) = acceptor.accept(stream).await else { continue };
        let mut request = [0; 4096];
        let _ = stream.read(&mut request).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").await;
        let _ = stream.shutdown().await;
    }
}
