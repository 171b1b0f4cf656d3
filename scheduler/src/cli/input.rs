//! JSON that a command is given: as an argument, in a file, or on standard input.

use std::io::Read as _;

use serde_json::Value;

use super::Failure;
use super::failure::{DATA, NO_INPUT};

/// Reads one JSON value or several: alone, in an array, or one after the other.
pub(super) fn read(source: &str) -> Result<Vec<Value>, Failure> {
    let text = text(source)?;
    let values = serde_json::Deserializer::from_str(&text).into_iter::<Value>().collect::<Result<Vec<_>, _>>();
    let values = values.map_err(|error| Failure::new(DATA, format!("not valid JSON: {error}")))?;
    let values: Vec<Value> = values
        .into_iter()
        .flat_map(|value| match value {
            Value::Array(items) => items,
            other => vec![other],
        })
        .collect();
    if values.is_empty() {
        Err(Failure::new(DATA, "there is nothing in it: expected JSON objects"))
    } else {
        Ok(values)
    }
}

fn text(source: &str) -> Result<String, Failure> {
    if source.trim_start().starts_with(['{', '[']) {
        return Ok(source.to_owned());
    }
    let read = if source == "-" {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map(|_| text)
    } else {
        std::fs::read_to_string(source)
    };
    read.map_err(|error| Failure::new(NO_INPUT, format!("cannot read {source}: {error}")))
}

/// Names the one that is wrong, if there are several.
pub(super) fn nth(index: usize, all: usize, message: &str) -> Failure {
    let place = if all == 1 { String::new() } else { format!("number {} of {all}: ", index + 1) };
    Failure::new(DATA, format!("{place}{message}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_several_and_lines_are_read() {
        for (text, count) in [("{}", 1), ("[{},{}]", 2), ("{}\n{}\n{}", 3), ("[{}]\n{}", 2)] {
            assert_eq!(read(text).expect("JSON").len(), count, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_told_by_its_kind() {
        for (source, code) in [("{", DATA), ("[]", DATA), ("/nonexistent/file.json", NO_INPUT)] {
            assert_eq!(read(source).expect_err("a failure").code, code, "{source}");
        }
    }
}
