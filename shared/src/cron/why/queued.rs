//! Why a job is not handed out.

use super::words::{Wall, count, span};
use super::{Facts, Reason, WorkerFacts};
use crate::clock::Timestamp;
use crate::name::JobType;

/// What holds jobs up, and how to say so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) reason: Reason,
    /// A clause that goes on after "because".
    pub(super) clause: String,
}

/// What holds up jobs of a type in the queue of the entry; nothing if they should be handed out at once.
///
/// The first that applies is told, in the order in which a claim meets them: without a worker nobody asks.
pub(super) fn held_up(facts: &Facts, job_type: &JobType, wall: Wall) -> Option<Held> {
    let held = |reason, clause| Some(Held { reason, clause });
    let queue = &facts.queue;
    if let Some(since) = queue.paused_at {
        return held(Reason::QueuePaused, format!("the queue `{}` is paused since {}", queue.name, wall.time(since)));
    }
    let taking: Vec<&WorkerFacts> = facts.workers.iter().filter(|worker| worker.takes_jobs).collect();
    if taking.is_empty() {
        let clause = match facts.workers.len() {
            0 => "no worker was heard of within the last minute".to_owned(),
            all => format!("{} winding up and no other was heard of", count(all, "worker is", "workers are")),
        };
        return held(Reason::NoWorker, clause);
    }
    let on_queue: Vec<_> = taking.iter().filter(|worker| worker.takes_from(facts)).collect();
    if on_queue.is_empty() {
        let none = match taking.len() {
            1 => "the only worker there takes nothing".to_owned(),
            all => format!("none of the {all} workers takes anything"),
        };
        let clause = format!("{none} from the queue `{}`", queue.name);
        return held(Reason::NoWorkerOnQueue, clause);
    }
    let able: Vec<_> = on_queue.iter().filter(|worker| worker.handles(job_type)).collect();
    if able.is_empty() {
        let clause = format!("no worker of the queue `{}` has a handler for the type `{job_type}`", queue.name);
        return held(Reason::NoHandler, clause);
    }
    if let Some(most) = queue.concurrency.filter(|most| queue.active >= u64::from(*most)) {
        let clause = format!("the queue `{}` lets {most} run at once, and {} run", queue.name, queue.active);
        return held(Reason::ConcurrencyLimit, clause);
    }
    if let Some(rate) = queue.rate.filter(|rate| rate.started >= rate.starts) {
        let window = span(std::time::Duration::from_millis(rate.window_ms));
        let clause = format!("the queue `{}` lets {} start in {window}, and as many did", queue.name, rate.starts);
        return held(Reason::RateLimit, clause);
    }
    if able.iter().all(|worker| worker.is_busy()) {
        let clause = match able.as_slice() {
            [one] => {
                format!("worker `{}`, the only one that could take it, is busy with {} jobs", one.worker_id, one.active)
            }
            all => format!("all {} workers that could take it are busy", all.len()),
        };
        return held(Reason::AllBusy, clause);
    }
    None
}

impl WorkerFacts {
    fn takes_from(&self, facts: &Facts) -> bool {
        self.queues.is_empty() || self.queues.contains(&facts.queue.name)
    }

    fn handles(&self, job_type: &JobType) -> bool {
        self.job_types.is_empty() || self.job_types.contains(job_type)
    }

    const fn is_busy(&self) -> bool {
        self.concurrency > 0 && self.active >= self.concurrency
    }
}

/// Who would take such a job.
pub(super) fn takers(facts: &Facts, job_type: &JobType) -> usize {
    let takes = |worker: &&WorkerFacts| worker.takes_jobs && worker.takes_from(facts) && worker.handles(job_type);
    facts.workers.iter().filter(takes).count()
}

/// Since when nobody leads, as a clause.
pub(super) fn nobody_leads(facts: &Facts, wall: Wall) -> Option<Held> {
    if facts.leaderships.leader().is_some() {
        return None;
    }
    let clause = match facts.leaderships.vacancy_between(facts.now, Timestamp::MAX) {
        Some(gap) if gap.stepped_down => {
            format!("no scheduler has led since the last one stopped at {}", wall.time(gap.from))
        }
        Some(gap) => format!("no scheduler has led since the last one fell silent after {}", wall.time(gap.from)),
        None => "no scheduler leads".to_owned(),
    };
    Some(Held { reason: Reason::NoLeader, clause })
}
