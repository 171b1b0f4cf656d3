//! Who may use the API: whoever bears the key, when there is one.

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use carillon_shared::config::Access;
use subtle::ConstantTimeEq as _;

use super::error::ApiError;

/// Lets a request pass that bears the key.
pub(super) fn check(access: &Access, headers: &HeaderMap) -> Result<(), ApiError> {
    let Access::Key(key) = access else { return Ok(()) };
    let Some(header) = headers.get(AUTHORIZATION) else {
        return Err(ApiError::unauthorized("this server needs an API key"));
    };
    match bearer(header.as_bytes()) {
        // In constant time, so that the time of an answer says nothing about a key that is partly right.
        Some(given) if bool::from(given.ct_eq(key.expose().as_bytes())) => Ok(()),
        Some(_) => Err(ApiError::unauthorized("the API key is wrong")),
        None => Err(ApiError::unauthorized("the header Authorization is not of the form Bearer <key>")),
    }
}

fn bearer(header: &[u8]) -> Option<&[u8]> {
    let (scheme, key) = header.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| key.trim_ascii())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use carillon_shared::config::Secret;

    use super::*;

    fn bearing(header: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_static(header))])
    }

    #[test]
    fn only_the_key_itself_passes() {
        let access = Access::Key(Secret::new("open-sesame"));
        for header in ["Bearer open-sesame", "bearer open-sesame", "BEARER  open-sesame"] {
            assert!(check(&access, &bearing(header)).is_ok(), "{header}");
        }
        for header in
            ["", "Bearer", "Bearer ", "Bearer open-sesam", "Bearer open-sesame2", "Basic open-sesame", "open-sesame"]
        {
            let error = check(&access, &bearing(header)).expect_err("a refusal");
            assert_eq!(error.status, 401, "{header}");
            assert!(!error.message.contains("sesame"), "{}", error.message);
        }
        assert!(check(&access, &HeaderMap::new()).is_err());
        assert!(check(&Access::Open, &HeaderMap::new()).is_ok());
    }
}
