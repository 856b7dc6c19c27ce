//! Operators see what the month costs, by person and model; what each request was is charged to the model that served it.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use crate::support::{CHAT, TestGateway, chat, ollama};

/// Long, for a machine under load: what is waited for comes by itself.
const LONG: Duration = Duration::from_secs(30);

async fn ask(gateway: &TestGateway, token: &str) -> (u16, Value) {
    let request = gateway.client().get(gateway.url("/fleet/costs")).bearer_auth(token);
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

fn month() -> String {
    Timestamp::now().to_zoned(TimeZone::UTC).strftime("%Y-%m").to_string()
}

/// The line of this person and model, once it is written.
async fn line(gateway: &TestGateway, token: &str, principal: &str, model: Value) -> Value {
    let looking = async {
        loop {
            gateway.gateway.shared.books.usage.write().await;
            let (_, told) = ask(gateway, token).await;
            let people = told["estimate"]["people"].as_array().unwrap().clone();
            let found =
                people.into_iter().find(|line| line["principal"] == principal && line["model"] == model);
            if let Some(line) = found {
                return line;
            }
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(LONG, looking).await.unwrap_or_else(|_| panic!("no line of {principal} and {model}"))
}

#[tokio::test]
async fn operators_see_the_month_and_nobody_else_does() {
    let ollama = ollama().await;
    let prices = |config: &mut gateway::config::Config| {
        (config.costs.gpu_hour, config.costs.budget) = (Some(0.526), Some(300.0));
    };
    let gateway = TestGateway::in_front_of(&ollama).await.config(prices).start().await;
    assert_eq!(ask(&gateway, &gateway.token()).await.0, 403);
    let before = month();
    let (status, told) = ask(&gateway, &gateway.token_in("operators")).await;
    assert_eq!(status, 200, "{told}");
    assert!([before, month()].contains(&told["month"].as_str().unwrap().to_owned()), "{told}");
    assert_eq!((&told["explorer"], &told["explorer_error"]), (&Value::Null, &Value::Null));
    assert_eq!((&told["budget"], &told["estimate"]["gpu_hour"]), (&json!(300.0), &json!(0.526)));
    assert_eq!(told["forecast"]["basis"], "estimate");
    assert!(!told["estimate"]["days"].as_array().unwrap().is_empty(), "each day so far: {told}");
    assert_eq!(ask(&gateway, &gateway.token_in("admins")).await.0, 200, "administrators operate too");
}

#[tokio::test]
async fn what_a_model_served_is_charged_to_it() {
    let ollama = ollama().await;
    let price = |config: &mut gateway::config::Config| config.costs.gpu_hour = Some(3600.0);
    let gateway = TestGateway::in_front_of(&ollama).await.config(price).start().await;
    let (operator, user) = (gateway.token_in("operators"), gateway.token());
    let began = month();
    for model in [CHAT, "GEMMA3N:E4B"] {
        let mut body = chat(false);
        body["model"] = json!(model);
        assert_eq!(gateway.post_as(&user, "/api/chat", &body).send().await.unwrap().status(), 200);
    }
    // A request made of inferences is charged once, to the model of all of them.
    let text = json!({ "q": "One.\n\nTwo.", "source": "en", "target": "de" });
    assert_eq!(gateway.post_as(&user, "/translate", &text).send().await.unwrap().status(), 200);
    // Asks for a model that is not there, and for a list: requests that no model has served.
    let mut missing = chat(false);
    missing["model"] = json!("never-heard-of:1b");
    assert_eq!(gateway.post_as(&user, "/api/chat", &missing).send().await.unwrap().status(), 404);
    let alice = format!("{}#alice", gateway.issuer.url());
    let looking = async {
        while line(&gateway, &operator, &alice, json!(CHAT)).await["requests"] != 3 {}
        line(&gateway, &operator, &alice, Value::Null).await
    };
    let rest = timeout(LONG, looking).await.unwrap();
    if month() != began {
        return; // a month has begun meanwhile
    }
    let served = line(&gateway, &operator, &alice, json!(CHAT)).await;
    assert!(served["output_tokens"].as_u64().unwrap() > 0, "{served}");
    let (seconds, amount) = (served["gpu_seconds"].as_f64().unwrap(), served["amount"].as_f64().unwrap());
    assert!(seconds > 0.0 && (seconds - amount).abs() < 0.01, "a dollar a second: {served}");
    assert!(rest["requests"].as_u64().unwrap() >= 1 && rest["output_tokens"] == 0, "{rest}");
    let (_, told) = ask(&gateway, &operator).await;
    assert!(!told.to_string().contains("never-heard-of"), "{told}");
}
