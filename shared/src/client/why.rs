//! Why an entry ran, or did not.

use super::{Client, ClientError};
use crate::cron::why::{Asked, Why};
use crate::job::Refusal;
use crate::name::CronName;

impl Client {
    /// Says why an entry ran at a time, did not run, or will (not) run. `time` is RFC 3339, a local time in the zone of the
    /// entry, `last` (also when it is empty) or `next`.
    ///
    /// # Errors
    ///
    /// When there is neither an entry of this name nor a ledger of one that was removed, the time cannot be read, or Redis
    /// cannot be reached.
    pub async fn why(&self, name: &CronName, time: &str) -> Result<Why, ClientError> {
        let facts = self.store.facts(name).await?;
        let mut facts = facts.ok_or_else(|| ClientError::NoEntry(name.clone()))?;
        let asked = Asked::read(time, facts.zone(), facts.now);
        let asked = asked.map_err(|error| Refusal::field("at", format!("at: {error}")))?;
        for id in facts.runs_concerned(asked) {
            facts.runs.extend(self.store.job(id).await?.map(|job| job.record));
        }
        Ok(facts.answer(asked))
    }
}
