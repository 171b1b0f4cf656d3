//! The id of a call: the client's own, or a new one.

use axum::http::{HeaderMap, HeaderName};
use carillon_shared::clock::Timestamp;
use carillon_shared::id::{JobId, Partition};

/// The metadata by which it comes and goes.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-ojs-request-id");
const LENGTH_MAX: usize = 128;

/// The id of a call, to be found in its extensions.
#[derive(Debug, Clone)]
pub(super) struct RequestId(pub(super) String);

impl RequestId {
    /// The id that the client gave, if it can stand in metadata and a log, else a new one.
    pub(super) fn of(metadata: &HeaderMap, now: Timestamp) -> Self {
        let given = metadata.get(REQUEST_ID).and_then(|id| id.to_str().ok());
        let valid =
            |id: &&str| !id.is_empty() && id.len() <= LENGTH_MAX && id.bytes().all(|byte| byte.is_ascii_graphic());
        Self(given.filter(valid).map_or_else(|| format!("req_{}", JobId::random(now, Partition(0))), str::to_owned))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strange_id_is_replaced() {
        let of = |id: &str| {
            let metadata = [(REQUEST_ID, id.parse().expect("a header value"))].into_iter().collect();
            RequestId::of(&metadata, Timestamp::from_ms(0)).0
        };
        assert_eq!(of("mine"), "mine");
        for strange in ["", "a b", &"x".repeat(129)] {
            assert!(of(strange).starts_with("req_0"), "{strange}");
        }
    }
}
