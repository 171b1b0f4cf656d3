//! Cron entries and their index.

use super::World;
use crate::entry_record::lines;
use crate::snapshot::Held;

impl World<'_> {
    pub(super) fn the_declared_entries_are_those_with_a_source(&self) -> Vec<String> {
        let prefix = format!("{}cron:", self.keys.root());
        let mut sourced = Vec::new();
        for (key, held) in &self.snapshot.0 {
            let (Some(name), Held::Text(record)) = (key.strip_prefix(&prefix), held) else { continue };
            sourced.extend(lines(record).contains_key("src").then(|| name.to_owned()));
        }
        let declared = self.snapshot.members(&self.keys.declared());
        let differ = declared != sourced;
        differ.then(|| format!("{declared:?} are declared, {sourced:?} have a source")).into_iter().collect()
    }

    /// Readers find a row by its number, so a gap would hide one.
    pub(super) fn each_ledger_is_numbered_without_gaps_and_its_time_never_falls(&self) -> Vec<String> {
        let prefix = format!("{}ledger:", self.keys.root());
        let mut found = Vec::new();
        for (key, held) in self.snapshot.0.iter().filter(|(key, _)| key.starts_with(&prefix)) {
            let Held::List(rows) = held else { continue };
            let places = rows.iter().map(|row| row.split('\0').next().unwrap_or_default());
            let places: Vec<Option<(u64, u64)>> = places.map(position).collect();
            let follows = |one: Option<(u64, u64)>, next: Option<(u64, u64)>| {
                one.zip(next).is_some_and(|(one, next)| one.0 <= next.0 && one.1 + 1 == next.1)
            };
            let wrong = places.windows(2).find(|pair| !follows(pair[0], pair[1]));
            found.extend(wrong.map(|pair| format!("{key}: {:?} follows {:?}", pair[1], pair[0])));
        }
        found
    }
}

/// `<ms>-<number>`.
fn position(place: &str) -> Option<(u64, u64)> {
    let (ms, number) = place.split_once('-')?;
    Some((ms.parse().ok()?, number.parse().ok()?))
}
