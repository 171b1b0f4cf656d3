//! Label values that users choose, bounded: every new value of a label is a new time series for ever.

use std::collections::HashSet;
use std::sync::{Arc, LazyLock, PoisonError, RwLock};

/// Values of one label before all further ones become [`OTHER`].
const VALUES_MAX: usize = 200;
const OTHER: &str = "other";

static QUEUES: LazyLock<BoundedLabel> = LazyLock::new(|| BoundedLabel::new(VALUES_MAX));
static TYPES: LazyLock<BoundedLabel> = LazyLock::new(|| BoundedLabel::new(VALUES_MAX));

/// The label value of a queue: its name, or `other` once 200 names have been seen.
pub fn queue_label(queue: &str) -> Arc<str> {
    QUEUES.value(queue)
}

/// The label value of a job type: its name, or `other` once 200 names have been seen.
pub fn type_label(job_type: &str) -> Arc<str> {
    TYPES.value(job_type)
}

/// A label that takes only so many values, the first ones it sees.
#[derive(Debug)]
pub struct BoundedLabel {
    values_max: usize,
    seen: RwLock<HashSet<Arc<str>>>,
    other: Arc<str>,
}

impl BoundedLabel {
    /// Makes a label of at most `values_max` values besides `other`.
    pub fn new(values_max: usize) -> Self {
        Self { values_max, seen: RwLock::default(), other: OTHER.into() }
    }

    /// The value to emit for `text`.
    pub fn value(&self, text: &str) -> Arc<str> {
        self.known(text).unwrap_or_else(|| self.admit(text))
    }

    fn known(&self, text: &str) -> Option<Arc<str>> {
        let seen = self.seen.read().unwrap_or_else(PoisonError::into_inner);
        let known = seen.get(text).cloned();
        known.or_else(|| (seen.len() >= self.values_max).then(|| self.other.clone()))
    }

    /// Looks once more under the write lock, because another thread may have admitted `text` or filled the set.
    fn admit(&self, text: &str) -> Arc<str> {
        let mut seen = self.seen.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = seen.get(text) {
            return known.clone();
        }
        if seen.len() >= self.values_max {
            return self.other.clone();
        }
        let value: Arc<str> = text.into();
        seen.insert(value.clone());
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_values_keep_their_names_and_later_ones_are_other() {
        let label = BoundedLabel::new(2);
        let values: Vec<_> = ["a", "b", "c", "a", "b", "d"].map(|text| label.value(text).to_string()).into();
        assert_eq!(values, ["a", "b", "other", "a", "b", "other"]);
    }
}
