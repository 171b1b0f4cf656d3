//! `echo` returns its arguments.

use serde_json::Value;

use crate::context::Context;
use crate::handler::Handler;
use crate::handler_error::HandlerError;

pub(super) fn handler() -> Handler {
    Handler::new(|_: Context, args: Vec<Value>| async move { Ok::<_, HandlerError>(args) })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::context::tests::context;

    #[tokio::test]
    async fn what_went_in_comes_out() {
        for args in [json!([]), json!([1]), json!([{"a": [null]}]), json!(["x", 2])] {
            let (context, _) = context(&json!({"type": "echo", "args": args}));
            assert_eq!(handler().start(context).await, Ok(args));
        }
    }
}
