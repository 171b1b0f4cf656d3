//! The duty that ends attempts that take longer than they may, for workers that do not mind the time themselves.

use std::time::Duration;

use carillon_shared::id::Partition;
use carillon_shared::job::{Failure, Job, Lease, Verdict, decide};
use carillon_shared::store::{AttemptEnd, Coming, Ending, Held, Store, StoreError};

use super::awaiting::Awaits;
use super::{Duty, policy_of};

/// Ends the attempts of one partition that take too long.
pub(crate) struct Overtime {
    store: Store,
    partition: Partition,
}

impl Overtime {
    pub(crate) fn new(store: Store, partition: Partition) -> Self {
        Self { store, partition }
    }

    fn end(&self, job: &Job, lease: &Lease) -> AttemptEnd {
        let record = &job.record;
        let limit = job.envelope.get("timeout_ms").map(ToString::to_string).unwrap_or_default();
        let failure = Failure::new("timeout", format!("the attempt took longer than the {limit} ms it may"));
        let verdict =
            policy_of(job).map_or(Verdict::DeadLetter, |policy| decide(&policy, record.attempt, &failure, 0.5));
        let held = Held { id: record.id, lease: lease.clone(), partition: self.partition };
        AttemptEnd { held, ending: Ending::Failed { failure, attempt: record.attempt, verdict } }
    }
}

impl Awaits for Overtime {
    const COMING: Coming = Coming::TimeLimit;
}

impl Duty for Overtime {
    const NAME: &'static str = "overtime";

    async fn round(&mut self) -> Result<Duration, StoreError> {
        let jobs = self.store.overtime(self.partition).await?;
        let ends: Vec<AttemptEnd> = jobs.iter().map(|(job, lease)| self.end(job, lease)).collect();
        self.store.end(&ends).await?;
        Ok(if ends.len() >= 100 { Duration::ZERO } else { Self::REST_MAX })
    }
}
