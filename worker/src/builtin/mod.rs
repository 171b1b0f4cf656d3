//! Handlers that come with the program `carillon-worker`, to try things out: `echo`, `sleep` and `fail`.

mod echo;
mod fail;
mod sleep;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::args::INVALID_ARGS;
use crate::handler::Handler;
use crate::handler_error::HandlerError;

/// The names of the built-in handlers, which are also the types of job that they run.
pub const NAMES: [&str; 3] = ["echo", "fail", "sleep"];

/// The built-in handler of this name.
#[must_use]
pub fn find(name: &str) -> Option<Handler> {
    match name {
        "echo" => Some(echo::handler()),
        "fail" => Some(fail::handler()),
        "sleep" => Some(sleep::handler()),
        _ => None,
    }
}

/// Reads the one object of named arguments; none counts as an empty one. `example` shows what is expected.
fn named<T: DeserializeOwned>(args: &[Value], example: &str) -> Result<T, HandlerError> {
    let read = match args {
        [] => T::deserialize(&Value::Object(Map::new())),
        [only @ Value::Object(_)] => T::deserialize(only),
        _ => return Err(misfit(format!("expected one object, such as {example}"))),
    };
    read.map_err(|error| misfit(format!("{error}; expected args such as {example}")))
}

fn misfit(message: impl std::fmt::Display) -> HandlerError {
    HandlerError::permanent(message).with_code(INVALID_ARGS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_has_its_handler() {
        assert!(NAMES.iter().all(|name| find(name).is_some()));
        assert!(find("shout").is_none());
    }
}
