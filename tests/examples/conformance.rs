//! Runs conformance cases of the Open Job Spec against schedulers of its own.
//!
//! The cases, and the program that judges them, are not part of Carillon. `make conformance CASES=folder` names the folder
//! of cases; `run.py` is looked for there, then beside it. Where something is missing it is said, and that is no failure:
//! a machine without the cases has nothing to fail.
//!
//! Each lane is a scheduler with a namespace and a Redis database of its own, which the judge empties before each case.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use carillon_tests::process::{Process, scheduler};
use carillon_tests::redis::{Server, namespace};

/// Longer cases run side by side; the longest takes more than two minutes by itself.
const LANES: usize = 8;
/// Asserts members of errors that none of its requests mentions.
const CONTRADICTS_ITSELF: &str = "L1-RTR-014";

/// A scheduler and what it works on.
struct Lane {
    scheduler: Process,
    redis: String,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let Some(cases) = std::env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("usage: conformance FOLDER");
        return ExitCode::from(2);
    };
    match judge_of(&cases) {
        Ok(judge) => run(&judge, &cases).await,
        Err(missing) => {
            println!("SKIPPED: the conformance cases were not run: {missing}");
            ExitCode::SUCCESS
        }
    }
}

/// The program that judges, or what is missing.
fn judge_of(cases: &Path) -> Result<PathBuf, String> {
    if !cases.is_dir() {
        return Err(format!("there is no folder {}", cases.display()));
    }
    let places = [cases.join("run.py"), cases.join("../run.py")];
    let judge = places.into_iter().find(|place| place.is_file());
    let judge = judge.ok_or_else(|| format!("there is no run.py in or beside {}", cases.display()))?;
    let python = Command::new("python3").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if python.is_ok_and(|status| status.success()) { Ok(judge) } else { Err("python3 is not installed".to_owned()) }
}

async fn run(judge: &Path, cases: &Path) -> ExitCode {
    let redis = Server::start(&["--appendonly", "no"]);
    let lanes: Vec<Lane> = (0..LANES).map(|database| Lane::start(&redis, database)).collect();
    let mut command = Command::new("python3");
    command.arg(judge).arg("--suites").arg(cases).args(["--skip", CONTRADICTS_ITSELF]);
    for lane in &lanes {
        command.args(["--url", &lane.url().await, "--redis", &lane.redis]);
    }
    println!("{LANES} lanes; left out because it contradicts itself: {CONTRADICTS_ITSELF}");
    match command.status() {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("python3 cannot be started: {error}");
            ExitCode::FAILURE
        }
    }
}

impl Lane {
    fn start(server: &Server, database: usize) -> Self {
        let redis = format!("{}{database}", server.url());
        let mut command = scheduler();
        command.args(["serve", "--port", "0", "--conformance-directives", "--log-format", "json"]);
        command.args(["--redis-url", &redis, "--namespace", namespace().as_str()]);
        Self { scheduler: Process::start(&command), redis }
    }

    /// Where it listens, as it says itself.
    async fn url(&self) -> String {
        let line = self.scheduler.printed("scheduler started").await;
        let rest = line.split("127.0.0.1:").nth(1).unwrap_or_default();
        let port: String = rest.chars().take_while(char::is_ascii_digit).collect();
        format!("http://127.0.0.1:{port}")
    }
}
