//! While no scaler lives, gateways say themselves how long the fleet's queue is: two slow policies of the group on that
//! one number keep the fleet alive until a scaler is back.
//!
//! The fronts say it, since they hold the requests while the fleet sleeps, and there are one or two of them: if one
//! cannot reach the metrics, the other can. A fleet without fronts has its nodes say it, all of them: who among a hundred
//! is to be silent would be one more thing to agree upon in a fleet that has just lost its leader, and for as long as
//! that lasts a call every ten seconds is cheap. All say the same sum, and alarms take the largest.

use std::sync::Arc;
use std::time::Duration;

use fleet::lease::Lease;
use fleet::publish::{Datum, Publish, Unit, Value};
use fleet::report::Role;
use fleet::store::Store;
use tokio::time::sleep;

use crate::config::Config;
use crate::process::Shared;

/// How often it is said: the shortest period of an alarm.
const EVERY: Duration = Duration::from_secs(10);
/// How long the scaler's lease must have stood still: three times what a second scaler waits before it takes over.
const SILENCE: Duration = Duration::from_secs(30);

/// Where the configuration has metrics go; `None` where nowhere.
pub async fn publisher(config: &Config) -> Option<Arc<dyn Publish>> {
    if !config.metrics.on {
        return None;
    }
    #[cfg(feature = "aws")]
    {
        use fleet::publish::CloudWatch;
        let here = fleet::aws::here().await;
        Some(Arc::new(CloudWatch::new(&here, &config.metrics.namespace, &config.fleet.name)))
    }
    #[cfg(not(feature = "aws"))]
    {
        None // the configuration check has refused it
    }
}

/// Is it this process's turn?
fn speaks(own: Role, fronts_elsewhere: bool, lease_stood_still: Duration) -> bool {
    lease_stood_still >= SILENCE && (own == Role::Front || !fronts_elsewhere)
}

/// Watches the scaler's lease and speaks in the scaler's place, for ever.
pub async fn run(shared: &Shared, store: Arc<dyn Store>, publish: Arc<dyn Publish>) {
    let lease = Lease::watch(store, &shared.config.fleet.name);
    let speaking = async {
        let (mut spoke, mut failing) = (false, false);
        loop {
            sleep(EVERY).await;
            let speaks = shared.speaks(lease.unchanged_for());
            if std::mem::replace(&mut spoke, speaks) != speaks {
                let what = if speaks {
                    "no scaler lives; publishing the queue's length"
                } else {
                    "a scaler is back"
                };
                tracing::warn!("{what}");
            }
            if !speaks {
                continue;
            }
            let told = publish.publish(&[shared.queue_depth()]).await;
            if let Err(error) = told.as_ref()
                && !failing
            {
                tracing::error!(%error, "no scaler lives, and the queue's length cannot be published");
            }
            failing = told.is_err();
        }
    };
    tokio::join!(lease.run(shared.tasks.stopping().clone()), speaking);
}

impl Shared {
    fn speaks(&self, lease_stood_still: Duration) -> bool {
        let own = if self.config.ollama.is_some() { Role::Node } else { Role::Front };
        let fronts = self.roster.peers().iter().any(|peer| peer.view.role == Role::Front);
        speaks(own, fronts, lease_stood_still)
    }

    /// Everybody who waits in the fleet, as far as it is known here.
    fn queue_depth(&self) -> Datum {
        let elsewhere: u64 = self.roster.peers().iter().map(|peer| u64::from(peer.view.queued)).sum();
        let all = self.queue.load().queued as u64 + elsewhere;
        Datum { name: "QueueDepth", value: Value::One(all as f64), unit: Unit::Count }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use async_trait::async_trait;
    use fleet::publish::PublishError;
    use fleet::shutdown::Tasks;
    use fleet::store::LeaseRecord;
    use tokio::time::Instant;

    use super::*;
    use crate::fake_store::{FakeStore, Mode};
    use crate::process::Gateway;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn fronts_speak_and_nodes_only_where_there_are_none() {
        for (own, fronts, still, expected) in [
            (Role::Front, false, 30, true),
            (Role::Front, true, 31, true),
            (Role::Front, true, 29, false),
            (Role::Node, false, 30, true),
            (Role::Node, true, 300, false),
        ] {
            assert_eq!(speaks(own, fronts, still * SECOND), expected, "{own:?} {fronts} {still}");
        }
    }

    /// When what was published, in seconds since the beginning.
    #[derive(Debug)]
    struct Heard(Instant, Mutex<Vec<u64>>);

    impl Heard {
        fn take(&self) -> Vec<u64> {
            std::mem::take(&mut self.1.lock().unwrap())
        }
    }

    #[async_trait]
    impl Publish for Heard {
        async fn publish(&self, metrics: &[Datum]) -> Result<(), PublishError> {
            assert_eq!(
                (metrics.len(), metrics[0].name, &metrics[0].value),
                (1, "QueueDepth", &Value::One(0.0))
            );
            self.1.lock().unwrap().push(self.0.elapsed().as_secs());
            Ok(())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn only_while_the_lease_stands_still_and_every_ten_seconds() {
        let store = Arc::new(FakeStore::default());
        let gateway = Gateway::new(Config::default(), store.clone(), Tasks::new()).unwrap();
        let heard = Arc::new(Heard(Instant::now(), Mutex::default()));
        let mut version = 0;
        let mut leads = async |seconds: u64| {
            for _ in 0..seconds / 3 {
                version += 1;
                *store.lease.lock().unwrap() = Some(LeaseRecord { owner: "scaler".to_owned(), version });
                sleep(3 * SECOND).await;
            }
        };
        let story = async {
            leads(300).await;
            assert_eq!(heard.take(), [] as [u64; 0], "a scaler lives");
            sleep(100 * SECOND).await;
            let times = heard.take();
            assert!((330..=350).contains(&times[0]), "{times:?}");
            assert!(times.windows(2).all(|pair| pair[1] - pair[0] == 10), "{times:?}");
            assert!(*times.last().unwrap() >= 390, "{times:?}");
            store.set(Mode::Fails);
            sleep(SECOND).await;
            store.set(Mode::Works);
            leads(21).await;
            heard.take();
            leads(300).await;
            assert_eq!(heard.take(), [] as [u64; 0], "it is back");
        };
        tokio::select! {
            () = run(&gateway.shared, store.clone(), heard.clone()) => {}
            () = story => {}
        }
    }
}
