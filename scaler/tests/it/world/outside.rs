//! The load balancer and the metrics as a scaler reaches them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use fleet::publish::{Datum, Publish, PublishError, Value};
use scaler::decide::observation::NodeId;
use scaler::entrance::{Entrance, EntranceError, View, Weights};

use super::sim::Sim;

/// One scaler's way to both.
#[derive(Clone)]
pub struct Outside {
    pub sim: Arc<Mutex<Sim>>,
    pub name: String,
}

impl Outside {
    fn sim(&self) -> MutexGuard<'_, Sim> {
        self.sim.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Outside {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Outside of {}", self.name)
    }
}

#[async_trait]
impl Entrance for Outside {
    async fn look(&self) -> Result<View, EntranceError> {
        let sim = self.sim();
        let healthy = sim.healthy().map(|one| NodeId::new(&one.id)).collect();
        Ok(View { healthy, weights: sim.weights })
    }

    async fn set(&self, weights: Weights) -> Result<(), EntranceError> {
        let mut sim = self.sim();
        let entry = (sim.now(), self.name.clone(), format!("weights {}:{}", weights.nodes, weights.front));
        sim.calls.push(entry);
        sim.weights = weights;
        Ok(())
    }
}

#[async_trait]
impl Publish for Outside {
    async fn publish(&self, metrics: &[Datum]) -> Result<(), PublishError> {
        let mut sim = self.sim();
        let now = sim.now();
        let values = metrics.iter().filter_map(|datum| match datum.value {
            Value::One(value) => Some((datum.name, value)),
            Value::Counted(_) => None,
        });
        let values: BTreeMap<_, _> = values.collect();
        let short = values.get("NodesShort").map_or(0, |short| *short as u32);
        let since = sim.short.map_or(now, |(since, _)| since);
        sim.short = (short > 0).then_some((since, short));
        sim.published.push((now, values));
        Ok(())
    }
}
