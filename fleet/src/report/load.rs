//! What the scaler's forecast lives on: how much work arrived, waits, runs and was finished.

use serde::{Deserialize, Serialize};

/// A gateway's inference requests in tokens. Only what was admitted counts; lists and refusals never do.
///
/// A request that one gateway hands to another *arrived* at the first and *finished* at the second, so that the sums
/// over a fleet count it once: who hands it on counts neither its running nor its end, who takes it from a peer or a
/// front does not count its arrival. Encoded as a list of numbers in this order: three histograms share a report of
/// less than 1 KB. A shorter list of an older version reads as zeros.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(from = "Vec<u64>", into = "[u64; 7]")]
pub struct Load {
    /// Requests admitted from clients since the process began.
    pub arrived: u64,
    /// Their prompt tokens, as estimated on arrival.
    pub arrived_prompt_tokens: u64,
    /// Requests that the Ollama beside this gateway has finished, cut ones too, since the process began.
    pub finished: u64,
    /// Their prompt tokens: Ollama's own count where it gave one.
    pub finished_prompt_tokens: u64,
    /// Tokens generated in them.
    pub finished_output_tokens: u64,
    /// Prompt tokens of the requests that wait in this gateway's queue at this moment.
    pub waiting_prompt_tokens: u64,
    /// Prompt tokens of the requests inside the Ollama beside it at this moment.
    pub running_prompt_tokens: u64,
}

impl From<Load> for [u64; 7] {
    fn from(load: Load) -> Self {
        [
            load.arrived,
            load.arrived_prompt_tokens,
            load.finished,
            load.finished_prompt_tokens,
            load.finished_output_tokens,
            load.waiting_prompt_tokens,
            load.running_prompt_tokens,
        ]
    }
}

impl From<Vec<u64>> for Load {
    fn from(numbers: Vec<u64>) -> Self {
        let at = |place: usize| numbers.get(place).copied().unwrap_or_default();
        Self {
            arrived: at(0),
            arrived_prompt_tokens: at(1),
            finished: at(2),
            finished_prompt_tokens: at(3),
            finished_output_tokens: at(4),
            waiting_prompt_tokens: at(5),
            running_prompt_tokens: at(6),
        }
    }
}
