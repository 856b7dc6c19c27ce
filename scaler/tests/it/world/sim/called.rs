//! What a scaler calls of the group, and what no call may ever do.

use scaler::decide::observation::NodeId;
use scaler::group::{Description, GroupError, Instance, Life};

use super::Sim;
use crate::world::EPOCH;

impl Sim {
    pub fn describe(&self) -> Result<Description, GroupError> {
        if self.group_out {
            return Err(GroupError::Unanswered("out".to_owned()));
        }
        let instances = self.machines.iter().map(|one| Instance {
            id: NodeId::new(&one.id),
            life: one.life,
            launched_at: Some(EPOCH + one.launched as i64),
            healthy: true,
            protected: true,
        });
        Ok(Description {
            min: self.min,
            max: self.max,
            desired: self.desired,
            instances: instances.collect(),
            warm: None,
            refreshing: self.refreshing,
            refusal: self.refusal.clone(),
        })
    }

    fn note(&mut self, call: String) -> Result<(), GroupError> {
        if self.group_out {
            return Err(GroupError::Unanswered("out".to_owned()));
        }
        let entry = (self.now(), self.actor.clone(), call);
        self.calls.push(entry);
        Ok(())
    }

    pub fn set_desired(&mut self, desired: u32) -> Result<(), GroupError> {
        self.note(format!("desired {desired}"))?;
        if !(self.min..=self.max).contains(&desired) {
            self.violations.push(format!("desired {desired} is out of bounds"));
            return Err(GroupError::Refused("out of bounds".to_owned()));
        }
        // A group ends none of its protected instances; to rely on that would be a mistake all the same.
        let in_service = self.living().filter(|one| one.life == Life::InService).count();
        if desired < in_service as u32 {
            self.violations.push(format!("desired {desired} is below what is in service"));
        }
        self.desired = desired;
        let surplus = (self.living().count() as u32).saturating_sub(desired);
        let pending = self.machines.iter_mut().rev().filter(|one| one.life == Life::Pending);
        for machine in pending.take(surplus as usize) {
            machine.life = Life::Terminating;
            machine.gone_at = 0.0;
        }
        Ok(())
    }

    pub fn terminate(&mut self, id: &str) -> Result<(), GroupError> {
        self.note(format!("terminate {id}"))?;
        if self.desired <= self.min {
            self.violations.push(format!("{id} was to end below the minimum"));
            return Err(GroupError::Refused("below the minimum".to_owned()));
        }
        let now = self.now();
        if self.refreshing {
            self.violations.push(format!("{id} ended during a refresh"));
        }
        let Some(machine) = self.machines.iter_mut().find(|one| one.id == id) else {
            return Err(GroupError::Gone(id.to_owned()));
        };
        if machine.life == Life::Terminating {
            self.violations.push(format!("{id} was ended twice"));
            return Err(GroupError::Busy("it is ending".to_owned()));
        }
        if !machine.running.is_empty() {
            self.violations.push(format!("{id} ended with work"));
        }
        machine.life = Life::Terminating;
        machine.gone_at = now + 5.0;
        self.desired -= 1;
        Ok(())
    }

    pub fn mark_unhealthy(&mut self, id: &str) -> Result<(), GroupError> {
        self.note(format!("unhealthy {id}"))?;
        let now = self.now();
        let Some(machine) = self.machines.iter_mut().find(|one| one.id == id) else {
            return Err(GroupError::Gone(id.to_owned()));
        };
        machine.life = Life::Terminating;
        machine.gone_at = now + 5.0;
        Ok(())
    }

    /// The machine is gone at once, with all that ran on it; the front asks anew for what it lost.
    pub fn crash(&mut self, at: usize) {
        let machine = self.machines.remove(at);
        let now = self.now();
        self.calls.push((now, "fault".to_owned(), format!("crash {}", machine.id)));
        self.queue.extend(machine.running.iter().map(|end| end - now));
    }
}
