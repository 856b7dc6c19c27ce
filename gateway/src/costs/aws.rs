//! Cost Explorer of AWS: the fleet's costs by its tag, each day and service
//! (<https://docs.aws.amazon.com/aws-cost-management/latest/APIReference/API_GetCostAndUsage.html>). Needs
//! `ce:GetCostAndUsage`, and the tag switched on as a cost allocation tag. One endpoint for all regions.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_costexplorer::Client;
use aws_sdk_costexplorer::config::{Builder, Region};
use aws_sdk_costexplorer::operation::get_cost_and_usage::GetCostAndUsageOutput;
use aws_sdk_costexplorer::types::{
    DateInterval, Expression, Granularity, Group, GroupDefinition, GroupDefinitionType, MatchOption,
    MetricValue, TagValues,
};
use fleet::aws::Fault;
use tokio::sync::OnceCell;

use super::estimate::money;
use super::explorer::{BillDay, CURRENCY, Explore, ExploreError, ServiceLine};
use crate::config::Config;

/// What is charged at the end, before it is shared out among accounts.
const METRIC: &str = "UnblendedCost";
/// Its answers take seconds; nobody but who looks waits for them.
const ATTEMPT: Duration = Duration::from_secs(10);
const CALL: Duration = Duration::from_secs(25);
/// Pages of one answer, a cent each: a month of a fleet's services is one.
const MOST_PAGES: usize = 5;

/// The costs of one tag.
pub struct CostExplorer {
    client: OnceCell<Client>,
    region: String,
    tag_key: String,
    tag_value: String,
}

impl CostExplorer {
    /// The costs of this fleet. Looks for credentials with the first question.
    pub fn of(config: &Config) -> Self {
        let costs = &config.costs;
        Self {
            client: OnceCell::new(),
            region: costs.region.clone(),
            tag_key: costs.tag_key.clone(),
            tag_value: costs.tag_value.clone().unwrap_or_else(|| config.fleet.name.clone()),
        }
    }

    /// The same, where `shared` leads.
    pub fn with(config: &Config, shared: &SdkConfig) -> Self {
        let explorer = Self::of(config);
        Self { client: OnceCell::new_with(Some(client(shared, &explorer.region))), ..explorer }
    }

    async fn client(&self) -> &Client {
        self.client.get_or_init(|| async { client(&fleet::aws::here().await, &self.region) }).await
    }

    async fn page(
        &self,
        interval: &DateInterval,
        page: Option<String>,
    ) -> Result<GetCostAndUsageOutput, ExploreError> {
        let tag = TagValues::builder()
            .key(&self.tag_key)
            .values(&self.tag_value)
            .match_options(MatchOption::Equals)
            .build();
        let service =
            GroupDefinition::builder().r#type(GroupDefinitionType::Dimension).key("SERVICE").build();
        let call = self.client().await.get_cost_and_usage();
        call.time_period(interval.clone())
            .granularity(Granularity::Daily)
            .metrics(METRIC)
            .group_by(service)
            .filter(Expression::builder().tags(tag).build())
            .set_next_page_token(page)
            .send()
            .await
            .map_err(|error| ExploreError(format!("Cost Explorer: {}", Fault::of(&error))))
    }
}

fn client(shared: &SdkConfig, region: &str) -> Client {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(ATTEMPT)
        .operation_attempt_timeout(ATTEMPT)
        .operation_timeout(CALL)
        .build();
    let config = Builder::from(shared)
        .region(Region::new(region.to_owned()))
        .retry_config(RetryConfig::standard().with_max_attempts(2))
        .timeout_config(timeouts);
    Client::from_conf(config.build())
}

#[async_trait]
impl Explore for CostExplorer {
    async fn costs(&self, from: &str, until: &str) -> Result<Vec<BillDay>, ExploreError> {
        let interval = DateInterval::builder().start(from).end(until).build();
        let interval = interval.map_err(|error| ExploreError(error.to_string()))?;
        let (mut days, mut next) = (BTreeMap::new(), None);
        for _ in 0..MOST_PAGES {
            let page = self.page(&interval, next.take()).await?;
            gather(&page, &mut days)?;
            next = page.next_page_token.filter(|token| !token.is_empty());
            if next.is_none() {
                return Ok(days.into_iter().map(|(day, services)| in_order(day, services)).collect());
            }
        }
        Err(ExploreError(format!(
            "Cost Explorer has more than {MOST_PAGES} pages for this month; narrow the tag"
        )))
    }
}

/// Services and what they cost, by day.
type Days = BTreeMap<String, BTreeMap<String, f64>>;

/// Adds one page. Days without any cost are days too.
fn gather(page: &GetCostAndUsageOutput, days: &mut Days) -> Result<(), ExploreError> {
    for result in page.results_by_time() {
        let Some(period) = result.time_period() else { continue };
        let services = days.entry(period.start().to_owned()).or_default();
        for group in result.groups() {
            let (service, amount) = line(group)?;
            *services.entry(service).or_default() += amount;
        }
    }
    Ok(())
}

fn line(group: &Group) -> Result<(String, f64), ExploreError> {
    let service = group.keys().first().map_or("unnamed", String::as_str);
    let unreadable = |what: &str| ExploreError(format!("Cost Explorer told no {what} of `{service}`"));
    let value: &MetricValue =
        group.metrics().and_then(|metrics| metrics.get(METRIC)).ok_or_else(|| unreadable("cost"))?;
    let amount: f64 = value
        .amount()
        .and_then(|amount| amount.parse().ok())
        .filter(|amount: &f64| amount.is_finite())
        .ok_or_else(|| unreadable("amount"))?;
    // Where nothing was spent the unit may be missing, or `N/A`.
    if amount != 0.0 && value.unit() != Some(CURRENCY) {
        let unit = value.unit().unwrap_or("nothing");
        return Err(ExploreError(format!("Cost Explorer counts in {unit}, the gateway in {CURRENCY}")));
    }
    Ok((service.to_owned(), amount))
}

fn in_order(day: String, services: BTreeMap<String, f64>) -> BillDay {
    let mut services: Vec<ServiceLine> = services
        .into_iter()
        .map(|(service, amount)| ServiceLine { service, amount: money(amount) })
        .filter(|line| line.amount != 0.0)
        .collect();
    services.sort_by(|one, next| next.amount.total_cmp(&one.amount));
    BillDay { day, services }
}

#[cfg(test)]
mod tests;
