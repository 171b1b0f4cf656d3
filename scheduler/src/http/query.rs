//! Parameters behind the `?`, each refusal naming its parameter.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;

use super::error::ApiError;

/// The parameters of a request, in their order.
#[derive(Debug, Default)]
pub(super) struct Params(Vec<(String, String)>);

impl<S: Send + Sync> FromRequestParts<S> for Params {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Query(pairs) = Query::from_request_parts(parts, state).await.map_err(|_| {
            ApiError::invalid("query", "the query is not name=value&name=value in percent-encoded UTF-8")
        })?;
        Ok(Self(pairs))
    }
}

impl Params {
    /// The parameter; an empty one counts as absent.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// The elements of a list with commas, or of a parameter that stands several times.
    pub(super) fn list(&self, name: &str) -> Vec<String> {
        let values = self.0.iter().filter(|(key, _)| key == name).flat_map(|(_, value)| value.split(','));
        values.map(str::trim).filter(|value| !value.is_empty()).map(str::to_owned).collect()
    }

    pub(super) fn integer(&self, name: &str, range: RangeInclusive<usize>) -> Result<Option<usize>, ApiError> {
        let Some(text) = self.text(name) else { return Ok(None) };
        text.parse().ok().filter(|number| range.contains(number)).map(Some).ok_or_else(|| {
            let (from, to) = (range.start(), range.end());
            let bounds = if *to == usize::MAX { format!("of at least {from}") } else { format!("from {from} to {to}") };
            ApiError::invalid(name, format!("{name} must be a whole number {bounds}"))
        })
    }

    /// The parameter, read as what it names.
    pub(super) fn parsed<T: FromStr<Err: Display>>(&self, name: &str) -> Result<Option<T>, ApiError> {
        let read =
            |text: &str| text.parse().map_err(|error: T::Err| ApiError::invalid(name, format!("{name}: {error}")));
        self.text(name).map(read).transpose()
    }

    /// How many items are asked for.
    pub(super) fn limit(&self, default: usize, most: usize) -> Result<usize, ApiError> {
        Ok(self.integer("limit", 1..=most)?.unwrap_or(default))
    }

    /// The same, but whoever asks for more than there may be is given `most`.
    pub(super) fn limit_up_to(&self, default: usize, most: usize) -> Result<usize, ApiError> {
        Ok(self.limit(default, usize::MAX)?.min(most))
    }

    #[cfg(test)]
    pub(super) fn of(pairs: &[(&str, &str)]) -> Self {
        Self(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    pub(super) fn boolean(&self, name: &str) -> Result<Option<bool>, ApiError> {
        match self.text(name) {
            None => Ok(None),
            Some("true" | "1") => Ok(Some(true)),
            Some("false" | "0") => Ok(Some(false)),
            Some(_) => Err(ApiError::invalid(name, format!("{name} must be true or false"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(pairs: &[(&str, &str)]) -> Params {
        Params::of(pairs)
    }

    #[test]
    fn lists_may_be_written_with_commas_or_repeated() {
        assert_eq!(params(&[("types", "a, b,"), ("x", "y"), ("types", "c")]).list("types"), ["a", "b", "c"]);
    }

    #[test]
    fn numbers_keep_to_their_bounds() {
        assert_eq!(params(&[("limit", "7")]).limit(5, 10).map_err(|_| ()), Ok(7));
        assert_eq!(params(&[("limit", "")]).limit(5, 10).map_err(|_| ()), Ok(5));
        assert_eq!(params(&[("limit", "11")]).limit_up_to(5, 10).map_err(|_| ()), Ok(10));
        for wrong in ["0", "11", "x", "-1"] {
            let error = params(&[("limit", wrong)]).limit(5, 10).expect_err("out of bounds");
            assert_eq!(error.message, "limit must be a whole number from 1 to 10");
        }
        let error = params(&[("limit", "0")]).limit_up_to(5, 10).expect_err("out of bounds");
        assert_eq!(error.message, "limit must be a whole number of at least 1");
    }
}
