//! Ends of attempts that are answered with the job as it then stands, in the same call.
//!
//! Such an end may come from somebody who was told no lease. What it presents instead is checked by the script that ends the
//! attempt. Since the attempt is then known by nothing that never comes back, the script keeps for a while which jobs it ended
//! for a request, so that the request can be sent again.

use super::attempts::{EndReply, Ending, end_reply};
use super::connection::Arg;
use super::job_item::JobItem;
use super::record::json_value;
use super::reply::Items;
use super::{PartitionKeys, Store, StoreError, script};
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
            let lease = match &end.right {
                Right::Held(lease) => Some(lease),
                Right::Presented(said) => said.lease.as_ref(),
            };
            args.extend([end.id.to_string().into(), Arg::from(lease.map_or("", AsRef::as_ref))]);
            args.extend(self.ending_args(&end.ending));
            match &end.right {
                Right::Held(_) => args.push("".into()),
                Right::Presented(said) => args.extend([
                    "presented".into(),
                    said.worker.as_deref().unwrap_or_default().into(),
                    said.attempt.map(|attempt| attempt.to_string()).unwrap_or_default().into(),
                ]),
            }
        }
        let reply = self.run(&script::finish, &keys, names, args).await?;
        let mut items = reply.items(1);
        ends.iter().map(|end| end_answer(&keys, end.id, &mut items)).collect()
    }
}

fn end_answer(keys: &PartitionKeys, id: JobId, items: &mut Items<'_>) -> Result<EndAnswer, StoreError> {
    let text = items.text()?;
    let item = JobItem::read("finish", &text)?;
    let conflict =
        || item.behind.parse().map(EndAnswer::Conflict).map_err(|_| StoreError::corrupt(keys.job(id), item.behind));
    if item.word == "conflict" {
        return conflict();
    }
    match end_reply(item.word)? {
        EndReply::Gone => Ok(EndAnswer::Gone),
        EndReply::Stale => Ok(EndAnswer::Stale),
        EndReply::Cancelled => conflict(),
        ended => {
            let (job, out) = (item.job(keys, id, items)?, items.text()?);
            let result = (!out.is_empty()).then(|| json_value(|| keys.out(id), &out)).transpose()?;
            Ok(EndAnswer::Ended(ended, Box::new(Job { result, ..job })))
        }
    }
}
