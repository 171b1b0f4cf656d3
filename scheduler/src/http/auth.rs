//! Who may use the API: whoever bears the key, when there is one.

use axum::extract::{Request, State};
use axum::http::header::AUTHORIZATION;
use axum::middleware::Next;
use axum::response::Response;
use carillon_shared::config::Access;
use subtle::ConstantTimeEq as _;

use super::ApiState;
use super::error::ApiError;

/// Lets a request pass that bears the key.
pub(super) async fn guard(State(api): State<ApiState>, request: Request, next: Next) -> Result<Response, ApiError> {
    let header = request.headers().get(AUTHORIZATION).map(axum::http::HeaderValue::as_bytes);
    check(api.access(), header)?;
    Ok(next.run(request).await)
}

fn check(access: &Access, header: Option<&[u8]>) -> Result<(), ApiError> {
    let Access::Key(key) = access else { return Ok(()) };
    let Some(header) = header else {
        return Err(ApiError::unauthorized("this server needs an API key"));
    };
    match bearer(header) {
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
    use carillon_shared::config::Secret;

    use super::*;

    #[test]
    fn only_the_key_itself_passes() {
        let access = Access::Key(Secret::new("open-sesame"));
        for header in ["Bearer open-sesame", "bearer open-sesame", "BEARER  open-sesame"] {
            assert!(check(&access, Some(header.as_bytes())).is_ok(), "{header}");
        }
        for header in
            ["", "Bearer", "Bearer ", "Bearer open-sesam", "Bearer open-sesame2", "Basic open-sesame", "open-sesame"]
        {
            let error = check(&access, Some(header.as_bytes())).expect_err("a refusal");
            assert_eq!(error.status, 401, "{header}");
            assert!(!error.message.contains("sesame"), "{}", error.message);
        }
        assert!(check(&access, None).is_err());
        assert!(check(&Access::Open, None).is_ok());
    }
}
