//! What clients say beside their messages.

use carillon_shared::client::Presented;
use serde_json::{Map, Value};
use tonic::metadata::MetadataMap;

use super::error::RpcError;

/// Kept in the `meta` of jobs under the same names (W3C trace context).
const TRACE: &[&str] = &["traceparent", "tracestate"];
const TRACE_LENGTH_MAX: usize = 512;
const WORKER: &str = "x-ojs-worker-id";
const LEASE: &str = "x-ojs-lease-token";

/// What a job is to carry of the trace it was asked for in.
pub(super) fn trace(metadata: &MetadataMap) -> Map<String, Value> {
    let text = |name: &&str| metadata.get(*name)?.to_str().ok().filter(|text| text.len() <= TRACE_LENGTH_MAX);
    TRACE.iter().filter_map(|name| Some(((*name).to_owned(), text(name)?.into()))).collect()
}

/// By what a worker identifies its attempt. The messages have no place for it; what stands in the metadata must be right.
pub(super) fn presented(metadata: &MetadataMap) -> Result<Presented, RpcError> {
    let text = |name: &str| metadata.get(name).and_then(|value| value.to_str().ok()).filter(|text| !text.is_empty());
    let lease = text(LEASE).map(str::parse).transpose();
    Ok(Presented {
        worker: text(WORKER).map(str::to_owned),
        lease: lease.map_err(|error| RpcError::invalid(LEASE, format!("{LEASE}: {error}")))?,
        ..Presented::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metadata(pairs: &[(&'static str, &'static str)]) -> MetadataMap {
        let mut metadata = MetadataMap::new();
        for (name, value) in pairs {
            metadata.insert(*name, value.parse().expect("text"));
        }
        metadata
    }

    #[test]
    fn only_the_trace_goes_into_the_job() {
        let meta = trace(&metadata(&[("traceparent", "00-ab-cd-01"), ("authorization", "Bearer x")]));
        assert_eq!(Value::Object(meta), serde_json::json!({"traceparent": "00-ab-cd-01"}));
    }

    #[test]
    fn a_lease_must_be_one() {
        let given = presented(&metadata(&[(WORKER, "w"), (LEASE, "2-ab")])).expect("valid");
        assert_eq!((given.worker.as_deref(), given.lease.is_some()), (Some("w"), true));
        assert_eq!(presented(&metadata(&[(LEASE, "mine")])).expect_err("no lease").field, LEASE);
    }
}
