//! Which row of the ledger decided on an instant.

use std::time::Duration;

use super::super::{EntryChange, LedgerDecision, LedgerRow};
use super::{AskedTime, Facts};
use crate::clock::Timestamp;

/// The row that decided on an instant.
#[derive(Debug, Clone, Copy)]
pub enum Covered<'a> {
    /// By a decision on this very instant.
    Itself(&'a LedgerRow),
    /// By a decision that stands for several instants, this one among them.
    Among(&'a LedgerRow),
}

impl<'a> Covered<'a> {
    /// The row.
    #[must_use]
    pub const fn row(self) -> &'a LedgerRow {
        match self {
            Self::Itself(row) | Self::Among(row) => row,
        }
    }
}

/// A row written once stands for all instants until its cause is gone.
const SILENT: [&str; 2] = ["disabled", "paused"];
/// No gap in local time is longer.
const GAP_MAX: Duration = Duration::from_secs(24 * 3600);

impl Facts {
    /// Finds the row that decided on a time.
    #[must_use]
    pub fn covered(&self, time: AskedTime) -> Option<Covered<'_>> {
        if time.missing.is_some() {
            return self.gap_row(time.at).map(Covered::Itself);
        }
        let itself = || self.own_row(time.at).or_else(|| self.manual_row(time.at));
        itself().map(Covered::Itself).or_else(|| self.row_over(time.at).map(Covered::Among))
    }

    /// What made a job comes before what did not: a skipped instant may have been backfilled.
    fn own_row(&self, at: Timestamp) -> Option<&LedgerRow> {
        let own = || self.rows.iter().filter(move |row| row.scheduled_at == at);
        own().find(|row| row.job().is_some()).or_else(|| own().next())
    }

    /// A manual run has no whole second as its instant, but people ask for one.
    fn manual_row(&self, at: Timestamp) -> Option<&LedgerRow> {
        let within = |row: &&LedgerRow| row.scheduled_at >= at && row.scheduled_at < at + Duration::from_secs(1);
        let is_due = self.entry.as_ref().is_some_and(|entry| entry.is_due_at(at));
        self.rows.iter().filter(|row| row.kind == "manual" && !is_due).find(within)
    }

    fn row_over(&self, at: Timestamp) -> Option<&LedgerRow> {
        let is_instant = self.entry.as_ref().is_none_or(|entry| entry.is_due_at(at));
        if !is_instant || at > self.now {
            return None;
        }
        let before = || self.rows.iter().filter(|row| row.scheduled_at < at && row.kind != "manual");
        let several = before().find(|row| row.instants > 1 && at <= row.decided_at);
        several.or_else(|| before().max_by_key(|row| row.scheduled_at).filter(|row| self.still_silent(row, at)))
    }

    /// Whether a row that is written once still stood at a later instant.
    fn still_silent(&self, row: &LedgerRow, at: Timestamp) -> bool {
        let is_silent = row.reason().is_some_and(|reason| SILENT.contains(&reason));
        let ends = [EntryChange::Enabled, EntryChange::Registered, EntryChange::Removed];
        let ended =
            self.notes.iter().any(|note| ends.contains(&note.change) && note.at > row.decided_at && note.at <= at);
        is_silent && !ended
    }

    fn gap_row(&self, at: Timestamp) -> Option<&LedgerRow> {
        let is_gap = |row: &&LedgerRow| {
            matches!(&row.decision, LedgerDecision::Skipped { reason, .. } if reason == "dst_skip")
                && row.scheduled_at <= at
                && at.since(row.scheduled_at) < GAP_MAX
        };
        self.rows.iter().find(is_gap)
    }
}
