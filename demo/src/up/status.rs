//! The line that shows what the gateway is doing, while there is a terminal to show it in.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use super::child::{Child, any_end};

/// Stays until a child ends, which is an error. Whoever stops us drops this future.
pub(super) async fn watch(metrics: &str, children: &mut [Child]) -> anyhow::Result<()> {
    tokio::select! {
        ended = any_end(children) => Err(ended),
        () = show(metrics) => Ok(()),
    }
}

async fn show(metrics: &str) {
    if !std::io::stdout().is_terminal() {
        return std::future::pending().await;
    }
    let client = reqwest::Client::new();
    let mut before = None;
    loop {
        let answer = client.get(metrics).timeout(Duration::from_secs(1)).send().await;
        if let Ok(answer) = answer
            && let Ok(text) = answer.text().await
        {
            let tokens = sum(&text, "gateway_tokens_total", "output");
            let rate = tokens - before.unwrap_or(tokens);
            let (busy, slots) = (sum(&text, "gateway_slots_busy", ""), sum(&text, "gateway_slots", ""));
            let queued = sum(&text, "gateway_queued", "");
            let line = format!("running {busy}/{slots}  queued {queued}  tokens {tokens} (+{rate}/s)");
            // A terminal that went away is no reason to stop.
            let _ = write!(std::io::stdout(), "\r\x1b[2K{line}").and_then(|()| std::io::stdout().flush());
            before = Some(tokens);
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// The sum of a metric over its labels, of those lines that carry `label`.
fn sum(text: &str, name: &str, label: &str) -> f64 {
    let value = |line: &str| {
        let rest = line.strip_prefix(name).filter(|rest| rest.starts_with(['{', ' ']))?;
        rest.contains(label).then(|| rest.rsplit(' ').next()?.parse::<f64>().ok())?
    };
    // Not `sum`, whose zero is -0 and shows as such.
    text.lines().filter_map(value).fold(0.0, |sum, value| sum + value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_summed_by_name_and_label() {
        let text = "# TYPE a counter\na{kind=\"output\"} 3\na{kind=\"output\",model=\"m\"} 4\na{kind=\"prompt\"} 9\na_b 1\nc 2\n";
        assert_eq!([sum(text, "a", "output"), sum(text, "a", ""), sum(text, "c", "")], [7.0, 16.0, 2.0]);
    }
}
