//! How the `args` array of a job becomes the argument of a handler.
//!
//! The array is read as the handler's type: `(String, u32)` or `Vec<f64>` take it whole. By custom a job has one object of
//! named arguments, so an array of exactly one element is also tried without its brackets: `[{"month": "2026-03"}]` fits a
//! struct with a field `month`, `["x"]` fits a `String`. Objects are tried that way first, because a struct can also be read
//! from an array, field by field. No argument at all fits `()`. A handler that wants the array as it is takes `Vec<Value>`.

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::handler_error::HandlerError;

/// The code of a failure whose cause is the arguments: another attempt has the same ones.
pub const INVALID_ARGS: &str = "invalid_args";

/// Reads the arguments of a job as a handler wants them.
///
/// # Errors
///
/// When they do not fit, permanently; the message says what does not.
pub fn read_args<T: DeserializeOwned>(args: &[Value]) -> Result<T, HandlerError> {
    let whole = Value::Array(args.to_vec());
    match args {
        [] => T::deserialize(&whole).or_else(|_| T::deserialize(&Value::Null)).map_err(|error| misfit("args", &error)),
        [only @ Value::Object(_)] => {
            T::deserialize(only).or_else(|told| T::deserialize(&whole).map_err(|_| misfit("args[0]", &told)))
        }
        [only] => T::deserialize(&whole).or_else(|told| T::deserialize(only).map_err(|error| either(&told, &error))),
        _ => T::deserialize(&whole).map_err(|error| misfit("args", &error)),
    }
}

fn misfit(what: &str, error: &serde_json::Error) -> HandlerError {
    HandlerError::permanent(format!("{what} does not fit this handler: {error}")).with_code(INVALID_ARGS)
}

/// Nobody knows which of the two the sender meant.
fn either(whole: &serde_json::Error, only: &serde_json::Error) -> HandlerError {
    let message = format!("args does not fit this handler: {whole}; nor does args[0]: {only}");
    HandlerError::permanent(message).with_code(INVALID_ARGS)
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Report {
        month: String,
        #[serde(default)]
        pages: u32,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct Wrapper {
        inner: serde_json::Map<String, Value>,
    }

    fn read<T: DeserializeOwned>(args: Value) -> Result<T, String> {
        let Value::Array(args) = args else { panic!("args is an array") };
        read_args(&args).map_err(|error| error.message().to_owned())
    }

    #[test]
    fn a_tuple_or_a_list_takes_the_whole_array() {
        assert_eq!(read(json!(["a", 2])), Ok(("a".to_owned(), 2_u32)));
        assert_eq!(read(json!([1, 2, 3])), Ok(vec![1_u64, 2, 3]));
        assert_eq!(read(json!([7])), Ok(vec![7_u64]));
        assert_eq!(read(json!([{"a": 1}])), Ok(vec![json!({"a": 1})]));
        assert_eq!(read(json!([{"a": 1}])), Ok((json!({"a": 1}),)));
    }

    #[test]
    fn a_struct_takes_the_only_element() {
        let report = |month: &str, pages| Ok(Report { month: month.to_owned(), pages });
        assert_eq!(read(json!([{"month": "2026-03"}])), report("2026-03", 0));
        assert_eq!(read(json!([{"month": "2026-03", "pages": 4}])), report("2026-03", 4));
        assert_eq!(read(json!(["2026-03", 4])), report("2026-03", 4));
    }

    #[test]
    fn the_only_object_is_not_mistaken_for_the_first_field() {
        let inner = serde_json::Map::from_iter([("x".to_owned(), json!(1))]);
        assert_eq!(read(json!([{"inner": {"x": 1}}])), Ok(Wrapper { inner }));
    }

    #[test]
    fn a_plain_value_takes_the_only_element() {
        assert_eq!(read(json!(["x"])), Ok("x".to_owned()));
        assert_eq!(read(json!([5])), Ok(5_u64));
    }

    #[test]
    fn no_arguments_fit_what_needs_none() {
        assert_eq!(read(json!([])), Ok(()));
        assert_eq!(read::<Option<u32>>(json!([])), Ok(None));
        assert_eq!(read(json!([])), Ok(Vec::<u32>::new()));
    }

    #[test]
    fn a_misfit_says_what_does_not_fit() {
        assert_eq!(
            read::<Report>(json!([{"pages": 1}])),
            Err("args[0] does not fit this handler: missing field `month`".to_owned())
        );
        let error = read::<u64>(json!(["x"])).expect_err("a text is no number");
        assert!(error.contains("args[0]: invalid type: string \"x\", expected u64"), "{error}");
        assert!(read::<(String, u32)>(json!(["x"])).is_err_and(|error| error.contains("tuple of size 2")));
        assert!(read::<Report>(json!([])).is_err());
    }

    #[test]
    fn a_misfit_is_permanent() {
        let error = read_args::<u64>(&[]).expect_err("no number");
        assert!(error.is_permanent() && error.code() == INVALID_ARGS);
    }
}
