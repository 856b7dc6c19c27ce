//! A slot that gives no first byte while its model is in memory is cleared: the model is unloaded and loaded again,
//! whoever waited hears so, and the next request works.

use std::time::Duration;

use demo::ollama::Fault;

use crate::apis::{APIS, Api, FAMILIES, assert_plain, metric};
use crate::support::{CHAT, TestGateway, chat, ollama};

async fn check(api: Api, committed: bool) {
    let ollama = ollama().await;
    let builder = TestGateway::in_front_of(&ollama).await.config(|config| {
        // Behind the head: far behind it, also on a machine that has other things to do.
        let stuck_after = Duration::from_millis(if committed { 2000 } else { 250 });
        config.ollama.as_mut().unwrap().stuck_seconds = stuck_after;
        if committed {
            config.queue.keepalive_after_seconds = Duration::from_millis(50);
        }
    });
    let gateway = builder.start().await;
    ollama.fault_on(api.path, Fault::Stall);
    let answer = gateway.post(api.path, &api.body(true)).send().await.unwrap();
    let text = if committed {
        assert_eq!(answer.status(), 200);
        let text = answer.text().await.unwrap();
        api.error_in(text.trim_start_matches(' ')).unwrap_or_else(|| panic!("{api:?}: {text}"))
    } else {
        assert_eq!(answer.status(), 504, "{api:?}");
        api.error_of(&answer.json().await.unwrap())
    };
    assert_plain(&text);
    ollama.wait_until(|stats| stats.model(CHAT).loads_finished == 2).await.expect("it is loaded again");
    let unloads = ollama.inferences().into_iter().filter(|seen| seen.json()["keep_alive"] == 0).count();
    assert_eq!((unloads, metric(&gateway, "gateway_stuck_slots_total")), (1, 1.0), "{api:?}");
    let next = gateway.post("/api/chat", &chat(false)).send().await.unwrap();
    assert_eq!(next.status(), 200);
}

#[tokio::test]
async fn before_the_head_it_is_a_504() {
    check(APIS[0], false).await;
    for api in FAMILIES {
        check(api, false).await;
    }
}

#[tokio::test]
async fn behind_the_head_it_is_an_error_in_the_stream() {
    for api in FAMILIES {
        check(api, true).await;
    }
}
