//! Processes by their number. A number comes back, so it is held against what else is known of the process.

use std::path::Path;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use tokio::time::{Instant, sleep};

const POLL: Duration = Duration::from_millis(20);

/// Whether a process of this number runs. One that has ended and that nobody has waited for yet does not.
pub(super) fn runs(pid: u32) -> bool {
    let exists = number(pid).is_some_and(|pid| test_kill_process(pid).is_ok());
    exists && stat(pid).is_none_or(|stat| !stat.starts_with(['Z', 'X']))
}

/// When a process started, in ticks since boot: with its number this names one process and no other.
pub(super) fn start_tick(pid: u32) -> Option<u64> {
    // The 22nd field of all, the 20th after the name.
    stat(pid)?.split_whitespace().nth(19)?.parse().ok()
}

/// Whether the process is a `redis-server` that works in this directory.
pub(super) fn is_redis_in(pid: u32, directory: &Path) -> bool {
    let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    let works_in = std::fs::read_link(format!("/proc/{pid}/cwd"));
    name.trim() == "redis-server" && works_in.is_ok_and(|works_in| works_in == directory)
}

/// Asks a process to stop and waits until it has; kills it when it takes longer than `patience`.
pub(super) async fn end(pid: u32, patience: Duration) {
    signal(pid, Signal::TERM);
    if !ends_within(pid, patience).await {
        tracing::warn!(pid, "did not stop in time and is killed");
        signal(pid, Signal::KILL);
        ends_within(pid, Duration::from_secs(5)).await;
    }
}

/// Sends a signal; a process that has gone already needs none.
pub(super) fn signal(pid: u32, signal: Signal) {
    if let Some(Err(error)) = number(pid).map(|pid| kill_process(pid, signal)) {
        tracing::debug!(pid, error = %error, "a signal was not taken");
    }
}

async fn ends_within(pid: u32, patience: Duration) -> bool {
    let deadline = Instant::now() + patience;
    while runs(pid) {
        if Instant::now() >= deadline {
            return false;
        }
        sleep(POLL).await;
    }
    true
}

fn number(pid: u32) -> Option<Pid> {
    i32::try_from(pid).ok().and_then(Pid::from_raw)
}

/// What the kernel says of a process after its name, which may hold anything.
fn stat(pid: u32) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    Some(stat.rsplit_once(')')?.1.trim_start().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_runs_and_is_no_redis() {
        let pid = std::process::id();
        assert!(runs(pid) && start_tick(pid).is_some());
        assert!(!is_redis_in(pid, &std::env::current_dir().expect("a directory")));
    }

    #[tokio::test]
    async fn a_process_that_is_ended_runs_no_longer() {
        let mut child = std::process::Command::new("sleep").arg("600").spawn().expect("sleep exists");
        assert!(runs(child.id()));
        end(child.id(), Duration::from_secs(5)).await;
        assert!(!runs(child.id()), "not waited for, yet it does not run");
        child.wait().expect("our child");
    }
}
