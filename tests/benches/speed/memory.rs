//! What jobs cost in Redis, queued and finished, and what the two programs take, idle and busy.

use carillon_tests::process::{Process, worker};

use crate::bare;
use crate::drain::{CONCURRENCY, work};
use crate::figure::{Better, Figure};
use crate::fire::serve;
use crate::ground::{Ground, Scale, until_number};
use crate::machine;
use crate::wire;

pub(crate) async fn measure(scale: Scale) -> Vec<Figure> {
    let count = scale.of(50_000, 500_000);
    let (queued, finished) = per_job(count).await;
    let bare = per_bare_job(count).await;
    let bytes = |name, measured| Figure::new(name, "B", Better::Lower, measured);
    let mut figures = vec![
        bytes("Redis memory per queued job", queued).beside(bare).must(700.0, 700.0),
        bytes("Redis memory per finished job", finished),
    ];
    figures.extend(programs(count).await);
    figures
}

#[expect(clippy::cast_precision_loss, reason = "a count far below 2^53")]
async fn per_job(count: usize) -> (f64, f64) {
    let ground = Ground::new().await;
    let empty = ground.memory().await;
    ground.fill(count).await;
    let queued = ground.memory().await - empty;
    let (stop, running) = work(&ground);
    until_number(&ground, &["ZCARD", "ojs:{p00}:ended:completed"], count).await;
    stop.cancel();
    running.await.expect("the worker ends").expect("the worker had its Redis");
    let finished = ground.memory().await - empty;
    (queued / count as f64, finished / count as f64)
}

#[expect(clippy::cast_precision_loss, reason = "a count far below 2^53")]
async fn per_bare_job(count: usize) -> f64 {
    let ground = Ground::new().await;
    let empty = ground.memory().await;
    bare::run(&ground.server, &wire::enqueue(count, wire::BATCH));
    (ground.memory().await - empty) / count as f64
}

/// Resident memory of both programs, before and after they had much to do.
async fn programs(count: usize) -> Vec<Figure> {
    let ground = Ground::new().await;
    let scheduler = serve(&ground).await;
    let mut command = worker();
    command.args(["--metrics-addr", "off", "--redis-url", &ground.server.url()]);
    command.args(["--concurrency", &CONCURRENCY.to_string(), "--log", "error,carillon_worker::run=info"]);
    let worker = Process::start(&command);
    worker.printed("ready").await;
    let mib = |name, program: &Process| Figure::new(name, "MiB", Better::Lower, machine::resident_mib(program.pid()));
    let mut figures = vec![
        mib("scheduler, resident, idle", &scheduler).must(30.0, 30.0),
        mib("worker, resident, idle", &worker).must(30.0, 30.0),
    ];
    for some in (0..count).collect::<Vec<_>>().chunks(10_000) {
        ground.fill_with("echo", some.len()).await;
    }
    until_number(&ground, &["ZCARD", "ojs:{p00}:ready:default"], 0).await;
    figures.push(mib("scheduler, resident, busy", &scheduler));
    figures.push(mib("worker, resident, busy", &worker));
    figures
}
