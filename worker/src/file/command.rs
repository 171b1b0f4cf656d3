//! A handler that runs a command.
//!
//! The job comes in as JSON on standard input, the result goes out as JSON on standard output, the exit code decides. The
//! command is the leader of a process group, which ends with it: when it exits, when it is told to stop (SIGTERM, then
//! SIGKILL), and when this worker ends, be it killed.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use carillon_shared::config::Secret;
use serde::de::IgnoredAny;
use serde_json::Value;
use tokio::process::Command;

use super::group::Group;
use super::judge::{ExitCodes, judge};
use super::section::Section;
use crate::context::Context;
use crate::handler::{Handler, Returned};
use crate::handler_error::HandlerError;
use crate::stop::StopReason;

/// Tells the command whom it runs as, if its job says so.
const RUN_AS: &str = "CARILLON_RUN_AS";

/// A command, as the file describes it.
#[derive(Debug)]
pub(super) struct CommandLine {
    words: Vec<String>,
    env: BTreeMap<String, Secret>,
    codes: ExitCodes,
}

impl CommandLine {
    pub(super) fn read(section: &mut Section<'_, '_, '_>) -> Option<Self> {
        let words = section.texts("command");
        let env = if section.has("env") { section.table_of_texts("env") } else { Some(BTreeMap::new()) };
        let codes = exit_codes(section);
        let words = words?;
        match words.first().map(String::as_str) {
            None | Some("") => {
                section.note("command", "expected a program and its arguments, such as [\"./report.sh\", \"--pdf\"]");
                return None;
            }
            Some(program) if !can_be_found(program) => {
                section.note("command", format!("there is no program {program:?} that can be run"));
                return None;
            }
            Some(_) => {}
        }
        let env = env?.into_iter().map(|(name, value)| (name, Secret::new(value))).collect();
        Some(Self { words, env, codes: codes? })
    }

    pub(super) fn into_handler(self) -> Handler {
        let line = Arc::new(self);
        Handler::new(move |context: Context, _: IgnoredAny| {
            let line = line.clone();
            async move { line.run(context).await }
        })
    }

    async fn run(&self, context: Context) -> Returned {
        let program = &self.words[0];
        let group = Group::spawn(program, |command| self.prepare(command, &context));
        let group = group.map_err(|error| {
            HandlerError::retry(format!("{program} cannot be started: {error}")).with_code("command_not_started")
        })?;
        let conversation = group.converse(Value::Object(context.job_json()).to_string(), &context).await;
        let (status, heard) = conversation.map_err(|error| {
            HandlerError::retry(format!("{program} cannot be waited for: {error}")).with_code("command_lost")
        })?;
        match context.stop_reason() {
            // What was finished before the worker ends counts.
            Some(StopReason::Shutdown) if status.success() => {}
            Some(reason) => {
                return Err(HandlerError::retry(format!("told to stop: {}", reason.as_str())).with_code("stopped"));
            }
            None => {}
        }
        judge(program, status, heard, &self.codes)
    }

    fn prepare(&self, command: &mut Command, context: &Context) {
        command.args(&self.words[1..]);
        command.env("CARILLON_JOB_ID", context.job_id().to_string());
        command.env("CARILLON_JOB_TYPE", context.job_type().as_str());
        command.env("CARILLON_ATTEMPT", context.attempt().to_string());
        command.envs(self.env.iter().map(|(name, value)| (name, value.expose())));
        // Last, and taken away where the job has none: no run passes for another's, nor for that of whoever runs the worker.
        command.env_remove(RUN_AS);
        if let Some(identity) = context.run_as() {
            command.env(RUN_AS, identity);
        }
    }
}

/// The command without the values of its variables.
impl fmt::Display for CommandLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain =
            |word: &&String| word.chars().all(|c| c.is_ascii_graphic() && !"\"'\\$".contains(c)) && !word.is_empty();
        let shown = self.words.iter().map(|word| if plain(&word) { word.clone() } else { format!("{word:?}") });
        f.write_str(&shown.collect::<Vec<_>>().join(" "))?;
        for (i, name) in self.env.keys().enumerate() {
            write!(f, "{}{name}=***", if i == 0 { " with " } else { ", " })?;
        }
        Ok(())
    }
}

fn exit_codes(section: &mut Section<'_, '_, '_>) -> Option<ExitCodes> {
    match (section.has("retry_on"), section.has("permanent_on")) {
        (false, false) => Some(ExitCodes::Any),
        (true, false) => section.exit_codes("retry_on").map(ExitCodes::RetryOnly),
        (false, true) => section.exit_codes("permanent_on").map(ExitCodes::PermanentOn),
        (true, true) => {
            let both = (section.exit_codes("retry_on"), section.exit_codes("permanent_on"));
            if both.0.is_some() && both.1.is_some() {
                section.note(
                    "permanent_on",
                    "expected only one of retry_on and permanent_on: with retry_on all other codes are permanent",
                );
            }
            None
        }
    }
}

/// A program with a slash is a path, any other is looked for in PATH.
fn can_be_found(program: &str) -> bool {
    if program.contains('/') {
        return is_executable(Path::new(program));
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|directory| is_executable(&directory.join(program)))
}

fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use serde_json::json;

    use super::*;
    use crate::context::tests::{context, context_of};
    use crate::sample::claimed;

    fn shell(script: &str) -> CommandLine {
        let words = ["sh", "-c", script].map(str::to_owned).into();
        CommandLine {
            words,
            env: BTreeMap::from([("EXTRA".to_owned(), Secret::new("x"))]),
            codes: ExitCodes::PermanentOn(vec![65]),
        }
    }

    async fn run(script: &str) -> Returned {
        let (context, _) = context(&json!({"type": "a.b", "args": [7]}));
        shell(script).into_handler().start(context).await
    }

    #[tokio::test]
    async fn the_job_goes_in_and_the_result_comes_out() {
        let job = run("cat").await.expect("a result");
        assert_eq!((&job["type"], &job["args"], &job["attempt"]), (&json!("a.b"), &json!([7]), &json!(1)));
        assert_eq!(
            run(r#"printf '"%s %s %s"' "$CARILLON_JOB_TYPE" "$CARILLON_ATTEMPT" "$EXTRA""#).await,
            Ok(json!("a.b 1 x"))
        );
        assert_eq!(run("true").await, Ok(Value::Null));
        assert_eq!(run("echo plain text").await, Ok(json!("plain text")));
    }

    #[tokio::test]
    async fn a_command_is_told_whom_it_runs_as_and_the_next_one_is_not() {
        let mut line = shell(r#"printf '"%s"' "${CARILLON_RUN_AS-nobody}""#);
        line.env.insert(RUN_AS.to_owned(), Secret::new("the handlers file"));
        let handler = line.into_handler();
        for (meta, cron, told) in [
            (json!({"run_as": "alice"}), Some("nightly"), "alice"),
            (json!({}), Some("nightly"), "nobody"),
            (json!({"run_as": "bob"}), Some("nightly"), "bob"),
            (json!({"run_as": "forged"}), None, "nobody"),
        ] {
            let mut claimed = claimed(&json!({"type": "a.b", "args": [], "meta": meta}));
            claimed.job.record.cron = cron.map(|name| name.parse().expect("a name"));
            assert_eq!(handler.start(context_of(claimed).0).await, Ok(json!(told)), "{meta}");
        }
    }

    #[tokio::test]
    async fn the_exit_code_decides() {
        let error = run("echo 'no disk' >&2; exit 3").await.expect_err("a failure");
        assert_eq!((error.code(), error.is_permanent()), ("command_failed", false));
        assert_eq!(error.message(), "sh exited with code 3: no disk");
        assert!(run("exit 65").await.is_err_and(|error| error.is_permanent()));
        assert_eq!(run("kill -9 $$").await.expect_err("killed").code(), "command_killed");
    }

    #[tokio::test]
    async fn only_the_end_of_standard_error_is_kept() {
        let error = run("yes 1234567890 | head -c 100000 >&2; echo end >&2; exit 1").await.expect_err("a failure");
        let details = error.into_parts().0.details.expect("details");
        let stderr = details["stderr"].as_str().expect("a text");
        assert!(stderr.ends_with("end\n") && stderr.len() <= super::super::group::STDERR_BYTES_MAX, "{}", stderr.len());
    }

    #[tokio::test]
    async fn a_result_without_end_is_cut_off() {
        let error = run("yes").await.expect_err("too much");
        assert!(error.code() == "result_too_large" && error.is_permanent());
    }

    #[tokio::test]
    async fn what_a_command_leaves_behind_ends_with_it() {
        let started = Instant::now();
        // The sleeper holds the pipes open: without its end the result would not be complete.
        assert_eq!(run("sleep 600 & echo 1").await, Ok(json!(1)));
        assert!(started.elapsed() < Duration::from_secs(60));
    }

    #[tokio::test]
    async fn a_command_that_is_told_to_stop_may_finish_unless_it_is_killed() {
        let (context, stop) = context(&json!({"type": "a.b", "args": []}));
        stop.tell(StopReason::Shutdown);
        let polite = shell("trap 'echo 1; exit 0' TERM; while :; do sleep 0.01; done").into_handler();
        // SIGTERM may come before the trap is set; then the shell ends by it.
        let ended = polite.start(context).await;
        assert!(ended == Ok(json!(1)) || ended.is_err_and(|error| error.code() == "stopped"));
    }

    #[test]
    fn a_program_that_is_not_there_is_known_beforehand() {
        assert!(can_be_found("sh") && can_be_found("/bin/sh"));
        assert!(!can_be_found("no-such-program") && !can_be_found("./no-such-program") && !can_be_found("/tmp"));
    }
}
