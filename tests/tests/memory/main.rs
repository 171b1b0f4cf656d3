//! Nothing grows without bound: after any amount of work, when all of it has ended and been forgotten, Redis holds what it
//! held after the first of it.
//!
//! `SOAK_SECONDS` says for how long (5). Each checkpoint waits until nothing is left that should not be, then measures.

mod life;
mod residue;

use std::time::{Duration, Instant};

use carillon_scheduler::app::App;
use carillon_scheduler::cli::configuration;
use carillon_shared::store::{Store, StoreOptions};
use carillon_tests::redis::{Server, namespace};
use carillon_tests::store::options;

use life::Life;
use residue::{Residue, settled};

/// Everything is kept for a second, and little of it; a machine that stands still for a moment is no Redis that is away.
const TINY: &[&str] = &[
    "--redis-timeout",
    "20s",
    "--retention-completed",
    "1s",
    "--retention-cancelled",
    "1s",
    "--retention-discarded",
    "1s",
    "--retention-dead-letters",
    "1s",
    "--retention-workflows",
    "1s",
    "--retention-queues",
    "1s",
    "--events-kept",
    "100",
    "--ledger-rows",
    "10",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_kept_does_not_grow_with_what_was_done() {
    let seconds: u64 = std::env::var("SOAK_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(5);
    let server = Server::start(&["--appendonly", "no"]);
    let namespace = namespace();
    let own = ["--redis-url", &server.url(), "--namespace", namespace.as_str(), "--port", "0", "--grpc-port", "off"];
    let app =
        App::start(&configuration(&[&own, TINY].concat()).expect("valid flags"), None).await.expect("a scheduler");
    let options = StoreOptions { namespace, ..options(&server.url()) };
    let life = Life::new(&app, options).await;
    let checkpoints = (seconds / 10).max(2);
    let stretch = Duration::from_secs(seconds) / u32::try_from(checkpoints).expect("a few");
    let (mut rounds, mut first) = (0, None::<Residue>);
    for _ in 0..checkpoints {
        let begun = Instant::now();
        // A first round at least, however slow the machine is; as many afterwards as there is time for.
        while rounds == 0 || begun.elapsed() < stretch {
            life.round(rounds).await;
            rounds += 1;
        }
        let residue = settled(&server, app.store()).await;
        println!("{rounds:>6} rounds: {residue}");
        match &first {
            None => first = Some(residue),
            Some(first) => first.assert_not_outgrown_by(&residue),
        }
    }
    app.stop().await;
}

#[tokio::test]
async fn a_key_that_is_left_behind_is_found() {
    let server = Server::start(&["--appendonly", "no"]);
    let store = Store::open(options(&server.url())).await.expect("Redis is there");
    assert_eq!(residue::leftovers(&server, &store).await, Vec::<String>::new());
    let keys = store.keys().partition(carillon_shared::id::Partition(0));
    let mut connection = server.connection().await;
    for (key, seconds) in [(keys.claim("x"), 0), (keys.unique("y"), 60), (keys.bell(&"q".parse().expect("a name")), 0)]
    {
        let mut set = redis::cmd("SET");
        set.arg(key).arg(1);
        if seconds > 0 {
            set.arg("EX").arg(seconds);
        }
        let _: () = set.query_async(&mut connection).await.expect("Redis is there");
    }
    let left = residue::leftovers(&server, &store).await;
    assert_eq!(left.len(), 2, "{left:?}: what expires goes by itself");
    assert!(left.iter().any(|key| key.contains("claim:x")) && left.iter().any(|key| key.contains("bell:q")));
}
