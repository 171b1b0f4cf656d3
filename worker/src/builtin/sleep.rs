//! `sleep` waits: `[250]` or `[{"ms": 250}]` for milliseconds, `[{"seconds": 1.5}]` for seconds. It stops when it is told to.

use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::{Value, json};

use super::{misfit, named};
use crate::context::Context;
use crate::handler::Handler;
use crate::handler_error::HandlerError;

const EXAMPLE: &str = r#"[250], [{"ms": 250}] or [{"seconds": 1.5}]"#;
const SLEEP_MAX: Duration = Duration::from_secs(24 * 3600);

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Args {
    ms: Option<u64>,
    seconds: Option<f64>,
}

pub(super) fn handler() -> Handler {
    Handler::new(|context: Context, args: Vec<Value>| async move { doze(&context, duration(&args)?).await })
}

async fn doze(context: &Context, duration: Duration) -> Result<Value, HandlerError> {
    let started = Instant::now();
    tokio::select! {
        () = tokio::time::sleep(duration) => Ok(json!({"slept_ms": ms(started)})),
        reason = context.cancelled() => {
            let message = format!("told to stop after {} ms: {}", ms(started), reason.as_str());
            Err(HandlerError::retry(message).with_code("stopped"))
        }
    }
}

fn ms(started: Instant) -> u64 {
    u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX)
}

fn duration(args: &[Value]) -> Result<Duration, HandlerError> {
    let args = match args {
        [Value::Number(ms)] => {
            Args { ms: Some(ms.as_u64().ok_or_else(|| unfit("a whole number of milliseconds"))?), seconds: None }
        }
        args => named(args, EXAMPLE)?,
    };
    let duration = match args {
        Args { ms: Some(ms), seconds: None } => Some(Duration::from_millis(ms)),
        Args { ms: None, seconds: Some(seconds) } => Duration::try_from_secs_f64(seconds).ok(),
        _ => return Err(unfit("either ms or seconds")),
    };
    duration.filter(|duration| *duration <= SLEEP_MAX).ok_or_else(|| unfit("a duration from 0 to 24 hours"))
}

fn unfit(expected: &str) -> HandlerError {
    misfit(format!("expected {expected}, such as {EXAMPLE}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::tests::context;
    use crate::stop::StopReason;

    fn read(args: Value) -> Result<u128, String> {
        let args = args.as_array().expect("an array").clone();
        duration(&args).map(|duration| duration.as_millis()).map_err(|error| error.message().to_owned())
    }

    #[test]
    fn milliseconds_and_seconds_are_understood() {
        assert_eq!(read(json!([250])), Ok(250));
        assert_eq!(read(json!([{"ms": 0}])), Ok(0));
        assert_eq!(read(json!([{"seconds": 1.5}])), Ok(1500));
    }

    #[test]
    fn anything_else_is_refused_with_an_example() {
        let wrong = [
            json!([]),
            json!(["250"]),
            json!([-1]),
            json!([1.5]),
            json!([1, 2]),
            json!([{"ms": 1, "seconds": 1}]),
            json!([{"seconds": -1}]),
            json!([{"minutes": 1}]),
            json!([{"seconds": 1e9}]),
        ];
        for args in wrong {
            let message = read(args.clone()).expect_err("a refusal");
            assert!(message.contains("expected") && message.contains("[{\"ms\": 250}]"), "{args}: {message}");
        }
    }

    #[tokio::test]
    async fn a_sleeper_wakes_when_it_is_told_to_stop() {
        let (context, stop) = context(&json!({"type": "sleep", "args": [3_600_000]}));
        stop.tell(StopReason::Cancelled);
        assert_eq!(handler().start(context).await.expect_err("stopped").code(), "stopped");
    }
}
