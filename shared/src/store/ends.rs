//! Ends of attempts that are answered with the job as it then stands, in the same call.
//!
//! Such an end may come from somebody who was told no lease. What it presents instead is checked by the script that ends the
//! attempt. Since the attempt is then known by nothing that never comes back, the script keeps for a while which jobs it ended
//! for a request, so that the request can be sent again.

use serde_json::Value;

use super::attempts::{EndReply, Ending, end_reply};
use super::connection::Arg;
use super::record::{envelope, json_value, lines, record};
use super::{PartitionKeys, Reply, Store, StoreError, script};
use crate::id::{JobId, Partition};
use crate::job::{Job, JobState, Lease};

/// By what a caller identifies its attempt.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Presented {
    /// Its id.
    pub worker: Option<String>,
    /// The number of the attempt.
    pub attempt: Option<u32>,
    /// The lease.
    pub lease: Option<Lease>,
}

/// By what right an attempt is ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Right {
    /// It has this lease.
    Held(Lease),
    /// All that is presented must be right.
    Presented(Presented),
}

/// An end that is to be answered with the job.
#[derive(Debug, Clone)]
pub struct AskedEnd {
    /// Which job.
    pub id: JobId,
    /// The right to it.
    pub right: Right,
    /// How the attempt ended.
    pub ending: Ending,
}

/// What became of such an end.
#[derive(Debug, Clone, PartialEq)]
pub enum EndAnswer {
    /// It was the end, or had been reported before by whoever has the lease. This is the job now.
    Ended(EndReply, Box<Job>),
    /// The attempt is another's, or was taken back. Nothing changed.
    Stale,
    /// The job is in this state, and not the caller's to end. Nothing changed.
    Conflict(JobState),
    /// There is no such job here.
    Gone,
}

impl Store {
    /// Ends attempts of jobs of one partition, at most 100, and looks at the jobs. The answers come in the same order. The same
    /// `request` with the same ends may be made again.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached, or what it holds is not a job.
    pub async fn end_asked(
        &self,
        partition: Partition,
        request: &str,
        ends: &[AskedEnd],
    ) -> Result<Vec<EndAnswer>, StoreError> {
        let keys = self.key(partition);
        let mut names = vec![keys.leases(), keys.due()];
        names.extend(["completed", "discarded", "dead"].map(|how| keys.ended(how)));
        names.push(keys.done(request));
        let mut args: Vec<Arg<'_>> = vec![format!("{}:{request}", self.errors_kept()).into()];
        for end in ends {
            names.extend([keys.job(end.id), keys.envelope(end.id), keys.out(end.id), keys.errors(end.id)]);
            let (right, lease, worker, attempt) = match &end.right {
                Right::Held(lease) => ("held", lease.as_ref(), "", String::new()),
                Right::Presented(said) => (
                    "presented",
                    said.lease.as_ref().map_or("", AsRef::as_ref),
                    said.worker.as_deref().unwrap_or_default(),
                    said.attempt.map(|attempt| attempt.to_string()).unwrap_or_default(),
                ),
            };
            args.extend([end.id.to_string().into(), Arg::from(lease)]);
            args.extend(self.ending_args(&end.ending));
            args.extend([right.into(), worker.into(), attempt.into()]);
        }
        let reply = self.run(&script::finish, &keys, names, args).await?;
        let answers = reply.into_lists(1).zip(ends).map(|(answer, end)| end_answer(&keys, end.id, &answer?));
        answers.collect()
    }
}

fn end_answer(keys: &PartitionKeys, id: JobId, answer: &Reply) -> Result<EndAnswer, StoreError> {
    let code = answer.text(0)?;
    let state = || answer.text(1)?.parse().map_err(|_| StoreError::corrupt(keys.job(id), "its state is unknown"));
    if code == "conflict" {
        return state().map(EndAnswer::Conflict);
    }
    Ok(match end_reply(&code)? {
        EndReply::Gone => EndAnswer::Gone,
        EndReply::Stale => EndAnswer::Stale,
        EndReply::Cancelled => EndAnswer::Conflict(state()?),
        ended => EndAnswer::Ended(ended, Box::new(shown(keys, id, answer)?)),
    })
}

fn shown(keys: &PartitionKeys, id: JobId, answer: &Reply) -> Result<Job, StoreError> {
    let all = |i: usize, key: &dyn Fn(JobId) -> String| {
        let texts = answer.list(i)?.texts(0)?;
        texts.iter().map(|text| json_value(&key(id), text)).collect::<Result<Vec<Value>, _>>()
    };
    let out = answer.text(4)?;
    Ok(Job {
        envelope: envelope(&keys.envelope(id), &answer.text(2)?),
        record: record(id, &lines(keys.job(id), &answer.text(3)?))?,
        result: (!out.is_empty()).then(|| json_value(&keys.out(id), &out)).transpose()?,
        errors: all(5, &|id| keys.errors(id))?,
        parent_results: all(6, &|id| keys.out(id))?,
    })
}
