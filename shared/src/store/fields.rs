//! What Redis keeps as names and values, read by name.

use super::StoreError;
use super::reply::Reply;
use crate::clock::Timestamp;

/// Values that have names.
pub(super) trait Named {
    /// Where they stand.
    fn key(&self) -> String;

    /// The value of this name; an empty one counts as absent.
    fn text(&self, field: &str) -> Option<&str>;

    fn parsed<T: std::str::FromStr>(&self, field: &str) -> Result<Option<T>, StoreError> {
        let Some(text) = self.text(field) else { return Ok(None) };
        text.parse().map(Some).map_err(|_| StoreError::corrupt(self.key(), format!("{field} is `{text}`")))
    }

    fn required<T: std::str::FromStr>(&self, field: &str) -> Result<T, StoreError> {
        self.parsed(field)?.ok_or_else(|| StoreError::corrupt(self.key(), format!("{field} is missing")))
    }

    fn time(&self, field: &str) -> Result<Option<Timestamp>, StoreError> {
        Ok(self.parsed(field)?.map(Timestamp::from_ms))
    }

    fn flag(&self, field: &str) -> bool {
        self.text(field).is_some()
    }
}

/// Fields, looked up by name. Of a name that stands twice the first counts.
pub(super) struct Fields {
    key: String,
    /// Names and values, one after the other.
    text: String,
    /// Where each name begins, where its value begins, and where that ends.
    fields: Vec<(usize, usize, usize)>,
    is_sorted: bool,
}

/// The hash of a workflow has thousands of fields, which are sorted by name; in few it is quicker to look through all.
const UNSORTED_MAX: usize = 32;

impl Fields {
    pub(super) fn new(key: String, reply: &Reply) -> Result<Self, StoreError> {
        let mut hash = Self { key, text: String::new(), fields: Vec::with_capacity(reply.len() / 2), is_sorted: false };
        for i in 0..reply.len() / 2 {
            let from = hash.text.len();
            hash.text.push_str(&reply.read(2 * i)?);
            let middle = hash.text.len();
            hash.text.push_str(&reply.read(2 * i + 1)?);
            hash.fields.push((from, middle, hash.text.len()));
        }
        Ok(hash.sorted())
    }

    /// Names and values.
    pub(super) fn named<'a>(key: String, fields: impl Iterator<Item = (&'a str, &'a str)>) -> Self {
        let mut found = Self { key, text: String::with_capacity(512), fields: Vec::new(), is_sorted: false };
        found.fields.reserve(UNSORTED_MAX);
        for (name, value) in fields {
            let from = found.text.len();
            found.text.push_str(name);
            let middle = found.text.len();
            found.text.push_str(value);
            found.fields.push((from, middle, found.text.len()));
        }
        found.sorted()
    }

    fn sorted(mut self) -> Self {
        if self.fields.len() > UNSORTED_MAX {
            let name = |field: &(usize, usize, usize)| &self.text[field.0..field.1];
            self.fields.sort_by(|one, other| name(one).cmp(name(other)));
            self.fields.dedup_by(|later, first| name(later) == name(first));
            self.is_sorted = true;
        }
        self
    }

    pub(super) fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }
}

impl Named for Fields {
    fn key(&self) -> String {
        self.key.clone()
    }

    fn text(&self, field: &str) -> Option<&str> {
        let name = |(from, middle, _): &(usize, usize, usize)| &self.text[*from..*middle];
        let place = if self.is_sorted {
            self.fields.binary_search_by(|one| name(one).cmp(field)).ok()
        } else {
            let is_named = |(from, middle, _): &(usize, usize, usize)| {
                middle - from == field.len() && &self.text.as_bytes()[*from..*middle] == field.as_bytes()
            };
            self.fields.iter().position(is_named)
        };
        let (_, middle, to) = self.fields[place?];
        Some(&self.text[middle..to]).filter(|value| !value.is_empty())
    }
}
