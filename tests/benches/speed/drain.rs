//! Queued jobs that do nothing, drained by one worker with Rust handlers: claim, run, end, each told as an event.

use std::time::Instant;

use carillon_worker::{Context, HandlerError, Worker};
use tokio_util::sync::CancellationToken;

use crate::bare;
use crate::figure::Figure;
use crate::ground::{Ground, options, per_second, until_number};
use crate::wire;

/// Jobs at once.
pub(crate) const CONCURRENCY: usize = 1000;

const JOBS: usize = 200_000;

pub(crate) async fn measure() -> Vec<Figure> {
    let ground = Ground::new().await;
    ground.fill(JOBS).await;
    let start = Instant::now();
    let (stop, running) = work(&ground);
    until_number(&ground, &["ZCARD", "ojs:{p00}:ended:completed"], JOBS).await;
    let ours = per_second(JOBS, start.elapsed());
    stop.cancel();
    running.await.expect("the worker ends").expect("the worker had its Redis");
    vec![Figure::rate("drain, one worker", ours).beside(limit().await).must(40_000.0, 56_000.0)]
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

async fn limit() -> f64 {
    let ground = Ground::new().await;
    bare::run(&ground.server, &wire::enqueue(JOBS, wire::BATCH));
    per_second(JOBS, bare::run(&ground.server, &wire::drain(JOBS)))
}
