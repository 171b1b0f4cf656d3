//! Calls in JSON. One client without generated messages sends its requests as JSON text where protobuf should stand, and
//! wants the answer in JSON. No message begins with `{` (it would open a group), so the first byte tells.
//!
//! The text is the JSON form of the message, with what that client does differently: values may be wrapped by hand
//! (`{"string_value": "x"}`), durations may be ISO 8601, enums may be named without their prefix. Errors are statuses, as ever.

use std::sync::LazyLock;
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use carillon_shared::job::duration;
use futures::{StreamExt as _, stream};
use http_body_util::{BodyExt as _, Full};
use prost::Message as _;
use prost_reflect::{
    DescriptorPool, DeserializeOptions, DynamicMessage, Kind, MessageDescriptor, MethodDescriptor, SerializeOptions,
};
use serde_json::{Map, Value};
use tonic::{Code, Status};

use super::error::RpcError;
use super::{GrpcState, proto};

static POOL: LazyLock<Option<DescriptorPool>> = LazyLock::new(|| DescriptorPool::decode(proto::DESCRIPTORS).ok());
const SERVICE: &str = "ojs.v1.OJSService";
/// What stands before each message: whether it is compressed, and its length.
const FRAME_BYTES: usize = 5;

/// Turns a call in JSON into one in protobuf, and its answer back. Others pass.
pub(super) async fn translate(State(api): State<GrpcState>, request: Request, next: Next) -> Response {
    let Some(method) = method(request.uri().path()) else { return next.run(request).await };
    let (parts, body) = request.into_parts();
    let mut chunks = body.into_data_stream();
    let first = chunks.next().await;
    let is_json = matches!(&first, Some(Ok(chunk)) if chunk.get(FRAME_BYTES) == Some(&b'{'));
    let whole = Body::from_stream(stream::iter(first).chain(chunks));
    if !is_json {
        return next.run(Request::from_parts(parts, whole)).await;
    }
    match message(&method, whole, api.0.limits.message_bytes_max).await {
        Ok(message) => {
            let request = Request::from_parts(parts, Body::from(framed(&message)));
            let answered = told(&method, next.run(request).await).await;
            answered.unwrap_or_else(|error| Status::from(error).into_http())
        }
        Err(error) => Status::from(error).into_http(),
    }
}

fn method(path: &str) -> Option<MethodDescriptor> {
    let (service, name) = path.strip_prefix('/')?.split_once('/')?;
    let service = POOL.as_ref()?.get_service_by_name(service).filter(|_| service == SERVICE)?;
    service.methods().find(|method| method.name() == name)
}

/// The message that a body describes, in protobuf.
async fn message(method: &MethodDescriptor, body: Body, bytes_max: usize) -> Result<Vec<u8>, RpcError> {
    if method.is_server_streaming() {
        let message = "streams are not told in JSON: use generated messages, or GET /ojs/v1/events/stream";
        return Err(RpcError::new(Code::Unimplemented, "unsupported", message));
    }
    let payload = |message: String| RpcError::new(Code::InvalidArgument, "invalid_payload", message);
    let bytes = to_bytes(body, bytes_max).await.map_err(|_| payload(format!("more than {bytes_max} bytes")))?;
    let mut value = serde_json::from_slice(&bytes[FRAME_BYTES.min(bytes.len())..])
        .map_err(|error| payload(format!("the message is neither protobuf nor valid JSON: {error}")))?;
    settle(&mut value, &method.input());
    let options = DeserializeOptions::new().deny_unknown_fields(false);
    let message = DynamicMessage::deserialize_with_options(method.input(), value, &options)
        .map_err(|error| RpcError::invalid("", format!("the message is not a {}: {error}", method.input().name())))?;
    Ok(message.encode_to_vec())
}

/// The answer in JSON; a status stays as it is.
async fn told(method: &MethodDescriptor, response: Response) -> Result<Response, RpcError> {
    if Status::from_header_map(response.headers()).is_some() {
        return Ok(response);
    }
    let internal = |error: String| RpcError::internal(format!("the answer cannot be told in JSON: {error}"));
    let (parts, body) = response.into_parts();
    let bytes = to_bytes(body, usize::MAX).await.map_err(|error| internal(error.to_string()))?;
    let message = DynamicMessage::decode(method.output(), &bytes[FRAME_BYTES.min(bytes.len())..]);
    let message = message.map_err(|error| internal(error.to_string()))?;
    let options =
        SerializeOptions::new().stringify_64_bit_integers(false).use_proto_field_name(true).skip_default_fields(false);
    let value = message.serialize_with_options(serde_json::value::Serializer, &options);
    let text = value.map_err(|error| internal(error.to_string()))?.to_string();
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    let body = Full::new(framed(text.as_bytes())).with_trailers(async { Some(Ok(trailers)) });
    Ok(Response::from_parts(parts, Body::new(body)))
}

fn framed(message: &[u8]) -> Bytes {
    let mut frame = Vec::with_capacity(FRAME_BYTES + message.len());
    frame.push(0);
    frame.extend(u32::try_from(message.len()).unwrap_or(u32::MAX).to_be_bytes());
    frame.extend(message);
    frame.into()
}

/// Puts what is written in another way into the JSON form of the message.
fn settle(value: &mut Value, message: &MessageDescriptor) {
    let Value::Object(map) = value else { return };
    for (name, inner) in map.iter_mut() {
        let field = message.get_field_by_name(name).or_else(|| message.get_field_by_json_name(name));
        let Some(kind) = field.map(|field| field.kind()) else { continue };
        match inner {
            Value::Array(items) => items.iter_mut().for_each(|item| settle_one(item, &kind)),
            other => settle_one(other, &kind),
        }
    }
}

fn settle_one(value: &mut Value, kind: &Kind) {
    match kind {
        Kind::Enum(names) => {
            let suffix = value.as_str().map(|text| format!("_{}", text.to_ascii_uppercase()));
            let long = suffix.and_then(|suffix| names.values().find(|name| name.name().ends_with(&suffix)));
            if let Some(long) =
                long.filter(|_| value.as_str().is_some_and(|text| names.get_value_by_name(text).is_none()))
            {
                *value = long.name().into();
            }
        }
        Kind::Message(message) => match message.full_name() {
            "google.protobuf.Value" => *value = unwrapped(value.take()),
            "google.protobuf.Struct" => *value = unwrapped_fields(value.take()),
            "google.protobuf.Duration" => {
                if let Some(span) = span(value) {
                    *value = format!("{}.{:09}s", span.as_secs(), span.subsec_nanos()).into();
                }
            }
            _ => settle(value, message),
        },
        _ => {}
    }
}

fn span(value: &Value) -> Option<Duration> {
    match value {
        Value::String(text) => duration::parse(text),
        Value::Number(seconds) => Duration::try_from_secs_f64(seconds.as_f64()?).ok(),
        _ => None,
    }
}

/// A value that was wrapped by hand; any other as it is.
fn unwrapped(value: Value) -> Value {
    let Value::Object(map) = value else { return value };
    let mut members = map.iter();
    let (Some((name, inner)), None) = (members.next(), members.next()) else { return map.into() };
    match name.as_str() {
        "null_value" | "nullValue" => Value::Null,
        "number_value" | "numberValue" | "string_value" | "stringValue" | "bool_value" | "boolValue" => inner.clone(),
        "struct_value" | "structValue" => unwrapped_fields(inner.clone()),
        "list_value" | "listValue" => unwrapped_items(inner),
        _ => map.into(),
    }
}

fn unwrapped_fields(value: Value) -> Value {
    match value.get("fields") {
        Some(Value::Object(fields)) => {
            fields.iter().map(|(name, value)| (name.clone(), unwrapped(value.clone()))).collect::<Map<_, _>>().into()
        }
        _ => value,
    }
}

fn unwrapped_items(list: &Value) -> Value {
    let items = list.get("values").unwrap_or(list).as_array().map(Vec::as_slice).unwrap_or_default();
    items.iter().cloned().map(unwrapped).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn settled(name: &str, mut value: Value) -> Value {
        settle(&mut value, &method(&format!("/{SERVICE}/{name}")).expect("a method").input());
        value
    }

    #[test]
    fn values_that_were_wrapped_by_hand_are_unwrapped() {
        let fields = json!({"fields": {"a": {"list_value": {"values": [{"bool_value": true}, {"null_value": 0}]}}}});
        let said = json!({"type": "echo", "args": [{"string_value": "x"}, {"struct_value": fields}, {"plain": 1}, 7]});
        let expected = json!({"type": "echo", "args": ["x", {"a": [true, null]}, {"plain": 1}, 7]});
        assert_eq!(settled("Enqueue", said), expected);
    }

    #[test]
    fn durations_and_enums_are_written_as_the_messages_have_them() {
        let options = json!({"retry": {"initial_interval": "PT1.5S"}, "timeout": 30, "ttl": "2s",
            "unique": {"on_conflict": "ignore"}, "meta": {"fields": {"k": {"string_value": "v"}}}});
        let found = settled("Enqueue", json!({"type": "echo", "options": options}))["options"].clone();
        assert_eq!(found["retry"]["initial_interval"], "1.500000000s");
        assert_eq!((&found["timeout"], &found["ttl"]), (&json!("30.000000000s"), &json!("2s")));
        assert_eq!(found["meta"], json!({"k": "v"}));
        let action = found["unique"]["on_conflict"].as_str().expect("a name");
        assert!(action.ends_with("_IGNORE"), "{action}");
    }
}
