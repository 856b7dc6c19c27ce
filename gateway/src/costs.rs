//! What the fleet costs this month: what Cost Explorer says was spent, our own estimate by person and model, and where both
//! lead to by the month's end.
//!
//! `month` says what day it is, `estimate` and `forecast` reckon without a clock, `explorer` keeps the answers of Cost
//! Explorer, since each costs a cent, and `aws` asks for them.

pub mod month;
pub mod estimate;
pub mod explorer;
pub mod forecast;
#[cfg(feature = "aws")]
pub mod aws;

use std::sync::Arc;

use fleet::shutdown::Tasks;
use fleet::store::{Store, StoreError};
use jiff::Timestamp;
use serde_json::{Value, json};

use self::estimate::Prices;
use self::explorer::{Explorer, Look};
use self::month::Month;
use crate::config::Config;

/// What is needed to tell the costs.
pub struct Costs {
    prices: Prices,
    budget: Option<f64>,
    fleet: String,
    tag: String,
    store: Arc<dyn Store>,
    explorer: Explorer,
}

impl Costs {
    /// Asks nobody yet.
    pub fn new(config: &Config, store: Arc<dyn Store>, tasks: &Tasks) -> Self {
        let settings = &config.costs;
        let value = settings.tag_value.as_ref().unwrap_or(&config.fleet.name);
        Self {
            prices: Prices { gpu_hour: settings.gpu_hour, fixed_month: settings.fixed_month },
            budget: settings.budget,
            fleet: config.fleet.name.clone(),
            tag: format!("{}={value}", settings.tag_key),
            store,
            explorer: Explorer::new(source(config), tasks.clone()),
        }
    }

    /// The month that `now` is in, as the page reads it.
    ///
    /// # Errors
    /// As [`Store::usage_since`]: what cannot be told of usage. What Cost Explorer does not tell is in the answer.
    pub async fn told(&self, now: Timestamp) -> Result<Value, StoreError> {
        let month = Month::of(now);
        let first_day = month.first_day();
        let (used, state, look) = tokio::join!(
            self.store.usage_since(&first_day),
            self.store.state(&self.fleet),
            self.explorer.look(&month, now),
        );
        let lived = state?.spent.filter(|spent| spent.period == month.period());
        let estimate = estimate::of(&month, &self.prices, &used?, lived.map(|spent| spent.gpu_seconds));
        let Look { bill, error } = look;
        let forecast = forecast::of(&month, bill.as_deref(), &estimate);
        Ok(json!({
            "currency": explorer::CURRENCY,
            "month": month.name(),
            "explorer": bill.map(|bill| json!({ "as_of": bill.as_of, "tag": self.tag, "days": bill.days })),
            "explorer_error": error,
            "estimate": estimate,
            "forecast": forecast,
            "budget": self.budget,
        }))
    }
}

#[cfg(feature = "aws")]
fn source(config: &Config) -> Option<Arc<dyn explorer::Explore>> {
    config.costs.explorer.then(|| Arc::new(aws::CostExplorer::of(config)) as Arc<dyn explorer::Explore>)
}

#[cfg(not(feature = "aws"))]
fn source(_: &Config) -> Option<Arc<dyn explorer::Explore>> {
    None
}

#[cfg(test)]
mod tests;
