//! Jobs taken in: in batches by one producer, one by one by fifty and by one that does not wait, as one atomic batch of 10,000,
//! and from the inbox.

use std::time::Instant;

use carillon_shared::client::Client;
use carillon_tests::process::{Process, scheduler};
use futures::{StreamExt, TryStreamExt};

use crate::bare;
use crate::cmd;
use crate::figure::Figure;
use crate::ground::{Ground, Scale, enqueue_all, noop, noops, per_second, until_number};
use crate::wire;

const PRODUCERS: usize = 50;
/// Calls that one producer has on the way.
const ON_THE_WAY: usize = 64;

pub(crate) async fn measure(scale: Scale) -> Vec<Figure> {
    let count = scale.of(100_000, 400_000);
    let singly = limit_singly(count).await;
    let on_the_way = limit(count, ON_THE_WAY).await;
    let limit = limit(count, wire::BATCH).await;
    vec![
        Figure::rate("enqueue, one producer, batches of 100", bulk(count).await)
            .beside(limit)
            .must(80_000.0, 120_000.0),
        Figure::rate("enqueue, 50 producers, one by one", single(count).await).beside(singly).must(50_000.0, 80_000.0),
        Figure::rate("enqueue, one producer, 64 on the way", pipelined(count).await).beside(on_the_way),
        Figure::ms("enqueue, 10,000 jobs all or none", atomic().await).beside(10_000.0 / limit * 1000.0),
        Figure::rate("inbox to queue", inbox(scale.of(50_000, 200_000)).await).beside(limit),
    ]
}

async fn bulk(count: usize) -> f64 {
    let ground = Ground::new().await;
    let envelopes = noops(count);
    let start = Instant::now();
    enqueue_all(&ground.store, &envelopes).await;
    per_second(count, start.elapsed())
}

async fn single(count: usize) -> f64 {
    let ground = Ground::new().await;
    let client = Client::new(ground.store.clone());
    let start = Instant::now();
    let producers = (0..PRODUCERS).map(|producer| {
        let client = client.clone();
        tokio::spawn(async move {
            for number in (producer..count).step_by(PRODUCERS) {
                client.enqueue(&noop(number)).await.expect("Redis takes the job");
            }
        })
    });
    futures::future::join_all(producers.collect::<Vec<_>>()).await;
    per_second(count, start.elapsed())
}

/// One task that enqueues jobs one by one, and waits for an answer only when so many are on the way.
async fn pipelined(count: usize) -> f64 {
    let ground = Ground::new().await;
    let client = Client::new(ground.store.clone());
    let start = Instant::now();
    let producer = tokio::spawn(async move {
        let sent = futures::stream::iter(0..count).map(|number| {
            let client = client.clone();
            async move { client.enqueue(&noop(number)).await.map(drop) }
        });
        sent.buffer_unordered(ON_THE_WAY).try_collect::<()>().await
    });
    producer.await.expect("no panic").expect("Redis takes the jobs");
    per_second(count, start.elapsed())
}

/// The best of three, in ms.
async fn atomic() -> f64 {
    let ground = Ground::new().await;
    let client = Client::new(ground.store.clone());
    let mut best = f64::INFINITY;
    for _ in 0..3 {
        let envelopes = noops(10_000);
        let start = Instant::now();
        client.enqueue_all(&envelopes).await.expect("Redis takes the batch");
        best = best.min(start.elapsed().as_secs_f64() * 1000.0);
    }
    best
}

async fn inbox(count: usize) -> f64 {
    let ground = Ground::new().await;
    let mut connection = ground.server.connection().await;
    for from in (0..count).step_by(1000) {
        let mut push = cmd!("RPUSH", "ojs:inbox");
        (from..from + 1000).for_each(|n| _ = push.arg(format!(r#"{{"type":"noop","args":[{n}]}}"#)));
        push.exec_async(&mut connection).await.expect("Redis takes the items");
    }
    let mut serve = scheduler();
    serve.args(["serve", "--port", "0", "--grpc-port", "off", "--redis-url", &ground.server.url()]);
    let scheduler = Process::start(&serve);
    let start = Instant::now();
    scheduler.printed("scheduler started").await;
    until_number(&ground, &["ZCARD", "ojs:{p00}:ready:default"], count).await;
    per_second(count, start.elapsed())
}

async fn limit(count: usize, size: usize) -> f64 {
    let ground = Ground::new().await;
    per_second(count, bare::run(&ground.server, &wire::enqueue(count, size)))
}

/// Fifty producers that wait for each answer are, to one connection, batches of fifty.
async fn limit_singly(count: usize) -> f64 {
    limit(count, PRODUCERS).await
}
