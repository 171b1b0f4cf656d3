//! What was told, in Redis's own order: the events are the linearization, and no clock is compared.

use std::collections::{BTreeMap, BTreeSet};

use carillon_shared::store::{EventCursor, LedgerDecision, LedgerRow, Store};

/// An event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Its type.
    pub kind: String,
    /// What it happened to.
    pub subject: String,
}

/// All events of a namespace of one partition, oldest first.
#[derive(Debug, Default)]
pub struct History(pub Vec<Told>);

const ENDS: [&str; 4] = ["job.completed", "job.cancelled", "job.discarded", "job.expired"];
const REVIVED: &str = "dead_letter.retried";
const READ_AT_ONCE: usize = 1000;

impl History {
    /// Reads what is kept; a test that wants all of it must have all kept.
    ///
    /// # Panics
    ///
    /// When Redis cannot be reached.
    pub async fn read(store: &Store) -> Self {
        let (mut told, mut cursor) = (Vec::new(), EventCursor::oldest(1));
        loop {
            let page = store.events(cursor, READ_AT_ONCE).await.expect("Redis is there");
            let event = |event: &carillon_shared::event::Event| Told {
                kind: event.kind.clone(),
                subject: event.subject.clone(),
            };
            told.extend(page.events.iter().map(|(_, told)| event(told)));
            if page.events.is_empty() {
                return Self(told);
            }
            cursor = page.cursor;
        }
    }

    /// How many events there are of a type.
    #[must_use]
    pub fn count(&self, kind: &str) -> usize {
        self.0.iter().filter(|told| told.kind == kind).count()
    }

    /// How often attempts began beyond the first of their jobs.
    #[must_use]
    pub fn repeats(&self) -> usize {
        let started = self.0.iter().filter(|told| told.kind == "job.started").map(|told| &told.subject);
        self.count("job.started") - started.collect::<BTreeSet<_>>().len()
    }

    /// A job ends once, and once more for each time it was revived.
    #[must_use]
    pub fn no_job_ends_twice(&self) -> Vec<String> {
        let mut ended: BTreeSet<&str> = BTreeSet::new();
        let mut found = Vec::new();
        for Told { kind, subject } in &self.0 {
            if kind == REVIVED {
                ended.remove(subject.as_str());
            } else if ENDS.contains(&kind.as_str()) && !ended.insert(subject) {
                found.push(format!("job {subject} has ended, and then {kind}"));
            }
        }
        found
    }

    /// Each of these jobs has ended, and is not revived since.
    #[must_use]
    pub fn each_of_these_ended(&self, jobs: &BTreeSet<String>) -> Vec<String> {
        let mut open = jobs.clone();
        for Told { kind, subject } in &self.0 {
            if ENDS.contains(&kind.as_str()) {
                open.remove(subject);
            } else if kind == REVIVED && jobs.contains(subject) {
                open.insert(subject.clone());
            }
        }
        open.into_iter().map(|job| format!("job {job} has not ended")).collect()
    }

    /// Nothing happens to a job after its end, and no attempt begins while another runs.
    #[must_use]
    pub fn one_attempt_at_a_time(&self) -> Vec<String> {
        let mut running: BTreeSet<&str> = BTreeSet::new();
        let mut found = Vec::new();
        for Told { kind, subject } in &self.0 {
            match kind.as_str() {
                "job.started" if !running.insert(subject) => found.push(format!("two attempts of {subject} at once")),
                "job.started" | "job.progress" | "job.heartbeat" => {}
                kind if kind.starts_with("job.") => {
                    running.remove(subject.as_str());
                }
                _ => {}
            }
        }
        found
    }

    /// At most one of these runs is in somebody's hands at any moment.
    #[must_use]
    pub fn one_run_at_a_time(&self, name: &str, rows: &[LedgerRow]) -> Vec<String> {
        let runs = fired(rows);
        let mut running: BTreeSet<&str> = BTreeSet::new();
        let mut found = Vec::new();
        for Told { kind, subject } in self.0.iter().filter(|told| runs.contains_key(&told.subject)) {
            match kind.as_str() {
                "job.progress" | "job.heartbeat" => {}
                "job.started" => {
                    running.insert(subject);
                    if running.len() > 1 {
                        found.push(format!("runs of {name} at once: {running:?}"));
                    }
                }
                _ => {
                    running.remove(subject.as_str());
                }
            }
        }
        found
    }
}

/// The jobs that rows name, each with how many rows do.
fn fired(rows: &[LedgerRow]) -> BTreeMap<String, usize> {
    let mut runs = BTreeMap::new();
    for row in rows {
        if let LedgerDecision::Fired(id) = row.decision {
            *runs.entry(id.to_string()).or_default() += 1;
        }
    }
    runs
}

/// The rows of an every-second entry stand for every second once, from the first row to the last.
#[must_use]
pub fn every_second_has_one_row(name: &str, rows: &[LedgerRow]) -> Vec<String> {
    let mut rows: Vec<&LedgerRow> = rows.iter().filter(|row| row.kind != "manual").collect();
    rows.sort_by_key(|row| row.scheduled_at);
    let is_wrong = |pair: &&[&LedgerRow]| {
        let gap = pair[1].scheduled_at.as_ms() - pair[0].scheduled_at.as_ms();
        u64::try_from(gap).ok() != Some(pair[0].instants * 1000)
    };
    let told = |pair: &[&LedgerRow]| format!("{name}: between {:?} and {:?}", pair[0], pair[1]);
    rows.windows(2).filter(is_wrong).map(told).collect()
}

/// No job stands in two rows.
#[must_use]
pub fn each_row_has_its_own_job(name: &str, rows: &[LedgerRow]) -> Vec<String> {
    let twice = fired(rows).into_iter().filter(|(_, times)| *times > 1);
    twice.map(|(id, times)| format!("{name}: {times} rows name {id}")).collect()
}
