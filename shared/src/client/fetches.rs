//! Jobs handed out to workers that speak OJS rather than Rust.
//!
//! What is asked for at the same time, by one worker on several connections or by several workers, is one claim, if it is asked
//! of the same queues: each job has a lease of its own, and a worker does not care by which call it came. The shares are cut
//! here, first come, first served. A share whose caller has gone is given back at once, and its attempt does not count.

use std::time::Duration;

use futures::future::join_all;

use super::lane::{Asked, Lane};
use super::{Client, ClientError};
use crate::job::{Failure, Job, Verdict};
use crate::name::{QueueName, WorkerId};
use crate::store::{AttemptEnd, Claim, Claimed, Ending, Held, Store, StoreError};

/// A request for jobs.
#[derive(Debug, Clone)]
pub struct Fetch {
    /// From which queues, in this order.
    pub queues: Vec<QueueName>,
    /// How many at most.
    pub count: usize,
    /// Who asks, if it says so.
    pub worker: Option<WorkerId>,
    /// For how long, unless a job has a wish of its own.
    pub visibility: Option<Duration>,
}

/// The worker of a claim that did not say who asked; the scripts know it by the same word.
pub(super) const ANONYMOUS: &str = "anonymous";
/// How long a lease lasts when nobody has a wish (OJS core: 30 minutes).
const VISIBILITY_DEFAULT: Duration = Duration::from_secs(1800);
/// At most so many jobs are handed out at once.
const FETCH_MAX: usize = 100;

/// Fetches on their way that ask one partition first.
pub(super) type Fetches = Lane<Fetch, Fetched, 1>;

type Waiting = Asked<Fetch, Fetched>;

/// What a caller is told.
#[derive(Debug)]
pub(super) enum Fetched {
    Answered(Result<Vec<Claimed>, ClientError>),
    /// The call that was made for several failed: the caller is to ask for itself.
    Alone,
}

impl Client {
    /// Hands out jobs, and none to a worker that was told to wind up, or says that it does.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached.
    pub async fn fetch(&self, fetch: Fetch) -> Result<Vec<Job>, ClientError> {
        let fetch = Fetch { count: fetch.count.min(FETCH_MAX), ..fetch };
        let client = self.clone();
        let first = fetch.queues.first().map_or(0, |queue| self.store.keys().partition_of(queue).0);
        let fetches = &self.fetches[usize::from(first)];
        let fetched = fetches.ask(fetch.clone(), move |asked| send(client.clone(), asked)).await;
        let claimed = match fetched {
            Some(Fetched::Answered(claimed)) => claimed?,
            Some(Fetched::Alone) | None => self.claimed(&fetch, vec![fetch.asker()?]).await?,
        };
        Ok(claimed.into_iter().map(|claimed| claimed.job).collect())
    }

    /// Claims for those who ask alike, each for so many.
    async fn claimed(&self, alike: &Fetch, askers: Vec<(WorkerId, usize)>) -> Result<Vec<Claimed>, ClientError> {
        let claim = Claim::of(askers, alike.queues.clone(), alike.lease());
        let claimed = match self.store.claim(&claim).await {
            Ok(claimed) => claimed,
            // Some partitions may have given before another failed.
            Err(_) => self.store.claim_again(&claim).await?,
        };
        let (broken, sound): (Vec<_>, Vec<_>) =
            claimed.into_iter().partition(|claimed| claimed.job.envelope.is_empty());
        let ends: Vec<AttemptEnd> = broken.into_iter().map(|claimed| unreadable(claimed.held)).collect();
        if let Err(error) = self.store.end(&ends).await {
            tracing::warn!(error = %error, jobs = ends.len(), "jobs that cannot be read were not ended: their leases will be");
        }
        Ok(sound)
    }
}

impl Fetch {
    /// Whether one claim can be made for this and another.
    fn is_like(&self, other: &Self) -> bool {
        (&self.queues, self.lease()) == (&other.queues, other.lease())
    }

    fn lease(&self) -> Duration {
        self.visibility.unwrap_or(VISIBILITY_DEFAULT)
    }

    /// Who asks for how many.
    fn asker(&self) -> Result<(WorkerId, usize), StoreError> {
        let nobody = || ANONYMOUS.parse().map_err(|_| StoreError::corrupt("worker", "the name of nobody"));
        Ok((self.worker.clone().map_or_else(nobody, Ok)?, self.count))
    }
}

/// Claims for all that was asked, alike by alike.
async fn send(client: Client, mut asked: Vec<Waiting>) {
    asked.retain(|one| !one.is_given_up());
    let mut claims: Vec<Vec<Waiting>> = Vec::new();
    for one in asked {
        match claims.iter_mut().find(|claim| has_room(claim, &one.what)) {
            Some(claim) => claim.push(one),
            None => claims.push(vec![one]),
        }
    }
    join_all(claims.into_iter().map(|claim| together(&client, claim))).await;
}

fn has_room(claim: &[Waiting], fetch: &Fetch) -> bool {
    let wanted: usize = claim.iter().map(|one| one.what.count).sum();
    claim.first().is_some_and(|first| first.what.is_like(fetch)) && wanted + fetch.count <= FETCH_MAX
}

/// One claim, and its shares.
async fn together(client: &Client, claim: Vec<Waiting>) {
    let Some(first) = claim.first() else { return };
    let askers: Result<Vec<_>, _> = claim.iter().map(|one| one.what.asker()).collect();
    let claimed = match askers {
        Ok(askers) => client.claimed(&first.what, askers).await,
        Err(error) => Err(error.into()),
    };
    let mut left = match claimed {
        Ok(claimed) => claimed,
        Err(error) => return failed(claim, error),
    };
    let mut unseen = Vec::new();
    for one in claim {
        let share = share(&mut left, &one.what);
        // The jobs of a caller that has gone come back.
        if let Err(Fetched::Answered(Ok(share))) = one.answer(Fetched::Answered(Ok(share))) {
            unseen.extend(share);
        }
    }
    unseen.extend(left);
    give_back(&client.store, unseen).await;
}

/// The jobs that were claimed for whoever asks here, as many as it wants.
fn share(left: &mut Vec<Claimed>, fetch: &Fetch) -> Vec<Claimed> {
    let worker = fetch.worker.as_ref().map_or(ANONYMOUS, WorkerId::as_str);
    let mut room = fetch.count;
    let is_its_own = |claimed: &mut Claimed| {
        let takes = room > 0 && claimed.job.record.worker.as_deref() == Some(worker);
        room -= usize::from(takes);
        takes
    };
    left.extract_if(.., is_its_own).collect()
}

fn failed(mut claim: Vec<Waiting>, error: ClientError) {
    let last = if claim.len() == 1 { claim.pop() } else { None };
    // A caller that has gone wants no answer.
    let _gone = last.map(|one| one.answer(Fetched::Answered(Err(error))));
    claim.into_iter().for_each(|one| drop(one.answer(Fetched::Alone)));
}

/// Gives back what nobody saw.
async fn give_back(store: &Store, claimed: Vec<Claimed>) {
    let failure = || Failure::new("returned", "its caller had gone when the job was to be handed out");
    let returned = |held| AttemptEnd { held, ending: Ending::Returned { delay: Duration::ZERO, failure: failure() } };
    let ends: Vec<AttemptEnd> = claimed.into_iter().map(|claimed| returned(claimed.held)).collect();
    if let Err(error) = store.end(&ends).await {
        tracing::debug!(error = %error, jobs = ends.len(), "jobs were not given back: their leases will end");
    }
}

/// A job that nobody can run, because what it says cannot be read.
fn unreadable(held: Held) -> AttemptEnd {
    let failure = Failure::new("corrupt", "the envelope of this job cannot be read");
    AttemptEnd { held, ending: Ending::Failed { failure, attempt: 1, verdict: Verdict::DeadLetter } }
}
