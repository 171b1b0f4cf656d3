//! Everything at once: schedulers, workers and Redis are killed, frozen, cut off and restarted at random while jobs of every
//! kind are produced and cron entries of every overlap policy fire every second. Afterwards the invariants are held against
//! everything that was recorded.
//!
//! `CHAOS_SECONDS` says for how long (35), `CHAOS_SEED` repeats the choice of faults and jobs.

mod flush;
mod house;
mod load;
mod strikes;

use std::time::{Duration, Instant};

use carillon_tests::invariants::{History, each_row_has_its_own_job, every_second_has_one_row, violations};
use carillon_tests::snapshot::Snapshot;
use carillon_tests::wait::within;
use fastrand::Rng;
use house::House;
use load::Load;
use tokio_util::sync::CancellationToken;

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_and_nothing_doubled_whatever_is_killed() {
    let seed = number("CHAOS_SEED", fastrand::u64(..1 << 40));
    println!("CHAOS_SEED={seed}");
    let mut house = House::build(Rng::with_seed(seed), "2s").await;
    let stop = CancellationToken::new();
    let load = Load::new(&house, Rng::with_seed(seed + 1));
    load.register_entries().await;
    let load = tokio::spawn(load.run(stop.clone()));
    let end = Instant::now() + Duration::from_secs(number("CHAOS_SECONDS", 35));
    while Instant::now() < end {
        house.strike().await;
        tokio::time::sleep(Duration::from_millis(300)).await; // the pace of the faults
    }
    stop.cancel();
    let load = load.await.expect("the load goes on whatever happens");
    let rows = load.remove_entries().await;

    let jobs = load.jobs(&rows);
    let store = house.store.clone();
    let quiet = within(Duration::from_secs(300), async || {
        History::read(&store).await.each_of_these_ended(&jobs).is_empty().then_some(())
    });
    let is_quiet = quiet.await.is_some();
    let history = History::read(&house.store).await;
    let mut found = if is_quiet { Vec::new() } else { history.each_of_these_ended(&jobs) };
    found.extend(history.no_job_ends_twice());
    found.extend(history.one_attempt_at_a_time());
    for (name, rows) in &rows {
        found.extend(every_second_has_one_row(name, rows));
        found.extend(each_row_has_its_own_job(name, rows));
        if ["skip", "enqueue"].contains(name) {
            found.extend(history.one_run_at_a_time(name, rows));
        }
    }
    found.extend(load.wrong_ends().await);
    house.stop();
    found.extend(violations(house.store.keys(), &Snapshot::take(&house.server, house.store.keys()).await));

    println!("{}", load.totals(&rows, &history));
    println!("{}", house.totals());
    assert!(found.is_empty(), "CHAOS_SEED={seed}: {} things are wrong:\n{}", found.len(), found.join("\n"));
}
