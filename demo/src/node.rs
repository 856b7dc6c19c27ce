//! The demo's simulated Ollama, a process of its own as a real one would be.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;

use crate::keep::{say, told_to_end};
use crate::ollama::{Model, SimulatedOllama};

/// The chat model of the demo.
pub const CHAT: &str = "gemma3n:e4b";
/// Its embedding model.
pub const EMBED: &str = "nomic-embed-text";
/// A model it has but that ordinary users may not use.
pub const DENIED: &str = "llama3.3:70b";
/// Slots of each loaded model.
pub const PARALLEL: usize = 4;

/// Serves until standard input ends or a signal comes; says `listening <url>` first.
///
/// # Errors
/// When the address cannot be listened on.
pub async fn serve(listen: SocketAddr) -> anyhow::Result<()> {
    let ollama = SimulatedOllama::builder()
        .listen(listen)
        .parallel(PARALLEL)
        .recording(false)
        .model(Model::chat(CHAT).like_a_t4().context(32_768).size(7_500_000_000).words(120))
        .model(Model::embedding(EMBED).like_a_t4().load_time(Duration::from_secs(1)).dimensions(768))
        .model(Model::chat(DENIED).like_a_t4().size(42_000_000_000))
        .start()
        .await
        .with_context(|| format!("listening on {listen}"))?;
    say(&format!("listening {}", ollama.url()))?;
    told_to_end().await;
    Ok(())
}
