//! The fake's instances as processes: each is started when its instance is launched, checked as a target, and ended when
//! its instance is gone, as a machine is switched off.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use reqwest::Client;

use super::seed::Health;
use crate::aws::FakeAws;
use crate::tasks::Tasks;
use crate::up::child::Child;
use crate::up::place::Place;
use crate::up::{DRAIN, free_address};

/// What a machine that is switched off gets to end what still runs.
const OFF: u64 = DRAIN + 4;

/// The machines that run.
pub(super) struct Machines {
    aws: Arc<FakeAws>,
    health: Health,
    running: BTreeMap<String, Machine>,
    ending: Vec<Child>,
}

struct Machine {
    child: Child,
    address: SocketAddr,
    checks: Tasks,
}

impl Machines {
    pub(super) fn new(aws: Arc<FakeAws>, health: Health) -> Self {
        Self { aws, health, running: BTreeMap::new(), ending: Vec::new() }
    }

    /// Where an instance's gateway listens.
    pub(super) fn address(&self, id: &str) -> Option<SocketAddr> {
        self.running.get(id).map(|machine| machine.address)
    }

    /// Starts machines of instances that are new, switches off those of instances that are gone.
    pub(super) async fn follow(&mut self, place: &Place) -> anyhow::Result<()> {
        let ids: Vec<_> = self.aws.instances().into_iter().map(|instance| instance.id).collect();
        for id in &ids {
            if !self.running.contains_key(id) {
                let machine = self.start(id, place).await.with_context(|| format!("the machine {id}"))?;
                self.running.insert(id.clone(), machine);
            }
        }
        let gone: Vec<_> = self.running.keys().filter(|id| !ids.contains(id)).cloned().collect();
        for machine in gone.iter().filter_map(|id| self.running.remove(id)) {
            machine.checks.end();
            // Its group waited for it: as a rule nothing is left in it.
            self.ending.push(machine.child);
        }
        while let Some(child) = self.ending.pop() {
            child.stop(Duration::from_secs(OFF)).await;
        }
        Ok(())
    }

    async fn start(&self, id: &str, place: &Place) -> anyhow::Result<Machine> {
        let address = free_address(0)?;
        let own = Place::prepare(&place.file(&format!("instances/{id}")))?;
        let environment = [
            ("AWS_ENDPOINT_URL_AUTO_SCALING", self.aws.url()),
            ("AWS_EC2_METADATA_SERVICE_ENDPOINT", self.aws.metadata(id).await?),
        ];
        let program = std::env::current_exe().context("finding this program")?;
        let told = ["machine", "--simulated", "--boot-seconds", "0", "--id", id, "--address"];
        let mut arguments: Vec<_> = told.map(Into::into).into();
        arguments.extend([address.to_string().into(), "--directory".into(), place.file("").into_os_string()]);
        let child = Child::kept("machine", &program, &arguments, &environment, &own, OFF).await?;
        self.aws.set_serving(id, false);
        let checks = Tasks::default();
        checks.spawn(check(self.aws.clone(), id.to_owned(), address, self.health.clone()));
        Ok(Machine { child, address, checks })
    }

    /// Switches all of them off.
    pub(super) async fn end(self) {
        for (_, machine) in self.running {
            machine.checks.end();
            machine.child.stop(Duration::from_secs(OFF)).await;
        }
    }
}

/// Checks a target for as long as it runs: so many answers of one kind in a row change what is thought of it. The
/// certificate is not looked at, as the load balancer does not.
async fn check(aws: Arc<FakeAws>, id: String, address: SocketAddr, health: Health) {
    let client = Client::builder()
        .tls_danger_accept_invalid_certs(true)
        .timeout(Duration::from_secs(health.timeout))
        .build();
    let Ok(client) = client else { return };
    let url = format!("https://{address}{}", health.path);
    let (mut good, mut bad) = (0, 0);
    loop {
        let passes = client.get(&url).send().await.is_ok_and(|answer| answer.status().as_u16() == 200);
        (good, bad) = if passes { (good + 1, 0) } else { (0, bad + 1) };
        if good >= health.healthy {
            aws.set_serving(&id, true);
        } else if bad >= health.unhealthy {
            aws.set_serving(&id, false);
        }
        tokio::time::sleep(Duration::from_secs(health.interval)).await;
    }
}
