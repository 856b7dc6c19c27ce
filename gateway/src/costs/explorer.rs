//! What Cost Explorer has said, kept for six hours: each of its answers costs a cent, and it learns of costs a day late
//! anyway. Asked only when somebody looks, and by one at a time.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use fleet::shutdown::Tasks;
use jiff::Timestamp;
use serde::Serialize;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::month::Month;

/// The only currency that prices and budgets are in.
pub const CURRENCY: &str = "USD";

/// How long an answer is good: Cost Explorer is refreshed at least once a day
/// (<https://docs.aws.amazon.com/cost-management/latest/userguide/ce-what-is.html>).
const KEEP: Duration = Duration::from_secs(6 * 3600);
/// How long a failure is: a missing permission is not there a second later.
const KEEP_FAILURE: Duration = Duration::from_secs(3600);

/// One month so far, by day and service.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Bill {
    /// When it was asked for, in seconds since 1970.
    pub as_of: i64,
    /// The first day first.
    pub days: Vec<BillDay>,
}

/// One day's costs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BillDay {
    /// `yyyy-mm-dd`
    pub day: String,
    /// The most expensive first; without those that cost nothing.
    pub services: Vec<ServiceLine>,
}

impl BillDay {
    /// Of all services together.
    pub fn amount(&self) -> f64 {
        self.services.iter().map(|line| line.amount).sum()
    }
}

/// What one service of AWS cost.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ServiceLine {
    /// As AWS names it.
    pub service: String,
    /// In USD, before taxes and credits are shared out.
    pub amount: f64,
}

/// Why Cost Explorer has not told, in a sentence for operators.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ExploreError(pub String);

/// Where costs are asked for.
#[async_trait]
pub trait Explore: Send + Sync {
    /// Costs by day and service from `from` to the day before `until`, both `yyyy-mm-dd`.
    async fn costs(&self, from: &str, until: &str) -> Result<Vec<BillDay>, ExploreError>;
}

/// What is known of the month: the last good answer, and why there is no newer one.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Look {
    /// The last answer of this month.
    pub bill: Option<Arc<Bill>>,
    /// Why the last question had none.
    pub error: Option<String>,
}

#[derive(Default)]
struct Kept {
    look: Look,
    /// The month it is about.
    month: String,
    asked_at: Option<Instant>,
}

impl Kept {
    fn is_good(&self, month: &Month) -> bool {
        let keep = if self.look.error.is_some() { KEEP_FAILURE } else { KEEP };
        self.month == month.name() && self.asked_at.is_some_and(|at| at.elapsed() < keep)
    }
}

/// The one place of a process that asks.
pub struct Explorer {
    source: Option<Arc<dyn Explore>>,
    kept: Arc<Mutex<Kept>>,
    tasks: Tasks,
}

impl Explorer {
    /// One that has not asked yet; without a source it never will.
    pub fn new(source: Option<Arc<dyn Explore>>, tasks: Tasks) -> Self {
        Self { source, kept: Arc::default(), tasks }
    }

    /// What is known of `month`, asked for where that is too old. Who comes meanwhile waits for the same answer, and who
    /// leaves does not undo the question: it is paid for.
    pub async fn look(&self, month: &Month, now: Timestamp) -> Look {
        let Some(source) = self.source.clone() else { return Look::default() };
        let (kept, month) = (self.kept.clone(), *month);
        let asked = self.tasks.spawn(async move {
            let mut kept = kept.lock().await; // one asks, the others get what it was told
            if !kept.is_good(&month) {
                let answer = source.costs(&month.first_day(), &month.tomorrow()).await;
                kept.hear(&month, now, answer);
            }
            kept.look.clone()
        });
        asked.await.unwrap_or_else(|_| Look { bill: None, error: Some("it was not asked".to_owned()) })
    }
}

impl Kept {
    fn hear(&mut self, month: &Month, now: Timestamp, answer: Result<Vec<BillDay>, ExploreError>) {
        if self.month != month.name() {
            *self = Self { month: month.name(), ..Self::default() };
        }
        self.asked_at = Some(Instant::now());
        match answer {
            Ok(days) => {
                tracing::info!(days = days.len(), "Cost Explorer was asked");
                let bill = Bill { as_of: now.as_second(), days };
                self.look = Look { bill: Some(Arc::new(bill)), error: None };
            }
            Err(error) => {
                tracing::warn!(%error, "Cost Explorer did not tell what was spent");
                self.look.error = Some(error.to_string());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex as Plain;

    use futures_util::future::join_all;
    use tokio::time::{advance, sleep};

    use super::*;

    /// Answers by script, and counts; takes a second each time.
    #[derive(Default)]
    struct Scripted {
        asked: Plain<Vec<(String, String)>>,
        fails: Plain<bool>,
    }

    #[async_trait]
    impl Explore for Scripted {
        async fn costs(&self, from: &str, until: &str) -> Result<Vec<BillDay>, ExploreError> {
            sleep(Duration::from_secs(1)).await;
            self.asked.lock().unwrap().push((from.to_owned(), until.to_owned()));
            if *self.fails.lock().unwrap() {
                return Err(ExploreError("no permission".to_owned()));
            }
            Ok(vec![BillDay { day: from.to_owned(), services: vec![] }])
        }
    }

    impl Scripted {
        fn times(&self) -> usize {
            self.asked.lock().unwrap().len()
        }
    }

    fn explorer() -> (Arc<Scripted>, Explorer) {
        let source = Arc::new(Scripted::default());
        (source.clone(), Explorer::new(Some(source), Tasks::new()))
    }

    fn now() -> Timestamp {
        "2026-11-30T12:00:00Z".parse().unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn many_who_look_at_once_cost_one_question() {
        let (source, explorer) = explorer();
        let month = Month::of(now());
        let looks = join_all((0..20).map(|_| explorer.look(&month, now()))).await;
        assert_eq!(
            source.asked.lock().unwrap().as_slice(),
            [("2026-11-01".to_owned(), "2026-12-01".to_owned())]
        );
        assert!(
            looks.iter().all(|look| look.bill.as_ref().is_some_and(|bill| bill.as_of == now().as_second()))
        );
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_is_good_for_six_hours_and_for_its_month() {
        let (source, explorer) = explorer();
        let month = Month::of(now());
        explorer.look(&month, now()).await;
        advance(KEEP - Duration::from_secs(10)).await;
        explorer.look(&month, now()).await;
        assert_eq!(source.times(), 1);
        advance(Duration::from_secs(20)).await;
        explorer.look(&month, now()).await;
        assert_eq!(source.times(), 2);
        let next = Month::of("2026-12-01T00:00:01Z".parse().unwrap());
        assert_eq!(explorer.look(&next, now()).await.bill.unwrap().days[0].day, "2026-12-01");
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_stands_for_an_hour_beside_what_was_known() {
        let (source, explorer) = explorer();
        let month = Month::of(now());
        explorer.look(&month, now()).await;
        *source.fails.lock().unwrap() = true;
        advance(KEEP).await;
        let look = explorer.look(&month, now()).await;
        assert_eq!((look.bill.is_some(), look.error.as_deref()), (true, Some("no permission")));
        advance(KEEP_FAILURE - Duration::from_secs(10)).await;
        explorer.look(&month, now()).await;
        assert_eq!(source.times(), 2, "not asked again before an hour is over");
        *source.fails.lock().unwrap() = false;
        advance(Duration::from_secs(20)).await;
        assert_eq!(explorer.look(&month, now()).await.error, None);
        *source.fails.lock().unwrap() = true;
        let next = Month::of("2026-12-01T00:00:01Z".parse().unwrap());
        let look = explorer.look(&next, now()).await;
        assert_eq!(look.bill, None, "another month's bill is not this one's");
    }

    #[tokio::test(start_paused = true)]
    async fn who_leaves_does_not_pay_twice() {
        let (source, explorer) = explorer();
        let month = Month::of(now());
        let left = tokio::time::timeout(Duration::from_millis(500), explorer.look(&month, now())).await;
        assert!(left.is_err());
        assert!(explorer.look(&month, now()).await.bill.is_some());
        assert_eq!(source.times(), 1);
    }

    #[tokio::test]
    async fn without_a_source_nothing_is_known_and_nothing_is_wrong() {
        let explorer = Explorer::new(None, Tasks::new());
        assert_eq!(explorer.look(&Month::of(now()), now()).await, Look::default());
    }
}
