//! What room nodes have for models, as they last said: while the fleet sleeps nobody says anything, and what was known then
//! still holds for the nodes that will come.

use std::sync::{Mutex, MutexGuard, PoisonError};

use fleet::report::{Report, Role};

use super::fits::gpu_memory;

/// The room of the tightest node: a model that is pulled comes to all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Space {
    /// Bytes of GPU memory.
    pub gpu_memory: Option<u64>,
    /// Bytes of disk that are free.
    pub disk_free: Option<u64>,
    /// When a node last said so, in seconds since 1970; `None`: none has.
    pub as_of: Option<i64>,
}

/// What nodes have said since this process began.
#[derive(Default)]
pub struct Room {
    last: Mutex<Space>,
}

impl Room {
    /// Takes note of reports that were read at `now`. Where none says anything of its room, what was known stands.
    pub fn note<'a>(&self, reports: impl Iterator<Item = &'a Report>, now: i64) {
        let nodes: Vec<&Report> = reports.filter(|report| report.role == Role::Node).collect();
        let gpu_memory = nodes.iter().filter_map(|report| report.gpu_memory_bytes).min();
        let disk_free = nodes.iter().filter_map(|report| report.disk_free_bytes).min();
        if gpu_memory.is_none() && disk_free.is_none() {
            return;
        }
        let mut last = self.last();
        *last = Space {
            gpu_memory: gpu_memory.or(last.gpu_memory),
            disk_free: disk_free.or(last.disk_free),
            as_of: Some(now),
        };
    }

    /// The room as last known; where no node has told its GPU memory, that of this type of instance.
    pub fn space(&self, instance_type: Option<&str>) -> Space {
        let last = *self.last();
        Space { gpu_memory: last.gpu_memory.or_else(|| instance_type.and_then(gpu_memory)), ..last }
    }

    fn last(&self) -> MutexGuard<'_, Space> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(gpu_memory_bytes: Option<u64>, disk_free_bytes: Option<u64>) -> Report {
        Report { gpu_memory_bytes, disk_free_bytes, ..Report::default() }
    }

    #[test]
    fn the_tightest_node_counts() {
        let room = Room::default();
        let front = Report { role: Role::Front, ..node(Some(1), Some(1)) };
        let reports = [node(Some(24), Some(50)), node(Some(16), Some(90)), node(None, None), front];
        room.note(reports.iter(), 100);
        assert_eq!(room.space(None), Space { gpu_memory: Some(16), disk_free: Some(50), as_of: Some(100) });
    }

    #[test]
    fn what_was_known_stands_while_the_fleet_sleeps() {
        let room = Room::default();
        room.note([node(Some(16), Some(50))].iter(), 100);
        room.note([].iter(), 200);
        assert_eq!(room.space(None).as_of, Some(100));
        room.note([node(None, Some(40))].iter(), 300);
        assert_eq!(room.space(None), Space { gpu_memory: Some(16), disk_free: Some(40), as_of: Some(300) });
    }

    #[test]
    fn a_type_of_instance_stands_in_for_nodes_that_have_not_said() {
        let room = Room::default();
        assert_eq!(room.space(None), Space::default());
        let told = room.space(Some("g4dn.xlarge"));
        assert_eq!(told, Space { gpu_memory: Some(15_360 << 20), disk_free: None, as_of: None });
        room.note([node(Some(7), None)].iter(), 100);
        assert_eq!(room.space(Some("g4dn.xlarge")).gpu_memory, Some(7), "who was there knows better");
    }
}
