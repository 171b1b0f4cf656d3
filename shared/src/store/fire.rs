//! Firing: decisions on due instants, applied for the leader. They are read in [`due_entries`](super::due_entries).

use super::connection::Arg;
use super::record::Said;
use super::{LeaderToken, Store, StoreError, script};
use crate::clock::{BootInstant, Timestamp};
use crate::cron::{Decision, FireKind};
use crate::id::{JobId, Partition};
use crate::job::Envelope;
use crate::name::{CronName, QueueName};

/// The job that a decision makes.
#[derive(Debug, Clone)]
pub struct Run {
    /// Its id.
    pub id: JobId,
    /// Its envelope.
    pub envelope: Envelope,
}

/// A decision to be applied, and on what it was decided.
#[derive(Debug, Clone)]
pub struct FireItem {
    /// Which entry.
    pub name: CronName,
    /// Its revision as it was read.
    pub revision_seen: u64,
    /// Its live runs as they were read.
    pub live_seen: Vec<JobId>,
    /// Its next instant as it was read; `None` for a run that somebody asked for, which moves no schedule.
    pub mark_seen: Option<Timestamp>,
    /// The instant after it.
    pub next_mark: Option<Timestamp>,
    /// When that is to be decided on.
    pub look_at: Option<Timestamp>,
    /// What becomes of it, and the job for that.
    pub decision: FireDecision,
    /// The instant.
    pub scheduled: Timestamp,
    /// How many instants the decision stands for.
    pub instants: u64,
    /// What it is about.
    pub kind: FireKind,
    /// How many runs of the entry wait for another when the decision is applied.
    pub waiting: u64,
    /// Further members of the event, as JSON that begins with a comma; or nothing.
    pub told: String,
    /// What the ledger keeps beside the reason; or nothing.
    pub because: String,
}

/// A decision with what it needs.
#[derive(Debug, Clone)]
pub enum FireDecision {
    /// A job, now, behind, or instead of the live runs.
    Fire(Decision, Box<Run>),
    /// No job, for this reason.
    Skip(&'static str),
}

/// What became of the whole call.
#[derive(Debug, PartialEq, Eq)]
pub enum FireReply {
    /// One result per item, in order.
    Applied(Vec<FireResult>),
    /// Nothing was applied: the token is not the fence.
    Fenced,
}

/// What became of one decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FireResult {
    /// It is done: entry, job, ledger and events.
    Applied,
    /// This instant had been decided before.
    Already,
    /// The entry changed since it was read.
    Stale,
    /// The instant has not come.
    Early,
    /// There is no such entry.
    Gone,
}

/// Arguments of one decision.
const ITEM_ARGS: usize = 8;

impl Store {
    /// Applies decisions of the leader on entries of one partition.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached or takes no more. The same call may be made again: an instant is decided once.
    pub async fn fire(
        &self,
        partition: Partition,
        token: &LeaderToken,
        items: &[FireItem],
    ) -> Result<FireReply, StoreError> {
        self.fire_as(partition, token.as_str(), items).await
    }

    /// Applies a decision that somebody asked for: it moves no schedule, so anybody may.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached or takes no more.
    pub async fn fire_asked(&self, partition: Partition, item: FireItem) -> Result<FireResult, StoreError> {
        match self.fire_as(partition, "", &[FireItem { mark_seen: None, ..item }]).await? {
            FireReply::Applied(results) => Ok(results.first().copied().unwrap_or(FireResult::Gone)),
            FireReply::Fenced => Err(StoreError::corrupt("fire", "a run that was asked for was fenced")),
        }
    }

    async fn fire_as(&self, partition: Partition, token: &str, items: &[FireItem]) -> Result<FireReply, StoreError> {
        let keys = self.key(partition);
        let mut names = vec![keys.crons(), keys.fence(), keys.due(), keys.expires(), keys.ended("cancelled")];
        let mut args: Vec<Arg<'_>> = vec![token.into()];
        args.reserve(ITEM_ARGS * items.len());
        let mut queues: Vec<&QueueName> = Vec::new();
        for item in items {
            push_item(&mut args, item);
            if let FireDecision::Fire(_, run) = &item.decision
                && !queues.contains(&&run.envelope.queue)
            {
                queues.push(&run.envelope.queue);
            }
        }
        for queue in queues {
            names.extend([keys.ready(queue), keys.queue(queue), keys.bell(queue)]);
        }
        let sent = BootInstant::now();
        let reply = self.run(&script::fire, &keys, names, args).await?;
        self.heard(&reply, 1, sent)?;
        if reply.text(0)? != "ok" {
            return Ok(FireReply::Fenced);
        }
        reply.texts(2)?.iter().map(|code| fire_result(code)).collect::<Result<_, _>>().map(FireReply::Applied)
    }
}

fn push_item<'a>(args: &mut Vec<Arg<'a>>, item: &'a FireItem) {
    let live: Vec<String> = item.live_seen.iter().map(ToString::to_string).collect();
    let next = item.next_mark.map(Timestamp::as_ms);
    let (id, envelope) = match &item.decision {
        FireDecision::Fire(_, run) => (run.id.to_string(), run.envelope.to_kept_json()),
        FireDecision::Skip(_) => Default::default(),
    };
    args.extend([
        item.name.as_str().into(),
        match item.mark_seen {
            Some(mark) => format!("{}\n{}", item.revision_seen, mark.as_ms()).into(),
            None => item.revision_seen.to_string().into(),
        },
        next.map_or(Arg::Text(""), Arg::Int),
        how(item).into(),
        live.join(" ").into(),
        item.told.as_str().into(),
        id.into(),
        envelope.into(),
    ]);
}

/// How it is decided, in lines: what most decisions of one instant have in common.
fn how(item: &FireItem) -> String {
    let (decision, reason, said) = match &item.decision {
        FireDecision::Fire(decision, run) => {
            let decision = match decision {
                Decision::CancelAndFire => "cancel",
                Decision::FireBehind => "behind",
                _ => "fire",
            };
            (decision, "", Said::new(&run.envelope).into_text())
        }
        FireDecision::Skip(reason) => ("skip", *reason, String::new()),
    };
    let look_at = match item.look_at {
        at if at == item.next_mark => String::new(),
        Some(at) => at.as_ms().to_string(),
        None => "+inf".to_owned(),
    };
    let (kind, instants, scheduled) = (item.kind.as_str(), item.instants, item.scheduled.as_ms());
    let because = &item.because;
    format!("{decision}\n{kind}\n{instants}\n{scheduled}\n{look_at}\n{reason}\n{because}\n{said}")
}

fn fire_result(code: &str) -> Result<FireResult, StoreError> {
    match code {
        "ok" => Ok(FireResult::Applied),
        "already" => Ok(FireResult::Already),
        "stale" => Ok(FireResult::Stale),
        "early" => Ok(FireResult::Early),
        "gone" => Ok(FireResult::Gone),
        other => Err(StoreError::corrupt("fire", other)),
    }
}
