//! Backfilling: the instants of a past window that led to no job get one now.

use serde_json::{Map, Value};

use super::entries::TRIES_MAX;
use super::{Client, ClientError};
use crate::clock::Timestamp;
use crate::cron::Decision;
use crate::id::JobId;
use crate::job::{Fields, Refusal};
use crate::name::CronName;
use crate::store::{DecidedInstants, FireDecision, FireItem, FireResult, StoredEntry};

/// A window of the past.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackfillRequest {
    /// The first instant of it.
    pub from: Timestamp,
    /// The first instant after it.
    pub to: Timestamp,
    /// How many instants at most; the earliest come first.
    pub limit: usize,
    /// Whether anything is done.
    pub mode: BackfillMode,
}

/// Whether a backfill does anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BackfillMode {
    /// It only says what it would do.
    DryRun,
    /// It does it.
    Apply,
}

/// What a backfill makes, or would make, of one instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BackfillOutcome {
    /// A job that is available.
    Fires(JobId),
    /// A job that waits behind the live run.
    Waits(JobId),
    /// A job, for which the live runs are cancelled.
    CancelsPrevious(JobId),
    /// Nothing: a run is live, or too many wait, and the policy of the entry says so.
    Skipped(&'static str),
    /// Nothing: it has a job already.
    Already,
    /// Nothing: the schedule has yet to decide on it.
    Undecided,
    /// Nothing: the ledger does not reach so far back, so that it may have fired.
    Unknown,
}

/// The instants of a window, and what became of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backfilled {
    /// In order; no more than the limit.
    pub instants: Vec<(Timestamp, BackfillOutcome)>,
    /// Where to go on, if the window holds more of them.
    pub next_from: Option<Timestamp>,
}

const LIMIT_DEFAULT: i64 = 100;
/// The most instants of one request.
pub const BACKFILL_LIMIT_MAX: i64 = 1000;

impl BackfillRequest {
    /// Reads a request: `from` and `to`, and perhaps `limit` and `dry_run`, which is true unless said otherwise.
    ///
    /// # Errors
    ///
    /// When a member is missing or wrong, or is none of a backfill.
    pub fn read(map: &Map<String, Value>) -> Result<Self, Refusal> {
        let members = ["from", "to", "limit", "dry_run"];
        if let Some(unknown) = map.keys().find(|key| !members.contains(&key.as_str())) {
            let message = format!("a backfill has no member `{unknown}`: expected {}", members.join(", "));
            return Err(Refusal::field(unknown.clone(), message));
        }
        let fields = Fields::new(map, "");
        let at = |name: &str| fields.parsed(name)?.ok_or_else(|| fields.refuse(name, "an RFC 3339 time"));
        let (from, to): (Timestamp, Timestamp) = (at("from")?, at("to")?);
        if to <= from {
            return Err(Refusal::field("to", "to must be after from: the window is empty"));
        }
        let limit = fields.integer("limit", 1, BACKFILL_LIMIT_MAX)?.unwrap_or(LIMIT_DEFAULT);
        let mode = if fields.boolean("dry_run")? == Some(false) { BackfillMode::Apply } else { BackfillMode::DryRun };
        Ok(Self { from, to, limit: usize::try_from(limit).unwrap_or(1), mode })
    }
}

impl BackfillOutcome {
    /// The outcome as the wire writes it.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Fires(_) => "fired",
            Self::Waits(_) => "waits",
            Self::CancelsPrevious(_) => "cancelled_previous",
            Self::Skipped(reason) => reason,
            Self::Already => "already_fired",
            Self::Undecided => "undecided",
            Self::Unknown => "unknown",
        }
    }

    /// The job that it made, or would make.
    #[must_use]
    pub const fn job_id(&self) -> Option<JobId> {
        match self {
            Self::Fires(id) | Self::Waits(id) | Self::CancelsPrevious(id) => Some(*id),
            _ => None,
        }
    }
}

impl Client {
    /// Makes a job for each instant of a past window that has none, under the overlap policy of the entry, or says what that
    /// would do. The schedule does not move, and an instant that fired does not fire again.
    ///
    /// # Errors
    ///
    /// When there is no such entry, the window does not lie in the past, or Redis cannot be reached or takes no more.
    pub async fn backfill(&self, name: &CronName, request: &BackfillRequest) -> Result<Backfilled, ClientError> {
        let mut entry = self.entry(name).await?;
        if request.to > entry.read_at {
            let message = format!("to is {}, but a backfill ends in the past: it is {}", request.to, entry.read_at);
            return Err(Refusal::field("to", message).into());
        }
        let decided = self.store.decided_instants(name, entry.partition).await?;
        let (window, next_from) = window(&entry, request)?;
        let mut instants = Vec::with_capacity(window.len());
        for (i, at) in window.iter().enumerate() {
            let outcome = match known(&entry, *at, &decided) {
                Some(known) => known,
                None => self.fill(&mut entry, *at, &window[i..], &decided, request.mode).await?,
            };
            instants.push((*at, outcome));
            // What a policy keeps away now it keeps away to the end of the window, and was told with this one.
            if let BackfillOutcome::Skipped(_) = outcome {
                let rest = window[i + 1..].iter().map(|at| (*at, known(&entry, *at, &decided).unwrap_or(outcome)));
                instants.extend(rest);
                break;
            }
        }
        Ok(Backfilled { instants, next_from })
    }

    async fn fill(
        &self,
        entry: &mut StoredEntry,
        at: Timestamp,
        rest: &[Timestamp],
        decided: &DecidedInstants,
        mode: BackfillMode,
    ) -> Result<BackfillOutcome, ClientError> {
        for _ in 0..TRIES_MAX {
            let open = rest.iter().filter(|at| known(entry, **at, decided).is_none()).count();
            let instants = u64::try_from(open).unwrap_or(u64::MAX);
            let item = FireItem::backfill(entry, at, instants, entry.read_at)?;
            let outcome = outcome(&item);
            if mode == BackfillMode::DryRun {
                foresee(entry, outcome);
                return Ok(outcome);
            }
            let result = self.store.fire_asked(entry.partition, item).await?;
            let name = entry.definition.name.clone();
            *entry = self.entry(&name).await?;
            match result {
                FireResult::Applied => return Ok(outcome),
                FireResult::Already => return Ok(BackfillOutcome::Already),
                FireResult::Early => return Ok(BackfillOutcome::Undecided),
                FireResult::Gone => return Err(ClientError::NoEntry(name)),
                FireResult::Stale => {}
            }
        }
        Err(ClientError::Contended(entry.definition.name.clone()))
    }

    async fn entry(&self, name: &CronName) -> Result<StoredEntry, ClientError> {
        self.store.entry(name).await?.ok_or_else(|| ClientError::NoEntry(name.clone()))
    }
}

/// The instants of a window, and where the next of them is if they are too many.
fn window(entry: &StoredEntry, request: &BackfillRequest) -> Result<(Vec<Timestamp>, Option<Timestamp>), ClientError> {
    let timetable = entry.timetable()?;
    let before = Timestamp::from_ms(request.from.as_ms() - 1);
    let fires = std::iter::successors(timetable.next_fire_after(before), |at| timetable.next_fire_after(*at));
    let mut fires: Vec<Timestamp> = fires.take_while(|at| *at < request.to).take(request.limit + 1).collect();
    let next_from = if fires.len() > request.limit { fires.pop() } else { None };
    Ok((fires, next_from))
}

/// What is known of an instant before anything is done.
fn known(entry: &StoredEntry, at: Timestamp, decided: &DecidedInstants) -> Option<BackfillOutcome> {
    if decided.fired.contains(&at) {
        return Some(BackfillOutcome::Already);
    }
    if entry.next_mark.is_some_and(|mark| at >= mark) {
        return Some(BackfillOutcome::Undecided);
    }
    decided
        .forgotten_before
        .is_some_and(|reach| at < reach && at >= entry.created_at)
        .then_some(BackfillOutcome::Unknown)
}

fn outcome(item: &FireItem) -> BackfillOutcome {
    match &item.decision {
        FireDecision::Fire(Decision::FireBehind, run) => BackfillOutcome::Waits(run.id),
        FireDecision::Fire(Decision::CancelAndFire, run) => BackfillOutcome::CancelsPrevious(run.id),
        FireDecision::Fire(_, run) => BackfillOutcome::Fires(run.id),
        FireDecision::Skip(reason) => BackfillOutcome::Skipped(reason),
    }
}

/// What a dry run takes the entry to be after an instant that it would have filled.
fn foresee(entry: &mut StoredEntry, outcome: BackfillOutcome) {
    if let BackfillOutcome::CancelsPrevious(_) = outcome {
        entry.live.clear();
    }
    if let BackfillOutcome::Waits(_) = outcome {
        entry.waiting += 1;
    }
    entry.live.extend(outcome.job_id());
}
