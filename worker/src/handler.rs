//! A handler, whatever its types were.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::args::read_args;
use crate::context::Context;
use crate::handler_error::HandlerError;

/// The end of a handler: its result as JSON, or its failure.
pub(crate) type Returned = Result<Value, HandlerError>;
type Running = Pin<Box<dyn Future<Output = Returned> + Send>>;

/// What runs the jobs of one type.
#[derive(Clone)]
pub struct Handler {
    start: Arc<dyn Fn(Context) -> Running + Send + Sync>,
    timeout: Option<Duration>,
}

impl Handler {
    /// Makes a handler of an async function of the context and the arguments.
    ///
    /// How `args` becomes the second parameter: see [`read_args`]. What is returned is kept as the result of the job,
    /// anything that serde can write. An error says whether another attempt may help: see [`HandlerError`].
    pub fn new<F, Args, Run, Output, E>(function: F) -> Self
    where
        F: Fn(Context, Args) -> Run + Send + Sync + 'static,
        Args: DeserializeOwned,
        Run: Future<Output = Result<Output, E>> + Send + 'static,
        Output: Serialize,
        E: Into<HandlerError>,
    {
        let start = move |context: Context| -> Running {
            let run = read_args(context.args()).map(|args| function(context, args));
            Box::pin(async move { to_json(&run?.await.map_err(Into::into)?) })
        };
        Self { start: Arc::new(start), timeout: None }
    }

    /// With a longest duration of one attempt. The job's own timeout counts too: the shorter one wins.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    pub(crate) fn timeout(&self) -> Option<Duration> {
        self.timeout
    }

    pub(crate) fn start(&self, context: Context) -> Running {
        (self.start)(context)
    }
}

impl fmt::Debug for Handler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handler").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

fn to_json(output: &impl Serialize) -> Returned {
    serde_json::to_value(output).map_err(|error| {
        HandlerError::permanent(format!("the result cannot be written as JSON: {error}")).with_code("invalid_result")
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::context::tests::context;

    async fn run(handler: &Handler, args: Value) -> Returned {
        let (context, _) = context(&json!({"type": "test", "args": args}));
        handler.start(context).await
    }

    #[tokio::test]
    async fn arguments_and_result_are_typed() {
        let add = Handler::new(|_: Context, (a, b): (u64, u64)| async move { Ok::<_, HandlerError>(a + b) });
        assert_eq!(run(&add, json!([2, 3])).await, Ok(json!(5)));
        assert_eq!(run(&add, json!([2])).await.expect_err("one is missing").code(), "invalid_args");
    }

    #[tokio::test]
    async fn any_error_will_do() {
        let parse = Handler::new(|_: Context, text: String| async move { text.parse::<u64>() });
        assert_eq!(run(&parse, json!(["7"])).await, Ok(json!(7)));
        assert_eq!(run(&parse, json!(["x"])).await.expect_err("no number").kind(), Some("ParseIntError"));
    }

    #[tokio::test]
    async fn a_result_that_is_no_json_is_told() {
        let odd = Handler::new(|_: Context, (): ()| async {
            Ok::<_, HandlerError>(std::collections::HashMap::from([((1, 2), 3)]))
        });
        assert_eq!(run(&odd, json!([])).await.expect_err("keys are texts").code(), "invalid_result");
    }
}
