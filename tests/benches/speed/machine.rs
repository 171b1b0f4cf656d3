//! On what machine a figure was measured, and how Redis was set up.

use std::fs::read_to_string;
use std::process::Command;
use std::time::Duration;

pub(crate) fn described() -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let load = read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split_whitespace().next().unwrap_or("unknown");
    format!(
        "{cores} cores ({}), load {load} before; {}; Redis beside it, appendonly yes, appendfsync everysec, no rewrite meanwhile",
        processor(),
        redis()
    )
}

fn processor() -> String {
    let info = read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    model.map_or_else(|| std::env::consts::ARCH.to_owned(), |(_, model)| model.trim().to_owned())
}

fn redis() -> String {
    let output = Command::new("redis-server").arg("--version").output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    let version = text.split_whitespace().find_map(|word| word.strip_prefix("v=")).unwrap_or("of an unknown version");
    format!("redis-server {version}")
}

/// The time that the threads of a process have spent computing.
pub(crate) fn cpu(pid: u32) -> Duration {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).expect("the process runs");
    // The first number is in nanoseconds. A thread that has ended meanwhile counts no more.
    let stats = tasks.filter_map(|task| read_to_string(task.ok()?.path().join("schedstat")).ok());
    Duration::from_nanos(stats.filter_map(|stat| stat.split_whitespace().next()?.parse::<u64>().ok()).sum())
}

/// Memory of a process that lies in RAM.
pub(crate) fn resident_mib(pid: u32) -> f64 {
    let status = read_to_string(format!("/proc/{pid}/status")).expect("the process runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("Linux tells");
    let kib: f64 = line.trim().trim_end_matches(" kB").parse().expect("a number of KiB");
    kib / 1024.0
}
