//! A job that was just taken in, as the wire shows it: written for each job that is enqueued by itself, from what its producer
//! said.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::{Map, Value};

use super::short::RETRY_DEFAULT;
use super::shown::written;
use super::{Envelope, Record, RetryPolicy};
use crate::clock::Timestamp;

impl Envelope {
    /// The job of this envelope as the wire shows it, when this is its record and it has no history: what
    /// [`Job::to_json_text`](super::Job::to_json_text) says, without anything being kept before.
    #[must_use]
    pub fn to_job_json(&self, record: &Record) -> String {
        let is_usual = self.retry == RetryPolicy::default();
        let said = Described {
            job_type: self.job_type.as_str(),
            queue: self.queue.as_str(),
            args: &self.args,
            meta: &self.meta,
            priority: self.priority,
            tags: &self.tags,
            retry: if is_usual { Cow::Borrowed(&*RETRY_DEFAULT) } else { Cow::Owned(self.retry.to_json()) },
            rest: self.rest_to_json(),
        };
        let became = TakenIn {
            state: record.state.as_str(),
            attempt: record.attempt,
            max_attempts: self.retry.max_attempts,
            created_at: record.created_at,
            enqueued_at: record.enqueued_at,
        };
        written(record.id, said, became)
    }
}

/// What a producer said, all of it.
#[derive(Serialize)]
struct Described<'a> {
    #[serde(rename = "type")]
    job_type: &'a str,
    queue: &'a str,
    args: &'a [Value],
    meta: &'a Map<String, Value>,
    priority: i8,
    tags: &'a [String],
    retry: Cow<'a, Value>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

/// What the record of a job says that has just been taken in.
#[derive(Serialize)]
struct TakenIn {
    state: &'static str,
    attempt: u32,
    max_attempts: u32,
    created_at: Timestamp,
    enqueued_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{JobId, Partition};
    use crate::job::short::tests::envelopes;
    use crate::job::{Job, JobState};

    const NOW: Timestamp = Timestamp::from_secs(1_772_947_800);

    #[test]
    fn a_job_that_was_just_taken_in_is_written_as_it_is_shown() {
        for (envelope, state) in envelopes().into_iter().zip([JobState::Available, JobState::Pending].iter().cycle()) {
            let id = JobId::random(NOW, Partition(3));
            let states = [*state, JobState::Scheduled];
            let state = states[usize::from(envelope.scheduled_at.is_some())];
            let Some(record) = Record::taken_in(id, &envelope, Some(state), NOW) else { continue };
            let shown = Value::from(Job::new(envelope.to_json(id), record.clone()).to_json()).to_string();
            assert_eq!(envelope.to_job_json(&record), shown);
        }
    }
}
