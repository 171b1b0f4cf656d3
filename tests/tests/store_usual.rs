//! The usual way of a job is a way of its own through the scripts, for speed; it must leave what the general way leaves.
//!
//! The same story is told in two namespaces: in one the jobs are as they came, in the other each is noted something nobody
//! knows, which takes it off the usual way and decides nothing. What is answered and what Redis holds must be the same.

use std::fmt::Write as _;
use std::time::Duration;

use carillon_shared::id::{JobId, Partition};
use carillon_shared::job::{Failure, Lease};
use carillon_shared::store::{AskedEnd, AttemptEnd, Claim, Claimed, Ending, NewJob, Presented, Right, Store};
use carillon_tests::invariants::assert_all_hold;
use carillon_tests::record;
use carillon_tests::redis::shared;
use carillon_tests::snapshot::{Held, Snapshot};
use carillon_tests::store::{LEASE, envelope, store};
use serde_json::{Value, json};

const P0: Partition = Partition(0);
const UNKNOWN: (&str, &str) = ("strange", "thing");

fn id(number: usize) -> JobId {
    format!("01909e5c-7c3a-7000-8000-{number:012x}").parse().expect("an id")
}

/// A way that jobs go.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Way {
    Usual,
    General,
}

/// A namespace, and what was answered there.
struct Story {
    store: Store,
    way: Way,
    answers: Vec<String>,
    /// What differs from one namespace to the other, and what stands for it.
    chance: Vec<(String, String)>,
    began_ms: i64,
}

impl Story {
    async fn new(way: Way) -> Self {
        let store = store().await;
        let namespace = store.keys().namespace().as_str().to_owned();
        let began_ms = store.now().await.expect("Redis is there").as_ms();
        Self { store, way, answers: Vec::new(), chance: vec![(namespace, "namespace".to_owned())], began_ms }
    }

    async fn enqueue(&self, number: usize, more: &Value) {
        let mut said = json!({"type": "echo", "args": [number], "id": id(number)});
        let more = more.as_object().expect("members").clone();
        said.as_object_mut().expect("members").extend(more);
        let envelope = envelope(&said, self.store.clock().now());
        let job = NewJob { id: id(number), envelope: &envelope, request: format!("request-{number}") };
        self.store.enqueue(&[job]).await.expect("Redis is there");
        self.take_off(number).await;
    }

    async fn take_off(&self, number: usize) {
        if self.way == Way::General {
            let key = self.store.keys().partition(P0).job(id(number));
            record::set(&mut shared().connection().await, &key, UNKNOWN.0, UNKNOWN.1).await;
        }
    }

    async fn claim(&mut self, askers: &[(&str, usize)]) -> (Claim, Vec<Claimed>) {
        let askers = askers.iter().map(|(worker, wanted)| (worker.parse().expect("a worker id"), *wanted)).collect();
        let claim = Claim::of(askers, vec!["default".parse().expect("a queue")], LEASE);
        let claimed = self.claim_as(&claim).await;
        (claim, claimed)
    }

    async fn claim_as(&mut self, claim: &Claim) -> Vec<Claimed> {
        let claimed = self.store.claim(claim).await.expect("Redis is there");
        for one in &claimed {
            let lease = one.held.lease.as_ref();
            let nonce = lease.split_once('-').expect("a number and who asked").1.to_owned();
            if !self.chance.iter().any(|(known, _)| *known == nonce) {
                self.chance.push((nonce, format!("claim-{}", self.chance.len())));
            }
            let job = one.job.to_json_text();
            self.answer(format!("claimed {lease} {job}"));
        }
        self.answer(format!("{} claimed", claimed.len()));
        claimed
    }

    async fn end(&mut self, ends: &[AttemptEnd]) {
        let replies = self.store.end(ends).await.expect("Redis is there");
        self.answer(format!("ended {replies:?}"));
    }

    async fn present(&mut self, request: &str, ends: &[AskedEnd]) {
        let answers = self.store.end_asked(P0, request, ends).await.expect("Redis is there");
        for answer in answers {
            self.answer(format!("{answer:?}"));
        }
    }

    fn answer(&mut self, answer: String) {
        self.answers.push(answer);
    }

    /// What does not depend on chance or on the time of day.
    fn same(&self, text: &str) -> String {
        let noted = format!("{} {}\n", UNKNOWN.0, UNKNOWN.1);
        let text = text.replace(&noted, "").replace(&noted.escape_debug().to_string(), "");
        timeless(&self.chance.iter().fold(text, |text, (found, word)| text.replace(found, word)), self.began_ms)
    }

    /// All answers, and all that Redis holds.
    async fn told(self) -> Vec<String> {
        let snapshot = Snapshot::take(shared(), self.store.keys()).await;
        assert_all_hold(self.store.keys(), &snapshot);
        let held = snapshot.0.iter().filter(|(key, _)| !key.contains(":minutes:")).map(|(key, held)| match held {
            // Ids of its entries are times.
            Held::Stream(entries) => format!("{key} {:?}", entries.values().collect::<Vec<_>>()),
            held => format!("{key} {held:?}"),
        });
        // How long they ran is in the sums of a minute too: 2^40 for each job, and its milliseconds.
        let minutes =
            snapshot.0.iter().filter(|(key, _)| key.contains(":minutes:")).flat_map(|(key, _)| snapshot.hash(key));
        let completed =
            minutes.filter(|(name, _)| name.starts_with('c')).map(|(_, sum)| sum.parse::<u64>().expect("a sum") >> 40);
        let held = held.chain([format!("completed: {}", completed.sum::<u64>())]);
        let mut held: Vec<String> = held.map(|line| self.same(&line)).collect();
        // Keys that are named by chance were read in its order.
        held.sort();
        self.answers.iter().map(|line| self.same(line)).chain(held).collect()
    }
}

/// The text with times (ms) as minutes since the story began, and without dates and how long something took.
fn timeless(text: &str, began_ms: i64) -> String {
    const MINUTE_MS: i64 = 60_000;
    let mut out = String::new();
    let mut rest = text;
    while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
        let (before, digits) = rest.split_at(start);
        let is_duration = before.ends_with("duration_ms\":") || before.ends_with("duration_ms\\\":");
        let is_time = |c: char| c.is_ascii_digit() || ".:TZ-".contains(c);
        let is_date = digits.starts_with("20") && digits.get(4..5) == Some("-");
        let end = digits.find(|c: char| if is_date { !is_time(c) } else { !c.is_ascii_digit() });
        let (number, behind) = digits.split_at(end.unwrap_or(digits.len()));
        out.push_str(before);
        match number.parse::<i64>() {
            Ok(_) if is_duration => out.push_str("TIME"),
            Ok(ms) if number.len() == 13 => write!(out, "+{}min", (ms - began_ms) / MINUTE_MS).expect("a text"),
            _ => out.push_str(if is_date { "TIME" } else { number }),
        }
        rest = behind;
    }
    out + rest
}

fn done(claimed: &Claimed, result: Option<Value>) -> AttemptEnd {
    AttemptEnd { held: claimed.held.clone(), ending: Ending::Completed { result } }
}

fn asked(id: JobId, right: Right, result: Option<Value>) -> AskedEnd {
    AskedEnd { id, right, ending: Ending::Completed { result } }
}

fn presented(worker: &str, attempt: Option<u32>, lease: Option<&Lease>) -> Right {
    Right::Presented(Presented { worker: Some(worker.to_owned()), attempt, lease: lease.cloned() })
}

async fn told(way: Way) -> Vec<String> {
    let mut story = Story::new(way).await;
    for number in 0..12 {
        let more = if number % 5 == 4 { json!({"priority": 3, "retry": {"max_attempts": 9}}) } else { json!({}) };
        story.enqueue(number, &more).await;
    }
    let (claim, first) = story.claim(&[("ann", 2), ("bob", 3), ("ann", 1)]).await;
    let again = story.claim_as(&claim).await;
    assert_eq!((first.len(), again.len()), (6, 6));

    // Nothing, a result, a large one, twice in one call, and by a lease of somebody else.
    let mut stolen = done(&first[3], None);
    stolen.held.lease = first[0].held.lease.as_ref().replace("1-", "2-").parse().expect("a lease");
    let large = json!("x".repeat(2000));
    story
        .end(&[
            done(&first[0], None),
            done(&first[1], Some(json!({"sum": 3}))),
            done(&first[2], Some(large)),
            done(&first[0], None),
            stolen,
        ])
        .await;
    story.end(&[done(&first[1], Some(json!({"sum": 3})))]).await;

    let (_, second) = story.claim(&[("cy", 4)]).await;
    let [bob, other, cy, fay] = [&first[3], &first[4], &second[0], &second[1]].map(|claimed| claimed.held.clone());
    let ends = [
        asked(bob.id, presented("ann", None, None), None),
        asked(bob.id, presented("bob", Some(2), None), None),
        asked(bob.id, presented("bob", Some(1), None), Some(json!(7))),
        asked(bob.id, presented("bob", None, None), None),
        asked(other.id, presented("bob", None, Some(&other.lease)), None),
        asked(cy.id, presented("cy", None, Some(&other.lease)), None),
        asked(cy.id, Right::Held(cy.lease.clone()), None),
        asked(fay.id, Right::Presented(Presented::default()), None),
        asked(id(77), presented("cy", None, None), None),
    ];
    story.present("the-request", &ends).await;
    story.present("the-request", &ends).await;
    story.present("another", &ends).await;

    // A job that was given back has been handed out before, and one that failed has failed.
    let failure = || Failure::new("handler_error", "no");
    let returned = Ending::Returned { delay: Duration::ZERO, failure: failure() };
    story.end(&[AttemptEnd { held: second[2].held.clone(), ending: returned }]).await;
    let (_, third) = story.claim(&[("dee", 9)]).await;
    story.end(&third.iter().map(|claimed| done(claimed, None)).collect::<Vec<_>>()).await;

    // One that comes due in the call that hands it out, one that came due before, and one that is cancelled while it runs.
    for number in [20, 21, 22] {
        story.enqueue(number, &json!({"delay_until": "+PT1H"})).await;
        let mut comes_due = redis::cmd("ZADD");
        comes_due.arg(story.store.keys().partition(P0).due()).arg(1).arg(id(number).to_string());
        comes_due.exec_async(&mut shared().connection().await).await.expect("Redis is there");
    }
    let (_, fourth) = story.claim(&[("eve", 1)]).await;
    let (_, fifth) = story.claim(&[("eve", 2)]).await;
    assert_eq!((fourth.len(), fifth.len()), (1, 2));
    story.store.cancel(fifth[0].held.id, "api", "why not").await.expect("Redis is there");
    let key = story.store.keys().partition(P0).job(fifth[0].held.id);
    let asked = record::line(&mut shared().connection().await, &key, "asked").await.expect("who asked");
    story.chance.push((asked, "whoever asked".to_owned()));
    story.end(&[done(&fourth[0], None), done(&fifth[0], None), done(&fifth[1], Some(json!(null)))]).await;
    story.told().await
}

#[tokio::test]
async fn the_usual_way_leaves_what_the_general_way_leaves() {
    let (usual, general) = tokio::join!(told(Way::Usual), told(Way::General));
    for (usual, general) in usual.iter().zip(&general) {
        assert_eq!(usual, general);
    }
    assert_eq!(usual.len(), general.len());
    assert!(usual.iter().any(|line| line.contains("job.completed")), "{usual:#?}");
}
