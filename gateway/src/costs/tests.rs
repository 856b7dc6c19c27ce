//! The whole answer, from a real store and a scripted Cost Explorer: its shape is what the page reads.

use async_trait::async_trait;
use fleet::store::{Change, FleetState, ModelUsage, Spent, SqliteStore, Usage};

use super::explorer::{BillDay, Explore, ExploreError, ServiceLine};
use super::*;

struct Told(Result<f64, &'static str>);

#[async_trait]
impl Explore for Told {
    async fn costs(&self, from: &str, until: &str) -> Result<Vec<BillDay>, ExploreError> {
        assert_eq!((from, until), ("2026-11-01", "2026-11-04"));
        let amount = self.0.map_err(|why| ExploreError(why.to_owned()))?;
        let services = vec![ServiceLine { service: "EC2".to_owned(), amount }];
        Ok(vec![BillDay { day: "2026-11-01".to_owned(), services }])
    }
}

/// Costs with prices and a budget; the store is new.
async fn costs(folder: &tempfile::TempDir, source: Option<Told>) -> Costs {
    let store = Arc::new(SqliteStore::open(&folder.path().join("fleet.db")).unwrap());
    let mut config = Config::default();
    (config.costs.gpu_hour, config.costs.fixed_month) = (Some(0.5), Some(60.0));
    config.costs.budget = Some(250.0);
    let source = source.map(|told| Arc::new(told) as Arc<dyn Explore>);
    Costs { explorer: Explorer::new(source, Tasks::new()), ..Costs::new(&config, store, &Tasks::new()) }
}

fn now() -> Timestamp {
    "2026-11-03T00:00:00Z".parse().unwrap()
}

async fn spend(costs: &Costs, period: u32) {
    let (asleep, spent) = (FleetState::default(), Some(Spent { period, gpu_seconds: 36_000.0 }));
    let changed = costs.store.change_state("default", &asleep, &FleetState { spent, ..asleep.clone() }).await;
    assert!(matches!(changed, Ok(Change::Made(_))));
}

#[tokio::test]
async fn usage_hours_and_the_bill_are_told_together() {
    let folder = tempfile::tempdir().unwrap();
    let costs = costs(&folder, Some(Told(Ok(4.0)))).await;
    let one = Usage { prompt_tokens: 70, generated_tokens: 30, requests: 1, gpu_seconds: 3600.0 };
    let models = ModelUsage::from([("gemma3:4b".to_owned(), one)]);
    costs.store.add_usage_by_model("key#a", "2026-11-02", &one, &models).await.unwrap();
    costs.store.add_usage_by_model("key#a", "2026-10-31", &one, &models).await.unwrap();
    spend(&costs, 202_611).await;
    let told = costs.told(now()).await.unwrap();
    let as_of = now().as_second();
    let explorer = json!({
        "as_of": as_of, "tag": "Fleet=default",
        "days": [{ "day": "2026-11-01", "services": [{ "service": "EC2", "amount": 4.0 }] }]
    });
    let line = json!({
        "principal": "key#a", "model": "gemma3:4b", "requests": 1, "prompt_tokens": 70, "output_tokens": 30,
        "gpu_seconds": 3600.0, "amount": 0.5
    });
    assert_eq!((&told["currency"], &told["month"]), (&json!("USD"), &json!("2026-11")));
    assert_eq!((&told["explorer"], &told["explorer_error"]), (&explorer, &Value::Null));
    assert_eq!(told["estimate"]["people"], json!([line]), "last month's is not this one's");
    assert_eq!(
        (&told["estimate"]["gpu_hours"], &told["estimate"]["amount"]),
        (&json!(10.0), &json!(5.0 + 4.0))
    );
    assert_eq!(told["forecast"], json!({ "amount": 120.0, "basis": "explorer" }));
    assert_eq!(told["budget"], json!(250.0));
}

#[tokio::test]
async fn without_cost_explorer_the_estimate_stands_alone() {
    let folder = tempfile::tempdir().unwrap();
    let costs = costs(&folder, None).await;
    spend(&costs, 202_610).await; // the month before: its hours are not this one's
    let told = costs.told(now()).await.unwrap();
    assert_eq!((&told["explorer"], &told["explorer_error"]), (&Value::Null, &Value::Null));
    assert_eq!((&told["estimate"]["gpu_hours"], &told["estimate"]["people"]), (&json!(0.0), &json!([])));
    assert_eq!(told["forecast"], json!({ "amount": 60.0, "basis": "estimate" }));
}

#[tokio::test]
async fn what_cost_explorer_does_not_tell_is_said_beside_the_estimate() {
    let folder = tempfile::tempdir().unwrap();
    let costs = costs(&folder, Some(Told(Err("Cost Explorer: AccessDeniedException")))).await;
    let told = costs.told(now()).await.unwrap();
    assert_eq!(
        (&told["explorer"], &told["explorer_error"]),
        (&Value::Null, &json!("Cost Explorer: AccessDeniedException"))
    );
    assert_eq!(told["forecast"]["basis"], "estimate");
}
