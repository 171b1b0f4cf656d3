//! Waiting for a condition, never for a duration.

use std::future::Future;
use std::time::{Duration, Instant};

/// Nothing that a test awaits takes this long unless it never comes: not on a slow machine that does other things, nor where
/// it stood still for so long that leases are held off.
const DEADLINE: Duration = Duration::from_secs(120);
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// Waits until `condition` holds.
///
/// # Panics
///
/// After two minutes, with `what` was awaited.
pub async fn until<F, Fut>(what: &str, mut condition: F)
where
    F: FnMut() -> Fut,
    Fut: Future<Output = bool>,
{
    until_some(what, || {
        let holds = condition();
        async { holds.await.then_some(()) }
    })
    .await;
}

/// Waits until `look` finds something, and returns it.
///
/// # Panics
///
/// After two minutes, with `what` was awaited.
pub async fn until_some<T, F, Fut>(what: &str, look: F) -> T
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Option<T>>,
{
    let found = within(DEADLINE, look).await;
    found.unwrap_or_else(|| panic!("waited {DEADLINE:?} in vain for: {what}"))
}

/// Lets the other tasks of this thread go on until each waits for an answer, which is to say for Redis.
pub async fn until_all_wait() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

/// Looks again and again until something is found or `limit` has passed; looks at least once.
pub async fn within<T, F, Fut>(limit: Duration, mut look: F) -> Option<T>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Option<T>>,
{
    let start = Instant::now();
    loop {
        if let Some(found) = look().await {
            return Some(found);
        }
        if start.elapsed() >= limit {
            return None;
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[tokio::test]
    async fn a_condition_is_looked_at_until_it_holds() {
        let looks = Cell::new(0);
        until("the third look", || async {
            looks.set(looks.get() + 1);
            looks.get() == 3
        })
        .await;
        assert_eq!(looks.get(), 3);
    }

    #[tokio::test]
    async fn what_never_comes_is_given_up() {
        let found = within(Duration::ZERO, || async { None::<()> }).await;
        assert_eq!(found, None);
    }
}
