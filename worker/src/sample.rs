//! A claimed job for unit tests, as the store hands it out.

use std::time::Duration;

use carillon_shared::clock::{BootInstant, Timestamp};
use carillon_shared::id::{JobId, Partition};
use carillon_shared::job::{Envelope, Job, JobState, Record};
use carillon_shared::store::{Claimed, Held};
use serde_json::Value;

pub(crate) const LEASE: Duration = Duration::from_secs(30);

/// The first attempt at the job that `json` describes.
pub(crate) fn claimed(json: &Value) -> Claimed {
    let now = Timestamp::from_secs(1_772_947_800);
    let envelope = Envelope::read(json, now).expect("the test describes a job");
    let id = JobId::random(now, Partition(0));
    let lease: carillon_shared::job::Lease = "1-abc".parse().expect("a lease");
    let record = Record {
        id,
        state: JobState::Active,
        queue: envelope.queue.clone(),
        job_type: envelope.job_type.clone(),
        attempt: 1,
        lease: Some(lease.clone()),
        worker: None,
        created_at: now,
        enqueued_at: now,
        started_at: Some(now),
        ended_at: None,
        expired_at: None,
        due_at: None,
        retry_delay_ms: None,
        previous_state: None,
        cron: None,
        flow: None,
        parents: Vec::new(),
        activated_at: None,
        waits: false,
        failed: false,
        dead: false,
        crashes: 0,
        returns: 0,
    };
    let job = Job {
        envelope: envelope.to_json(id).into(),
        record,
        result: None,
        errors: Vec::new(),
        parent_results: Vec::new(),
    };
    Claimed { job, held: Held { id, lease, partition: Partition(0) }, since: BootInstant::now() }
}
