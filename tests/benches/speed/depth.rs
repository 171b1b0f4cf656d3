//! What a claim costs when few jobs are queued, and when very many are.

use std::time::{Duration, Instant};

use carillon_shared::name::QueueName;
use carillon_shared::store::{AttemptEnd, Claim, Ending};

use crate::figure::{Better, Figure, percentile};
use crate::ground::Ground;

const CLAIMS: usize = 60;
const JOBS: usize = 100;
const FEW: usize = 1_000;
const MANY: usize = 1_000_000;

pub(crate) async fn measure() -> Vec<Figure> {
    let ground = Ground::new().await;
    ground.fill(FEW).await;
    let few = claim_ms(&ground).await;
    ground.fill(MANY).await;
    let many = claim_ms(&ground).await;
    vec![
        Figure::ms("claim of 100 jobs, 1,000,000 queued", many).beside(few),
        Figure::new("depth, 1,000,000 over 1,000", "x", Better::Lower, many / few).must(1.2, 1.2),
    ]
}

/// The median of some claims, each of 100 jobs, which are completed and made up for.
async fn claim_ms(ground: &Ground) -> f64 {
    let mut took = Vec::new();
    for _ in 0..CLAIMS {
        let worker = "bench".parse().expect("a worker id");
        let claim = Claim::new(worker, vec![QueueName::default()], JOBS, Duration::from_secs(30));
        let start = Instant::now();
        let claimed = ground.store.claim(&claim).await.expect("Redis is there");
        took.push(start.elapsed().as_secs_f64() * 1000.0);
        assert_eq!(claimed.len(), JOBS);
        let ends: Vec<_> = claimed
            .into_iter()
            .map(|claimed| AttemptEnd { held: claimed.held, ending: Ending::Completed { result: None } })
            .collect();
        ground.store.end(&ends).await.expect("Redis is there");
        ground.fill(JOBS).await;
    }
    took.sort_by(f64::total_cmp);
    percentile(&took, 0.5)
}
