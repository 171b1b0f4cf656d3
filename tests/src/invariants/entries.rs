//! Cron entries and their index.

use super::World;
use crate::snapshot::Held;

impl World<'_> {
    pub(super) fn the_declared_entries_are_those_with_a_source(&self) -> Vec<String> {
        let prefix = format!("{}cron:", self.keys.root());
        let mut sourced = Vec::new();
        for (key, held) in &self.snapshot.0 {
            let (Some(name), Held::Hash(fields)) = (key.strip_prefix(&prefix), held) else { continue };
            sourced.extend(fields.contains_key("src").then(|| name.to_owned()));
        }
        let declared = self.snapshot.members(&self.keys.declared());
        let differ = declared != sourced;
        differ.then(|| format!("{declared:?} are declared, {sourced:?} have a source")).into_iter().collect()
    }
}
