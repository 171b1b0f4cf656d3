//! Handlers from a file: for each type of job a command, a URL, or a built-in handler.
//!
//! ```toml
//! [handlers."report.generate"]
//! command = ["./report.sh", "--pdf"]  # job JSON on stdin, result JSON from stdout, the exit code decides
//! timeout = "10m"                     # optional; the job's own timeout wins if it is shorter
//! env = { REPORTS = "/srv/reports" }  # added to the worker's own
//! permanent_on = [65]                 # exit codes that are not tried again; or retry_on: only these are
//!
//! [handlers."billing.monthly_report"]
//! url = "https://billing.example/hook" # POST of the job JSON; the status decides, the body is the result
//! headers = { Authorization = "Bearer …" }
//!
//! [handlers."maintenance.cache_cleanup"]
//! builtin = "echo"
//! ```

mod command;
mod group;
mod judge;
mod mistake;
mod parse;
mod section;
mod url;
mod warden;

use std::fmt;
use std::path::Path;
use std::time::Duration;

use carillon_shared::name::JobType;

pub use mistake::{FileError, Mistake};

use crate::builtin;
use crate::handler::Handler;
use command::CommandLine;
use url::Url;

/// The handlers that a file describes.
#[derive(Debug)]
pub struct HandlerFile {
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    job_type: JobType,
    work: Work,
    timeout: Option<Duration>,
}

/// How the jobs of a type are run.
#[derive(Debug)]
enum Work {
    Command(CommandLine),
    Url(Url),
    Builtin(&'static str),
}

impl HandlerFile {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// When it cannot be read, or describes no handlers; all mistakes at once, each with its line.
    pub fn read(path: &Path) -> Result<Self, FileError> {
        let text =
            std::fs::read_to_string(path).map_err(|source| FileError::Unreadable { path: path.to_owned(), source })?;
        Self::parse(path, &text)
    }

    /// Takes the text of a file apart; `path` is for messages.
    ///
    /// # Errors
    ///
    /// All mistakes at once, each with its line.
    pub fn parse(path: &Path, text: &str) -> Result<Self, FileError> {
        parse::entries(path, text).map(|entries| Self { entries })
    }

    /// The handlers, and the types they are for, in order.
    #[must_use]
    pub fn handlers(self) -> Vec<(JobType, Handler)> {
        self.entries.into_iter().map(Entry::into_handler).collect()
    }

    /// The types, in order.
    pub fn job_types(&self) -> impl Iterator<Item = &JobType> {
        self.entries.iter().map(|entry| &entry.job_type)
    }
}

/// One line for each handler; values of headers and variables are not shown, since they may be secrets.
impl fmt::Display for HandlerFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.entries.iter().try_for_each(|entry| writeln!(f, "{entry}"))
    }
}

impl Entry {
    fn into_handler(self) -> (JobType, Handler) {
        let (handler, default) = match self.work {
            Work::Command(line) => (line.into_handler(), None),
            // An answer that never comes would keep its slot for ever.
            Work::Url(url) => (url.into_handler(), Some(url::TIMEOUT_DEFAULT)),
            Work::Builtin(name) => (builtin::find(name).expect("only names of built-in handlers are parsed"), None),
        };
        let handler = match self.timeout.or(default) {
            Some(timeout) => handler.with_timeout(timeout),
            None => handler,
        };
        (self.job_type, handler)
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<32} ", self.job_type.as_str())?;
        match &self.work {
            Work::Command(line) => write!(f, "command {line}")?,
            Work::Url(url) => write!(f, "POST {url}")?,
            Work::Builtin(name) => write!(f, "built-in {name}")?,
        }
        match self.timeout {
            Some(timeout) => write!(f, " (timeout {})", humantime::format_duration(timeout)),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_shows_what_is_run_and_no_secret() {
        let text = r#"
            [handlers."a.command"]
            command = ["sh", "-c", "exit 0"]
            timeout = "10m"
            env = { TOKEN = "hunter2" }
            [handlers."b.url"]
            url = "http://ann:hunter2@127.0.0.1:9000/hook?key=hunter2"
            headers = { Authorization = "Bearer hunter2" }
            [handlers."c.builtin"]
            builtin = "echo"
        "#;
        let file = HandlerFile::parse(Path::new("handlers.toml"), text).expect("handlers");
        let listing = file.to_string();
        let lines: Vec<_> = listing.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        assert_eq!(
            lines,
            [
                "a.command command sh -c \"exit 0\" with TOKEN=*** (timeout 10m)",
                "b.url POST http://127.0.0.1:9000/hook with Authorization: ***",
                "c.builtin built-in echo",
            ]
        );
        assert!(!format!("{file:?}").contains("hunter2"), "{file:?}");
    }

    #[test]
    fn the_shipped_sample_is_valid() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/handlers.toml");
        let types = HandlerFile::read(&path).map(|file| file.job_types().map(ToString::to_string).collect::<Vec<_>>());
        let expected = [
            "billing.monthly_report",
            "integration.sync",
            "maintenance.cache_cleanup",
            "monitoring.health_check",
            "report.generate",
        ];
        assert_eq!(types.expect("handlers"), expected);
    }
}
