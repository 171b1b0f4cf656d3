//! What this server offers, and how it is.

use serde_json::{Map, Value, json};

use super::error::RpcError;
use super::{GrpcState, health, proto, time, value};

/// How much of the specification is spoken, from 0 to 4.
pub(super) const CONFORMANCE_LEVEL: i32 = 4;
const EXTENSIONS: &[&str] = &["events", "quartz-dialect", "redis-inbox"];

pub(super) fn manifest() -> proto::ManifestResponse {
    let own = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    proto::ManifestResponse {
        ojs_version: "1.0".to_owned(),
        implementation: Some(proto::Implementation {
            name: "carillon".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            language: "rust".to_owned(),
        }),
        conformance_level: CONFORMANCE_LEVEL,
        protocols: own(&["http", "grpc"]),
        backend: "redis".to_owned(),
        extensions: own(EXTENSIONS),
        schema_validation: false,
    }
}

/// An answer in any case: whoever asks wants to know how it is.
pub(super) async fn health(api: &GrpcState) -> Result<proto::HealthResponse, RpcError> {
    let pulse = health::pulse(api).await;
    let status = if pulse.is_ok() { proto::HealthStatus::Ok } else { proto::HealthStatus::Degraded };
    let mut backend = Map::new();
    backend.insert("type".to_owned(), "redis".into());
    backend.insert("status".to_owned(), if pulse.is_ok() { "ok" } else { "error" }.into());
    backend.extend(pulse.err().map(|error| ("error".to_owned(), Value::from(error))));
    Ok(proto::HealthResponse {
        status: status.into(),
        timestamp: Some(time::message(api.store().clock().now())),
        details: Some(value::wrapped(&json!({"backend": backend}))),
    })
}
