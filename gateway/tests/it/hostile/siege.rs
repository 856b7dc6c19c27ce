//! An attack beside honest clients: they are answered in time, Ollama has no more to do than its slots, and soon
//! after the attack nothing of it is left.

use std::time::Duration;

use demo::ollama::{Seen, SimulatedOllama};
use tokio::time::{Instant, sleep, timeout};

use crate::speak::over_h2;
use crate::support::{CHAT, TestGateway, chat, ollama};

/// The longest that anybody else may wait for an answer during an attack.
const OTHERS: Duration = Duration::from_secs(2);
/// When nothing may be left of an attack.
const AFTERWARDS: Duration = Duration::from_secs(5);

/// A gateway under attack.
pub struct Siege {
    pub ollama: SimulatedOllama,
    pub gateway: TestGateway,
}

impl Siege {
    /// With the defaults of the tests.
    pub async fn start() -> Self {
        Self::of(ollama().await).await
    }

    /// In front of this Ollama, with write stalls that a test can wait for.
    pub async fn of(ollama: SimulatedOllama) -> Self {
        let builder = TestGateway::in_front_of(&ollama).await.config(|config| {
            config.limits.write_stall_seconds = Duration::from_millis(800);
        });
        Self { gateway: builder.start().await, ollama }
    }

    /// Runs `attack` while others ask, then waits until nothing is left of it.
    pub async fn under<T>(&self, attack: impl Future<Output = T>) -> T {
        let attacked = async {
            let result = attack.await;
            sleep(Duration::from_millis(20)).await;
            result
        };
        let mut attacked = std::pin::pin!(attacked);
        let mut result = None;
        // One more answer after the attack, so that there is one in any case.
        while result.is_none() {
            tokio::select! {
                biased;
                done = &mut attacked => result = Some(done),
                () = self.others_are_served() => {}
            }
        }
        self.others_are_served().await;
        assert!(self.ollama.most_at_once(CHAT) <= 2, "Ollama has two slots");
        self.nothing_is_left().await;
        result.unwrap()
    }

    /// An honest client, by both protocols, on connections of its own.
    pub async fn others_are_served(&self) {
        let began = Instant::now();
        let token = self.gateway.token_for("honest");
        let h1 = self.gateway.post_as(&token, "/api/chat", &chat(false)).send();
        assert_eq!(timeout(OTHERS, h1).await.expect("an answer over HTTP/1.1").unwrap().status(), 200);
        let half = began.elapsed();
        let h2 = http::Request::post("/api/chat").header("authorization", format!("Bearer {token}"));
        let h2 = over_h2(&self.gateway, h2.body(()).unwrap(), chat(false).to_string());
        assert_eq!(timeout(OTHERS, h2).await.expect("an answer over HTTP/2").status, 200);
        assert!(half < OTHERS, "{half:?}");
    }

    /// Nothing runs, waits or holds a slot or a connection.
    pub async fn nothing_is_left(&self) {
        let calm = async {
            loop {
                let load = self.gateway.gateway.shared.queue.load();
                let quiet = load.busy == 0 && load.queued == 0 && self.ollama.running() == 0;
                if quiet && self.connections() == 0 {
                    return;
                }
                sleep(Duration::from_millis(10)).await;
            }
        };
        if timeout(AFTERWARDS, calm).await.is_err() {
            let load = self.gateway.gateway.shared.queue.load();
            panic!("left over: {load:?}, {:?}, {} connections", self.ollama.stats(), self.connections());
        }
    }

    /// Connections that the gateway has open.
    pub fn connections(&self) -> usize {
        let metrics = self.gateway.metrics();
        let line = metrics.lines().find_map(|line| line.strip_prefix("gateway_connections "));
        line.expect("the gauge").parse().unwrap()
    }

    /// Somebody with a token and bad manners.
    pub fn token(&self) -> String {
        self.gateway.token_for("mallory")
    }
}

/// Bytes of memory this process has now.
pub fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

/// What Ollama was asked that a client could have caused: what the gateway looks up by itself it asks with `GET`.
pub fn asked(ollama: &SimulatedOllama) -> Vec<Seen> {
    ollama.requests().into_iter().filter(|seen| seen.method != "GET").collect()
}
