//! How much work this process has taken in and how much its own Ollama has finished, in requests and tokens: what the
//! scaler's forecast lives on.

use std::sync::{Mutex, PoisonError};

use fleet::report::Load;

use crate::request::queue;

/// Cumulative counts; they only grow. A request that is handed from gateway to gateway arrives at the first and is
/// finished at the last, so that a fleet's sums hold it once.
#[derive(Debug, Default)]
pub struct Work(Mutex<Load>);

impl Work {
    /// A client's request was admitted: it has a slot, or a place in the queue. What a peer or a front hands over
    /// arrived there.
    pub fn arrived(&self, prompt_tokens: u32) {
        self.count(|load| {
            load.arrived += 1;
            load.arrived_prompt_tokens += u64::from(prompt_tokens);
        });
    }

    /// The local Ollama is through with a request, or was cut short in it.
    pub fn finished(&self, prompt_tokens: u64, output_tokens: u64) {
        self.count(|load| {
            load.finished += 1;
            load.finished_prompt_tokens += prompt_tokens;
            load.finished_output_tokens += output_tokens;
        });
    }

    /// The counts so far, with what waits and runs now.
    pub fn load(&self, queue: &queue::Load) -> Load {
        Load {
            waiting_prompt_tokens: queue.queued_prompt_tokens,
            running_prompt_tokens: queue.running_prompt_tokens,
            ..*self.0.lock().unwrap_or_else(PoisonError::into_inner)
        }
    }

    fn count(&self, add: impl FnOnce(&mut Load)) {
        add(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
