//! Places in the events of a deployment.

use std::fmt;
use std::str::FromStr;

/// A place in the events of a deployment: one position per partition.
///
/// Its text is opaque to clients; they send back what they were given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventCursor(pub(super) Vec<Position>);

/// The text was not a cursor.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an event cursor: send back the id of the last event that you were given")]
pub struct EventCursorError(String);

/// A place in one stream, whose entries hold one event or several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Position {
    pub(super) ms: u64,
    pub(super) seq: u64,
    /// Behind so many events of this entry; behind all of them when it is the largest number.
    pub(super) passed: usize,
}

/// A longer text is no cursor.
const TEXT_BYTES_MAX: usize = 64 * 1024;

impl Position {
    /// Before the oldest event.
    pub(super) const OLDEST: Self = Self { ms: 0, seq: 0, passed: usize::MAX };

    /// The id of a stream entry, or its time alone.
    pub(super) fn behind(id: &str) -> Option<Self> {
        let (ms, seq) = id.split_once('-').unwrap_or((id, "0"));
        Some(Self { ms: number(ms)?, seq: number(seq)?, passed: usize::MAX })
    }

    /// Behind so many events of this entry.
    pub(super) fn within(self, passed: usize) -> Self {
        Self { passed, ..self }
    }

    /// Whether this is a place behind events of the entry of `other`.
    pub(super) fn is_at(self, other: Self) -> bool {
        (self.ms, self.seq) == (other.ms, other.seq)
    }

    /// The id behind which the entries begin that hold what comes after this place.
    pub(super) fn entries_after(self) -> String {
        let Self { ms, seq, passed } = self;
        match (passed, seq) {
            (usize::MAX, _) => format!("{ms}-{seq}"),
            (_, 0) => format!("{}-{}", ms.saturating_sub(1), u64::MAX),
            _ => format!("{ms}-{}", seq - 1),
        }
    }
}

fn number<N: FromStr>(text: &str) -> Option<N> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

impl FromStr for Position {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        let read = || match text.split_once('.') {
            Some((id, passed)) => Some(Self::behind(id)?.within(number(passed)?)),
            None => Self::behind(text),
        };
        read().ok_or(())
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { ms, seq, passed } = self;
        write!(f, "{ms}-{seq}")?;
        if *passed == usize::MAX { Ok(()) } else { write!(f, ".{passed}") }
    }
}

impl FromStr for EventCursor {
    type Err = EventCursorError;
    fn from_str(text: &str) -> Result<Self, EventCursorError> {
        let positions = || text.split(',').map(str::parse).collect::<Result<Vec<_>, ()>>().ok();
        let positions = if text.len() <= TEXT_BYTES_MAX { positions() } else { None };
        positions.map(Self).ok_or_else(|| EventCursorError(text.chars().take(80).collect()))
    }
}

impl fmt::Display for EventCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&texts.join(","))
    }
}

impl EventCursor {
    /// The place before the oldest event.
    #[must_use]
    pub fn oldest(partitions: u16) -> Self {
        Self(vec![Position::OLDEST; usize::from(partitions)])
    }

    /// As many positions as there are partitions; those that are missing start at the beginning.
    pub(super) fn sized(mut self, partitions: u16) -> Self {
        self.0.resize(usize::from(partitions), Position::OLDEST);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_given_is_read_again() {
        for text in ["0-0", "1795000000000-3", "1795000000000-3.7", "1-0.1,2-5,0-0"] {
            let cursor: EventCursor = text.parse().expect("a cursor");
            assert_eq!(cursor.to_string(), text);
        }
        assert_eq!("17".parse::<EventCursor>().expect("a time alone").to_string(), "17-0");
    }

    #[test]
    fn what_nobody_gave_is_refused() {
        for text in ["", "x", "1-", "-1", "1-2.", "1-2.x", "1-2-3", "1.5", "1-0,", "99999999999999999999-0"] {
            let is_time_within = text == "1.5";
            assert_eq!(text.parse::<EventCursor>().is_ok(), is_time_within, "{text}");
        }
    }

    #[test]
    fn an_entry_is_read_again_for_what_is_left_of_it() {
        let after = |text: &str| text.parse::<Position>().expect("a position").entries_after();
        assert_eq!(after("17-3"), "17-3");
        assert_eq!(after("17-3.2"), "17-2");
        assert_eq!(after("17-0.2"), format!("16-{}", u64::MAX));
    }
}
