//! Schedules that are kept compiled: by what they say, because many entries say the same.

use std::collections::HashMap;

use carillon_shared::cron::{Dialect, DstFold, FieldCount, Schedule, Timetable, Zone};
use carillon_shared::store::{StoreError, StoredEntry};

/// As many are kept: a few MiB. Where entries say more than that, what one fire costs more is a microsecond or two.
const KEPT_MAX: usize = 10_000;

/// How an expression is read.
type Reading = (Dialect, Option<FieldCount>, Zone, DstFold);

/// Compiled schedules, by expression and how it is read.
#[derive(Default)]
pub(super) struct Compiled {
    schedules: HashMap<String, Vec<(Reading, Schedule)>>,
    kept: usize,
}

impl Compiled {
    /// The instants of an entry.
    pub(super) fn timetable(&mut self, entry: &StoredEntry) -> Result<Timetable, StoreError> {
        let definition = &entry.definition;
        let reading = (definition.dialect, definition.fields, definition.zone, definition.dst_fold);
        let known = self.schedules.get(&definition.expression);
        let known = known.and_then(|schedules| schedules.iter().find(|(how, _)| *how == reading));
        let schedule = match known {
            Some((_, schedule)) => schedule.clone(),
            None => self.compile(entry, reading)?,
        };
        Ok(Timetable::new(schedule, definition.bounds, definition.jitter, &entry.uid))
    }

    fn compile(&mut self, entry: &StoredEntry, reading: Reading) -> Result<Schedule, StoreError> {
        let schedule = entry.schedule()?;
        // What counts from an anchor is of one entry alone.
        if !schedule.is_anchored() {
            if self.kept >= KEPT_MAX {
                *self = Self::default();
            }
            self.kept += 1;
            let of = self.schedules.entry(entry.definition.expression.clone()).or_default();
            of.push((reading, schedule.clone()));
        }
        Ok(schedule)
    }
}
