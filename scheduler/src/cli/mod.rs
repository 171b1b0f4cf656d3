//! The command line: `serve` and `dev` run things, the others look at or change what stands in Redis, and the calendar
//! commands need nothing at all.
//!
//! Exit codes: 0 done, 1 no (invalid, not found), 2 there is something to do (`plan`), 64 wrong usage, 65 wrong data, 66 no input, 69 Redis unavailable,
//! 70 a failure of ours, 78 wrong configuration, 130 interrupted twice.

use std::io::Write as _;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{ArgMatches, FromArgMatches as _};

mod args;
mod backfill;
mod batch;
mod calendar;
mod calendar_args;
mod check;
mod config;
mod cron;
mod cron_args;
mod declared;
mod declared_args;
mod events;
mod failure;
mod import;
mod inbox;
mod input;
mod jobs;
mod jobs_args;
mod ledger;
mod next;
mod redis;
mod serve;
mod signals;
mod table;
mod why;
mod workers;

pub(crate) use carillon_shared::telemetry::chain;
pub use config::configuration;
pub(crate) use config::origin;
pub(crate) use failure::{Failure, SOFTWARE, UNAVAILABLE};
pub(crate) use signals::Signals;

use args::{Cli, Command};
use failure::USAGE;

/// Runs the program on the arguments of this process.
#[must_use]
pub fn main() -> ExitCode {
    let matches = match args::command().try_get_matches() {
        Ok(matches) => matches,
        Err(error) => return explain(&error),
    };
    match run(&matches) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure { code, message }) => {
            if !message.is_empty() {
                // Where even this cannot be written there is nobody to tell.
                _ = writeln!(std::io::stderr(), "carillon-scheduler: {message}");
            }
            ExitCode::from(code)
        }
    }
}

/// Help and version are answers; anything else is wrong usage.
fn explain(error: &clap::Error) -> ExitCode {
    _ = error.print();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => ExitCode::SUCCESS,
        _ => ExitCode::from(USAGE),
    }
}

fn run(matches: &ArgMatches) -> Result<(), Failure> {
    let cli = Cli::from_arg_matches(matches).map_err(|error| Failure::new(USAGE, error.to_string()))?;
    let Some((_, own)) = matches.subcommand() else { return Err(Failure::quiet(USAGE)) };
    match cli.command {
        Command::Serve => serve::serve(own),
        Command::Dev(args) => crate::dev::run(own, args.data),
        Command::Events(args) => events::follow(own, &args),
        Command::Cron { command } => cron::run(own, command),
        Command::Ledger(args) => ledger::run(own, &args),
        Command::Why(args) => why::run(own, &args),
        Command::Jobs { command } => jobs::run(own, command),
        Command::Workers { command } => workers::run(own, command),
        Command::Inbox { command } => inbox::run(own, &command),
        Command::Lint(args) => declared::lint(&args),
        Command::Plan(args) => declared::plan(own, &args),
        Command::Apply(args) => declared::apply(own, &args),
        Command::Import(args) => import::run(&args),
        Command::Next(args) if args.batch => batch::answer(),
        Command::Next(args) => next::show(args),
        Command::Validate(args) => calendar::validate(args),
        Command::Explain(args) => calendar::explain(args),
        Command::Check { acl: true, .. } => check::acl(own),
        Command::Check { format, .. } => check::show(own, format),
        Command::Config { format } => config::show(own, format),
        Command::Version => version(),
    }
}

fn version() -> Result<(), Failure> {
    writeln!(std::io::stdout(), "carillon-scheduler {}", env!("CARGO_PKG_VERSION"))?;
    Ok(())
}

/// Runs a future to its end. What is left of it when it ends is not waited for.
pub(crate) fn block_on<F>(future: F) -> Result<(), Failure>
where
    F: Future<Output = Result<(), Failure>>,
{
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(SOFTWARE, format!("cannot start: {error}")))?;
    let ended = runtime.block_on(future);
    runtime.shutdown_background();
    ended
}
