//! Lengths of time as entries state them: `30s`, `5m`, `1h30m`, or ISO 8601 (`PT30S`).

use std::time::Duration;

use super::every;
use crate::job::duration;

/// Reads a length of whole seconds, at least one; `None` if the text is none.
#[must_use]
pub fn read(text: &str) -> Option<Duration> {
    let secs = match duration::parse(text) {
        Some(iso) if iso.subsec_millis() == 0 => iso.as_secs(),
        Some(_) => return None,
        None => every::read(text, 0).ok()?,
    };
    (1..=SPAN_SECS_MAX).contains(&secs).then(|| Duration::from_secs(secs))
}

/// Writes a length as [`read`] reads it.
#[must_use]
pub(super) fn write(span: Duration) -> String {
    every::write(span.as_secs())
}

/// A hundred years of 366 days: sums of instants cannot overflow.
const SPAN_SECS_MAX: u64 = 100 * 366 * 86_400;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_of_writing_a_length_are_read_and_one_is_written() {
        for (text, secs, written) in
            [("30s", 30, "30s"), ("PT5M", 300, "5m"), ("1h30m", 5400, "1h30m"), ("P1D", 86_400, "24h")]
        {
            assert_eq!(read(text), Some(Duration::from_secs(secs)), "{text}");
            assert_eq!(write(Duration::from_secs(secs)), written);
        }
        for text in ["", "0s", "PT0S", "5", "500ms", "PT0.5S", "-5m", "P1000Y", "999999999h"] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
