//! The leader's decisions under virtual time: years of entries in seconds, with leaders that are away, edits, pauses and
//! clock changes.
//!
//! The store is a stand-in that keeps what the scripts keep and has their guards. What must hold is checked against an
//! oracle that walks through every second and asks of each only whether the schedule names it: every instant that an enabled
//! entry had is in exactly one row, in order, for the reason that held at that instant.

use std::time::Duration;

use carillon_shared::clock::Timestamp;
use carillon_shared::cron::{
    Decision, Definition, Due, LiveRuns, Misfire, Pause, SkipReason, Standing, change, decide, is_skip_mark,
};
use serde_json::{Map, Value, json};

/// A small generator of numbers that are the same for the same seed (SplitMix64).
struct Chance(u64);

impl Chance {
    fn draw(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % below
    }

    fn one_in(&mut self, many: u64) -> bool {
        self.draw(many) == 0
    }

    fn of<T: Copy>(&mut self, some: &[T]) -> T {
        some[usize::try_from(self.draw(some.len() as u64)).expect("an index")]
    }
}

/// A row of the ledger.
#[derive(Debug, Clone, PartialEq)]
struct Row {
    scheduled: Timestamp,
    instants: u64,
    decision: Result<(), &'static str>,
    decided_at: Timestamp,
}

/// What the scripts keep of one entry, and their guards.
struct Stand {
    definition: Definition,
    standing: Standing,
    look_at: Option<Timestamp>,
    revision: u64,
    rows: Vec<Row>,
    /// When the run that is live will have ended.
    live_until: Timestamp,
    /// Spans in which the entry, as it was defined then, was enabled: definition, from, until.
    past: Vec<(Definition, Standing, Timestamp, Timestamp)>,
    since: Timestamp,
}

/// What a leader has read, and decides on.
struct Read {
    standing: Standing,
    revision: u64,
    live: LiveRuns,
    now: Timestamp,
}

impl Stand {
    fn new(definition: Definition, now: Timestamp) -> Self {
        let made = change(None, &definition, None, "uid", now).expect("valid");
        Self {
            definition,
            standing: made.standing,
            look_at: made.look_at,
            revision: 1,
            rows: Vec::new(),
            live_until: Timestamp::MIN,
            past: Vec::new(),
            since: now,
        }
    }

    fn read(&self, now: Timestamp) -> Option<Read> {
        self.look_at.filter(|at| *at <= now)?;
        let live = LiveRuns { count: u64::from(self.live_until > now), waiting: 0 };
        Some(Read { standing: self.standing.clone(), revision: self.revision, live, now })
    }

    /// What `fire.lua` does with the decision on what was read; false when a guard refuses it.
    fn fire(&mut self, read: &Read, now: Timestamp) -> bool {
        let (definition, standing) = (&self.definition, &read.standing);
        let timetable = definition.timetable(standing.anchor, &standing.uid).expect("valid");
        let seen = standing.mark.expect("it was due");
        let decided = decide(&Due {
            timetable: &timetable,
            overlap_policy: definition.overlap_policy,
            lateness: definition.lateness,
            enabled: standing.enabled,
            pause: standing.pause.as_ref(),
            live: read.live,
            scheduled_runs: standing.scheduled_runs,
            seen,
            now: read.now,
        });
        let live_now = LiveRuns { count: u64::from(self.live_until > now), waiting: 0 };
        if self.revision != read.revision || self.standing.mark != Some(seen) || live_now != read.live {
            return false;
        }
        assert!(self.look_at.is_some_and(|at| at <= now), "nothing is decided before its time");
        assert!(decided.next.is_none_or(|next| next > seen), "the mark moves on");
        self.rows.push(Row {
            scheduled: decided.scheduled,
            instants: decided.instants,
            decision: match decided.decision {
                Decision::Skip(reason) => Err(reason.as_str()),
                _ => Ok(()),
            },
            decided_at: now,
        });
        if decided.decision.fires() {
            self.standing.scheduled_runs += 1;
            self.live_until = now + Duration::from_secs(self.rows.len() as u64 % 7 * 40);
        }
        (self.standing.mark, self.look_at) = (decided.next, decided.look_at);
        true
    }

    /// What `cron_put.lua` does with a change.
    fn put(&mut self, wanted: Definition, pause: Option<Pause>, now: Timestamp) {
        let before = Some((&self.definition, &self.standing));
        let made = change(before, &wanted, pause, "another", now).expect("valid");
        if let Some(given_up) = made.given_up {
            self.rows.push(Row {
                scheduled: given_up.scheduled,
                instants: given_up.instants,
                decision: Err(given_up.reason),
                decided_at: now,
            });
        }
        self.past.push((self.definition.clone(), self.standing.clone(), self.since, now));
        (self.definition, self.standing, self.look_at) = (wanted, made.standing, made.look_at);
        (self.revision, self.since) = (self.revision + 1, now);
    }
}

fn defined(members: &Map<String, Value>) -> Definition {
    Definition::read(&Value::Object(members.clone())).expect("the simulation defines valid entries").0
}

const ZONES: &[&str] =
    &["UTC", "America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "America/Havana", "Asia/Gaza"];
const EXPRESSIONS: &[&str] = &[
    "0 * * * *",
    "30 2 * * *",
    "0,30 2,3 * * *",
    "*/20 * * * *",
    "0 0 * * *",
    "15 1 * * SUN",
    "0 9 L * *",
    "@every 3h",
    "5 2 * 3,4,9,10,11 *",
];

fn entry(chance: &mut Chance, start: Timestamp) -> Map<String, Value> {
    let mut members = Map::new();
    let mut put = |name: &str, value: Value| members.insert(name.to_owned(), value);
    put("name", "n".into());
    put("type", "echo".into());
    put("cron", chance.of(EXPRESSIONS).into());
    put("timezone", chance.of(ZONES).into());
    put("misfire", chance.of(&["once", "skip", "all"]).into());
    put("overlap_policy", chance.of(&["skip", "allow", "cancel_previous"]).into());
    if chance.one_in(3) {
        put("deadline", chance.of(&["10m", "2h", "30h"]).into());
    }
    if chance.one_in(3) {
        put("jitter", chance.of(&["30s", "10m", "5h"]).into());
    }
    if chance.one_in(4) {
        put("starts_at", json!(start + Duration::from_secs(chance.draw(90) * 86_400)));
    }
    if chance.one_in(4) {
        put("ends_at", json!(start + Duration::from_secs((200 + chance.draw(500)) * 86_400)));
    }
    members
}

/// Lives through `days` days of one entry, and returns it with the time at its end.
fn live(seed: u64, days: u64) -> (Stand, Timestamp) {
    let mut chance = Chance(seed);
    let start = Timestamp::from_secs(1_767_225_600 + i64::try_from(chance.draw(86_400 * 365)).expect("small"));
    let end = start + Duration::from_secs(days * 86_400);
    let mut members = entry(&mut chance, start);
    let mut stand = Stand::new(defined(&members), start);
    let mut now = start;
    let mut zombie: Option<Read> = None;
    while now < end {
        // The leader looks when something is due, or was away and looks late; some other time passes in between.
        let look_at = stand.look_at.unwrap_or(end).max(now);
        let away = if chance.one_in(12) { chance.draw(4 * 86_400) } else { 0 };
        let chores = now + Duration::from_secs(chance.draw(3 * 86_400));
        now = (look_at + Duration::from_secs(away)).min(chores).max(now) + Duration::from_millis(chance.draw(900));
        if chance.one_in(10) {
            edit(&mut stand, &mut members, &mut chance, now, start);
        }
        let Some(read) = stand.read(now) else { continue };
        if let Some(old) =
            zombie.take().filter(|old| old.revision != stand.revision || old.standing.mark != stand.standing.mark)
        {
            assert!(!stand.fire(&old, now), "what a leader decided long ago is refused");
        }
        assert!(stand.fire(&read, now), "what was just read is not refused");
        if chance.one_in(5) {
            assert!(!stand.fire(&read, now), "the same decision is not applied twice");
            zombie = Some(read);
        }
    }
    let end = end.max(now);
    // A leader that stays decides on all that has come.
    while let Some(read) = stand.read(end) {
        assert!(stand.fire(&read, end), "what was just read is not refused");
    }
    stand.past.push((stand.definition.clone(), stand.standing.clone(), stand.since, end));
    (stand, end)
}

fn edit(stand: &mut Stand, members: &mut Map<String, Value>, chance: &mut Chance, now: Timestamp, start: Timestamp) {
    let pause = stand.standing.pause.clone();
    match chance.draw(5) {
        0 => *members = entry(chance, start),
        1 => _ = members.insert("enabled".to_owned(), (chance.draw(3) > 0).into()),
        2 => _ = members.insert("args".to_owned(), json!([chance.draw(100)])),
        3 if pause.as_ref().is_none_or(|pause| !pause.lasts(now)) => {
            // As `Client::pause`: a pause over instants that nobody decided on yet is not forgotten.
            let kept = pause.filter(|pause| stand.standing.mark.is_some_and(|mark| pause.covers(mark)));
            let since = kept.map_or(now, |pause| pause.since);
            let until = chance.one_in(2).then(|| now + Duration::from_secs(1 + chance.draw(20 * 86_400)));
            return stand.put(defined(members), Some(Pause { since, until, note: None, by: None }), now);
        }
        _ => {
            let ended = pause.map(|pause| if pause.lasts(now) { Pause { until: Some(now), ..pause } } else { pause });
            return stand.put(defined(members), ended, now);
        }
    }
    stand.put(defined(members), pause, now);
}

/// Every instant that the entry had while it was enabled, second by second.
fn oracle(stand: &Stand) -> Vec<Timestamp> {
    let mut instants = Vec::new();
    for (definition, standing, from, until) in &stand.past {
        if !standing.enabled {
            continue;
        }
        let schedule = definition.schedule(standing.anchor).expect("valid");
        // Minutes are enough: no expression here names seconds, but intervals count from their anchors.
        let (step, first) = match schedule.interval() {
            Some(every) => {
                let every = i64::try_from(every.as_secs()).expect("small");
                let beats = (from.as_secs() - standing.anchor.as_secs()).div_euclid(every);
                (every, standing.anchor.as_secs() + beats * every)
            }
            None => (60, from.as_secs().div_euclid(60) * 60),
        };
        let mut at = first;
        while at * 1000 <= until.as_ms() {
            let instant = Timestamp::from_secs(at);
            at += step;
            // An instant belongs to the span in which it came: after its beginning, up to its end.
            if instant <= *from || !definition.bounds.admit(instant) || !schedule.is_due_at(instant) {
                continue;
            }
            instants.push(instant);
        }
    }
    instants
}

/// The rows about instants of an enabled entry.
fn counted(stand: &Stand) -> Vec<&Row> {
    let uncounted = |row: &&Row| row.decision != Err("dst_skip") && row.decision != Err("disabled");
    stand.rows.iter().filter(uncounted).collect()
}

fn check(seed: u64, stand: &Stand, end: Timestamp) {
    let (instants, rows) = (oracle(stand), counted(stand));
    let mut left = instants.as_slice();
    for row in &rows {
        let taken = usize::try_from(row.instants).expect("small").min(left.len());
        assert_eq!(left.first(), Some(&row.scheduled), "seed {seed}: {row:?}");
        assert_eq!(taken as u64, row.instants, "seed {seed}: a row stands for instants that never were: {row:?}");
        assert!(left[..taken].iter().all(|at| *at <= row.decided_at), "seed {seed}: {row:?} came early");
        left = &left[taken..];
    }
    // What is left has not come yet: its jitter is not over, or it is paused and not looked at before then.
    let looked_at = stand.look_at.unwrap_or(Timestamp::MAX);
    assert!(left.is_empty() || looked_at > end, "seed {seed}: {left:?} were forgotten");
    let mark = stand.standing.mark.filter(|mark| !is_skip_mark(*mark));
    assert!(
        left.first().is_none_or(|first| !stand.standing.enabled || mark.is_some_and(|mark| mark <= *first)),
        "seed {seed}: {left:?}"
    );
    for row in stand.rows.iter().filter(|row| row.decision == Err(SkipReason::DstSkip.as_str())) {
        assert_eq!(row.instants, 1);
    }
}

#[test]
fn every_instant_of_years_is_decided_exactly_once_whatever_happens() {
    let (seeds, days) = (150, 800);
    let mut totals = (0, 0, 0, 0);
    for seed in 0..seeds {
        let (stand, end) = live(seed, days);
        check(seed, &stand, end);
        totals.0 += stand.rows.len();
        totals.1 += counted(&stand).iter().map(|row| row.instants).sum::<u64>();
        totals.2 += stand.rows.iter().filter(|row| row.decision == Err("dst_skip")).count();
        totals.3 += stand.rows.iter().filter(|row| row.decision.is_ok()).count();
    }
    println!(
        "{seeds} entries of {days} days: {} rows for {} instants, {} gaps, {} runs",
        totals.0, totals.1, totals.2, totals.3
    );
    assert!(totals.2 > 0 && totals.3 > 0, "{totals:?}");
}

#[test]
fn an_entry_that_is_left_alone_runs_at_each_of_its_instants() {
    let start = Timestamp::from_secs(1_767_225_600);
    for expression in EXPRESSIONS {
        for zone in ZONES {
            let members =
                json!({"name": "n", "type": "echo", "cron": expression, "timezone": zone, "overlap_policy": "allow"});
            let mut stand = Stand::new(defined(members.as_object().expect("an object")), start);
            let end = start + Duration::from_secs(730 * 86_400);
            while let Some(at) = stand.look_at.filter(|at| *at <= end) {
                let read = stand.read(at).expect("it is due");
                assert!(stand.fire(&read, at));
            }
            stand.past.push((stand.definition.clone(), stand.standing.clone(), stand.since, end));
            let runs: Vec<Timestamp> = counted(&stand).iter().map(|row| row.scheduled).collect();
            assert_eq!(runs, oracle(&stand), "{expression} in {zone}");
            assert!(stand.rows.iter().all(|row| row.instants == 1 && row.decision != Err(Misfire::Skip.as_str())));
        }
    }
}
