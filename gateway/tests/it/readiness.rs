//! Ready is who has its models in memory and does not leave; alive is who answers.

use crate::support::{TestGateway, ollama};

async fn probes(gateway: &TestGateway) -> [u16; 3] {
    let client = gateway.client();
    let mut statuses = [0; 3];
    for (at, path) in ["/healthz", "/readyz", "/health"].into_iter().enumerate() {
        // As a load balancer asks: by address, without a credential.
        let answer = client.get(gateway.url(path)).header("host", "10.0.3.7:8443").send().await.unwrap();
        statuses[at] = answer.status().as_u16();
    }
    statuses
}

async fn become_(gateway: &TestGateway, wanted: [u16; 3]) {
    let waiting = async {
        while probes(gateway).await != wanted {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(crate::support::PATIENCE, waiting)
        .await
        .unwrap_or_else(|_| panic!("never {wanted:?}"));
}

#[tokio::test]
async fn ready_while_the_models_are_in_memory_and_nobody_leaves() {
    let ollama = ollama().await;
    ollama.hold_loads();
    let gateway = TestGateway::in_front_of(&ollama).await.start_unready().await;
    ollama.wait_until(|stats| stats.model(crate::support::CHAT).loads_started == 1).await.unwrap();
    assert_eq!(probes(&gateway).await, [200, 503, 503]);
    ollama.release_loads();
    become_(&gateway, [200, 200, 200]).await;
    ollama.go_down().await;
    become_(&gateway, [200, 503, 503]).await;
    ollama.come_back().await.unwrap();
    become_(&gateway, [200, 200, 200]).await;
    gateway.tasks.drain();
    tokio::task::yield_now().await;
    assert_eq!(probes(&gateway).await, [200, 503, 503]);
}
