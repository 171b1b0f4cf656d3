//! Which rows of a ledger are asked for, and in which order.

use std::fmt;
use std::str::FromStr;

use super::ledger::{LedgerDecision, LedgerRow};
use crate::clock::Timestamp;
use crate::job::JobState;

/// A question to a ledger.
#[derive(Debug, Clone, Default)]
pub struct LedgerQuery {
    /// Which rows.
    pub filter: LedgerFilter,
    /// In which order.
    pub order: LedgerOrder,
    /// Behind which row; from the first on if there is none.
    pub cursor: Option<LedgerCursor>,
}

/// Which rows are asked for: those that fulfil all of these.
#[derive(Debug, Clone, Default)]
pub struct LedgerFilter {
    /// Fired or skipped.
    pub decision: Option<DecisionWord>,
    /// Skipped for this reason.
    pub reason: Option<ReasonWord>,
    /// Of this kind.
    pub kind: Option<KindWord>,
    /// Whose run is in this state.
    pub state: Option<JobState>,
    /// Whose instant is not before this.
    pub from: Option<Timestamp>,
    /// Whose instant is before this.
    pub to: Option<Timestamp>,
}

/// The order of rows: by when they were decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LedgerOrder {
    /// `desc`.
    #[default]
    NewestFirst,
    /// `asc`.
    OldestFirst,
}

/// A decision as a client names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DecisionWord {
    /// A job was made.
    Fired,
    /// No job was made.
    Skipped,
}

/// A kind as a client names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KindWord(&'static str);

/// A reason as a client names it: lower-case letters and `_`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReasonWord(String);

/// A place in a list of rows. Its text is opaque to clients; they send back what they were given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerCursor {
    /// The order of the list.
    pub order: LedgerOrder,
    /// The row before it.
    pub behind: String,
}

/// A parameter that cannot be read: what was expected instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected {0}")]
pub struct LedgerQueryError(&'static str);

const KINDS: [&str; 4] = ["scheduled", "catch_up", "manual", "backfill"];
const REASON_BYTES_MAX: usize = 64;

impl LedgerFilter {
    /// Whether a row is asked for, but for the state of its run.
    #[must_use]
    pub fn takes(&self, row: &LedgerRow) -> bool {
        let fired = matches!(row.decision, LedgerDecision::Fired(_));
        self.decision.is_none_or(|decision| fired == (decision == DecisionWord::Fired))
            && self.reason.as_ref().is_none_or(|reason| row.reason() == Some(&reason.0))
            && self.kind.as_ref().is_none_or(|kind| row.kind == kind.0)
            && self.from.is_none_or(|from| row.scheduled_at >= from)
            && self.to.is_none_or(|to| row.scheduled_at < to)
    }

    /// Whether the run of a row is in the state that is asked for.
    #[must_use]
    pub fn takes_state(&self, row: &LedgerRow) -> bool {
        self.state.is_none_or(|state| row.state() == Some(state))
    }
}

impl LedgerQuery {
    /// Whether a position comes behind the cursor.
    #[must_use]
    pub fn is_behind_cursor(&self, position: &str) -> bool {
        let Some(cursor) = &self.cursor else { return true };
        match self.order {
            LedgerOrder::NewestFirst => comes_before(position, &cursor.behind),
            LedgerOrder::OldestFirst => comes_before(&cursor.behind, position),
        }
    }
}

/// Whether the position `a` is older than `b`.
#[must_use]
pub fn comes_before(a: &str, b: &str) -> bool {
    position(a) < position(b)
}

/// `<ms>-<number>` as numbers.
#[must_use]
pub(crate) fn position(text: &str) -> Option<(u64, u64)> {
    let (ms, count) = text.split_once('-')?;
    let number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten();
    Some((number(ms)?, number(count)?))
}

impl FromStr for LedgerOrder {
    type Err = LedgerQueryError;
    fn from_str(text: &str) -> Result<Self, LedgerQueryError> {
        match text {
            "desc" => Ok(Self::NewestFirst),
            "asc" => Ok(Self::OldestFirst),
            _ => Err(LedgerQueryError("desc (newest first) or asc")),
        }
    }
}

impl FromStr for DecisionWord {
    type Err = LedgerQueryError;
    fn from_str(text: &str) -> Result<Self, LedgerQueryError> {
        match text {
            "fired" => Ok(Self::Fired),
            "skipped" => Ok(Self::Skipped),
            _ => Err(LedgerQueryError("fired or skipped")),
        }
    }
}

impl FromStr for KindWord {
    type Err = LedgerQueryError;
    fn from_str(text: &str) -> Result<Self, LedgerQueryError> {
        let known = KINDS.into_iter().find(|kind| *kind == text);
        known.map(Self).ok_or(LedgerQueryError("scheduled, catch_up, manual or backfill"))
    }
}

impl FromStr for ReasonWord {
    type Err = LedgerQueryError;
    fn from_str(text: &str) -> Result<Self, LedgerQueryError> {
        let is_word = text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        if is_word && !text.is_empty() && text.len() <= REASON_BYTES_MAX {
            return Ok(Self(text.to_owned()));
        }
        Err(LedgerQueryError("a reason such as overlap_skip, disabled or dst_skip"))
    }
}

impl FromStr for LedgerCursor {
    type Err = LedgerQueryError;
    fn from_str(text: &str) -> Result<Self, LedgerQueryError> {
        let read = || {
            let (order, behind) = text.split_once('.')?;
            position(behind)?;
            Some(Self { order: order.parse().ok()?, behind: behind.to_owned() })
        };
        read().ok_or(LedgerQueryError("the next_cursor of an earlier answer"))
    }
}

impl fmt::Display for LedgerOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NewestFirst => "desc",
            Self::OldestFirst => "asc",
        })
    }
}

impl fmt::Display for LedgerCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.order, self.behind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(decision: LedgerDecision, kind: &str, scheduled_ms: i64) -> LedgerRow {
        LedgerRow {
            position: "1-0".to_owned(),
            decision,
            kind: kind.to_owned(),
            scheduled_at: Timestamp::from_ms(scheduled_ms),
            decided_at: Timestamp::from_ms(scheduled_ms),
            instants: 1,
            because: None,
            end: None,
            live: None,
        }
    }

    #[test]
    fn each_part_of_a_filter_takes_its_rows() {
        let id = "01a1fe18-7c60-7a0f-bb21-363773998000".parse().expect("an id");
        let fired = row(LedgerDecision::Fired(id), "manual", 5000);
        let reason = "overlap_skip".to_owned();
        let skipped = row(LedgerDecision::Skipped { reason, active: None }, "scheduled", 7000);
        let parsed = |name: &str, value: &str| {
            let mut filter = LedgerFilter::default();
            match name {
                "decision" => filter.decision = Some(value.parse().expect("a decision")),
                "reason" => filter.reason = Some(value.parse().expect("a reason")),
                "kind" => filter.kind = Some(value.parse().expect("a kind")),
                "from" => filter.from = Some(value.parse().expect("a time")),
                _ => filter.to = Some(value.parse().expect("a time")),
            }
            (filter.takes(&fired), filter.takes(&skipped))
        };
        assert_eq!(parsed("decision", "fired"), (true, false));
        assert_eq!(parsed("decision", "skipped"), (false, true));
        assert_eq!(parsed("reason", "overlap_skip"), (false, true));
        assert_eq!(parsed("reason", "disabled"), (false, false));
        assert_eq!(parsed("kind", "manual"), (true, false));
        assert_eq!(parsed("from", "1970-01-01T00:00:07Z"), (false, true));
        assert_eq!(parsed("to", "1970-01-01T00:00:07Z"), (true, false));
    }

    #[test]
    fn a_cursor_reads_as_it_is_written_and_nothing_else_does() {
        for text in ["desc.1772947800050-0", "asc.1-18446744073709551615"] {
            assert_eq!(text.parse::<LedgerCursor>().expect("a cursor").to_string(), text);
        }
        for text in ["", "desc", "desc.", "desc.1", "up.1-0", "asc.1-", "asc.+1-0", "asc.1-99999999999999999999"] {
            assert!(text.parse::<LedgerCursor>().is_err(), "{text}");
        }
    }

    #[test]
    fn words_that_no_row_can_have_are_refused() {
        assert!("Overlap".parse::<ReasonWord>().is_err() && "".parse::<ReasonWord>().is_err());
        assert!("auto".parse::<KindWord>().is_err() && "maybe".parse::<DecisionWord>().is_err());
        assert!("up".parse::<LedgerOrder>().is_err());
    }

    #[test]
    fn positions_are_compared_as_numbers() {
        assert!(comes_before("99-10", "100-2") && comes_before("100-2", "100-10"));
        assert!(!comes_before("100-2", "100-2"));
    }
}
