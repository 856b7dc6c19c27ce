//! The keys of what the fleet costs.

use serde::Deserialize;

/// `[costs]`: prices for our own estimate, and whether Cost Explorer is asked. All amounts in USD.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub struct Costs {
    /// Price of one node's hour. Default none: hours are shown without an amount.
    pub gpu_hour: Option<f64>,
    /// What a month costs whether nodes run or not: load balancer, fronts, addresses. Default none.
    pub fixed_month: Option<f64>,
    /// What a month may cost; a line on the page, which stops nothing. Default none.
    pub budget: Option<f64>,
    /// Ask Cost Explorer what was spent: a cent a call, at most every six hours and only when somebody looks.
    /// Default false.
    pub explorer: bool,
    /// The cost allocation tag of the fleet's resources. Default `Fleet`.
    pub tag_key: String,
    /// Its value. Default: the fleet's name.
    pub tag_value: Option<String>,
    /// Where Cost Explorer is: it has one endpoint in a partition of AWS. Default `us-east-1`.
    pub region: String,
}

impl Default for Costs {
    fn default() -> Self {
        Self {
            gpu_hour: None,
            fixed_month: None,
            budget: None,
            explorer: false,
            tag_key: "Fleet".to_owned(),
            tag_value: None,
            region: "us-east-1".to_owned(),
        }
    }
}

impl Costs {
    /// Every broken rule of the section.
    pub(in crate::config) fn mistakes(&self) -> Vec<String> {
        let amounts =
            [("gpu_hour", self.gpu_hour), ("fixed_month", self.fixed_month), ("budget", self.budget)];
        let mut found: Vec<String> = amounts
            .into_iter()
            .filter_map(|(key, amount)| amount.map(|amount| (key, amount)))
            .filter(|(_, amount)| !(0.0..1e9).contains(amount))
            .map(|(key, amount)| format!("costs.{key}: {amount} is no amount in USD"))
            .collect();
        if self.explorer && !cfg!(feature = "aws") {
            found.push(
                "costs.explorer: this build has no AWS; build the gateway with `--features aws`".to_owned(),
            );
        }
        // As Cost Explorer takes them: at most 1024 characters, and a filter without a key would be everybody's costs.
        for (key, text) in [("tag_key", Some(&self.tag_key)), ("tag_value", self.tag_value.as_ref())] {
            if text.is_some_and(|text| text.trim().is_empty() || text.len() > 1024) {
                found.push(format!("costs.{key}: it must have 1 to 1024 characters"));
            }
        }
        if self.region.is_empty() {
            found.push("costs.region: empty; `us-east-1` is where Cost Explorer is".to_owned());
        }
        found
    }
}
