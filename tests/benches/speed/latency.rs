//! From the call that enqueues a job to the start of its handler, one job every 10 ms in an idle house.
//!
//! The limit: a push onto a list that somebody waits for, and one more round trip, as any wake-up and claim needs. Producers
//! are tasks, as in any server: the thread of `main` would have to be woken for each answer.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use carillon_worker::{Context, HandlerError, Worker};
use tokio_util::sync::CancellationToken;

use crate::cmd;
use crate::figure::{Figure, percentile};
use crate::ground::{Ground, Scale, noop, options};

const PAUSE: Duration = Duration::from_millis(10);

pub(crate) async fn measure(scale: Scale) -> Vec<Figure> {
    let count = scale.of(500, 3000);
    let ours = tokio::spawn(ours(count)).await.expect("no panic");
    let bare = tokio::spawn(bare(count)).await.expect("no panic");
    let at = |share| (percentile(&ours, share), percentile(&bare, share));
    let ((p50, bare50), (p99, bare99), (p999, bare999)) = (at(0.5), at(0.99), at(0.999));
    vec![
        Figure::ms("enqueue to handler start, p50", p50).beside(bare50).must(1.0, 0.4),
        Figure::ms("enqueue to handler start, p99", p99).beside(bare99).must(5.0, 0.9),
        Figure::ms("enqueue to handler start, p99.9", p999).beside(bare999),
    ]
}

async fn ours(count: usize) -> Vec<f64> {
    let ground = Ground::new().await;
    let sent = Arc::new(Mutex::new(vec![Instant::now(); count]));
    let (started, mut starts) = tokio::sync::mpsc::unbounded_channel();
    let worker = Worker::builder()
        .store(options(&ground.server))
        .handler("noop", move |_: Context, number: u64| {
            let _told = started.send((number, Instant::now()));
            async { Ok::<_, HandlerError>(()) }
        })
        .build()
        .expect("a worker");
    let stop = CancellationToken::new();
    let running = tokio::spawn(worker.run(stop.clone()));
    let mut late = Vec::new();
    for number in 0..count {
        tokio::time::sleep(PAUSE).await;
        let envelope = noop(number);
        let id = ground.store.id_for(&envelope);
        let job = [carillon_shared::store::NewJob::new(id, &envelope)];
        sent.lock().unwrap_or_else(PoisonError::into_inner)[number] = Instant::now();
        ground.store.enqueue(&job).await.expect("Redis takes the job");
        let (started, at) = starts.recv().await.expect("the handler runs");
        let sent = sent.lock().unwrap_or_else(PoisonError::into_inner);
        late.push(at.duration_since(sent[usize::try_from(started).expect("a number of ours")]).as_secs_f64() * 1000.0);
    }
    stop.cancel();
    running.await.expect("the worker ends").expect("the worker had its Redis");
    late.sort_by(f64::total_cmp);
    late
}

async fn bare(count: usize) -> Vec<f64> {
    let ground = Ground::new().await;
    let (mut producer, mut waiter) = (ground.server.connection().await, ground.server.connection().await);
    let mut taker = ground.server.connection().await;
    let mut late = Vec::new();
    for _ in 0..count {
        let waits = tokio::spawn(async move {
            cmd!("BLPOP", "bare:bell", 1).exec_async(&mut waiter).await.expect("Redis is there");
            cmd!("LPOP", "bare:queue").exec_async(&mut taker).await.expect("Redis is there");
            (waiter, taker, Instant::now())
        });
        tokio::time::sleep(PAUSE).await;
        let sent = Instant::now();
        cmd!("RPUSH", "bare:bell", "1").exec_async(&mut producer).await.expect("Redis is there");
        let (back, again, at) = waits.await.expect("no panic");
        (waiter, taker) = (back, again);
        late.push(at.duration_since(sent).as_secs_f64() * 1000.0);
    }
    late.sort_by(f64::total_cmp);
    late
}
