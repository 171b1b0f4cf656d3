//! Who may use the API: whoever bears the key, when there is one.

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use carillon_shared::config::Access;
use subtle::ConstantTimeEq as _;

use super::error::RpcError;

const KEY: &str = "x-ojs-api-key";
/// Those who watch whether we live have no key.
const OPEN: &[&str] = &["/grpc.health.v1.Health/", "/ojs.v1.OJSService/Health"];

/// Lets a call of this path pass that bears the key.
pub(super) fn check(access: &Access, path: &str, metadata: &HeaderMap) -> Result<(), RpcError> {
    let Access::Key(key) = access else { return Ok(()) };
    if OPEN.iter().any(|open| path == *open || open.ends_with('/') && path.starts_with(open)) {
        return Ok(());
    }
    let given = metadata.get(KEY).map(|key| key.as_bytes());
    let given = given.or_else(|| metadata.get(AUTHORIZATION).and_then(|header| bearer(header.as_bytes())));
    match given {
        // In constant time, so that the time of an answer says nothing about a key that is partly right.
        Some(given) if bool::from(given.ct_eq(key.expose().as_bytes())) => Ok(()),
        Some(_) => Err(RpcError::unauthorized("the API key is wrong")),
        None => Err(RpcError::unauthorized(
            "this server needs an API key: send the metadata x-ojs-api-key, or authorization: Bearer <key>",
        )),
    }
}

fn bearer(header: &[u8]) -> Option<&[u8]> {
    let (scheme, key) = header.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| key.trim_ascii())
}

#[cfg(test)]
mod tests {
    use carillon_shared::config::Secret;

    use super::*;

    fn passes(path: &str, metadata: &[(&'static str, &'static str)]) -> bool {
        let metadata =
            metadata.iter().map(|(name, value)| (name.parse().expect("a name"), value.parse().expect("text")));
        check(&Access::Key(Secret::new("open-sesame")), path, &metadata.collect()).is_ok()
    }

    #[test]
    fn only_the_key_itself_passes() {
        let path = "/ojs.v1.OJSService/Enqueue";
        for metadata in
            [(KEY, "open-sesame"), ("authorization", "Bearer open-sesame"), ("authorization", "bearer open-sesame")]
        {
            assert!(passes(path, &[metadata]), "{metadata:?}");
        }
        for metadata in
            [(KEY, "open-sesam"), (KEY, ""), ("authorization", "open-sesame"), ("authorization", "Basic open-sesame")]
        {
            assert!(!passes(path, &[metadata]), "{metadata:?}");
        }
        assert!(!passes(path, &[]));
        assert!(check(&Access::Open, path, &HeaderMap::new()).is_ok());
    }

    #[test]
    fn only_health_is_open() {
        assert!(passes("/grpc.health.v1.Health/Watch", &[]) && passes("/ojs.v1.OJSService/Health", &[]));
        for path in
            ["/ojs.v1.OJSService/HealthX", "/grpc.health.v1.HealthX/Check", "/grpc.reflection.v1.ServerReflection/X"]
        {
            assert!(!passes(path, &[]), "{path}");
        }
    }
}
