//! JSON, between the messages' idea of it and ours.

use prost_types::value::Kind;
use prost_types::{ListValue, Struct};
use serde_json::{Map, Number, Value};

use super::error::RpcError;

/// Beyond this a double is no integer that fits into 64 bits.
const WHOLE_MAX: f64 = 9_223_372_036_854_775_807.0;

/// The JSON that a value of a message is. Whole numbers are integers.
pub(super) fn json(field: &str, value: prost_types::Value) -> Result<Value, RpcError> {
    match value.kind {
        None | Some(Kind::NullValue(_)) => Ok(Value::Null),
        Some(Kind::BoolValue(value)) => Ok(value.into()),
        Some(Kind::StringValue(text)) => Ok(text.into()),
        Some(Kind::NumberValue(number)) => self::number(field, number),
        Some(Kind::StructValue(members)) => object(field, members).map(Value::Object),
        Some(Kind::ListValue(ListValue { values })) => array(field, values).map(Value::Array),
    }
}

/// The JSON object that a struct of a message is.
pub(super) fn object(field: &str, members: Struct) -> Result<Map<String, Value>, RpcError> {
    members.fields.into_iter().map(|(name, value)| Ok((named(field, name)?, json(field, value)?))).collect()
}

/// What has a member of such a name would be read as something else when it is read again.
const RESERVED: &str = "$serde_json::private::";

fn named(field: &str, name: String) -> Result<String, RpcError> {
    if name.starts_with(RESERVED) {
        return Err(RpcError::invalid(field, format!("{field} has a member whose name begins with `{RESERVED}`")));
    }
    Ok(name)
}

/// The JSON array that the values of a message are.
pub(super) fn array(field: &str, values: Vec<prost_types::Value>) -> Result<Vec<Value>, RpcError> {
    values.into_iter().map(|value| json(field, value)).collect()
}

/// JSON as a value of a message.
pub(super) fn message(value: &Value) -> prost_types::Value {
    let kind = match value {
        Value::Null => Kind::NullValue(0),
        Value::Bool(value) => Kind::BoolValue(*value),
        Value::String(text) => Kind::StringValue(text.clone()),
        // A number that no double can hold, such as 1e999, is better read than lost.
        Value::Number(number) => number
            .as_f64()
            .filter(|number| number.is_finite())
            .map_or_else(|| Kind::StringValue(number.to_string()), Kind::NumberValue),
        Value::Array(items) => Kind::ListValue(ListValue { values: messages(items) }),
        Value::Object(map) => Kind::StructValue(members(map)),
    };
    prost_types::Value { kind: Some(kind) }
}

/// A JSON array as values of a message.
pub(super) fn messages(items: &[Value]) -> Vec<prost_types::Value> {
    items.iter().map(message).collect()
}

/// A JSON object as a struct of a message.
pub(super) fn members(map: &Map<String, Value>) -> Struct {
    Struct { fields: map.iter().map(|(name, value)| (name.clone(), message(value))).collect() }
}

/// JSON as a struct of a message: what is no object stands under `value`.
pub(super) fn wrapped(value: &Value) -> Struct {
    match value {
        Value::Object(map) => members(map),
        other => Struct { fields: [("value".to_owned(), message(other))].into() },
    }
}

fn number(field: &str, number: f64) -> Result<Value, RpcError> {
    if number.fract() == 0.0 && number.abs() < WHOLE_MAX {
        #[expect(clippy::cast_possible_truncation, reason = "whole, and within 64 bits")]
        return Ok(Value::from(number as i64));
    }
    let finite = Number::from_f64(number).map(Value::Number);
    finite.ok_or_else(|| RpcError::invalid(field, format!("{field} holds {number}, which is no number in JSON")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(number: f64) -> Result<String, RpcError> {
        json("args", prost_types::Value { kind: Some(Kind::NumberValue(number)) }).map(|value| value.to_string())
    }

    #[test]
    fn whole_numbers_are_integers() {
        for (number, text) in
            [(3.0, "3"), (-2.0, "-2"), (0.5, "0.5"), (9_007_199_254_740_992.0, "9007199254740992"), (1e300, "1e+300")]
        {
            assert_eq!(of(number).as_deref(), Ok(text));
        }
        for strange in [f64::NAN, f64::INFINITY] {
            assert_eq!(of(strange).expect_err("no number").field, "args");
        }
    }

    #[test]
    fn everything_else_comes_back_as_it_went() {
        let value = json!({"a": [null, true, "x", [], {}, -1, 2.5], "b": {"c": {"d": []}}});
        assert_eq!(json("args", message(&value)), Ok(value));
    }

    #[test]
    fn names_under_which_something_else_would_be_read_are_refused() {
        for name in ["RawValue", "Number"] {
            let value = json!([{"deep": {(format!("$serde_json::private::{name}")): "1"}}]);
            assert_eq!(json("args", message(&value)).expect_err("a refusal").field, "args");
        }
    }

    #[test]
    fn what_is_no_object_stands_under_value() {
        assert_eq!(object("result", wrapped(&json!([1]))).map(Value::Object), Ok(json!({"value": [1]})));
        assert_eq!(object("result", wrapped(&json!({"a": 1}))).map(Value::Object), Ok(json!({"a": 1})));
    }

    #[test]
    fn a_number_that_no_double_holds_is_text() {
        let huge: Value = serde_json::from_str("1e999").expect("a number");
        assert_eq!(message(&huge).kind, Some(Kind::StringValue("1e+999".to_owned())));
    }
}
