//! A job that was just taken in, as the wire shows it: written for each job that is enqueued by itself, from what its producer
//! said.

use super::object::Members;
use super::short::RETRY_WRITTEN;
use super::shown::begun;
use super::{Envelope, Record, RetryPolicy};
use crate::clock::Timestamp;

impl Envelope {
    /// The job of this envelope as the wire shows it, when this is its record and it has no history: what
    /// [`Job::to_json_text`](super::Job::to_json_text) says, without anything being kept before.
    #[must_use]
    pub fn to_job_json(&self, record: &Record) -> String {
        let mut text = begun(record.id);
        text.word("type", self.job_type.as_str());
        text.word("queue", self.queue.as_str());
        text.put("args", &self.args);
        text.put("meta", &self.meta);
        text.put("priority", &self.priority);
        text.put("tags", &self.tags);
        if self.retry == RetryPolicy::default() {
            text.json("retry", RETRY_WRITTEN.get());
        } else {
            text.put("retry", &self.retry.to_json());
        }
        text.spread(&self.rest_to_json());
        text.word("state", record.state.as_str());
        text.put("attempt", &record.attempt);
        text.put("max_attempts", &self.retry.max_attempts);
        text.word("created_at", record.created_at.written(&mut [0; Timestamp::CHARS_MAX]));
        text.word("enqueued_at", record.enqueued_at.written(&mut [0; Timestamp::CHARS_MAX]));
        text.finish()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

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
