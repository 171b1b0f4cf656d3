//! The right to finish one attempt.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// A lease: the number of the claim of its job, and the nonce of the request that claimed it.
///
/// The number never comes back for a job, and the nonce tells apart two claims that were given the same number because
/// Redis forgot the first. Whoever ends an attempt presents it; nobody else can.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Lease(Arc<str>);

/// The text was not a lease.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a lease such as 3-9f86d081884c7d65")]
pub struct LeaseError(String);

impl FromStr for Lease {
    type Err = LeaseError;
    fn from_str(text: &str) -> Result<Self, LeaseError> {
        let valid = text.split_once('-').is_some_and(|(number, nonce)| {
            let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            digits(number) && !nonce.is_empty() && nonce.len() <= 64 && nonce.bytes().all(|b| b.is_ascii_alphanumeric())
        });
        if valid { Ok(Self(text.into())) } else { Err(LeaseError(text.chars().take(80).collect())) }
    }
}

impl AsRef<str> for Lease {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
