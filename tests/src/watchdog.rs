//! A watchdog kills what a test started, even when the test process itself is killed.
//!
//! It is a shell that reads from a pipe whose only writer is the test process. The kernel closes the pipe when the
//! test process ends, however it ends; the shell then kills the process group it guards and removes its directory.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// The directory goes only when the group has gone, because a dying Redis may yet create a file in it.
const SCRIPT: &str = r#"
cat >/dev/null
kill -s KILL -- "-$1"
looks=0
while kill -s 0 -- "-$1" && [ "$looks" -lt 500 ]; do looks=$((looks + 1)); sleep 0.01; done
[ -z "$2" ] || rm -rf -- "$2"
"#;

/// Holds the program back until the watchdog is there, so that no instant is left in which it would be unguarded.
const GATE: &str = r#"read -r _ || exit 125; exec "$@" </dev/null"#;

/// Wraps `command`, of which program, arguments, environment and directory are taken over, so that [`start`] can
/// guard it. The process keeps its number from beginning to end; its standard input is empty.
pub(crate) fn gated(command: &Command) -> Command {
    let mut gated = Command::new("sh");
    gated.args(["-c", GATE, "gate"]).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => gated.env(name, value),
            None => gated.env_remove(name),
        };
    }
    if let Some(directory) = command.get_current_dir() {
        gated.current_dir(directory);
    }
    // A group of its own, because Ctrl-C at a terminal must end the test process first.
    gated.stdin(Stdio::piped()).process_group(0);
    gated
}

/// Starts a gated command under guard; `directory`, if any, goes with it.
pub(crate) fn start(mut gated: Command, directory: Option<&Path>) -> (Child, Watchdog) {
    let mut child = gated.spawn().expect("a shell is present");
    let watchdog = Watchdog::over(&child, directory);
    let mut gate = child.stdin.take().expect("a gated command reads from a pipe");
    gate.write_all(b"go\n").expect("the gate waits for its word");
    (child, watchdog)
}

/// Guards one process group until dropped.
#[derive(Debug)]
pub(crate) struct Watchdog(Child);

impl Watchdog {
    fn over(leader: &Child, directory: Option<&Path>) -> Self {
        let mut command = Command::new("sh");
        command.args(["-c", SCRIPT, "watchdog", &leader.id().to_string()]).arg(directory.unwrap_or(Path::new("")));
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        Self(command.spawn().expect("a shell is present"))
    }

    /// Does to the watchdog what the end of the test process does: closes its pipe.
    #[cfg(test)]
    pub(crate) fn end_of_test_process(&mut self) {
        drop(self.0.stdin.take());
    }
}

impl Drop for Watchdog {
    /// Ends the watchdog without its bite: the group it guarded has ended, and its number may be given to another.
    fn drop(&mut self) {
        let ended = self.0.kill().and_then(|()| self.0.wait());
        ended.expect("the watchdog is our child");
    }
}
