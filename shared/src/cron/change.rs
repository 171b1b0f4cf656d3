//! What a registration, a switch or a pause makes of an entry: decided here from what was read, carried out by the store.

use super::definition::Definition;
use super::error::ScheduleError;
use super::pause::Pause;
use super::timetable::Timetable;
use crate::clock::Timestamp;

/// Where an entry stands between two decisions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Tells this entry from another of the same name.
    pub uid: String,
    /// Whether it fires.
    pub enabled: bool,
    /// Its last pause, over or not.
    pub pause: Option<Pause>,
    /// The next instant to decide on.
    pub mark: Option<Timestamp>,
    /// Where `@every` counts from.
    pub anchor: Timestamp,
    /// How many jobs its schedule has made.
    pub scheduled_runs: u64,
}

/// What a change makes of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Where it stands then.
    pub standing: Standing,
    /// When its mark is to be decided on.
    pub look_at: Option<Timestamp>,
    /// The instants that had come, were not decided on, and will not be.
    pub given_up: Option<GivenUp>,
}

/// Instants that had come when the entry was changed under them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GivenUp {
    /// Why they will not fire: `changed`, or `paused`.
    pub reason: &'static str,
    /// The first of them.
    pub scheduled: Timestamp,
    /// How many they are.
    pub instants: u64,
}

/// Decides what becomes of an entry that is to be as `wanted` says, with this pause. `before` is what it was; `uid` names it
/// if it is new.
///
/// An unchanged schedule keeps its mark, whether that has come or not: an instant that nobody decided on yet would be lost
/// otherwise. A new one begins now. The anchor of `@every` stays for as long as the interval does.
///
/// # Errors
///
/// When the expression is not valid in its dialect.
pub fn change(
    before: Option<(&Definition, &Standing)>,
    wanted: &Definition,
    pause: Option<Pause>,
    uid: &str,
    now: Timestamp,
) -> Result<Change, ScheduleError> {
    let uid = before.map_or(uid, |(_, standing)| &standing.uid).to_owned();
    let scheduled_runs = before.map_or(0, |(_, standing)| standing.scheduled_runs);
    let enabled = wanted.enabled.unwrap_or_else(|| before.is_none_or(|(_, standing)| standing.enabled));
    let same_interval =
        before.filter(|(old, _)| (&old.expression, old.dialect) == (&wanted.expression, wanted.dialect));
    let anchor = same_interval.map_or(now, |(_, standing)| standing.anchor);
    let timetable = wanted.timetable(anchor, &uid)?;
    let kept = before.filter(|(old, standing)| {
        let had_ended = old.bounds.are_reached(standing.scheduled_runs);
        old.names_the_same_instants(wanted) && standing.enabled == enabled && !had_ended
    });
    let mark = match kept {
        _ if wanted.bounds.are_reached(scheduled_runs) => None,
        Some((_, standing)) => standing.mark,
        None => timetable.next_mark(now),
    };
    let given_up = match before {
        Some((old, standing)) if standing.enabled && mark != standing.mark => given_up(old, standing, now)?,
        _ => None,
    };
    let look_at = mark.map(|mark| timetable.decided_at(mark));
    Ok(Change { standing: Standing { uid, enabled, pause, mark, anchor, scheduled_runs }, look_at, given_up })
}

/// The instants of an entry that have come without having been decided on.
fn given_up(old: &Definition, standing: &Standing, now: Timestamp) -> Result<Option<GivenUp>, ScheduleError> {
    // An instant that has come is the entry's even while its jitter is not over.
    let Some(mark) = standing.mark.filter(|mark| *mark <= now) else { return Ok(None) };
    let timetable: Timetable = old.timetable(standing.anchor, &standing.uid)?;
    let was_paused = standing.pause.as_ref().is_some_and(|pause| pause.covers(mark));
    let instants = timetable.count(mark, now).max(1);
    Ok(Some(GivenUp { reason: if was_paused { "paused" } else { "changed" }, scheduled: mark, instants }))
}
