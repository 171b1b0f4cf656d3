//! `fail` fails, as its arguments say: `[{"message": "no", "code": "c", "retryable": false, "times": 2}]`, all optional. With
//! `times` only the first so many attempts fail.

use serde::Deserialize;
use serde_json::{Value, json};

use super::named;
use crate::context::Context;
use crate::handler::Handler;
use crate::handler_error::HandlerError;

const EXAMPLE: &str = r#"[{"message": "no luck", "code": "asked_to", "retryable": true, "times": 2}] (all optional)"#;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Args {
    message: String,
    code: String,
    retryable: bool,
    times: Option<u32>,
}

impl Default for Args {
    fn default() -> Self {
        Self { message: "failed as asked".to_owned(), code: "asked_to".to_owned(), retryable: true, times: None }
    }
}

pub(super) fn handler() -> Handler {
    Handler::new(|context: Context, args: Vec<Value>| async move { fail(&args, context.attempt()) })
}

fn fail(args: &[Value], attempt: u32) -> Result<Value, HandlerError> {
    let args: Args = named(args, EXAMPLE)?;
    if args.times.is_some_and(|times| attempt > times) {
        return Ok(json!({"failed_times": args.times}));
    }
    let error = if args.retryable { HandlerError::retry(args.message) } else { HandlerError::permanent(args.message) };
    Err(error.with_code(args.code))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(args: Value, attempt: u32) -> Result<Value, HandlerError> {
        fail(args.as_array().expect("an array"), attempt)
    }

    #[test]
    fn it_fails_as_asked() {
        let error = run(json!([{"message": "no", "code": "c", "retryable": false}]), 1).expect_err("a failure");
        assert_eq!((error.message(), error.code(), error.is_permanent()), ("no", "c", true));
        assert!(run(json!([]), 99).is_err_and(|error| !error.is_permanent() && error.message() == "failed as asked"));
    }

    #[test]
    fn it_fails_only_so_many_times() {
        assert!(run(json!([{"times": 2}]), 2).is_err());
        assert_eq!(run(json!([{"times": 2}]), 3), Ok(json!({"failed_times": 2})));
    }

    #[test]
    fn a_misspelled_argument_is_refused_with_the_known_ones() {
        let error = run(json!([{"tims": 2}]), 9).expect_err("a refusal");
        assert!(error.code() == "invalid_args" && error.message().contains("`times`"), "{error:?}");
        assert!(run(json!(["no"]), 1).is_err_and(|error| error.message().contains("expected one object")));
    }
}
