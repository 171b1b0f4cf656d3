//! The verdict on an instant that has not come.

use chrono::NaiveDateTime;

use super::super::{EntryChange, OverlapPolicy};
use super::past::{not_scheduled, paused};
use super::queued::{Held, held_up, nobody_leads, takers};
use super::words::{Wall, count, span};
use super::{AskedTime, EntryFacts, Facts, Reason, Verdict, Why};

/// The verdict on a time that has not come.
pub(super) fn coming(facts: &Facts, time: AskedTime, wall: Wall) -> Why {
    let Some(entry) = &facts.entry else {
        let sentence = format!("{} will not run: it was removed.", facts.name);
        return Why::new(Verdict::Removed, None, sentence);
    };
    if let Some(local) = time.missing {
        return missing(facts, local, wall);
    }
    if !entry.is_due_at(time.at) {
        return not_scheduled(entry, time, wall);
    }
    let whole = wall.whole(time.at);
    if !entry.enabled {
        let since = facts.last_change(EntryChange::Disabled, facts.now);
        let since = since.map(|since| format!(" since {}", wall.time(since))).unwrap_or_default();
        let sentence = format!("{whole} will not run, because the entry is disabled{since}.");
        return Why::new(Verdict::WillNotRun, Some(Reason::Disabled), sentence);
    }
    if let Some(pause) = entry.pause_at(time.at) {
        let sentence = format!("{whole} will not run, because the entry is {}.", paused(pause, wall));
        return Why::new(Verdict::WillNotRun, Some(Reason::Paused), sentence);
    }
    if entry.next_mark.is_none() {
        let sentence = format!("{whole} will not run: the entry has no further instant.");
        return Why::new(Verdict::WillNotRun, Some(Reason::Ended), sentence);
    }
    let ahead = span(time.at.since(facts.now));
    if !obstacles(facts, entry, wall).is_empty() {
        return Why::new(Verdict::WillRun, None, format!("{whole} comes in {ahead}."));
    }
    let takers = count(takers(facts, &entry.job_type), "worker takes", "workers take");
    let (job_type, queue) = (&entry.job_type, &facts.queue.name);
    let sentence =
        format!("{whole} will run, in {ahead}: a scheduler leads, and {takers} `{job_type}` from the queue `{queue}`.");
    Why::new(Verdict::WillRun, None, sentence)
}

/// The verdict on a local time that does not exist.
pub(super) fn missing(facts: &Facts, local: NaiveDateTime, wall: Wall) -> Why {
    let (whole, zone) = (wall.whole_local(local), facts.zone());
    let sentence = format!("{whole} does not exist: clocks in {zone} go forward over it, and a schedule skips it.");
    let verdict = if facts.zone().local(facts.now) > local { Verdict::Skipped } else { Verdict::WillNotRun };
    Why::new(verdict, Some(Reason::DstSkip), sentence)
}

/// What would keep the next instant from running, as things are now.
pub(super) fn obstacles(facts: &Facts, entry: &EntryFacts, wall: Wall) -> Vec<Held> {
    let mut found = Vec::new();
    if !entry.enabled {
        found.push(Held { reason: Reason::Disabled, clause: "the entry is disabled".to_owned() });
    }
    if let Some(pause) = entry.pause_at(facts.now) {
        found.push(Held { reason: Reason::Paused, clause: format!("the entry is {}", paused(pause, wall)) });
    }
    found.extend(nobody_leads(facts, wall));
    found.extend(held_up(facts, &entry.job_type, wall).filter(|held| !is_passing(&held.reason)));
    if let Some(id) = entry.live.first().filter(|_| entry.overlap_policy == OverlapPolicy::Skip) {
        let clause = format!("run {id} is live, and while it is the entry's policy `skip` lets no other begin");
        found.push(Held { reason: Reason::LiveRun, clause });
    }
    found
}

/// Workers that are busy now say nothing about later.
const fn is_passing(reason: &Reason) -> bool {
    matches!(reason, Reason::AllBusy | Reason::RateLimit | Reason::ConcurrencyLimit)
}
