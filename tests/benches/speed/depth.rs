//! What a claim costs when few jobs are queued, and when very many are.

use std::time::{Duration, Instant};

use carillon_shared::name::QueueName;
use carillon_shared::store::{AttemptEnd, Claim, Ending};

use crate::figure::{Better, Figure, percentile};
use crate::ground::Ground;

/// The machine may change its pace within seconds: so it is the turn of one and of the other, each with so many claims.
const TURNS: usize = 6;
const CLAIMS: usize = 10;
const JOBS: usize = 100;
const FEW: usize = 1_000;
const MANY: usize = 1_000_000;

pub(crate) async fn measure() -> Vec<Figure> {
    let (shallow, deep) = (Ground::new().await, Ground::new().await);
    shallow.fill(FEW).await;
    deep.fill(MANY).await;
    let (mut few, mut many) = (Vec::new(), Vec::new());
    for _ in 0..TURNS {
        few.extend(claims_ms(&shallow).await);
        many.extend(claims_ms(&deep).await);
    }
    let (few, many) = (median(few), median(many));
    vec![
        Figure::ms("claim of 100 jobs, 1,000,000 queued", many).beside(few),
        Figure::new("depth, 1,000,000 over 1,000", "x", Better::Lower, many / few).must(1.2, 1.2),
    ]
}

/// What some claims took, each of 100 jobs, which are completed and made up for.
async fn claims_ms(ground: &Ground) -> Vec<f64> {
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
    took
}

fn median(mut took: Vec<f64>) -> f64 {
    took.sort_by(f64::total_cmp);
    percentile(&took, 0.5)
}
