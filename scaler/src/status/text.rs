//! The view in lines.

use std::fmt;

use super::{GroupView, NodeView, View, written};

impl fmt::Display for View {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "fleet      {}: {}", self.fleet, self.state)?;
        if self.since > 0 {
            write!(out, " for {}", span(self.for_seconds))?;
        }
        if let Some(reason) = &self.reason {
            write!(out, " ({reason})")?;
        }
        writeln!(out)?;
        match (&self.group, &self.group_error) {
            (Some(group), _) => write_group(out, group)?,
            (None, error) => {
                writeln!(out, "group      cannot be described: {}", error.as_deref().unwrap_or("no answer"))?;
            }
        }
        let work = self.queued_work_seconds;
        writeln!(
            out,
            "queue      {} waiting, {work:.1} s of work, the oldest for {:.1} s",
            self.queued, self.oldest_wait_seconds
        )?;
        self.write_orders(out)?;
        self.write_boots(out)?;
        self.write_leader(out)?;
        write_nodes(out, &self.nodes)
    }
}

impl View {
    fn write_orders(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(hold) = &self.hold {
            writeln!(out, "hold       at least {} for {}", hold.nodes, span(hold.for_seconds))?;
        }
        if self.scheduled_nodes > 0 {
            writeln!(out, "schedule   at least {} now", self.scheduled_nodes)?;
        }
        if let Some(budget) = &self.budget {
            let percent = 100.0 * budget.used_hours / budget.hours;
            let (used, hours) = (budget.used_hours, budget.hours);
            writeln!(out, "budget     {used:.1} of {hours} GPU-hours this month, {percent:.0} %")?;
        }
        Ok(())
    }

    fn write_boots(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.boots.is_empty() {
            return Ok(());
        }
        let one = |boot: &fleet::store::Boot| {
            boot.seconds.map_or_else(|| "failed".to_owned(), |seconds| format!("{seconds:.0} s"))
        };
        let boots: Vec<_> = self.boots.iter().map(one).collect();
        write!(out, "boots      {} (newest first)", boots.join(", "))?;
        if self.boot_failures > 0 {
            write!(out, ", {} failed since the last good one", self.boot_failures)?;
        }
        writeln!(out)
    }

    fn write_leader(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.leader.owner, self.leader.renewed_after_seconds) {
            (None, _) => writeln!(out, "leader     nobody: start a scaler"),
            (Some(owner), Some(after)) => {
                writeln!(out, "leader     {owner}, alive (renewed within {after:.1} s)")
            }
            (Some(owner), None) => writeln!(out, "leader     {owner}, SILENT: it did not renew its lease"),
        }
    }
}

fn write_group(out: &mut fmt::Formatter<'_>, group: &GroupView) -> fmt::Result {
    write!(out, "group      desired {}, {} to {}", group.desired, group.min, group.max)?;
    if let Some(warm) = group.warm {
        write!(out, ", {warm} warm")?;
    }
    if group.refreshing {
        write!(out, ", an instance refresh runs")?;
    }
    writeln!(out)?;
    if let Some((at, why)) = &group.refusal {
        writeln!(out, "refused    {}: {why}", written(*at))?;
    }
    Ok(())
}

fn write_nodes(out: &mut fmt::Formatter<'_>, nodes: &[NodeView]) -> fmt::Result {
    if nodes.is_empty() {
        return writeln!(out, "nodes      none, and no front reports");
    }
    let widest = nodes.iter().map(|node| node.node.len()).max().unwrap_or(4).max(4);
    writeln!(out)?;
    writeln!(out, "{:widest$}  {:16}  {:9}  busy  queue  age     models", "node", "place", "state")?;
    for node in nodes {
        let busy = format!("{}/{}", node.busy, node.slots);
        let age = node.age_seconds.map_or_else(|| "-".to_owned(), span);
        let mut models = node.models.join(" ");
        if let Some(left) = node.drain_for_seconds {
            models = format!("{models} [ordered to drain, {left} s left]");
        }
        let line = format!(
            "{:widest$}  {:16}  {:9}  {busy:>4}  {:>5}  {age:6}  {models}",
            node.node, node.place, node.state, node.queued
        );
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

/// `75 s`, `12 min`, `5 h`, `3 d`: the two digits that matter.
fn span(seconds: i64) -> String {
    match seconds {
        ..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        172_800.. => format!("{} d", seconds / 86_400),
    }
}
