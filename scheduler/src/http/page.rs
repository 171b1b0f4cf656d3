//! Pages of lists.

use serde_json::{Value, json};

use super::error::ApiError;
use super::query::Params;

/// More than there may ever be: whoever names no page is shown everything.
const ALL: usize = usize::MAX;
const PAGE_MAX: usize = 10_000;

/// Which part of a list is asked for, in any of the ways in which clients ask.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Page {
    pub(super) limit: usize,
    pub(super) offset: usize,
}

impl Page {
    /// Reads a page; without one it is everything.
    pub(super) fn read(params: &Params) -> Result<Self, ApiError> {
        Self::read_with(params, ALL, PAGE_MAX)
    }

    /// Reads a page of `default` items unless the client says another number; at most `most`, whatever it says.
    pub(super) fn read_with(params: &Params, default: usize, most: usize) -> Result<Self, ApiError> {
        let said = params.integer("limit", 1..=ALL)?.or(params.integer("per_page", 1..=ALL)?);
        let limit = said.map_or(default, |limit| limit.min(most));
        let first = params.integer("page", 1..=ALL)?.map_or(0, |page| limit.saturating_mul(page - 1));
        Ok(Self { limit, offset: params.integer("offset", 0..=ALL)?.unwrap_or(first) })
    }

    pub(super) fn to_json(&self, total: usize, shown: usize) -> Value {
        let limit = if self.limit == ALL { total.max(1) } else { self.limit };
        json!({
            "total": total,
            "limit": limit,
            "offset": self.offset,
            "page": self.offset / limit + 1,
            "per_page": limit,
            "has_more": self.offset.saturating_add(shown) < total,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_page_everything_is_shown_and_no_more_is_promised() {
        let page = Page { limit: ALL, offset: 0 };
        let shown = json!({"total": 3, "limit": 3, "offset": 0, "page": 1, "per_page": 3, "has_more": false});
        assert_eq!(page.to_json(3, 3), shown);
        assert_eq!(page.to_json(0, 0)["has_more"], false);
    }

    #[test]
    fn a_page_is_as_large_as_asked_for_up_to_a_bound() {
        let read = |pairs: &[(&str, &str)]| {
            let page = Page::read_with(&Params::of(pairs), 50, 1000).map_err(|error| error.message)?;
            Ok::<_, String>((page.limit, page.offset))
        };
        assert_eq!(read(&[]), Ok((50, 0)));
        assert_eq!(read(&[("limit", "5000"), ("offset", "7")]), Ok((1000, 7)));
        assert_eq!(read(&[("page", "3"), ("per_page", "20")]), Ok((20, 40)));
        assert!(read(&[("limit", "0")]).is_err() && read(&[("page", "x")]).is_err());
    }

    #[test]
    fn a_page_says_whether_more_follow() {
        let page = Page { limit: 2, offset: 2 };
        assert_eq!(
            (page.to_json(5, 2)["has_more"].clone(), page.to_json(5, 2)["page"].clone()),
            (true.into(), 2.into())
        );
        assert_eq!(page.to_json(4, 2)["has_more"], false);
    }
}
