//! What Redis holds, in the shape in which the model shows its world.

use std::collections::BTreeMap;

use carillon_tests::entry_record;
use carillon_tests::invariants::violations;
use carillon_tests::model::{ENTRIES, Label, Model, QUEUES, View};
use carillon_tests::record::lines;
use carillon_tests::snapshot::{Held, Snapshot};

use crate::real::{Real, entry, queue};

type Fields = BTreeMap<String, String>;

/// Scores below this are orders in which times passed; those above are times.
const ORDERS_MAX: f64 = 1e9;
const STATES: [&str; 8] =
    ["active", "available", "cancelled", "completed", "discarded", "pending", "retryable", "scheduled"];

impl Real {
    /// What differs from the model, and which invariants do not hold.
    pub(crate) async fn compare(&mut self, model: &mut Model) -> Vec<String> {
        let snapshot = Snapshot::take(&self.server, self.store.keys()).await;
        // Within one subject order counts; the ends of many by one call have none among them.
        let by_subject = |mut told: Vec<(String, String)>| {
            told.sort_by(|a, b| a.1.cmp(&b.1));
            told
        };
        let mut differences = model.view().against(&self.view(&snapshot));
        let (expected, actual) = (by_subject(model.take_told()), by_subject(self.told_since(&snapshot)));
        if expected != actual {
            differences.push(format!("events: should be {expected:?} but are {actual:?}"));
        }
        // `meta` went with the first FLUSHALL; nothing else is outside the schema.
        differences.extend(violations(self.store.keys(), &snapshot));
        differences
    }

    fn view(&self, snapshot: &Snapshot) -> View {
        let mut view = View::default();
        let keys = self.keys();
        for (key, held) in &snapshot.0 {
            let Some(name) = key.strip_prefix(keys.root()) else { continue };
            match (name.split_once(':'), held) {
                (Some(("job", id)), Held::Text(job)) => {
                    view.line(format!("job {}", self.label(id)), self.job(id, &lines(job), snapshot));
                }
                (Some(("flow", id)), Held::Hash(flow)) => {
                    view.line(format!("flow {}", self.label(id)), shown_flow(flow));
                }
                (Some(("unique", _)), Held::Text(id)) => {
                    let job = lines(&snapshot.text(&format!("{}job:{id}", keys.root())));
                    let kind = job.get("type").map_or("", String::as_str).replace("unique", "u");
                    view.line(format!("unique {kind}"), self.label(id).to_string());
                }
                (Some(("ended", how)), Held::Scores(members)) => {
                    view.line(format!("ended:{how}"), self.sorted(members.keys()));
                }
                _ => {}
            }
        }
        for number in 0..QUEUES {
            self.view_queue(number, snapshot, &mut view);
        }
        for number in 0..ENTRIES {
            self.view_entry(number, snapshot, &mut view);
        }
        for (about, key) in [
            ("due", keys.due()),
            ("parked", keys.parked()),
            ("leases", keys.leases()),
            ("expires", keys.expires()),
            ("timeouts", keys.timeouts()),
        ] {
            let members = snapshot.scores(&key);
            if !members.is_empty() {
                view.line(about.to_owned(), self.sorted(members.keys()));
            }
        }
        for (about, key) in [("due now", keys.due()), ("leases over", keys.leases())] {
            let over =
                self.in_order(&snapshot.scores(&key).into_iter().filter(|(_, score)| *score < ORDERS_MAX).collect());
            if !over.is_empty() {
                view.line(about.to_owned(), format!("{over:?}"));
            }
        }
        view
    }

    fn sorted<'a>(&self, ids: impl Iterator<Item = &'a String>) -> String {
        let mut labels: Vec<Label> = ids.map(|id| self.label(id)).collect();
        labels.sort_unstable();
        format!("{labels:?}")
    }

    fn in_order(&self, members: &BTreeMap<String, f64>) -> Vec<Label> {
        let mut members: Vec<(&String, &f64)> = members.iter().collect();
        members.sort_by(|a, b| a.1.total_cmp(b.1));
        members.into_iter().map(|(id, _)| self.label(id)).collect()
    }

    fn job(&self, id: &str, job: &Fields, snapshot: &Snapshot) -> String {
        let text = |name: &str, absent: &'static str| job.get(name).cloned().unwrap_or_else(|| absent.to_owned());
        let flag = |name: &'static str| if job.contains_key(name) { format!(" {name}") } else { String::new() };
        let root = self.keys().root().to_owned();
        let beside = |kind: &str, word: &'static str| {
            if snapshot.0.contains_key(&format!("{root}{kind}:{id}")) { word } else { "" }
        };
        let lease = text("lease", "none");
        let lease = match lease.split_once('-') {
            Some((number, "lost")) => format!("{number} lost"),
            Some((number, _)) => number.to_owned(),
            None => lease,
        };
        format!(
            "{} {} p{} #{} lease {lease} of {} crashes {} returns {} was {} errors {}{}{}{}{}{}",
            text("state", "none"),
            text("queue", "none"),
            text("priority", "0"),
            text("attempt", "none"),
            text("worker", "nobody"),
            text("crashes", "0"),
            text("returns", "0"),
            text("previous", "nothing"),
            snapshot.list(&format!("{root}errors:{id}")).len(),
            beside("out", " result"),
            beside("progress", " progress"),
            flag("failed"),
            flag("dead"),
            flag("waits"),
        )
    }

    fn view_queue(&self, number: u8, snapshot: &Snapshot, view: &mut View) {
        let (keys, name) = (self.keys(), queue(number));
        let fields = snapshot.hash(&keys.queue(&name));
        if fields.is_empty() {
            return;
        }
        let of = |name: &str| fields.get(name).map_or("0", String::as_str);
        let counts: Vec<(&str, u64)> = STATES
            .into_iter()
            .map(|state| (state, of(state).parse().unwrap_or(u64::MAX)))
            .filter(|(_, n)| *n > 0)
            .collect();
        let text = format!(
            "ready {:?} bell {} {counts:?}{}{}{} starts {}",
            self.in_order(&snapshot.scores(&keys.ready(&name))),
            snapshot.list(&keys.bell(&name)).len(),
            if fields.contains_key("paused") { " paused" } else { "" },
            fields.get("concurrency").map(|most| format!(" at most {most}")).unwrap_or_default(),
            fields.get("rate").map(|rate| format!(" {} an hour", rate.replace(":3600000", ""))).unwrap_or_default(),
            snapshot.scores(&keys.rate(&name)).len(),
        );
        view.line(format!("queue q{number}"), text);
    }

    fn view_entry(&self, number: u8, snapshot: &Snapshot, view: &mut View) {
        let (keys, name) = (self.keys(), entry(number));
        let fields = entry_record::lines(&snapshot.text(&keys.cron(&name)));
        let rows = match snapshot.0.get(&keys.ledger(&name)) {
            // Notes about the entry itself are no rows.
            Some(Held::List(rows)) => rows.iter().filter(|row| row.split('\0').nth(1) != Some("x")).count(),
            _ => 0,
        };
        if fields.is_empty() && rows == 0 {
            return;
        }
        let runs = fields.get("runs").map(|runs| format!("runs {runs} ")).unwrap_or_default();
        let waiting: Vec<Label> = snapshot.list(&keys.wait(&name)).iter().map(|id| self.label(id)).collect();
        let live = self.sorted(snapshot.scores(&keys.live(&name)).keys());
        view.line(format!("entry e{number}"), format!("{runs}rows {rows} waiting {waiting:?} live {live}"));
    }

    /// The events since the last comparison, named as the model names them.
    fn told_since(&mut self, snapshot: &Snapshot) -> Vec<(String, String)> {
        let Some(Held::Stream(events)) = snapshot.0.get(&self.keys().events()) else { return Vec::new() };
        let mut events: Vec<_> = events.iter().collect();
        events.sort_by_key(|(id, _)| {
            let (ms, seq) = id.split_once('-').expect("a stream id");
            (ms.parse::<u64>().expect("a number"), seq.parse::<u64>().expect("a number"))
        });
        let events: Vec<Vec<&str>> = events
            .iter()
            .flat_map(|(_, fields)| fields.as_chunks::<2>().0)
            .map(|[_, lines]| lines.lines().collect())
            .collect();
        // Heartbeats are told now and then, which is a matter of time.
        let told = events[self.events_seen..].iter().filter(|lines| lines[0] != "job.heartbeat");
        let told = told.map(|lines| {
            let (kind, subject) = (lines[0], lines[2]);
            let subject = match kind.split('.').next() {
                Some("job" | "dead_letter") => format!("job {}", self.label(subject)),
                Some("workflow") => format!("flow {}", self.label(subject)),
                _ => subject.to_owned(),
            };
            (kind.to_owned(), subject)
        });
        let told = told.collect();
        self.events_seen = events.len();
        told
    }
}

fn shown_flow(flow: &Fields) -> String {
    let of = |name: &str| flow.get(name).map_or("0", String::as_str);
    let steps: usize = of("nodes").parse().unwrap_or(0);
    let states: Vec<&str> = (0..steps).map(|place| of(&format!("s:{place}"))).collect();
    format!("{} left {} done {} failed {} {states:?}", of("state"), of("l:r"), of("f:r"), of("x:r"))
}
