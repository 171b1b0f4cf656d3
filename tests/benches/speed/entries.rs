//! Very many registered entries: how fast they are taken, what each costs, and that those that are not due cost nothing.
//!
//! The limit of what a leader takes is what it takes beside few entries: the rest must cost nothing.

use std::time::{Duration, Instant};

use carillon_shared::client::Client;
use carillon_tests::process::Process;
use serde_json::json;

use crate::figure::{Better, Figure};
use crate::fire::{register, serve};
use crate::ground::{Ground, Scale, per_second};
use crate::machine;

const FEW: usize = 1000;
const DUE: usize = 10;
const WATCHED: Duration = Duration::from_secs(8);

pub(crate) async fn measure(scale: Scale) -> Vec<Figure> {
    let count = scale.of(50_000, 1_000_000);
    let few = Seen::of(FEW).await;
    let many = Seen::of(count).await;
    println!("  few: {FEW} entries; many: {count}");
    let cpu = |name, of: fn(&Watched) -> f64, when: fn(&Seen) -> &Watched| {
        Figure::new(name, "%", Better::Lower, of(when(&many))).beside(of(when(&few)))
    };
    vec![
        Figure::rate("register entries", many.rate),
        Figure::new("Redis memory per entry", "B", Better::Lower, many.bytes).must(1024.0, 1024.0),
        cpu("idle leader, CPU", |watched| watched.leader, |seen| &seen.idle).must(1.0, 0.3),
        cpu("  Redis beside it, CPU", |watched| watched.redis, |seen| &seen.idle),
        cpu("leader with 10 due a second, CPU", |watched| watched.leader, |seen| &seen.ticking),
        cpu("  Redis beside it, CPU, 10 due", |watched| watched.redis, |seen| &seen.ticking),
        Figure::new("leader of many entries, resident", "MiB", Better::Lower, many.resident_mib).must(30.0, 30.0),
    ]
}

/// What was seen of one number of entries.
struct Seen {
    rate: f64,
    bytes: f64,
    idle: Watched,
    ticking: Watched,
    resident_mib: f64,
}

/// The share of one core that each takes, in percent.
struct Watched {
    leader: f64,
    redis: f64,
}

impl Seen {
    async fn of(count: usize) -> Self {
        let ground = Ground::new().await;
        let empty = ground.memory().await;
        let start = Instant::now();
        // Due twelve hours from now: not while we look.
        let now = ground.store.now().await.expect("Redis is there");
        register(&ground, count, now + Duration::from_secs(43_200)).await;
        let rate = per_second(count, start.elapsed());
        #[expect(clippy::cast_precision_loss, reason = "a count far below 2^53")]
        let bytes = (ground.memory().await - empty) / count as f64;
        let leader = serve(&ground).await;
        let idle = watch(&leader, &ground).await;
        let resident_mib = machine::resident_mib(leader.pid());
        register_due(&ground).await;
        let ticking = watch(&leader, &ground).await;
        Self { rate, bytes, idle, ticking, resident_mib }
    }
}

/// Entries that fire together, every second.
async fn register_due(ground: &Ground) {
    let client = Client::new(ground.store.clone());
    for number in 0..DUE {
        let name = format!("due-{number}");
        let request = json!({"name": name, "cron": "* * * * * *", "type": "noop", "overlap_policy": "allow"});
        client.register(&request).await.expect("the entry is registered");
    }
}

async fn watch(leader: &Process, ground: &Ground) -> Watched {
    let redis = ground.pid().await;
    // The first moments after a start are not idle ones.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let (before, start) = ((machine::cpu(leader.pid()), machine::cpu(redis)), Instant::now());
    tokio::time::sleep(WATCHED).await;
    let percent = |pid, before| (machine::cpu(pid) - before).as_secs_f64() / start.elapsed().as_secs_f64() * 100.0;
    Watched { leader: percent(leader.pid(), before.0), redis: percent(redis, before.1) }
}
