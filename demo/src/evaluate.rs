//! `demo translate-eval`: how well a running demo translates. What must survive a translation is counted on texts made
//! for it; with a real model, chrF against a person's translations is printed too.

mod chrf;
mod structure;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use serde::Deserialize;
use serde_json::{Value, json};

use self::chrf::chrf;
use self::structure::{KINDS, Kept, kept};
use crate::keep::say;
use crate::running;

/// Texts full of structure: name, `format`, content.
const TEXTS: [(&str, &str, &str); 3] = [
    ("strings", "text", include_str!("../corpora/structure/strings.txt")),
    ("page", "html", include_str!("../corpora/structure/page.html")),
    ("guide", "text", include_str!("../corpora/structure/guide.md")),
];
/// Language, English, reference.
const PARALLEL: &str = include_str!("../corpora/udhr.tsv");
/// Into which languages structure is measured: near, far, another script.
const TARGETS: [&str; 3] = ["de", "ja", "ar"];
/// A large model on a small machine takes its time.
const PATIENCE: Duration = Duration::from_secs(900);

/// What `demo translate-eval` can be told.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// The demo's folder.
    #[arg(long, value_name = "FOLDER", default_value = "target/demo")]
    directory: PathBuf,
}

/// The part of `demo.json` that is needed.
#[derive(Deserialize)]
struct Details {
    url: String,
    ca_file: PathBuf,
    tokens: Tokens,
    #[serde(default)]
    simulated: bool,
}

#[derive(Deserialize)]
struct Tokens {
    user: String,
}

struct Translator {
    client: reqwest::Client,
    details: Details,
}

/// Translates and prints the tables.
///
/// # Errors
/// Without a demo, where a translation fails, and where structure was lost: then the exit code says so too.
pub async fn evaluate(options: Options) -> anyhow::Result<()> {
    let translator = Translator::connect(&options)?;
    say("structure kept, of what the source has")?;
    say(&line("text", &KINDS.map(str::to_owned)))?;
    let mut whole = Kept::new();
    for (name, format, text) in TEXTS {
        for target in TARGETS {
            let translation = translator.translate(text, target, format).await?;
            let kept = kept(text, &translation);
            say(&line(&format!("{name} → {target}"), &cells(&kept)))?;
            for (kind, (found, wanted)) in kept {
                let sum = whole.entry(kind).or_default();
                (sum.0, sum.1) = (sum.0 + found, sum.1 + wanted);
            }
        }
    }
    say(&line("all", &cells(&whole)))?;
    translator.quality().await?;
    let lost: usize = whole.values().map(|(found, wanted)| wanted - found).sum();
    if lost > 0 { bail!("{lost} things were lost in translation") } else { Ok(()) }
}

fn cells(kept: &Kept) -> [String; KINDS.len()] {
    KINDS.map(|kind| kept.get(kind).map_or_else(String::new, |(found, wanted)| format!("{found}/{wanted}")))
}

fn line(name: &str, cells: &[String]) -> String {
    cells.iter().fold(format!("{name:<14}"), |line, cell| format!("{line}{cell:>14}"))
}

impl Translator {
    fn connect(options: &Options) -> anyhow::Result<Self> {
        let details: Details = running::details(&options.directory)?;
        let client = running::client(&details.ca_file)?.timeout(PATIENCE).build()?;
        Ok(Self { client, details })
    }

    /// By the stream: an answer in one piece must come sooner than a small machine may need.
    async fn translate(&self, text: &str, target: &str, format: &str) -> anyhow::Result<String> {
        let body = json!({ "q": text, "source": "en", "target": target, "format": format });
        let request = self.client.post(format!("{}/translate/stream", self.details.url));
        let answer = request.bearer_auth(&self.details.tokens.user).json(&body).send().await?;
        let (status, stream) = (answer.status(), answer.text().await?);
        let last = stream.split("\n\n").filter_map(|event| event.split_once("\ndata: ")).last();
        match last {
            Some(("event: final", data)) => {
                let data: Value = serde_json::from_str(data).context("reading the last event")?;
                Ok(data["translatedText"].as_str().unwrap_or_default().to_owned())
            }
            Some((_, error)) => bail!("translating into {target}: {error}"),
            None => bail!("translating into {target}: {status} {stream}"),
        }
    }

    async fn quality(&self) -> anyhow::Result<()> {
        if self.details.simulated {
            return say(
                "the model is simulated and repeats its text: only structure was measured, not quality",
            );
        }
        let rows: Vec<_> = PARALLEL.lines().map(|row| row.split('\t').collect::<Vec<_>>()).collect();
        let mut languages: Vec<_> = rows.iter().filter_map(|row| row.first().copied()).collect();
        languages.dedup();
        say("chrF2 against the United Nations' translation (few sentences: a rough sign)")?;
        for language in languages {
            let mut pairs = Vec::new();
            for row in rows.iter().filter(|row| row.first() == Some(&language)) {
                let [_, english, reference] = row[..] else {
                    bail!("a line of udhr.tsv has no three columns")
                };
                pairs.push((self.translate(english, language, "text").await?, reference.to_owned()));
            }
            say(&format!("{:<14}{:>14.1}", format!("en → {language}"), chrf(&pairs)))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_corpora_have_what_is_counted() {
        let mut whole = Kept::new();
        for (_, _, text) in TEXTS {
            for (kind, (found, wanted)) in kept(text, text) {
                assert_eq!(found, wanted);
                whole.entry(kind).or_default().1 += wanted;
            }
        }
        assert!(KINDS.iter().all(|kind| whole[kind].1 >= 4), "{whole:?}");
        assert!(PARALLEL.lines().all(|row| row.split('\t').count() == 3));
    }
}
