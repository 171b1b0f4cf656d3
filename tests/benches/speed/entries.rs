//! Very many registered entries: how fast they are taken, what each costs, and that those that are not due cost nothing.

use std::time::{Duration, Instant};

use carillon_shared::client::Client;
use carillon_tests::process::Process;
use serde_json::json;

use crate::figure::{Better, Figure};
use crate::fire::{register, serve};
use crate::ground::{Ground, Scale, per_second};
use crate::machine;

const WATCHED: Duration = Duration::from_secs(8);

pub(crate) async fn measure(scale: Scale) -> Vec<Figure> {
    let count = scale.of(50_000, 1_000_000);
    let ground = Ground::new().await;
    let empty = ground.memory().await;
    let start = Instant::now();
    // Due twelve hours from now: not while we look.
    let now = ground.store.now().await.expect("Redis is there");
    register(&ground, count, now + Duration::from_secs(43_200)).await;
    let rate = per_second(count, start.elapsed());
    #[expect(clippy::cast_precision_loss, reason = "a count far below 2^53")]
    let bytes = (ground.memory().await - empty) / count as f64;
    let scheduler = serve(&ground).await;
    let idle = cpu_percent(&scheduler).await;
    let client = Client::new(ground.store.clone());
    for number in 0..10 {
        let request = json!({"name": format!("due-{number}"), "cron": "* * * * * *", "type": "noop"});
        client.register(&request).await.expect("the entry is registered");
    }
    let ticking = cpu_percent(&scheduler).await;
    println!("  {count} entries");
    vec![
        Figure::rate("register entries", rate),
        Figure::new("Redis memory per entry", "B", Better::Lower, bytes).must(1024.0, 1024.0),
        Figure::new("idle leader, CPU", "%", Better::Lower, idle).must(1.0, 1.0),
        Figure::new("leader with 10 due a second, CPU", "%", Better::Lower, ticking),
    ]
}

/// The share of one core that a program takes while we look.
async fn cpu_percent(program: &Process) -> f64 {
    // The first moments after a start are not idle ones.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let (before, start) = (machine::cpu(program.pid()), Instant::now());
    tokio::time::sleep(WATCHED).await;
    (machine::cpu(program.pid()) - before).as_secs_f64() / start.elapsed().as_secs_f64() * 100.0
}
