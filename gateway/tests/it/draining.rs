//! Who leaves loses nothing: not ready at once, still serving for a while, streams run to their end, and at the
//! deadline or the second signal it is over.

use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use demo::issuer::{Claims, Issuer};
use demo::ollama::{Model, SimulatedOllama};
use futures_util::future::join_all;
use gateway::drain::Phase;
use tokio::io::AsyncReadExt;
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::apis::{APIS, Api, FAMILIES, h2_chunk, h2_post, until};
use crate::support::{AUDIENCE, CHAT, PATIENCE, Raw, TestGateway, chat, ollama, request};

async fn patient(ollama: &SimulatedOllama, accept_for: u64, deadline: u64) -> TestGateway {
    let builder = TestGateway::in_front_of(ollama).await.config(|config| {
        config.drain.accept_for_seconds = Duration::from_millis(accept_for);
        config.drain.deadline_seconds = Duration::from_millis(deadline);
    });
    builder.start().await
}

async fn begin(gateway: &TestGateway, api: Api) -> Raw {
    let mut raw = gateway.raw().await;
    raw.send(request("POST", api.path, &gateway.token(), &api.body(true).to_string())).await;
    raw
}

async fn reached(gateway: &TestGateway, phase: Phase) {
    timeout(PATIENCE, gateway.gateway.shared.drain.reached(phase)).await.expect("the phase comes");
}

/// `serve` has returned.
async fn over(gateway: &TestGateway) {
    until("serve returns", || gateway.has_ended()).await;
}

#[tokio::test]
async fn at_first_it_serves_on_and_is_not_ready() {
    let ollama = ollama().await;
    let gateway = patient(&ollama, 500, 5000).await;
    let mut kept = gateway.raw().await;
    kept.send(request("GET", "/api/tags", &gateway.token(), "")).await;
    assert!(!kept.until("}]}").await.contains("connection: close"));
    gateway.tasks.drain();
    reached(&gateway, Phase::Leaving).await;
    assert!(!gateway.gateway.shared.is_ready());
    kept.send(request("POST", "/api/chat", &gateway.token(), &chat(false).to_string())).await;
    assert!(kept.rest().await.contains("connection: close"), "and the connection does close");
    let mut h2 = gateway.h2().await;
    let answer = h2_post(&gateway, &mut h2, "/api/chat", &chat(false)).await;
    assert_eq!(answer.status(), 200);
    assert!(!answer.headers().contains_key("connection"));
}

#[tokio::test]
async fn streams_run_to_their_end_and_what_is_new_is_refused() {
    let ollama = ollama().await;
    let gateway = patient(&ollama, 50, 5000).await;
    let mut idle = gateway.raw().await;
    idle.send(request("GET", "/api/tags", &gateway.token(), "")).await;
    idle.until("}]}").await;
    ollama.hold_tokens_after(1);
    let mut streams = vec![begin(&gateway, APIS[1]).await];
    let mut h2 = gateway.h2().await;
    let mut second = h2_post(&gateway, &mut h2, "/api/chat", &chat(true)).await;
    ollama.wait_until(|stats| stats.running == 2).await.unwrap();
    streams.push(begin(&gateway, APIS[2]).await);
    until("the third waits", || gateway.gateway.shared.queue.load().queued == 1).await;
    gateway.tasks.drain();
    reached(&gateway, Phase::Closing).await;
    assert_eq!(idle.rest().await, "", "an idle connection is closed");
    until("nobody listens", || std::net::TcpStream::connect(("127.0.0.1", gateway.port)).is_err()).await;
    // GOAWAY: the client opens no stream there any more.
    let refused = async {
        loop {
            let head = http::Request::get(gateway.url("/healthz")).body(()).unwrap();
            match h2.clone().ready().await {
                Err(_) => break,
                Ok(mut ready) => {
                    let Ok((answer, _)) = ready.send_request(head, true) else { break };
                    if answer.await.is_err() {
                        break;
                    }
                }
            }
        }
    };
    timeout(PATIENCE, refused).await.expect("the connection takes no new streams");
    assert!(!gateway.has_ended());
    ollama.release_tokens();
    for mut stream in streams {
        let text = stream.rest().await;
        assert!(
            text.ends_with("0\r\n\r\n") && (text.contains("\"done\":true") || text.contains("[DONE]")),
            "{text}"
        );
    }
    let mut text = String::new();
    while let Some(chunk) = h2_chunk(second.body_mut()).await {
        text.push_str(std::str::from_utf8(&chunk.unwrap()).unwrap());
    }
    assert!(text.contains("\"done\":true"), "{text}");
    over(&gateway).await;
}

#[tokio::test]
async fn fifty_streams_survive_it() {
    let ollama = ollama().await;
    let gateway = patient(&ollama, 50, 8000).await;
    ollama.hold_tokens_after(1);
    let mut streams = Vec::new();
    for n in 0..50 {
        streams.push(begin(&gateway, FAMILIES[n % 3]).await);
    }
    until("all are taken in", || {
        let load = gateway.gateway.shared.queue.load();
        load.busy + load.queued == 50
    })
    .await;
    gateway.tasks.drain();
    reached(&gateway, Phase::Closing).await;
    ollama.release_tokens();
    for (n, text) in join_all(streams.iter_mut().map(Raw::rest)).await.into_iter().enumerate() {
        let api = FAMILIES[n % 3];
        assert!(
            text.starts_with("HTTP/1.1 200") && text.contains(api.end) && text.ends_with("0\r\n\r\n"),
            "{text}"
        );
    }
    over(&gateway).await;
}

#[tokio::test]
async fn at_the_deadline_what_still_runs_is_cut_visibly() {
    let ollama = ollama().await;
    let gateway = patient(&ollama, 50, 400).await;
    ollama.hold_tokens_after(1);
    let mut stream = begin(&gateway, APIS[1]).await;
    stream.until("\"done\":false").await;
    gateway.tasks.drain();
    over(&gateway).await;
    let text = stream.rest().await;
    assert!(!text.contains("\"done\":true"), "{text}");
    ollama.wait_until(|stats| stats.running == 0).await.unwrap();
}

/// As for a Spot notice: the machine goes at a given time, and the clients are told.
#[tokio::test]
async fn what_a_deadline_ends_is_told_so_in_its_familys_form() {
    let ollama = SimulatedOllama::builder().model(Model::chat(CHAT)).parallel(4).start().await.unwrap();
    let builder = TestGateway::in_front_of(&ollama).await.config(|config| {
        config.drain.accept_for_seconds = Duration::from_millis(50);
        config.limits.header_seconds = Duration::from_millis(400); // so the sweeper looks ten times a second
        config.ollama.as_mut().unwrap().parallel = 4;
    });
    let gateway = builder.start().await;
    ollama.hold_tokens_after(1);
    let mut asked = Vec::new();
    for api in FAMILIES {
        let mut stream = gateway.post(api.path, &api.body(true)).send().await.unwrap();
        let first = stream.chunk().await.unwrap().unwrap();
        asked.push((api, stream, String::from_utf8(first.to_vec()).unwrap()));
    }
    let whole = gateway.post("/api/chat", &chat(false));
    let whole = gateway.tasks.spawn(async move { whole.send().await.unwrap() });
    until("the whole answer is asked for", || gateway.gateway.shared.queue.load().busy == 4).await;
    gateway.gateway.shared.drain.leave_by(tokio::time::Instant::now() + Duration::from_secs(6));
    for (api, stream, mut text) in asked {
        text.push_str(&stream.text().await.expect("ended properly"));
        let error = api.error_in(&text).unwrap_or_else(|| panic!("{}: {text}", api.path));
        assert!(error.contains("taken out of service"), "{error}");
    }
    let whole = whole.await.unwrap();
    assert_eq!(whole.status(), 503);
    assert!(whole.text().await.unwrap().contains("taken out of service"));
    over(&gateway).await;
}

#[tokio::test]
async fn the_second_signal_ends_it_at_once() {
    let ollama = ollama().await;
    let gateway = patient(&ollama, 60_000, 60_000).await;
    ollama.hold_tokens_after(1);
    let mut stream = begin(&gateway, APIS[1]).await;
    stream.until("\"done\":false").await;
    gateway.tasks.drain();
    reached(&gateway, Phase::Leaving).await;
    let told = Instant::now();
    gateway.tasks.stop();
    over(&gateway).await;
    assert!(told.elapsed() < Duration::from_secs(1));
}

/// The real program, on two cores, in front of the simulation.
struct Process {
    child: Child,
    port: u16,
    issuer: Issuer,
    _dir: tempfile::TempDir,
}

impl Process {
    async fn start(ollama: &SimulatedOllama, deadline: f64) -> Self {
        let (dir, issuer) = (tempfile::TempDir::new().unwrap(), Issuer::start().await.unwrap());
        let free = || std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let (port, admin) = (free(), free());
        let config = format!(
            "[listen]\naddress = \"127.0.0.1:{port}\"\nadmin = \"127.0.0.1:{admin}\"\ncores = 2\n\
             [ollama]\nurl = \"{}\"\nparallel = 2\nmodels = [\"{CHAT}\"]\n\
             [[issuers]]\nissuer = \"{}\"\nkind = \"oidc\"\naudiences = [\"{AUDIENCE}\"]\n\
             [store]\npath = \"{}\"\n[drain]\naccept_for_seconds = 0.1\ndeadline_seconds = {deadline}\n",
            ollama.url(),
            issuer.url(),
            dir.path().join("fleet.db").display(),
        );
        let file = dir.path().join("gateway.toml");
        std::fs::write(&file, config).unwrap();
        let supervisor = std::os::unix::net::UnixDatagram::bind(dir.path().join("notify")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_gateway"));
        command.env("NOTIFY_SOCKET", dir.path().join("notify"));
        command.arg("--config").arg(file).stderr(Stdio::piped()).kill_on_drop(true);
        let process = Self { child: command.spawn().unwrap(), port, issuer, _dir: dir };
        let mut told = [0; 64];
        supervisor.set_read_timeout(Some(PATIENCE)).unwrap();
        let length = supervisor.recv(&mut told).expect("the supervisor is told");
        assert_eq!(std::str::from_utf8(&told[..length]).unwrap().trim(), "READY=1");
        let ready = async {
            while !process.get("/readyz").await.is_ok_and(|answer| answer.status() == 200) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(PATIENCE, ready).await.expect("it is ready");
        process
    }

    /// Every client has a connection of its own.
    fn client(&self) -> reqwest::Client {
        let builder = reqwest::Client::builder().http1_only().tls_danger_accept_invalid_certs(true);
        builder.no_proxy().build().unwrap()
    }

    async fn get(&self, path: &str) -> reqwest::Result<reqwest::Response> {
        self.client().get(format!("https://127.0.0.1:{}{path}", self.port)).send().await
    }

    async fn stream(&self) -> reqwest::Response {
        let token = self.issuer.token(&Claims::oidc("alice").audience(AUDIENCE)).unwrap();
        let asking =
            self.client().post(format!("https://127.0.0.1:{}/api/chat", self.port)).bearer_auth(token);
        asking.body(chat(true).to_string()).send().await.unwrap()
    }

    fn terminate(&self) {
        let id = self.child.id().unwrap().to_string();
        assert!(std::process::Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    }

    async fn ended(mut self) -> (ExitStatus, String) {
        let mut log = String::new();
        let mut stderr = self.child.stderr.take().unwrap();
        let ending = async { tokio::join!(self.child.wait(), stderr.read_to_string(&mut log)).0.unwrap() };
        let status = timeout(PATIENCE, ending).await.expect("the process ends");
        (status, log)
    }
}

#[tokio::test]
async fn the_program_drains_by_a_signal_and_exits_well() {
    let ollama = ollama().await;
    let process = Process::start(&ollama, 20.0).await;
    ollama.hold_tokens_after(1);
    let (one, two) = tokio::join!(process.stream(), process.stream());
    process.terminate();
    let refused = async {
        while process.get("/healthz").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, refused).await.expect("it takes nothing new in the end");
    ollama.release_tokens();
    for stream in [one, two] {
        assert!(stream.text().await.unwrap().contains("\"done\":true"));
    }
    let (status, log) = process.ended().await;
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(log.contains("\"drained\""), "{log}");
}

/// Whichever core has the last stream, the deadline ends it.
#[tokio::test]
async fn the_program_keeps_its_deadline_on_every_core() {
    let ollama = ollama().await;
    for _ in 0..2 {
        let process = Process::start(&ollama, 0.5).await;
        ollama.hold_tokens_after(1);
        let stream = process.stream().await;
        process.terminate();
        // Cut, or ended in words where the clock was quick.
        assert!(stream.text().await.map_or(true, |text| !text.contains("\"done\":true")));
        assert_eq!(process.ended().await.0.code(), Some(0));
        ollama.release_tokens();
    }
}
