//! Queued jobs that do nothing, drained by one worker with Rust handlers: claim, run, end, each told as an event.

use std::time::Instant;

use carillon_worker::{Context, HandlerError, Worker};
use tokio_util::sync::CancellationToken;

use crate::bare;
use crate::figure::Figure;
use crate::ground::{Ground, Scale, options, per_second, until_number};
use crate::wire;

/// Jobs at once.
pub(crate) const CONCURRENCY: usize = 1000;

pub(crate) async fn measure(scale: Scale) -> Vec<Figure> {
    let count = scale.of(100_000, 200_000);
    let ground = Ground::new().await;
    ground.fill(count).await;
    let start = Instant::now();
    let (stop, running) = work(&ground);
    until_number(&ground, &["ZCARD", "ojs:{p00}:ended:completed"], count).await;
    let ours = per_second(count, start.elapsed());
    stop.cancel();
    running.await.expect("the worker ends").expect("the worker had its Redis");
    vec![Figure::rate("drain, one worker", ours).beside(limit(count).await).must(40_000.0, 56_000.0)]
}

/// Starts a worker whose handler does nothing.
pub(crate) fn work(
    ground: &Ground,
) -> (CancellationToken, tokio::task::JoinHandle<Result<carillon_worker::Summary, carillon_worker::WorkerError>>) {
    let worker = Worker::builder()
        .store(options(&ground.server))
        .concurrency(CONCURRENCY)
        .handler("noop", |_: Context, _: u64| async { Ok::<_, HandlerError>(()) })
        .build()
        .expect("a worker");
    let stop = CancellationToken::new();
    (stop.clone(), tokio::spawn(worker.run(stop)))
}

async fn limit(count: usize) -> f64 {
    let ground = Ground::new().await;
    bare::run(&ground.server, &wire::enqueue(count, wire::BATCH));
    per_second(count, bare::run(&ground.server, &wire::drain(count)))
}
