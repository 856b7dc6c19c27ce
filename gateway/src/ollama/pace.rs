//! How fast each model really answers here: learned from Ollama's own figures, used to price requests.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use super::frames::Seen;
use super::names::ModelName;
use crate::config::settings::Ollama;

/// How much one observation moves the mean: the last twenty or so count.
const GAIN: f64 = 0.05;
/// Output length assumed before any answer was seen, in tokens (mean of the chat trace in Azure's 2023 data: 211).
const FIRST_OUTPUT: f64 = 211.0;
/// Prompts below this say nothing about the prefill rate: fixed costs dominate, and a cached prefix is not read.
const TELLING_PROMPT: u32 = 64;
/// Tokens of one prefill batch: `num_batch`'s default. A cancel is noticed at its end.
const BATCH: f64 = 512.0;
/// The longest a slot is held for a batch that still runs.
const LONGEST_BATCH: Duration = Duration::from_secs(5);

/// Rates of one model on an idle node.
#[derive(Debug, Clone, Copy)]
pub struct Rates {
    /// Prompt tokens a second.
    pub prefill: f64,
    /// Generated tokens a second of one stream.
    pub decode: f64,
    /// Mean length of an answer, in tokens.
    pub output: f64,
}

impl Rates {
    /// The work of a request, in seconds of an idle node.
    pub fn work(&self, prompt_tokens: u32, output_tokens: f64) -> f64 {
        f64::from(prompt_tokens) / self.prefill + output_tokens / self.decode
    }

    /// Tokens an answer capped at `cap` will probably have; 0 where nothing is generated.
    pub fn expected_output(&self, cap: u32) -> f64 {
        self.output.min(f64::from(cap))
    }

    /// How long Ollama goes on after a cancel before the first token.
    pub fn prefill_batch(&self) -> Duration {
        Duration::from_secs_f64(BATCH / self.prefill).min(LONGEST_BATCH)
    }
}

/// The learned rates of all models.
pub struct Pace {
    start: Rates,
    learned: RwLock<HashMap<ModelName, Rates>>,
}

impl Pace {
    /// Starts from the configured rates.
    pub fn new(settings: &Ollama) -> Self {
        let start = Rates {
            prefill: settings.prefill_tokens_per_second,
            decode: settings.decode_tokens_per_second,
            output: FIRST_OUTPUT,
        };
        Self { start, learned: RwLock::default() }
    }

    /// What is known of a model's speed.
    pub fn of(&self, model: &ModelName) -> Rates {
        let learned = self.learned.read().unwrap_or_else(PoisonError::into_inner);
        learned.get(model).copied().unwrap_or(self.start)
    }

    /// Learns from a finished answer. Only models this node has are ever asked, so the table is bounded by them.
    pub fn learn(&self, model: &ModelName, seen: &Seen) {
        let mut rates = self.of(model);
        if let (Some(tokens @ TELLING_PROMPT..), Some(took)) = (seen.prompt_tokens, seen.prefill) {
            approach(&mut rates.prefill, f64::from(tokens) / took.as_secs_f64());
        }
        if let Some(tokens @ 1..) = seen.output_tokens {
            approach(&mut rates.output, f64::from(tokens));
            if let Some(took) = seen.decode {
                approach(&mut rates.decode, f64::from(tokens) / took.as_secs_f64());
            }
        }
        let mut learned = self.learned.write().unwrap_or_else(PoisonError::into_inner);
        learned.insert(model.clone(), rates);
    }
}

fn approach(mean: &mut f64, observed: f64) {
    if observed.is_finite() && observed > 0.0 {
        *mean += GAIN * (observed - *mean);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_follow_what_is_seen_and_ignore_the_impossible() {
        let pace = Pace::new(&Ollama::default());
        let model = ModelName::parse("m").unwrap();
        let seen = Seen {
            prompt_tokens: Some(1000),
            prefill: Some(Duration::from_secs(2)),
            output_tokens: Some(100),
            decode: Some(Duration::from_secs(5)),
            ..Seen::default()
        };
        (0..200).for_each(|_| pace.learn(&model, &seen));
        pace.learn(&model, &Seen { prefill: Some(Duration::ZERO), decode: Some(Duration::ZERO), ..seen });
        let rates = pace.of(&model);
        assert!((rates.prefill - 500.0).abs() < 1.0 && (rates.decode - 20.0).abs() < 1.0, "{rates:?}");
        assert!((rates.work(500, 20.0) - 2.0).abs() < 0.1);
        assert_eq!(rates.prefill_batch().as_millis() / 100, 10);
    }
}
