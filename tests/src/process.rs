//! Our own programs, started as a user would start them.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, kill_process_group, test_kill_process};

use crate::redis::free_port;
use crate::wait::{until_some, within};
use crate::watchdog::{self, Watchdog};

const PORTS_TRIED_MAX: usize = 20;
/// What a program has printed is read within this after its end, unless children of it that live on may print more.
const READ_WITHIN: Duration = Duration::from_secs(10);

/// The scheduler, ready for arguments, without any setting from the environment of the test.
pub fn scheduler() -> Command {
    program("carillon-scheduler")
}

/// The worker, ready for arguments, without any setting from the environment of the test.
pub fn worker() -> Command {
    program("carillon-worker")
}

/// Starts a program on a port of loopback that was free a moment ago, and on another if somebody took it in between; waits
/// until it prints `text`.
///
/// # Panics
///
/// When it prints nothing of the sort on any port.
pub async fn on_a_free_port(text: &str, command: impl Fn(u16) -> Command) -> (Process, u16) {
    for _ in 0..PORTS_TRIED_MAX {
        let port = free_port();
        let mut process = Process::start(&command(port));
        if process.says(text).await {
            return (process, port);
        }
    }
    panic!("a program ended {PORTS_TRIED_MAX} times before it printed {text:?}");
}

/// Tells whether a process of this number exists.
pub fn alive(pid: u32) -> bool {
    pid.try_into().ok().and_then(Pid::from_raw).is_some_and(|pid| test_kill_process(pid).is_ok())
}

/// A running program with its output captured; killed with all its children when dropped.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
    readers: [JoinHandle<()>; 2],
    // Ended last, because it must outlive what it guards.
    #[cfg_attr(not(test), expect(dead_code, reason = "it acts when dropped"))]
    watchdog: Watchdog,
}

impl Process {
    /// Starts `command` as the leader of a process group, with nothing on standard input. A program that does not
    /// exist ends at once with code 127.
    pub fn start(command: &Command) -> Self {
        let name = command.get_program().to_string_lossy().into_owned();
        let mut gated = watchdog::gated(command);
        gated.stdout(Stdio::piped()).stderr(Stdio::piped());
        let (mut child, watchdog) = watchdog::start(gated, None);
        let lines = Arc::default();
        let readers = [capture(child.stdout.take(), &lines), capture(child.stderr.take(), &lines)];
        Self { name, child, lines, readers, watchdog }
    }

    /// Its process number.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has printed so far on standard output and standard error.
    pub fn output(&self) -> String {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).join("\n")
    }

    /// Waits for a line that contains `text`, and returns the line.
    ///
    /// # Panics
    ///
    /// When it does not come; what was printed instead is shown on standard error when the program is dropped.
    pub async fn printed(&self, text: &str) -> String {
        until_some(&format!("{} to print {text:?}", self.name), || async {
            self.output().lines().find(|line| line.contains(text)).map(str::to_owned)
        })
        .await
    }

    /// Waits until a line contains `text`, or for its end if that comes first; tells which it was.
    async fn says(&mut self, text: &str) -> bool {
        let what = format!("{} to print {text:?} or to end", self.name);
        let (lines, child) = (self.lines.clone(), std::cell::RefCell::new(&mut self.child));
        let has_said = || lines.lock().unwrap_or_else(PoisonError::into_inner).iter().any(|line| line.contains(text));
        until_some(&what, || async {
            let has_ended = !matches!(child.borrow_mut().try_wait(), Ok(None));
            if has_said() { Some(true) } else { has_ended.then_some(false) }
        })
        .await
    }

    /// Waits for its end, and until what it has printed is read.
    ///
    /// # Panics
    ///
    /// When it does not end.
    pub async fn ended(&mut self) -> ExitStatus {
        let what = format!("{} to end", self.name);
        let (pid, child) = (self.pid(), std::cell::RefCell::new(&mut self.child));
        let status = until_some(&what, || async {
            child.borrow_mut().try_wait().unwrap_or_else(|error| panic!("cannot wait for {pid}: {error}"))
        })
        .await;
        let are_done = || self.readers.iter().all(JoinHandle::is_finished);
        let _its_children_live_on = within(READ_WITHIN, async || are_done().then_some(())).await;
        status
    }

    /// Asks it to stop, as `kill` does (SIGTERM).
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Asks it to stop, as Ctrl-C does (SIGINT).
    pub fn interrupt(&self) {
        self.signal(Signal::INT);
    }

    /// Kills it at once and waits for its end; its children live on.
    pub fn kill(&mut self) {
        let ended = self.child.kill().and_then(|()| self.child.wait());
        ended.expect("the program is our child");
    }

    /// Stops it in its tracks (SIGSTOP).
    pub fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on after [`freeze`](Self::freeze).
    pub fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    /// A program that has ended but was not yet waited for takes signals too, and ignores them.
    fn signal(&self, signal: Signal) {
        let sent = kill_process(Pid::from_child(&self.child), signal);
        sent.unwrap_or_else(|error| panic!("{} cannot be signalled: {error}\n{}", self.name, self.output()));
    }
}

impl Drop for Process {
    /// Kills the group before waiting, because the number is ours only until then.
    fn drop(&mut self) {
        let _already_gone = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
        let _waited = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- {} printed:\n{}\n---", self.name, self.output());
        }
    }
}

fn capture<R: Read + Send + 'static>(stream: Option<R>, lines: &Arc<Mutex<Vec<String>>>) -> JoinHandle<()> {
    let (stream, lines) = (stream.expect("the stream was asked for as a pipe"), lines.clone());
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            lines.lock().unwrap_or_else(PoisonError::into_inner).push(line);
        }
    })
}

fn program(name: &str) -> Command {
    let mut command = Command::new(programs().join(name));
    let ours = |name: &str| ["OJS_", "CARILLON_", "REDIS_"].iter().any(|prefix| name.starts_with(prefix));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(ours)) {
        command.env_remove(name);
    }
    command
}

/// The directory of our programs, brought up to date once in each test process.
fn programs() -> &'static Path {
    static DIRECTORY: OnceLock<PathBuf> = OnceLock::new();
    DIRECTORY.get_or_init(|| {
        let test = std::env::current_exe().expect("a test knows its own path");
        let directory = test.ancestors().nth(2).expect("tests lie in the folder deps of a profile").to_owned();
        build(&directory);
        directory
    })
}

fn build(directory: &Path) {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["build", "--quiet", "--locked", "--bins", "-p", "carillon-scheduler", "-p", "carillon-worker"]);
    command.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/..")).arg("--target-dir").arg(directory.join(".."));
    if directory.ends_with("release") {
        command.arg("--release");
    }
    let status = command.status().expect("cargo runs");
    assert!(status.success(), "cargo cannot build carillon-scheduler and carillon-worker");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wait::until;

    fn shell(script: &str) -> Process {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        Process::start(&command)
    }

    #[tokio::test]
    async fn lines_of_both_streams_are_heard() {
        let process = shell("echo one; echo two >&2; exec sleep 600");
        assert_eq!(process.printed("one").await, "one");
        assert_eq!(process.printed("two").await, "two");
    }

    #[tokio::test]
    async fn a_program_that_handles_sigterm_ends_in_its_own_way() {
        let mut process = shell("trap 'exit 7' TERM; echo ready; while :; do sleep 0.01; done");
        process.printed("ready").await;
        process.terminate();
        assert_eq!(process.ended().await.code(), Some(7));
    }

    #[tokio::test]
    async fn a_dropped_program_takes_its_children_along() {
        let process = shell("sleep 600 & echo child $!; wait");
        let line = process.printed("child").await;
        let child: u32 = line.trim_start_matches("child ").parse().expect("a process number");
        drop(process);
        until("the child to end", || async { !running(child) }).await;
    }

    #[tokio::test]
    async fn what_a_watchdog_guards_ends_with_the_test_process() {
        let mut process = shell("echo ready; exec sleep 600");
        process.printed("ready").await;
        process.watchdog.end_of_test_process();
        assert!(!process.ended().await.success());
    }

    #[tokio::test]
    async fn a_program_that_does_not_exist_is_told_by_its_output() {
        let mut process = Process::start(&Command::new("no-such-program"));
        assert_eq!(process.ended().await.code(), Some(127));
        assert!(process.output().contains("no-such-program"), "{}", process.output());
    }

    /// An orphan that nobody waits for is a zombie, which no longer runs.
    fn running(pid: u32) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        alive(pid) && !stat.contains(") Z ")
    }
}
