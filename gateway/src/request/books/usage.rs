//! What callers have used in the last days: one's own, or everybody's for administrators.

use fleet::store::{DayOfUse, StoreError, Usage};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use serde_json::{Value, json};

use super::failed;
use crate::error::Refusal;
use crate::identity::Caller;
use crate::request::Journey;

/// Days shown, today among them.
const DAYS: i64 = 31;

impl Journey {
    /// The last days, the newest first, without those on which nothing was asked: of the caller, also where there are
    /// none; of everybody who has some, where the caller administers.
    pub(super) async fn used(&self, caller: &Caller) -> Result<Value, Refusal> {
        let today = Timestamp::now().to_zoned(TimeZone::UTC).date();
        if caller.rights.manage_models {
            let used = self.shared.store.usage_since(&day(today, DAYS - 1)?).await.map_err(untold)?;
            tracing::info!(by = caller.principal.as_str(), days = used.len(), "everybody's usage was shown");
            return Ok(json!({ "people": people(used) }));
        }
        let mut days = Vec::new();
        for back in 0..DAYS {
            let day = day(today, back)?;
            let usage = self.shared.store.usage(caller.principal.as_str(), &day).await.map_err(failed)?;
            if usage.requests > 0 {
                days.push(shown(&day, &usage));
            }
        }
        Ok(json!({ "people": [{ "principal": caller.principal.as_str(), "days": days }] }))
    }
}

/// The first of the days shown.
pub(crate) fn first_day() -> Result<String, Refusal> {
    day(Timestamp::now().to_zoned(TimeZone::UTC).date(), DAYS - 1)
}

fn day(today: Date, back: i64) -> Result<String, Refusal> {
    today.checked_sub(Span::new().days(back)).map(|day| day.to_string()).map_err(|_| Refusal::Bug)
}

/// One entry for each principal; `used` has theirs side by side.
fn people(mut used: Vec<DayOfUse>) -> Vec<Value> {
    used.retain(|line| line.usage.requests > 0);
    let person = |lines: &[DayOfUse]| {
        let days: Vec<Value> = lines.iter().map(|line| shown(&line.day, &line.usage)).collect();
        json!({ "principal": lines[0].principal, "days": days })
    };
    used.chunk_by(|one, next| one.principal == next.principal).map(person).collect()
}

fn shown(day: &str, usage: &Usage) -> Value {
    json!({
        "day": day,
        "requests": usage.requests,
        "prompt_tokens": usage.prompt_tokens,
        "output_tokens": usage.generated_tokens,
        "gpu_seconds": usage.gpu_seconds,
    })
}

/// A table that has outgrown this answer will not shrink: a retry, which other faults are worth, would only cost.
fn untold(error: StoreError) -> Refusal {
    let StoreError::TooMuch(why) = error else { return failed(error) };
    tracing::warn!(why, "everybody's usage was not shown");
    Refusal::Invalid(
        "more is kept than one answer can look through; export the fleet's table and add up the items whose `SK` \
         begins with `USAGE#`"
            .to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_that_is_too_large_is_no_reason_to_try_again() {
        assert!(matches!(untold(StoreError::TooMuch(String::new())), Refusal::Invalid(_)));
        assert!(matches!(untold(StoreError::Unavailable(String::new())), Refusal::Overloaded { .. }));
    }
}
