//! Who leads.
//!
//! One scheduler of a deployment leads: it holds the lock, renews it, and carries out the duties. The others stand by.
//!
//! - *Authority* is the fence, not the lock: a leader seals every partition with its token before its first duty, and a
//!   partition refuses every other token. A leader that was stopped and woken again can therefore do nothing.
//! - *Trust*: a leader believes in itself until the start of its last successful renewal plus 0.7 ttl, by a clock that runs
//!   through suspend. Past that it stops by itself. This saves work; it is not what makes leading safe.
//! - *Progress*: it renews only while its duties get on. One that is stuck must not keep the others from leading.
//! - *Death*: a standby that sees the same token and the same beat for two ttls on its own clock takes over, even when
//!   Redis's clock was set back and the lock would live for hours.
//! - *Hand-over*: on shutdown the lock is released at once, and a bell wakes one standby.

use std::sync::Arc;
use std::time::Duration;

use carillon_shared::clock::BootInstant;
use carillon_shared::store::{Acquired, Bell, LeaderSeen, LeaderToken, Sealed, Store, StoreError};
use carillon_shared::telemetry::{chain, metric};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

use crate::duty::{ClockHold, DutySettings, Term};

/// What takes part in the election, and leads when it is elected.
#[derive(Debug)]
pub struct Candidate {
    store: Store,
    instance: String,
    ttl: Duration,
    duties: DutySettings,
    grace: Duration,
    hold: Arc<ClockHold>,
}

/// Between two elections of a leader that could not seal.
const SEAL_PAUSE: Duration = Duration::from_secs(1);

/// The last look at somebody else's leadership.
struct Sight {
    seen: LeaderSeen,
    since: BootInstant,
}

impl Candidate {
    /// A candidate of this name, which others see while it leads.
    #[must_use]
    pub fn new(store: Store, instance: String, ttl: Duration, duties: DutySettings, grace: Duration) -> Self {
        let hold = Arc::new(ClockHold::new(store.clone()));
        Self { store, instance, ttl, duties, grace, hold }
    }

    /// Stands for election again and again until `stop`; a leadership that is held then is handed over.
    pub async fn run(self, stop: CancellationToken) {
        metrics::gauge!(metric::LEADER).set(0.0);
        let (mut sight, mut bell) = (None, None);
        while !stop.is_cancelled() {
            match self.stand(&mut sight).await {
                Ok(Some((token, since))) => {
                    sight = None;
                    self.lead(token, since, &stop).await;
                }
                Ok(None) => self.stand_by(&mut bell, &stop).await,
                Err(error) => {
                    warn!(error = chain(&error), "cannot stand for election");
                    pause(&stop, Duration::from_secs(1)).await;
                }
            }
        }
    }

    /// One candidacy. A leader whose beat has not moved for two ttls is taken for dead.
    async fn stand(&self, sight: &mut Option<Sight>) -> Result<Option<(LeaderToken, BootInstant)>, StoreError> {
        let dead = sight.as_ref().filter(|sight| sight.since.elapsed() > self.ttl * 2).map(|sight| &sight.seen);
        let since = BootInstant::now();
        match self.store.acquire_leadership(&self.instance, self.ttl, dead).await? {
            Acquired::Leads(token) => Ok(Some((token, since))),
            Acquired::Held { seen, .. } => {
                if sight.as_ref().is_none_or(|sight| sight.seen != seen) {
                    *sight = Some(Sight { seen, since });
                }
                Ok(None)
            }
        }
    }

    /// Waits until the leader steps down, or until it is time to look again.
    async fn stand_by(&self, bell: &mut Option<Bell>, stop: &CancellationToken) {
        if let Err(error) = self.hold.reconsider().await {
            debug!(error = %error, "cannot ask whether the clock was accepted");
        }
        let longest = self.ttl.div_f64(5.0).min(Duration::from_secs(1));
        tokio::select! {
            () = stop.cancelled() => {}
            woken = self.hear(bell, longest) => if woken.is_err() { pause(stop, longest).await },
        }
    }

    async fn hear(&self, bell: &mut Option<Bell>, longest: Duration) -> Result<(), StoreError> {
        let mut heard = match bell.take() {
            Some(bell) => bell,
            None => self.store.leader_bell(longest).await?,
        };
        heard.wait().await?;
        *bell = Some(heard);
        Ok(())
    }

    async fn lead(&self, token: LeaderToken, since: BootInstant, stop: &CancellationToken) {
        match self.seal(&token).await {
            Ok(true) => {}
            Ok(false) => {
                // Redis came back with less than it had: our epoch must grow past what a partition remembers.
                warn!(leader.token = %token, "elected, but a later leader was here: standing again");
                self.release(&token).await;
                match self.store.raise_epoch().await {
                    Ok(true) => return,
                    // What the partition remembers is not to be outdone, or somebody else is doing it.
                    Ok(false) | Err(_) => return pause(stop, SEAL_PAUSE).await,
                }
            }
            Err(error) => {
                warn!(error = chain(&error), "elected, but cannot seal the partitions: standing again");
                self.release(&token).await;
                return pause(stop, SEAL_PAUSE).await;
            }
        }
        info!(leader.token = %token, "leading");
        metrics::gauge!(metric::LEADER).set(1.0);
        metrics::counter!(metric::LEADERSHIP_CHANGES_TOTAL).increment(1);
        let term = Arc::new(Term::new(token.clone(), since, self.ttl));
        let ended = CancellationToken::new();
        let duties = crate::duty::start(&self.store, &term, &self.duties, &self.hold, &ended);
        let reason = self.keep(&term, stop).await;
        ended.cancel();
        duties.end(self.grace).await;
        self.release(&token).await;
        metrics::gauge!(metric::LEADER).set(0.0);
        metrics::counter!(metric::LEADERSHIP_CHANGES_TOTAL).increment(1);
        info!(leader.token = %token, reason, "not leading any more");
    }

    async fn seal(&self, token: &LeaderToken) -> Result<bool, StoreError> {
        // If Redis was emptied, so was what says what is written there.
        self.store.settle().await?;
        for partition in self.store.partitions() {
            if self.store.seal(partition, token).await? == Sealed::Fenced {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Renews until there is a reason not to, and says which.
    async fn keep(&self, term: &Term, stop: &CancellationToken) -> &'static str {
        let mut wait = self.ttl / 3;
        loop {
            tokio::select! {
                () = stop.cancelled() => return "this scheduler stops",
                () = term.deposed() => return "a partition does not know this leader any more",
                () = sleep(wait) => {}
            }
            if term.progress_age() > self.ttl * 2 {
                error!("the duties have not got on for two leader ttls: giving the leadership up");
                return "its duties are stuck";
            }
            let sent = BootInstant::now();
            wait = match self.store.renew_leadership(&term.token, self.ttl).await {
                Ok(true) => {
                    term.renewed(sent);
                    self.ttl / 3
                }
                Ok(false) => return "the lock is not ours any more",
                // Perhaps it was renewed, perhaps not: ask again, soon.
                Err(error) if term.is_trusted() => {
                    warn!(error = chain(&error), "cannot renew the leadership");
                    self.ttl / 20
                }
                Err(_) => return "the lock could not be renewed in time",
            };
        }
    }

    async fn release(&self, token: &LeaderToken) {
        if let Err(error) = self.store.release_leadership(token).await {
            warn!(error = chain(&error), "cannot release the leadership: it ends by itself");
        }
    }
}

async fn pause(stop: &CancellationToken, length: Duration) {
    tokio::select! {
        () = stop.cancelled() => {}
        () = sleep(length) => {}
    }
}
