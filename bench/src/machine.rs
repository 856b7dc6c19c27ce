//! On what, and with what, a run was made.

use std::fs::read_to_string;
use std::process::Command;

/// One line: processor, kernel, versions.
pub fn describe() -> String {
    let cpuinfo = read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split(": ").nth(1));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let kernel = read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!(
        "{} × {}, Linux {}, {}, {}",
        cores,
        model.unwrap_or("unknown processor"),
        kernel.trim(),
        version("nginx"),
        version("haproxy"),
    )
}

/// How busy the machine was with everything, others included: the load average of the last minute.
pub fn load_average() -> String {
    read_to_string("/proc/loadavg").unwrap_or_default().split(' ').next().unwrap_or("?").to_owned()
}

/// nginx says it on stderr, HAProxy on stdout.
fn version(program: &str) -> String {
    let Ok(output) = Command::new(program).arg("-v").output() else { return format!("no {program}") };
    let said = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&said).into_owned();
    let number = text.split([' ', '/']).find(|word| word.starts_with(|c: char| c.is_ascii_digit()));
    format!("{program} {}", number.unwrap_or("?").trim().split('-').next().unwrap_or("?"))
}
