//! The directory in which everything is kept from one run to the next; one run at a time may use it.

use std::fs::{self, File};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};

use super::process;
use crate::cli::{Failure, UNAVAILABLE};

/// The handlers of the sample entries.
const HANDLERS: &str = include_str!("../../../worker/samples/handlers.toml");
/// What a run that was killed left behind gets so long to stop.
const PATIENCE: Duration = Duration::from_secs(10);

/// The directory, held by this run.
#[derive(Debug)]
pub(super) struct DataDirectory {
    path: PathBuf,
    _lock: File,
}

impl DataDirectory {
    /// Makes the directory if need be, and takes hold of it.
    pub(super) fn open(path: &Path) -> Result<Self, Failure> {
        let cannot = |error: std::io::Error| {
            Failure::new(UNAVAILABLE, format!("cannot use the data directory {}: {error}", path.display()))
        };
        fs::create_dir_all(path).map_err(cannot)?;
        let path = path.canonicalize().map_err(cannot)?;
        let lock = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path.join("lock"))
            .map_err(cannot)?;
        // The kernel lets go of the lock when its holder ends, however it ends: a lock that is there is held.
        if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
            return Err(taken(&path, lock));
        }
        sign(&lock).map_err(cannot)?;
        Ok(Self { path, _lock: lock })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The file of handlers, made if it is absent: what a user changed in it survives.
    pub(super) fn handlers(&self) -> Result<PathBuf, Failure> {
        let path = self.path.join("handlers.toml");
        if !path.exists() {
            let written = fs::write(&path, HANDLERS);
            written.map_err(|error| Failure::new(UNAVAILABLE, format!("cannot write {}: {error}", path.display())))?;
        }
        Ok(path)
    }

    /// Notes a child, so that the next run can stop it if this one is killed.
    pub(super) fn note_worker(&self, pid: u32) {
        let Some(tick) = process::start_tick(pid) else { return };
        if let Err(error) = fs::write(self.worker_note(), format!("{pid} {tick}\n")) {
            tracing::warn!(error = %error, "cannot note the worker's process");
        }
    }

    /// Stops the worker that a run left behind when it was killed.
    pub(super) async fn stop_left_worker(&self) {
        let note = fs::read_to_string(self.worker_note()).unwrap_or_default();
        let mut words = note.split_whitespace().map(str::parse::<u64>);
        let (Some(Ok(pid)), Some(Ok(tick))) = (words.next(), words.next()) else { return };
        let Ok(pid) = u32::try_from(pid) else { return };
        if process::start_tick(pid) == Some(tick) && process::runs(pid) {
            tracing::warn!(pid, "stopping the worker that an earlier run left behind");
            process::end(pid, PATIENCE).await;
        }
    }

    fn worker_note(&self) -> PathBuf {
        self.path.join("worker.pid")
    }
}

/// Writes our number into the lock, for the message of whoever comes second.
fn sign(mut lock: &File) -> std::io::Result<()> {
    lock.set_len(0)?;
    lock.rewind()?;
    writeln!(lock, "{}", std::process::id())
}

fn taken(path: &Path, mut lock: File) -> Failure {
    let mut pid = String::new();
    let by = lock.read_to_string(&mut pid).map_or_else(|_| String::new(), |_| format!(" (process {})", pid.trim()));
    let path = path.display();
    Failure::new(
        UNAVAILABLE,
        format!("another `dev`{by} uses {path}: stop it, or choose another directory with --data"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn temporary(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("carillon-data-{}-{name}", std::process::id()))
    }

    #[test]
    fn one_run_at_a_time_holds_the_directory() {
        let path = temporary("lock");
        let first = DataDirectory::open(&path).expect("free");
        let refused = DataDirectory::open(&path).expect_err("taken");
        assert!(refused.message.contains(&format!("process {}", std::process::id())), "{}", refused.message);
        drop(first);
        // A program that another test is about to start holds a copy of the lock until it runs.
        while DataDirectory::open(&path).is_err() {
            std::thread::yield_now();
        }
        fs::remove_dir_all(path).expect("ours");
    }

    #[test]
    fn handlers_that_a_user_changed_stay() {
        let path = temporary("handlers");
        let data = DataDirectory::open(&path).expect("free");
        let handlers = data.handlers().expect("written");
        assert_eq!(fs::read_to_string(&handlers).expect("there"), HANDLERS);
        fs::write(&handlers, "# mine").expect("ours");
        data.handlers().expect("there");
        assert_eq!(fs::read_to_string(&handlers).expect("there"), "# mine");
        fs::remove_dir_all(path).expect("ours");
    }

    #[tokio::test]
    async fn a_number_that_another_process_has_now_is_left_alone() {
        let path = temporary("note");
        let data = DataDirectory::open(&path).expect("free");
        fs::write(data.worker_note(), format!("{} 1\n", std::process::id())).expect("ours");
        data.stop_left_worker().await;
        fs::remove_dir_all(path).expect("ours, and we still run");
    }
}
