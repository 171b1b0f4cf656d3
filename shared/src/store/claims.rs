//! Jobs claimed: handed out to workers, each under a lease of its own.

use std::time::Duration;

use super::connection::Arg;
use super::job_item::JobItem;
use super::quiet::QuietNote;
use super::{Held, Store, StoreError, script};
use crate::clock::BootInstant;
use crate::id::{JobId, Partition, nonce};
use crate::job::Job;
use crate::name::{QueueName, WorkerId};

/// A request for jobs. Made once and sent as often as needed: the same request is given the same jobs.
#[derive(Debug, Clone)]
pub struct Claim {
    request: String,
    /// Who asks, each for how many at most; who comes first is served first.
    pub askers: Vec<(WorkerId, usize)>,
    /// From which queues, in this order.
    pub queues: Vec<QueueName>,
    /// For how long, unless a job has a visibility timeout of its own.
    pub lease: Duration,
    /// For so long after its time limit an attempt is left to its worker, which minds the time itself.
    pub overtime: Duration,
}

/// A job that was claimed.
#[derive(Debug, Clone)]
pub struct Claimed {
    /// The job.
    pub job: Job,
    /// The right to end this attempt.
    pub held: Held,
    /// When it was claimed, on this process's clock: before the call was sent.
    pub since: BootInstant,
}

/// Where jobs are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whence {
    /// Among those that this request was given before, or, if it was given none, in the queues.
    Queues,
    /// Among those that it was given before.
    Given,
}

/// What was handed out, and who was handed nothing because of which notes.
#[derive(Debug, Default)]
struct Handed {
    claimed: Vec<Claimed>,
    quiet: Vec<QuietNote>,
}

/// What one call hands out at most.
const CLAIMED_MAX: usize = 100;
/// For so long at most a claim that is repeated is given the same jobs.
const REPLAY_MS_MAX: i64 = 60_000;

impl Claim {
    /// A new request of one worker.
    #[must_use]
    pub fn new(worker: WorkerId, queues: Vec<QueueName>, count: usize, lease: Duration) -> Self {
        Self::of(vec![(worker, count)], queues, lease)
    }

    /// A new request of several workers.
    #[must_use]
    pub fn of(askers: Vec<(WorkerId, usize)>, queues: Vec<QueueName>, lease: Duration) -> Self {
        Self { request: nonce(), askers, queues, lease, overtime: Duration::ZERO }
    }

    /// The same request by a worker that minds time limits itself, and needs so long to wind an attempt up.
    #[must_use]
    pub fn minding_time(mut self, overtime: Duration) -> Self {
        self.overtime = overtime;
        self
    }
}

impl Store {
    /// Hands out jobs: those that are due are promoted first, then as many as asked for are claimed, queue after queue. Who was
    /// told to wind up, or says that it does, is handed none.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached; the same claim may then be made [again](Self::claim_again), and loses nothing.
    pub async fn claim(&self, claim: &Claim) -> Result<Vec<Claimed>, StoreError> {
        let Handed { claimed, quiet } = self.claim_once(claim).await?;
        if quiet.is_empty() {
            return Ok(claimed);
        }
        if claimed.is_empty() {
            // A request that was given nothing may be made again.
            let is_again = self.look_again(&quiet).await;
            return if is_again { Ok(self.claim_once(claim).await?.claimed) } else { Ok(claimed) };
        }
        // Those who are handed jobs do not wait for it.
        let store = self.clone();
        tokio::spawn(async move { store.look_again(&quiet).await });
        Ok(claimed)
    }

    async fn claim_once(&self, claim: &Claim) -> Result<Handed, StoreError> {
        let mut all = Handed::default();
        for (partition, queues) in self.by_partition(&claim.queues) {
            let askers = unserved(&claim.askers, &all);
            if askers.is_empty() {
                break;
            }
            let Handed { claimed, quiet } = self.claim_in(partition, &queues, &askers, claim, Whence::Queues).await?;
            all.claimed.extend(claimed);
            all.quiet.extend(quiet);
        }
        Ok(all)
    }

    /// Makes a claim again whose answer was lost: what it was given is handed out again, whichever partition gave it; if that
    /// is nothing, it is made anew.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached; the same claim may then be made again.
    pub async fn claim_again(&self, claim: &Claim) -> Result<Vec<Claimed>, StoreError> {
        let mut given = Vec::new();
        for (partition, queues) in self.by_partition(&claim.queues) {
            let askers = unserved(&claim.askers, &Handed::default());
            given.extend(self.claim_in(partition, &queues, &askers, claim, Whence::Given).await?.claimed);
        }
        if given.is_empty() { self.claim(claim).await } else { Ok(given) }
    }

    async fn claim_in(
        &self,
        partition: Partition,
        queues: &[&QueueName],
        askers: &[(&WorkerId, usize)],
        claim: &Claim,
        whence: Whence,
    ) -> Result<Handed, StoreError> {
        let keys = self.key(partition);
        let mut names = vec![
            keys.due(),
            keys.leases(),
            keys.timeouts(),
            keys.claim(&claim.request),
            keys.ended("discarded"),
            keys.quiet(),
        ];
        let lease_ms = i64::try_from(claim.lease.as_millis()).unwrap_or(i64::MAX);
        let mut args: Vec<Arg<'_>> = vec![
            claim.request.as_str().into(),
            lease_ms.into(),
            // Leases of half an hour would keep millions of these keys. What is made again later than this is made anew, and
            // what it was given before waits for the end of its leases.
            lease_ms.min(REPLAY_MS_MAX).into(),
            i64::try_from(claim.overtime.as_millis()).unwrap_or(i64::MAX).into(),
            if whence == Whence::Given { "1" } else { "" }.into(),
            integer(askers.len()).into(),
        ];
        for (worker, wanted) in askers {
            args.extend([worker.as_str().into(), integer(*wanted).into()]);
        }
        for queue in queues {
            names.extend([keys.ready(queue), keys.queue(queue), keys.bell(queue), keys.rate(queue)]);
            args.push(queue.as_str().into());
        }
        let since = BootInstant::now();
        let reply = self.run(&script::claim, &keys, names, args).await?;
        self.heard(&reply, 1, since)?;
        let quiet = QuietNote::read(partition, &reply.read(2)?);
        let (mut items, mut claimed) = (reply.items(3), Vec::new());
        while !items.is_empty() {
            let text = items.text()?;
            let item = JobItem::read("claim", &text)?;
            let id: JobId = item.word.parse().map_err(|_| StoreError::corrupt("claim", item.word))?;
            let job = item.job(&keys, id, &mut items)?;
            let lease = job.record.lease.clone().ok_or_else(|| StoreError::corrupt(keys.job(id), "it has no lease"))?;
            let held = Held { id, lease, partition };
            claimed.push(Claimed { job, held, since });
        }
        Ok(Handed { claimed, quiet })
    }

    /// The queues by partition, each once; partitions in the order in which they first appear.
    pub(super) fn by_partition<'a>(&self, queues: &'a [QueueName]) -> Vec<(Partition, Vec<&'a QueueName>)> {
        let mut groups: Vec<(Partition, Vec<&QueueName>)> = Vec::new();
        for queue in queues {
            let partition = self.keys().partition_of(queue);
            match groups.iter_mut().find(|(other, _)| *other == partition) {
                // A queue that is named twice is asked once: its jobs would be handed out twice.
                Some((_, group)) if group.contains(&queue) => {}
                Some((_, group)) => group.push(queue),
                None => groups.push((partition, vec![queue])),
            }
        }
        groups
    }
}

/// Who wants how many yet, at most as many in all as one call hands out. Who is quiet wants none.
fn unserved<'a>(askers: &'a [(WorkerId, usize)], handed: &Handed) -> Vec<(&'a WorkerId, usize)> {
    let Handed { claimed, quiet } = handed;
    let mut left: Vec<(&WorkerId, usize)> = askers.iter().map(|(worker, wanted)| (worker, *wanted)).collect();
    for claimed in claimed {
        let worker = claimed.job.record.worker.as_deref();
        let served = |(asker, wanted): &&mut (&WorkerId, usize)| *wanted > 0 && worker == Some(asker.as_str());
        if let Some((_, wanted)) = left.iter_mut().find(served) {
            *wanted -= 1;
        }
    }
    left.retain(|(asker, _)| quiet.iter().all(|note| note.worker != **asker));
    let mut room = CLAIMED_MAX;
    for (_, wanted) in &mut left {
        *wanted = (*wanted).min(room);
        room -= *wanted;
    }
    left.retain(|(_, wanted)| *wanted > 0);
    left
}

fn integer(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
