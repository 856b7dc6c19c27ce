//! What the kernel knows of a proxy's processes: CPU time, memory, socket buffers.

use std::collections::HashMap;
use std::fs::read_to_string;
use std::net::SocketAddr;
use std::process::Command;

/// CPU time of every thread, in nanoseconds.
#[derive(Debug, Clone, Default)]
pub struct CpuTime(HashMap<u32, u64>);

impl CpuTime {
    /// Of these processes now.
    pub fn of(pids: &[u32]) -> Self {
        let mut threads = HashMap::new();
        for pid in pids {
            let Ok(tasks) = std::fs::read_dir(format!("/proc/{pid}/task")) else { continue };
            for task in tasks.flatten() {
                let schedstat = read_to_string(task.path().join("schedstat")).unwrap_or_default();
                let ran = schedstat.split(' ').next().and_then(|text| text.parse().ok());
                let thread = task.file_name().to_str().and_then(|text| text.parse().ok());
                if let (Some(thread), Some(ran)) = (thread, ran) {
                    threads.insert(thread, ran);
                }
            }
        }
        Self(threads)
    }

    /// Microseconds used since `before`.
    pub fn micros_since(&self, before: &Self) -> f64 {
        let used = |(thread, ran): (&u32, &u64)| ran.saturating_sub(*before.0.get(thread).unwrap_or(&0));
        self.0.iter().map(used).sum::<u64>() as f64 / 1e3
    }
}

/// Memory of these processes in KiB, pages shared between them counted once (PSS).
pub fn memory_kib(pids: &[u32]) -> f64 {
    let pss = |pid: &u32| {
        let rollup = read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
        let line = rollup.lines().find(|line| line.starts_with("Pss:"))?;
        line.split_whitespace().nth(1)?.parse::<f64>().ok()
    };
    pids.iter().filter_map(pss).sum()
}

/// KiB the kernel holds in buffers of the proxy's sockets, to its clients and to the fake; `None` without `ss`.
pub fn kernel_kib(proxy: SocketAddr, fake: SocketAddr) -> Option<f64> {
    let filter = format!("( sport = :{} or dport = :{} )", proxy.port(), fake.port());
    let output = Command::new("ss").args(["-tmnH", "state", "established", &filter]).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    // `skmem:(r0,rb131072,t0,tb87040,f0,w0,o0,bl0,d0)`: r and w are bytes held to be read and to be sent.
    let held = |memory: &str| -> f64 {
        let inside = memory.split([',', '(', ')']);
        let counts =
            inside.filter_map(|field| field.strip_prefix(['r', 'w']).and_then(|n| n.parse::<f64>().ok()));
        counts.sum()
    };
    Some(
        text.split("skmem:")
            .skip(1)
            .map(|rest| held(rest.split(')').next().unwrap_or_default()))
            .sum::<f64>()
            / 1024.0,
    )
}
