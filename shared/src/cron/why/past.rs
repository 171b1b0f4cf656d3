//! The verdict on an instant that has come.

use std::time::Duration;

use serde_json::json;

use super::super::{EntryChange, LedgerDecision, LedgerRow, Pause};
use super::cover::Covered;
use super::queued::nobody_leads;
use super::run::standing;
use super::words::{Wall, count, span};
use super::{AskedTime, EntryFacts, Facts, Reason, Verdict, Why};
use crate::clock::Timestamp;
use crate::id::JobId;

/// A decision that comes later than this was late.
const LATE_FROM: Duration = Duration::from_secs(1);
/// A leader that has not decided after so long should have.
const DECIDED_WITHIN: Duration = Duration::from_secs(5);

/// The verdict on an instant that the ledger has a row for.
pub(super) fn recorded(facts: &Facts, time: AskedTime, covered: Covered<'_>, wall: Wall) -> Why {
    let row = covered.row();
    let mut why = match &row.decision {
        LedgerDecision::Fired(id) => fired(facts, time, covered, *id, wall),
        LedgerDecision::Skipped { reason, active } => skipped(facts, time, covered, (reason, *active), wall),
    };
    why.tell("row", row.to_json());
    why
}

fn fired(facts: &Facts, time: AskedTime, covered: Covered<'_>, id: JobId, wall: Wall) -> Why {
    let (row, run) = (covered.row(), standing(facts, covered.row(), id, wall));
    let (whole, decided) = (wall.whole(time.at), wall.time(row.decided_at));
    let others = row.instants.saturating_sub(1);
    let jitter = facts.entry.as_ref().map_or(Duration::ZERO, |entry| entry.jitter);
    let is_late = row.decided_at.since(row.scheduled_at) >= LATE_FROM + jitter;
    let vacancy = facts.leaderships.vacancy_between(row.scheduled_at, row.decided_at);
    let gap = match vacancy.filter(|_| is_late) {
        Some(gap) => {
            let to = gap.to.map_or_else(|| "then".to_owned(), |to| wall.time(to));
            format!(", because no scheduler led between {} and {to}", wall.time(gap.from))
        }
        None => String::new(),
    };
    let late = span(row.decided_at.since(row.scheduled_at));
    let how = match (covered, row.kind.as_str()) {
        (_, "manual") => format!("{} was run by hand at {decided}", facts.name),
        (_, "backfill") => format!("{whole} was backfilled at {decided}"),
        (Covered::Among(_), _) => {
            let since = wall.time(row.scheduled_at);
            let instants = count(row.instants as usize, "instant", "instants");
            format!("{whole} was missed{gap}; one catch-up for {instants} since {since} was fired at {decided}")
        }
        (Covered::Itself(_), _) if others > 0 => {
            let more =
                if others == 1 { "the next instant".to_owned() } else { format!("the {others} instants after it") };
            format!("{whole} was fired {late} late{gap}, and stands for {more} too")
        }
        _ if is_late => format!("{whole} was fired {late} late{gap}"),
        _ => format!("{whole} was fired on time ({late} after the instant)"),
    };
    let among = matches!(covered, Covered::Among(_));
    let verdict = if among { Verdict::CaughtUp } else { run.verdict };
    let mut why = Why::new(verdict, run.reason, format!("{how}: {}.", run.clause));
    if let Some(gap) = vacancy.filter(|_| !gap.is_empty()) {
        why.tell("vacancy", json!(gap));
    }
    why
}

fn skipped(
    facts: &Facts,
    time: AskedTime,
    covered: Covered<'_>,
    (reason, active): (&str, Option<JobId>),
    wall: Wall,
) -> Why {
    let row = covered.row();
    let whole = time.missing.map_or_else(|| wall.whole(time.at), |local| wall.whole_local(local));
    let because = match reason {
        "overlap_skip" => overlap(facts, active, row, wall),
        "disabled" => match facts.last_change(EntryChange::Disabled, time.at) {
            Some(since) => format!("the entry was disabled since {}", wall.time(since)),
            None => "the entry was disabled".to_owned(),
        },
        "paused" => {
            let kept = row.because.clone().and_then(|pause| serde_json::from_value(pause).ok());
            let pause: Option<Pause> = kept.or_else(|| facts.entry.as_ref()?.pause_at(time.at).cloned());
            format!("the entry was {}", pause.map_or_else(|| "paused".to_owned(), |pause| paused(&pause, wall)))
        }
        "dst_skip" => format!("this local time does not exist: clocks in {} went forward over it", facts.zone()),
        "backlog_full" => "as many runs of the entry waited already as may".to_owned(),
        "misfire_skip" | "misfire_deadline" => {
            let late = span(row.decided_at.since(row.scheduled_at));
            format!("it was decided on {late} late, and the entry has no late instant made up for (`{reason}`)")
        }
        "changed" => {
            let decided = wall.time(row.decided_at);
            format!("the entry was changed at {decided}, before anybody had decided on it")
        }
        other => format!("of `{other}`, decided {} after it", span(row.decided_at.since(row.scheduled_at))),
    };
    let among = match covered {
        Covered::Among(row) if row.instants > 1 => {
            let since = wall.time(row.scheduled_at);
            format!(", with {} since {since},", count(row.instants as usize, "instant", "instants"))
        }
        _ => String::new(),
    };
    let reason = Reason::Skip(reason.to_owned());
    Why::new(Verdict::Skipped, Some(reason), format!("{whole} was skipped{among} because {because}."))
}

/// A pause as a clause without its verb.
pub(super) fn paused(pause: &Pause, wall: Wall) -> String {
    let by = pause.by.as_deref().map(|by| format!(" by {by}")).unwrap_or_default();
    let until = pause.until.map(|until| format!(" until {}", wall.time(until))).unwrap_or_default();
    let note = pause.note.as_deref().map(|note| format!(" with the note \"{note}\"")).unwrap_or_default();
    format!("paused from {}{until}{by}{note}", wall.time(pause.since))
}

fn overlap(facts: &Facts, active: Option<JobId>, row: &LedgerRow, wall: Wall) -> String {
    let Some(id) = active else { return "a run was still live, and the entry's policy is `skip`".to_owned() };
    let previous = facts.row_of(id);
    let of = previous.map(|row| format!(" of {}", wall.time(row.scheduled_at))).unwrap_or_default();
    let now = match previous.map(|previous| (previous, &previous.end)) {
        Some((_, Some(end))) if end.ended_at >= row.decided_at => format!(" (it ended at {})", wall.time(end.ended_at)),
        Some((previous, None)) => format!(" ({})", standing(facts, previous, id, wall).clause),
        _ => String::new(),
    };
    format!("the previous run {id}{of} was still live{now}, and the entry's policy is `skip`")
}

/// The verdict on an instant that has come and that no row tells of.
pub(super) fn unrecorded(facts: &Facts, time: AskedTime, wall: Wall) -> Why {
    let (at, whole) = (time.at, wall.whole(time.at));
    let Some(entry) = &facts.entry else { return removed(facts, time, wall) };
    if at < entry.created_at {
        let created = wall.time(entry.created_at);
        let sentence = format!("{whole} was before the entry was registered, at {created}.");
        return Why::new(Verdict::NotRegistered, None, sentence);
    }
    if let Some(local) = time.missing {
        return super::future::missing(facts, local, wall);
    }
    if !entry.is_due_at(at) {
        return not_scheduled(entry, time, wall);
    }
    if let Some(pause) = entry.pause_at(at) {
        let sentence = format!("{whole} is skipped because the entry was {} then.", paused(pause, wall));
        return Why::new(Verdict::Skipped, Some(Reason::Skip("paused".to_owned())), sentence);
    }
    if entry.next_mark.is_some_and(|mark| mark <= at) {
        return undecided(facts, entry, at, wall);
    }
    let oldest = facts.rows.last().map(|row| row.decided_at);
    if at < facts.kept_since || (facts.is_cut && oldest.is_none_or(|oldest| at < oldest)) {
        let sentence = match oldest {
            Some(oldest) => {
                format!("What was decided on {whole} is not kept any more: the ledger begins at {}.", wall.time(oldest))
            }
            None => format!("What was decided on {whole} is not kept any more."),
        };
        return Why::new(Verdict::NotKept, None, sentence);
    }
    if entry.updated_at > at {
        let changed = wall.time(entry.updated_at);
        let sentence = format!(
            "{whole} is an instant of the schedule as it is since {changed}, when the entry was changed; nothing was \
             decided on it before."
        );
        return Why::new(Verdict::Changed, None, sentence);
    }
    let sentence = format!(
        "{whole} is an instant of the schedule and has passed, but the ledger has no row for it: Redis may have lost what it \
         had acknowledged."
    );
    Why::new(Verdict::Unexplained, None, sentence)
}

fn removed(facts: &Facts, time: AskedTime, wall: Wall) -> Why {
    let gone = facts.last_change(EntryChange::Removed, facts.now);
    let sentence = match gone {
        Some(gone) if time.at > gone => format!("{} was removed at {}, before that.", facts.name, wall.time(gone)),
        Some(gone) => {
            let gone = wall.time(gone);
            format!("Nothing is kept of {} for {}; the entry was removed at {gone}.", facts.name, wall.whole(time.at))
        }
        None => format!("{} was removed, and nothing is kept of it for {}.", facts.name, wall.whole(time.at)),
    };
    Why::new(Verdict::Removed, None, sentence)
}

/// The verdict on a time that the schedule does not name.
pub(super) fn not_scheduled(entry: &EntryFacts, time: AskedTime, wall: Wall) -> Why {
    let schedule = &entry.schedule;
    if schedule.is_due_at(time.at) {
        let told = |at: Option<Timestamp>, word: &str| at.map(|at| format!(" {word} at {}", wall.time(at)));
        let bounds = [told(entry.bounds.starts_at, "starts"), told(entry.bounds.ends_at, "ends")];
        let bounds = bounds.into_iter().flatten().collect::<Vec<_>>().join(" and");
        let sentence = format!("{} is outside the bounds of the entry, which{bounds}.", wall.whole(time.at));
        return Why::new(Verdict::NotScheduled, Some(Reason::OutOfBounds), sentence);
    }
    let previous = schedule.occurrences_before(time.at).find(|occurrence| occurrence.is_fire()).map(|fire| fire.at());
    let next = schedule.next_fire_after(time.at);
    let nearest = match (previous, next) {
        (Some(previous), Some(next)) => {
            format!("the instants nearest to it are {} and {}", wall.time(previous), wall.time(next))
        }
        (Some(one), None) | (None, Some(one)) => format!("the instant nearest to it is {}", wall.time(one)),
        (None, None) => "it has no instants at all".to_owned(),
    };
    let since = if entry.updated_at > time.at && entry.updated_at != entry.created_at {
        format!(" The entry was last changed after that, at {}.", wall.time(entry.updated_at))
    } else {
        String::new()
    };
    let whole = wall.whole(time.at);
    let expression = schedule.expression();
    let sentence = format!("{whole} is not an instant of the schedule `{expression}`: {nearest}.{since}");
    let mut why = Why::new(Verdict::NotScheduled, None, sentence);
    why.tell("nearest", json!({"previous": previous, "next": next}));
    why
}

fn undecided(facts: &Facts, entry: &EntryFacts, at: Timestamp, wall: Wall) -> Why {
    let whole = wall.whole(at);
    let age = facts.now.since(at);
    if let Some(held) = nobody_leads(facts, wall) {
        let once = "as soon as one does, one catch-up is fired";
        let once = if entry.enabled { once } else { "and the entry is disabled" };
        let sentence = format!("{whole} has come, but nobody has decided on it, because {}; {once}.", held.clause);
        return Why::new(Verdict::Undecided, Some(held.reason), sentence);
    }
    let leader = facts.leaderships.leader().map(|term| term.instance.as_str()).unwrap_or_default();
    if age < DECIDED_WITHIN + entry.jitter {
        let sentence = format!("{whole} came {} ago, and is about to be decided on by `{leader}`.", span(age));
        return Why::new(Verdict::Undecided, Some(Reason::JustNow), sentence);
    }
    let sentence = format!(
        "{whole} came {} ago, and `{leader}`, which leads, has not decided on it: its log says why.",
        span(age)
    );
    Why::new(Verdict::Undecided, Some(Reason::LeaderLate), sentence)
}
