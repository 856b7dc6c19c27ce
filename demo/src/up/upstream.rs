//! The Ollama of the demo: the one that answers at OLLAMA_HOST, else one that is installed, else the simulated one.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::child::Child;
use super::place::Place;
use super::{DRAIN, config};
use crate::node;

/// What the gateway stands in front of.
pub(crate) struct Upstream {
    pub(crate) url: String,
    /// Slots of each loaded model.
    pub(crate) parallel: usize,
    pub(crate) chat: String,
    /// A real Ollama may have none.
    pub(crate) embed: Option<String>,
    pub(crate) simulated: bool,
}

#[derive(Deserialize)]
struct Tags {
    models: Vec<Tag>,
}

#[derive(Deserialize)]
struct Tag {
    name: String,
    #[serde(default)]
    capabilities: Vec<String>,
}

/// Finds or starts one; what is started joins `children`.
pub(crate) async fn find(
    place: &Place,
    simulated: bool,
    children: &mut Vec<Child>,
) -> anyhow::Result<Upstream> {
    if !simulated {
        let url = host(&variable("OLLAMA_HOST").unwrap_or_default());
        let parallel = variable("OLLAMA_NUM_PARALLEL").and_then(|text| text.parse().ok()).unwrap_or(1);
        if let Some(upstream) = look(&url, parallel).await {
            return Ok(upstream);
        }
        if let Some(program) = installed() {
            let (child, url) = serve(&program, place).await?;
            if let Some(upstream) = look_for(&url, Duration::from_secs(10)).await {
                children.push(child);
                return Ok(upstream);
            }
            // Installed, but without a model to chat with: of no use here.
            child.stop(Duration::from_secs(DRAIN)).await;
        }
    }
    let mut child = Child::ourselves("ollama", &[OsString::from("ollama")], place)?;
    let url = child.says("listening").await?;
    children.push(child);
    let (chat, embed) = (node::CHAT.to_owned(), Some(node::EMBED.to_owned()));
    Ok(Upstream { url, parallel: node::PARALLEL, chat, embed, simulated: true })
}

/// Starts an installed Ollama on a port of its own.
async fn serve(program: &std::path::Path, place: &Place) -> anyhow::Result<(Child, String)> {
    let address = config::free_address(0)?;
    let environment =
        [("OLLAMA_HOST", address.to_string()), ("OLLAMA_NUM_PARALLEL", node::PARALLEL.to_string())];
    let child =
        Child::kept("ollama", program, &[OsString::from("serve")], &environment, place, DRAIN).await?;
    Ok((child, format!("http://{address}")))
}

async fn look_for(url: &str, patience: Duration) -> Option<Upstream> {
    let looking = async {
        loop {
            if let Some(upstream) = look(url, node::PARALLEL).await {
                return upstream;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    tokio::time::timeout(patience, looking).await.ok()
}

/// A real Ollama at `url` with a model to chat with.
async fn look(url: &str, parallel: usize) -> Option<Upstream> {
    let client = reqwest::Client::builder().timeout(Duration::from_secs(2)).build().ok()?;
    let tags: Tags = client.get(format!("{url}/api/tags")).send().await.ok()?.json().await.ok()?;
    // Older ones list no capabilities; their embedding models say so in their names.
    let embeds = |tag: &&Tag| match &tag.capabilities[..] {
        [] => tag.name.contains("embed"),
        listed => listed.iter().any(|capability| capability == "embedding"),
    };
    let chat = tags.models.iter().find(|tag| !embeds(tag))?.name.clone();
    let embed = tags.models.iter().find(embeds).map(|tag| tag.name.clone());
    Some(Upstream { url: url.to_owned(), parallel, chat, embed, simulated: false })
}

/// `OLLAMA_HOST` as an address to call: it may lack a scheme or a port, or name every interface.
fn host(text: &str) -> String {
    let bare = text.trim().trim_start_matches("http://").trim_end_matches('/');
    let (name, port) = bare.rsplit_once(':').unwrap_or((bare, "11434"));
    let name = if matches!(name, "" | "0.0.0.0" | "localhost") { "127.0.0.1" } else { name };
    format!("http://{name}:{port}")
}

/// The `ollama` program on the path.
fn installed() -> Option<PathBuf> {
    let path = variable("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join("ollama")).find(|program| program.is_file())
}

#[expect(
    clippy::disallowed_methods,
    reason = "Ollama's own variables say where one runs; the demo has no config file"
)]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ollama_host_may_be_short() {
        for text in ["", "127.0.0.1", "0.0.0.0:11434", "http://localhost:11434/", ":11434"] {
            assert_eq!(host(text), "http://127.0.0.1:11434", "{text}");
        }
        assert_eq!(host("10.0.0.5:1234"), "http://10.0.0.5:1234");
    }
}
