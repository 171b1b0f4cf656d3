//! A companion of this process that ends its commands when it is killed.
//!
//! Nobody can act on SIGKILL, and a command that runs on while its job is taken back runs twice. But however this process
//! ends, the kernel closes its end of a pipe. At the other end waits a small shell script that is told of each process group,
//! and kills those that are left.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::{ChildStdin, Command, Stdio};
use std::sync::{LazyLock, Mutex, PoisonError};

/// Reads `+ <group>` and `- <group>` to the end of its input, then kills what was not taken back.
const SCRIPT: &str = r#"
groups=' '
while read -r sign group; do
  case "$sign$groups" in
    +*) groups="$groups$group " ;;
    -*" $group "*) groups="${groups%% $group *} ${groups#* $group }" ;;
  esac
done
for group in $groups; do kill -s KILL -- "-$group" 2>/dev/null; done
"#;

/// The companion, from the first command on; none when it cannot be had.
static WARDEN: LazyLock<Mutex<Option<ChildStdin>>> = LazyLock::new(|| Mutex::new(start()));

/// A process group that does not outlive this process; taken back when dropped.
#[derive(Debug)]
pub(super) struct Ward(u32);

impl Ward {
    pub(super) fn of(group: u32) -> Self {
        tell('+', group);
        Self(group)
    }
}

impl Drop for Ward {
    fn drop(&mut self) {
        tell('-', self.0);
    }
}

/// A line is shorter than what a pipe takes in one piece, and is read at once.
fn tell(sign: char, group: u32) {
    let mut warden = WARDEN.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(pipe) = warden.as_mut() else { return };
    if let Err(error) = pipe.write_all(format!("{sign} {group}\n").as_bytes()) {
        tracing::warn!(%error, "commands would outlive this worker if it were killed: their warden has gone");
        *warden = None;
    }
}

fn start() -> Option<ChildStdin> {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", SCRIPT, "carillon-warden"]).env_clear();
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    // A group of its own: what is sent to all processes of a terminal is not meant for it.
    match command.process_group(0).spawn() {
        Ok(child) => child.stdin,
        Err(error) => {
            tracing::warn!(%error, "commands would outlive this worker if it were killed: their warden cannot be started");
            None
        }
    }
}
