//! Every verdict.

use serde_json::json;

use super::super::super::{EntryChange, LedgerNote, Pause};
use super::*;

/// One case: how it differs from the plain facts, what is asked, and verdict, reason and a part of the sentence.
type Case = (&'static str, fn(&mut Facts), &'static str, &'static str, &'static str, &'static str);

#[test]
#[rustfmt::skip]
fn every_verdict_has_its_case() {
    let cases: &[Case] = &[
        ("it ran", |f| f.rows = vec![ended(fired(NINE, "2026-11-21T09:00:00.012Z", A), JobState::Completed, 1, "[1]")],
            NINE, "ran", "", "fired on time (12 ms after the instant): job"),
        ("it ran late", |f| f.rows = vec![ended(fired(NINE, "2026-11-21T09:02:05Z", A), JobState::Completed, 2, "")],
            NINE, "ran", "", "was fired 2m 5s late: job"),
        ("it ran late, because nobody led", |f| {
            f.rows = vec![ended(fired(NINE, "2026-11-21T09:02:05Z", A), JobState::Completed, 2, "")];
            f.leaderships.0[0].since = at("2026-11-21T09:02:04Z");
            let before = Leadership { since: at("2026-11-01T00:00:00Z"), seen_at: at("2026-11-21T08:59:50Z"), leads: false,
                ..f.leaderships.0[0].clone() };
            f.leaderships.0.push(before);
        }, NINE, "ran", "", "late, because no scheduler led between 08:59:50 and 09:02:04"),
        ("it failed", |f| f.rows = vec![ended(fired(NINE, NINE, A), JobState::Discarded, 3, "boom: no luck")],
            NINE, "failed", "", "given up at 09:00:03 after 3 attempts: boom: no luck"),
        ("it expired", |f| f.rows = vec![ended(fired(NINE, NINE, A), JobState::Discarded, 0, "expired")],
            NINE, "failed", "", "without an attempt: expired"),
        ("it was cancelled", |f| f.rows = vec![ended(fired(NINE, NINE, A), JobState::Cancelled, 1, "by me")],
            NINE, "cancelled", "", "was cancelled at 09:00:03: by me"),
        ("it runs", |f| { f.rows = vec![fired(NINE, NINE, A)]; f.runs = vec![record(JobState::Active)]; },
            NINE, "running", "", "runs on worker `w-1` since 09:00:01, attempt 1"),
        ("a dead letter that was revived runs", |f| {
            f.rows = vec![ended(fired(NINE, NINE, A), JobState::Discarded, 3, "boom")];
            f.runs = vec![record(JobState::Active)];
        }, NINE, "running", "", "runs on worker"),
        ("it is tried again", |f| { f.rows = vec![fired(NINE, NINE, A)]; f.runs = vec![record(JobState::Retryable)]; },
            NINE, "retrying", "", "failed, and the next comes at 10:05:00"),
        ("it was given back, since nobody has a handler", |f| {
            f.rows = vec![fired(NINE, NINE, A)];
            f.runs = vec![Record { returns: 2, failed: false, ..record(JobState::Retryable) }];
            f.workers[0].job_types = vec!["other".parse().expect("a type")];
        }, NINE, "queued", "no_handler", "given back by workers 2 times and is offered again at 10:05:00, because no worker of"),
        ("it waits behind another", |f| {
            f.rows = vec![fired(NINE, NINE, A)];
            f.runs = vec![Record { waits: true, ..record(JobState::Available) }];
            entry(f).live = vec![id(B), id(A)];
        }, NINE, "queued", "behind_previous_run", "waits behind run 01a1fe18-7c60-7a0f-bb21-363773998001"),
        ("nothing is left of its run", |f| f.rows = vec![fired(NINE, NINE, A)],
            NINE, "fired", "", "its record is gone, and no end of it is kept"),
        ("a catch-up fired it", |f| {
            let row = LedgerRow { kind: "catch_up".to_owned(), instants: 3, ..fired(NINE, "2026-11-21T09:30:00Z", A) };
            f.rows = vec![ended(row, JobState::Completed, 1, "")];
        }, NINE, "ran", "", "30m late, and stands for the 2 instants after it too"),
        ("a catch-up covered it", |f| {
            let row = fired("2026-11-19T09:00:00Z", "2026-11-21T09:30:00Z", A);
            f.rows = vec![ended(LedgerRow { kind: "catch_up".to_owned(), instants: 3, ..row }, JobState::Completed, 1, "")];
        }, NINE, "caught_up", "", "was missed; one catch-up for 3 instants since 2026-11-19 09:00:00 was fired at 09:30:00"),
        ("it was backfilled after it had been skipped", |f| {
            let row = fired(NINE, "2026-11-21T09:40:00Z", A);
            let row = ended(LedgerRow { kind: "backfill".to_owned(), ..row }, JobState::Completed, 1, "");
            f.rows = vec![row, skipped(NINE, "disabled", None)];
        }, NINE, "ran", "", "was backfilled at 09:40:00"),
        ("it was run by hand", |f| {
            let by_hand = "2026-11-21T09:30:12.345Z";
            f.rows = vec![LedgerRow { kind: "manual".to_owned(), ..fired(by_hand, by_hand, A) }];
        }, "2026-11-21T09:30:12Z", "fired", "", "was run by hand at 09:30:12"),
        ("it overlapped", |f| {
            let previous = ended(fired("2026-11-20T09:00:00Z", "2026-11-21T09:10:00Z", A), JobState::Completed, 1, "");
            f.rows = vec![skipped(NINE, "overlap_skip", Some(A)), previous];
        }, NINE, "skipped", "overlap_skip", "of 2026-11-20 09:00:00 was still live (it ended at 09:10:03)"),
        ("it was disabled", |f| {
            f.rows = vec![skipped(NINE, "disabled", None)];
            f.notes = vec![LedgerNote { at: at("2026-11-20T17:00:00Z"), change: EntryChange::Disabled }];
        }, NINE, "skipped", "disabled", "because the entry was disabled since 2026-11-20 17:00:00."),
        ("it is disabled for long, with one row", |f| f.rows = vec![skipped("2026-11-18T09:00:00Z", "disabled", None)],
            NINE, "skipped", "disabled", "because the entry was disabled."),
        ("it was enabled before that", |f| {
            f.rows = vec![skipped("2026-11-18T09:00:00Z", "disabled", None)];
            f.notes = vec![LedgerNote { at: at("2026-11-20T17:00:00Z"), change: EntryChange::Enabled }];
        }, NINE, "unexplained", "", "the ledger has no row for it"),
        ("it was paused", |f| f.rows = vec![skipped(NINE, "paused", None)],
            NINE, "skipped", "paused", "because the entry was paused"),
        ("it was paused, and the row tells by whom", |f| {
            let because = json!({"since": "2026-11-20T17:00:00Z", "by": "ada", "note": "moving house"});
            f.rows = vec![LedgerRow { because: Some(because), ..skipped(NINE, "paused", None) }];
        }, NINE, "skipped", "paused", "paused from 2026-11-20 17:00:00 by ada with the note \"moving house\""),
        ("it is paused", |f| {
            let (by, until) = (Some("ada".to_owned()), Some(at("2026-11-23T00:00:00Z")));
            entry(f).pause = Some(Pause { since: at("2026-11-21T08:00:00Z"), until, note: None, by });
        }, "next", "will_not_run", "paused", "paused from 2026-11-21 08:00:00 until 2026-11-23 00:00:00 by ada"),
        ("it falls into a pause, and has no row yet", |f| {
            entry(f).pause = Some(Pause { since: at("2026-11-21T08:00:00Z"), until: None, note: None, by: None });
        }, NINE, "skipped", "paused", "paused from 08:00:00"),
        ("it is after the end of the entry", |f| entry(f).bounds.ends_at = Some(at("2026-12-01T00:00:00Z")),
            "2026-12-24T09:00:00Z", "not_scheduled", "out_of_bounds", "which ends at 2026-12-01 00:00:00"),
        ("too many waited", |f| f.rows = vec![skipped(NINE, "backlog_full", None)],
            NINE, "skipped", "backlog_full", "as many runs of the entry waited already as may"),
        ("it was changed in that moment", |f| f.rows = vec![skipped(NINE, "changed", None)],
            NINE, "skipped", "changed", "the entry was changed at 09:00:00, before anybody had decided on it"),
        ("it was too late", |f| {
            let reason = "misfire_deadline".to_owned();
            let decision = LedgerDecision::Skipped { reason, active: None };
            f.rows = vec![LedgerRow { decision, ..fired(NINE, "2026-11-21T09:12:00Z", A) }];
        }, NINE, "skipped", "misfire_deadline", "it was decided on 12m late"),
        ("a reason of a later version", |f| f.rows = vec![skipped(NINE, "eclipse", None)],
            NINE, "skipped", "eclipse", "because of `eclipse`"),
        ("the local time does not exist", |f| {
            entry(f).schedule = schedule("30 2 * * *", "America/New_York");
            entry(f).created_at = at("2026-01-01T00:00:00Z");
            f.rows = vec![skipped("2026-03-08T07:30:00Z", "dst_skip", None)];
        }, "2026-03-08 02:30", "skipped", "dst_skip", "2026-03-08 02:30:00 America/New_York was skipped because this local time does not"),
        ("the local time will not exist", |f| entry(f).schedule = schedule("30 2 * * *", "America/New_York"),
            "2027-03-14 02:30", "will_not_run", "dst_skip", "2027-03-14 02:30:00 America/New_York does not exist"),
        ("nobody leads", |f| {
            entry(f).next_mark = Some(at(NINE));
            f.leaderships.0[0].leads = false;
            f.leaderships.0[0].until = Some(at("2026-11-21T08:30:00Z"));
        }, NINE, "undecided", "no_leader", "because no scheduler has led since the last one stopped at 08:30:00"),
        ("nobody ever led", |f| { entry(f).next_mark = Some(at(NINE)); f.leaderships.0.clear(); },
            NINE, "undecided", "no_leader", "because no scheduler leads; as soon"),
        ("the leader is late", |f| entry(f).next_mark = Some(at(NINE)),
            NINE, "undecided", "leader_late", "`sched-1`, which leads, has not decided on it"),
        ("it has only just come", |f| { entry(f).next_mark = Some(at(NINE)); f.now = at("2026-11-21T09:00:00.020Z"); },
            NINE, "undecided", "just_now", "came 20 ms ago"),
        ("no instant", |_| {}, "2026-11-21T09:30:00Z", "not_scheduled", "",
            "the instants nearest to it are 09:00:00 and 2026-11-22 09:00:00."),
        ("no instant of what was changed since", |f| entry(f).updated_at = at("2026-11-21T09:45:00Z"),
            "2026-11-21T09:30:00Z", "not_scheduled", "", "The entry was last changed after that, at 09:45:00."),
        ("before it was registered", |_| {}, "2026-11-10T09:00:00Z", "not_registered", "",
            "was before the entry was registered, at 2026-11-14 12:00:00"),
        ("older than the ledger", |f| {
            f.rows = vec![fired(NINE, NINE, A)];
            f.is_cut = true;
        }, "2026-11-15T09:00:00Z", "not_kept", "", "the ledger begins at 2026-11-21 09:00:00"),
        ("older than rows are kept", |f| f.kept_since = at("2026-11-20T00:00:00Z"),
            "2026-11-15T09:00:00Z", "not_kept", "", "is not kept any more"),
        ("before it was changed", |f| entry(f).updated_at = at("2026-11-21T09:45:00Z"),
            NINE, "changed", "", "of the schedule as it is since 09:45:00, when the entry was changed"),
        ("a row is missing", |_| {}, NINE, "unexplained", "", "Redis may have lost"),
        ("it was removed before", |f| {
            f.entry = None;
            f.notes = vec![LedgerNote { at: at("2026-11-20T17:00:00Z"), change: EntryChange::Removed }];
        }, NINE, "removed", "", "nightly was removed at 2026-11-20 17:00:00, before that."),
        ("it was removed, but this is kept", |f| {
            f.entry = None;
            f.rows = vec![ended(fired(NINE, NINE, A), JobState::Completed, 1, "")];
        }, NINE, "ran", "", "fired on time"),
        ("it will run", |_| {}, "next", "will_run", "", "will run, in 23h: a scheduler leads, and 1 worker takes `echo`"),
        ("it is disabled", |f| entry(f).enabled = false, "next", "will_not_run", "disabled", "because the entry is disabled."),
        ("it has ended", |f| entry(f).next_mark = None, "next", "will_not_run", "ended", "no further instant"),
        ("it has no next instant", |f| entry(f).schedule = schedule("0 0 30 2 *", "UTC"), "next", "will_not_run", "ended",
            "its schedule has no further instant"),
        ("it was removed and has no next", |f| { f.entry = None; f.rows = vec![fired(NINE, NINE, A)]; },
            "next", "removed", "", "nightly was removed, and comes no more."),
        ("it will not, it was removed", |f| f.entry = None, "2026-12-24T09:00:00Z", "removed", "", "it was removed"),
        ("no such instant will come", |_| {}, "2026-12-24T10:00:00Z", "not_scheduled", "", "nearest to it"),
    ];
    for (what, change, asked, verdict, reason, part) in cases {
        let mut facts = facts();
        change(&mut facts);
        let asked = Asked::read(asked, facts.zone(), facts.now).expect(what);
        let why = facts.answer(asked);
        let said = why.reason.as_ref().map(Reason::as_str).unwrap_or_default();
        assert_eq!((why.verdict.as_str(), said), (*verdict, *reason), "{what}: {}", why.sentence);
        assert!(why.sentence.contains(part), "{what}: {}", why.sentence);
        assert_eq!(json!(why)["verdict"], *verdict, "{what}");
    }
}
