//! Many entries due in one second, of all four policies, fired by a scheduler process: how many a second, how late the last.
//!
//! And one entry that fires every second in an idle house: how late each time.

use std::time::{Duration, Instant};

use carillon_shared::client::Client;
use carillon_shared::clock::Timestamp;
use carillon_shared::store::StoredEntry;
use carillon_tests::process::{Process, scheduler};
use futures::StreamExt;
use serde_json::json;

use crate::bare;
use crate::figure::{Figure, percentile};
use crate::ground::{Ground, Scale, per_second, until_number};
use crate::wire;

const POLICIES: [&str; 4] = ["skip", "allow", "cancel_previous", "enqueue"];

pub(crate) async fn measure(scale: Scale) -> Vec<Figure> {
    let of_10_000 = ["fire, 10,000 due in one second", "  10,000: p50", "  10,000: p99", "  10,000: the last"];
    let of_100_000 = ["fire, 100,000 due in one second", "  100,000: p50", "  100,000: p99", "  100,000: the last"];
    let mut figures = Vec::from(due_together(10_000, of_10_000).await);
    figures.extend(due_together(100_000, of_100_000).await);
    let beats = every_second(scale.of(12, 60)).await;
    figures.extend([
        Figure::ms("every-second entry, lateness p50", percentile(&beats, 0.5)).must(10.0, 1.5),
        Figure::ms("every-second entry, lateness p99", percentile(&beats, 0.99)).must(10.0, 5.0),
    ]);
    figures
}

/// The rate of so many, and how late half of them, almost all of them and the last were.
async fn due_together(count: usize, [rate_name, half, almost_all, last]: [&'static str; 4]) -> [Figure; 4] {
    let (rate, late) = many(count).await;
    let late_at = |share| percentile(&late, share);
    [
        Figure::rate(rate_name, rate).beside(limit(count).await).must(25_000.0, 25_000.0),
        Figure::ms(half, late_at(0.5)),
        Figure::ms(almost_all, late_at(0.99)),
        Figure::ms(last, late_at(1.0)).must(5000.0, 5000.0),
    ]
}

/// Fires a second from the due instant on, and how late each was, in ms, in order of lateness.
async fn many(count: usize) -> (f64, Vec<f64>) {
    let ground = Ground::new().await;
    let due = due_after(&ground, Duration::from_millis(2000 + count as u64 / 3)).await;
    register(&ground, count, due).await;
    let now = ground.store.now().await.expect("Redis is there");
    assert!(now < due, "{count} entries could not be registered before they were due");
    let _scheduler = serve(&ground).await;
    until_number(&ground, &["HGET", "ojs:{p00}:queue:default", "seq"], count).await;
    let entries = ground.store.entries().await.expect("Redis is there");
    let mut late: Vec<f64> = entries.iter().map(|entry| lateness(entry, due)).collect();
    late.sort_by(f64::total_cmp);
    let last = percentile(&late, 1.0);
    (per_second(count, Duration::from_secs_f64(last / 1000.0)), late)
}

/// A full second, so far ahead.
async fn due_after(ground: &Ground, ahead: Duration) -> Timestamp {
    let now = ground.store.now().await.expect("Redis is there");
    Timestamp::from_secs((now + ahead).as_ms() / 1000 + 1)
}

/// Entries that fire once a day, at that second.
pub(crate) async fn register(ground: &Ground, count: usize, due: Timestamp) {
    let seconds = due.as_ms() / 1000 % 86_400;
    let cron = format!("{} {} {} * * *", seconds % 60, seconds / 60 % 60, seconds / 3600);
    let client = Client::new(ground.store.clone());
    let registered = futures::stream::iter((0..count).map(|number| {
        let (client, cron) = (client.clone(), cron.clone());
        async move {
            let request = json!({"name": format!("entry-{number}"), "cron": cron, "type": "noop", "args": [number],
                "overlap_policy": POLICIES[number % POLICIES.len()]});
            client.register(&request).await.map(drop)
        }
    }));
    registered.buffer_unordered(64).for_each(async |done| done.expect("the entry is registered")).await;
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds since a moment ago")]
fn lateness(entry: &StoredEntry, due: Timestamp) -> f64 {
    let last = entry.last_run_at.expect("every entry has fired");
    (last.as_ms() - due.as_ms()) as f64
}

pub(crate) async fn serve(ground: &Ground) -> Process {
    let mut serve = scheduler();
    serve.args(["serve", "--port", "0", "--grpc-port", "off", "--redis-url", &ground.server.url()]);
    let scheduler = Process::start(&serve);
    scheduler.printed("leading").await;
    scheduler
}

/// How late each of so many fires of one entry was told on the channel, in ms, in order of lateness.
async fn every_second(fires: usize) -> Vec<f64> {
    let ground = Ground::new().await;
    let client = Client::new(ground.store.clone());
    let _scheduler = serve(&ground).await;
    let mut events = ground.server.subscriber().await;
    events.subscribe("ojs:events").await.expect("the server takes subscribers");
    let request = json!({"name": "tick", "cron": "* * * * * *", "type": "noop", "overlap_policy": "allow"});
    client.register(&request).await.expect("the entry is registered");
    let second = second_of(&ground).await;
    let mut late = Vec::new();
    let mut messages = events.on_message();
    // The first may come before the registration was noticed, which takes up to 200 ms.
    while late.len() <= fires {
        let message = messages.next().await.expect("the entry fires");
        let event: serde_json::Value = serde_json::from_slice(message.get_payload_bytes()).expect("an event is JSON");
        if event["type"] == "cron.triggered" {
            late.push(second.elapsed().as_secs_f64().fract() * 1000.0);
        }
    }
    let again = second_of(&ground).await.duration_since(second).as_secs_f64();
    assert!((again - again.round()).abs() < 0.0005, "Redis's clock was set meanwhile");
    late.remove(0);
    late.sort_by(f64::total_cmp);
    late
}

/// A moment at which a second of Redis's clock began, as exactly as the quickest of some answers tells.
async fn second_of(ground: &Ground) -> Instant {
    let mut connection = ground.server.connection().await;
    let mut best: Option<(Duration, Instant)> = None;
    for _ in 0..50 {
        let asked = Instant::now();
        let (_, micros): (u64, u64) = redis::cmd("TIME").query_async(&mut connection).await.expect("Redis is there");
        let took = asked.elapsed();
        let began = asked + took / 2 - Duration::from_micros(micros);
        if best.is_none_or(|(least, _)| took < least) {
            best = Some((took, began));
        }
    }
    best.expect("fifty answers").1
}

async fn limit(count: usize) -> f64 {
    let ground = Ground::new().await;
    per_second(count, bare::run(&ground.server, &wire::fire(count)))
}
