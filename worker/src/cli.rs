//! The command line: what it asks for, or the one line that says why it cannot be had.

use std::net::SocketAddr;

use carillon_shared::config::{ConfigError, Origin, Program, WorkerConfig, arguments, process_environment};
use carillon_shared::store::StoreOptions;
use carillon_shared::telemetry::chain;
use carillon_worker::file::HandlerFile;
use carillon_worker::{Worker, WorkerError, builtin};
use clap::{Arg, ArgAction, Command};

const LIST: &str = "list-handlers";
const AFTER_HELP: &str = "\
A first SIGTERM or Ctrl-C lets running jobs end (see --grace), a second one gives them back at once.

Exit codes: 0 ended as told, 64 wrong flags, 69 Redis or an address is not available, 78 wrong configuration or handlers.";

/// What to do.
pub(crate) enum Plan {
    Print(String),
    Run(Box<Setup>),
}

/// Everything that a run needs.
pub(crate) struct Setup {
    pub(crate) config: WorkerConfig,
    pub(crate) worker: Worker,
}

/// Why it cannot be done: one line, and an exit code that sysexits.h names.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) reason: String,
    pub(crate) code: u8,
}

impl Refusal {
    fn usage(reason: String) -> Self {
        Self { reason, code: 64 }
    }

    pub(crate) fn unavailable(reason: String) -> Self {
        Self { reason, code: 69 }
    }

    pub(crate) fn configuration(reason: String) -> Self {
        Self { reason, code: 78 }
    }
}

impl Setup {
    /// Whether nobody chose this address for the metrics.
    pub(crate) fn is_default(&self, address: SocketAddr) -> bool {
        let setting = carillon_shared::config::SETTINGS.iter().find(|setting| setting.flag == "metrics-addr");
        setting.and_then(|setting| setting.default).is_some_and(|default| default == address.to_string())
    }
}

/// Reads flags, environment and files.
pub(crate) fn plan() -> Result<Plan, Refusal> {
    let matches = match command().try_get_matches() {
        Ok(matches) => matches,
        Err(error) if !error.use_stderr() => return Ok(Plan::Print(error.render().to_string())),
        Err(error) => return Err(Refusal::usage(one_line(&error))),
    };
    let config = WorkerConfig::read(&matches, &process_environment).map_err(|error| wrong(&error))?;
    let file = config.handlers.as_deref().map(HandlerFile::read).transpose();
    let file = file.map_err(|error| Refusal::configuration(error.to_string()))?;
    if matches.get_flag(LIST) {
        return Ok(Plan::Print(listing(file.as_ref())));
    }
    let worker = worker(&config, file).map_err(|error| Refusal::configuration(chain(&error)))?;
    Ok(Plan::Run(Box::new(Setup { config, worker })))
}

fn command() -> Command {
    let list =
        Arg::new(LIST).long(LIST).action(ArgAction::SetTrue).help("Show which handlers would run which types, and end");
    Command::new("carillon-worker")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Takes jobs from queues and runs built-in handlers, commands or URLs")
        .after_help(AFTER_HELP)
        .args(arguments(Program::Worker))
        .arg(list)
}

/// The mistakes; those in flags alone are a matter of usage.
fn wrong(error: &ConfigError) -> Refusal {
    let flags_only = error.mistakes().iter().all(|mistake| matches!(mistake.origin, Origin::Flag(_)));
    if flags_only { Refusal::usage(error.to_string()) } else { Refusal::configuration(error.to_string()) }
}

/// Clap explains itself over several lines: the error and its tips, without the usage.
fn one_line(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let told = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let told = told.take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more"));
    let line = told.collect::<Vec<_>>().join("; ");
    format!("{} (see --help)", line.strip_prefix("error: ").unwrap_or(&line))
}

fn worker(config: &WorkerConfig, file: Option<HandlerFile>) -> Result<Worker, WorkerError> {
    let mut builder = Worker::builder()
        .store(StoreOptions::from(&config.redis))
        .queues(&config.queues)
        .concurrency(config.concurrency)
        .lease(config.lease)
        .poll_interval(config.poll_interval)
        .grace(config.grace)
        .unhandled_max(config.unhandled_max);
    if let Some(id) = &config.worker_id {
        builder = builder.worker_id(id.clone());
    }
    for name in builtins(file.as_ref()) {
        builder = builtin::find(name).into_iter().fold(builder, |builder, handler| builder.register(name, handler));
    }
    let handlers = file.map(HandlerFile::handlers).unwrap_or_default();
    handlers
        .into_iter()
        .fold(builder, |builder, (job_type, handler)| builder.register(job_type.as_str(), handler))
        .build()
}

/// The built-in handlers, as far as the file has none for the same types.
fn builtins(file: Option<&HandlerFile>) -> impl Iterator<Item = &'static str> {
    let taken: Vec<String> = file.into_iter().flat_map(HandlerFile::job_types).map(ToString::to_string).collect();
    builtin::NAMES.into_iter().filter(move |name| !taken.iter().any(|taken| taken == name))
}

fn listing(file: Option<&HandlerFile>) -> String {
    let builtins: String = builtins(file).map(|name| format!("{name:<32} built-in {name}\n")).collect();
    format!("{builtins}{}", file.map(ToString::to_string).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_flag_is_told_on_one_line() {
        let error = command().try_get_matches_from(["carillon-worker", "--quues", "a"]).expect_err("a refusal");
        let line = one_line(&error);
        assert!(line.starts_with("unexpected argument '--quues' found") && line.contains("--queues"), "{line}");
        assert!(!line.contains('\n'), "{line}");
    }

    #[test]
    fn clap_finds_no_fault_in_the_command() {
        command().debug_assert();
    }

    #[test]
    fn a_handler_of_the_file_takes_the_place_of_a_built_in_one() {
        let text = "[handlers.echo]\ncommand = ['sh']";
        let file = HandlerFile::parse(std::path::Path::new("h.toml"), text).expect("handlers");
        assert_eq!(builtins(Some(&file)).collect::<Vec<_>>(), ["fail", "sleep"]);
        assert_eq!(listing(Some(&file)).lines().count(), 3);
    }
}
