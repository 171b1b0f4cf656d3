//! What is answered when no time is named.

use super::*;

#[test]
fn asked_for_nothing_it_answers_on_the_last_instant_and_the_next() {
    let mut facts = facts();
    facts.rows = vec![ended(fired(NINE, NINE, A), JobState::Completed, 1, "")];
    let why = facts.answer(Asked::Last);
    assert_eq!((why.at, why.verdict), (Some(at(NINE)), Verdict::Ran));
    let next = why.next.as_deref().expect("an instant comes");
    assert_eq!((next.at, next.verdict), (Some(at("2026-11-22T09:00:00Z")), Verdict::WillRun));
    assert_eq!(why.sentences().len(), 2);
}

#[test]
fn asked_for_nothing_it_tells_all_that_stands_in_the_way_of_the_next() {
    let mut facts = facts();
    facts.leaderships.0.clear();
    facts.workers.clear();
    entry(&mut facts).live = vec![id(A)];
    let why = facts.answer(Asked::Last);
    let said: Vec<_> =
        why.next.as_deref().expect("an instant comes").obstacles.iter().map(|o| o.reason.as_str()).collect();
    assert_eq!(said, ["no_leader", "no_worker", "live_run"]);
    assert_eq!(why.sentences().len(), 5, "{:?}", why.sentences());
}

#[test]
fn an_entry_that_has_not_been_due_is_answered_for_its_first_instant() {
    let mut facts = facts();
    entry(&mut facts).created_at = at("2026-11-21T09:30:00Z");
    let why = facts.answer(Asked::Last);
    assert_eq!((why.at, why.verdict), (Some(at("2026-11-22T09:00:00Z")), Verdict::WillRun));
}

#[test]
fn the_runs_that_an_answer_needs_are_named_before() {
    let mut facts = facts();
    facts.rows = vec![skipped(NINE, "overlap_skip", Some(B)), fired("2026-11-20T09:00:00Z", "2026-11-20T09:00:00Z", A)];
    assert_eq!(facts.runs_concerned(Asked::Last), [id(B)]);
    assert_eq!(facts.runs_concerned(Asked::At(at("2026-11-20T09:00:00Z").into())), [id(A)]);
    assert!(facts.runs_concerned(Asked::Next).is_empty());
}
