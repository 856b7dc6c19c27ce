//! The mean request of the last few hundred.

use crate::Work;
use crate::decide::policy::Benchmark;

/// How many requests the means remember.
const MEMORY: f64 = 300.0;

/// What we believe before the first request: a paragraph in, a paragraph out, with the weight of ten requests. At
/// 150 answer tokens azure23_conv_cold waits 13.2 s instead of 12.7 s: it decides only how a first start is sized.
const FIRST: (f64, f64, f64) = (500.0, 200.0, 10.0);

/// Means of prompt and answer, over about the last 300 requests.
#[derive(Clone, Debug)]
pub struct MeanRequest {
    prompt: Mean,
    output: Mean,
}

impl Default for MeanRequest {
    fn default() -> Self {
        let (prompt, output, weight) = FIRST;
        Self { prompt: Mean { sum: prompt * weight, weight }, output: Mean { sum: output * weight, weight } }
    }
}

impl MeanRequest {
    /// `count` requests arrived with so many prompt tokens together.
    pub fn arrived(&mut self, count: u64, prompt_tokens: u64) {
        self.prompt.add(count, prompt_tokens);
    }

    /// `count` requests finished with so many answer tokens together.
    pub fn finished(&mut self, count: u64, output_tokens: u64) {
        self.output.add(count, output_tokens);
    }

    /// Mean answer, tokens.
    #[must_use]
    pub fn output(&self) -> f64 {
        self.output.value()
    }

    /// Mean work: seconds on an idle node.
    #[must_use]
    pub fn work(&self, benchmark: &Benchmark) -> Work {
        (self.prompt.value() / benchmark.prefill + self.output.value() / benchmark.decode).max(0.01)
    }
}

#[derive(Clone, Debug)]
struct Mean {
    sum: f64,
    weight: f64,
}

impl Mean {
    fn add(&mut self, count: u64, tokens: u64) {
        if count == 0 {
            return;
        }
        let keep = (-(count as f64) / MEMORY).exp();
        // The newcomers' weight is what forgetting leaves of them when they come one by one.
        let weight = (1.0 - keep) * MEMORY;
        self.sum = self.sum * keep + tokens as f64 / count as f64 * weight;
        self.weight = self.weight * keep + weight;
    }

    fn value(&self) -> f64 {
        self.sum / self.weight
    }
}
