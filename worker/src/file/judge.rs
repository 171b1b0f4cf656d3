//! What the end of a command means: decided here, from arguments alone.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use serde_json::{Value, json};

use crate::handler::Returned;
use crate::handler_error::HandlerError;
use crate::outcome::result_too_large;

/// Which exit codes are tried again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ExitCodes {
    /// All but zero.
    Any,
    /// Only these.
    RetryOnly(Vec<i32>),
    /// All but these.
    PermanentOn(Vec<i32>),
}

/// What a command wrote.
#[derive(Debug)]
pub(super) struct Heard {
    /// On standard output; `None` when it is larger than what is kept.
    pub(super) result: Option<Vec<u8>>,
    /// At the end of standard error.
    pub(super) tail: Vec<u8>,
}

/// Judges the end of `program`.
pub(super) fn judge(program: &str, status: ExitStatus, heard: Heard, codes: &ExitCodes) -> Returned {
    let Some(result) = heard.result else {
        let failure = result_too_large(&format!("{program} wrote a larger result"));
        return Err(HandlerError::permanent(failure.message).with_code(failure.code));
    };
    if status.success() {
        return Ok(read_result(&result));
    }
    let stderr = String::from_utf8_lossy(&heard.tail).into_owned();
    let last_line = stderr.lines().rev().map(str::trim).find(|line| !line.is_empty());
    let why = last_line.map(|line| format!(": {}", line.chars().take(300).collect::<String>())).unwrap_or_default();
    let Some(code) = status.code() else {
        let signal = status.signal().unwrap_or_default();
        let error = HandlerError::retry(format!("{program} was ended by signal {signal}{}{why}", signal_name(signal)));
        return Err(error.with_code("command_killed").with_details(json!({"signal": signal, "stderr": stderr})));
    };
    let message = format!("{program} exited with code {code}{why}");
    let error = if codes.retries(code) { HandlerError::retry(message) } else { HandlerError::permanent(message) };
    Err(error.with_code("command_failed").with_details(json!({"exit_code": code, "stderr": stderr})))
}

/// JSON as it is; nothing as null; anything else as a text, without the line ending.
pub(super) fn read_result(bytes: &[u8]) -> Value {
    if bytes.trim_ascii().is_empty() {
        return Value::Null;
    }
    serde_json::from_slice(bytes).unwrap_or_else(|_| {
        let text = String::from_utf8_lossy(bytes);
        Value::from(text.strip_suffix('\n').map_or(text.as_ref(), |line| line.strip_suffix('\r').unwrap_or(line)))
    })
}

impl ExitCodes {
    fn retries(&self, code: i32) -> bool {
        match self {
            Self::Any => true,
            Self::RetryOnly(codes) => codes.contains(&code),
            Self::PermanentOn(codes) => !codes.contains(&code),
        }
    }
}

fn signal_name(signal: i32) -> &'static str {
    match signal {
        6 => " (SIGABRT)",
        9 => " (SIGKILL)",
        11 => " (SIGSEGV)",
        15 => " (SIGTERM)",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_are_tried_again_as_the_file_says() {
        for (codes, retried) in [
            (ExitCodes::Any, [true, true]),
            (ExitCodes::RetryOnly(vec![75]), [true, false]),
            (ExitCodes::PermanentOn(vec![75]), [false, true]),
        ] {
            assert_eq!([75, 1].map(|code| codes.retries(code)), retried, "{codes:?}");
        }
    }

    #[test]
    fn a_result_that_is_no_json_is_a_text() {
        assert_eq!(read_result(b" {\"a\": 1}\n"), json!({"a": 1}));
        assert_eq!(read_result(b"done\n"), json!("done"));
        assert_eq!(read_result(b" \n"), Value::Null);
    }
}
