//! What many callers ask at the same time, each for itself, carried in few calls.
//!
//! Nobody waits for company: whoever comes while fewer than `CALLS` calls are on the way is sent at once, and what comes meanwhile
//! goes with the next. Calls are carried by tasks of their own, which end when nothing waits: a caller that goes away takes
//! nobody's answer with it.
//!
//! One call is best where a call alone is dear: what comes meanwhile makes the next the larger, and Redis takes as long for one job
//! as for four to six in a call of many. A second keeps Redis busy while callers are at work between two of theirs.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::oneshot;

/// What is asked in one call.
const ASKED_MAX: usize = 100;

/// A way on which questions `Q` are carried, and answers `A` come back.
#[derive(Debug)]
pub(super) struct Lane<Q, A, const CALLS: usize>(Mutex<Traffic<Q, A>>);

#[derive(Debug)]
struct Traffic<Q, A> {
    waiting: Vec<Asked<Q, A>>,
    calls: usize,
}

/// One question, and the way back to who asked.
#[derive(Debug)]
pub(super) struct Asked<Q, A> {
    pub(super) what: Q,
    back: oneshot::Sender<A>,
}

impl<Q, A> Asked<Q, A> {
    /// Gives the answer; it comes back when nobody waits for it any more.
    pub(super) fn answer(self, answer: A) -> Result<(), A> {
        self.back.send(answer)
    }

    /// The question by itself, and the way back.
    pub(super) fn apart(self) -> (Q, oneshot::Sender<A>) {
        (self.what, self.back)
    }

    /// Whether nobody waits for the answer any more.
    pub(super) fn is_given_up(&self) -> bool {
        self.back.is_closed()
    }
}

impl<Q, A, const CALLS: usize> Default for Lane<Q, A, CALLS> {
    fn default() -> Self {
        Self(Mutex::new(Traffic { waiting: Vec::new(), calls: 0 }))
    }
}

impl<Q: Send + 'static, A: Send + 'static, const CALLS: usize> Lane<Q, A, CALLS> {
    /// Asks, by way of `carry`, which is handed what is asked together. `None` when the runtime ends before there is an answer.
    pub(super) async fn ask<F, Fut>(self: &Arc<Self>, what: Q, carry: F) -> Option<A>
    where
        F: Fn(Vec<Asked<Q, A>>) -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send,
    {
        let (back, answer) = oneshot::channel();
        if self.join(Asked { what, back }) {
            let lane = self.clone();
            tokio::spawn(async move {
                let mut call = Call(Some(&lane));
                while let Some(together) = call.next() {
                    carry(together).await;
                }
            });
        }
        answer.await.ok()
    }

    /// Whether a call is to be begun.
    fn join(&self, asked: Asked<Q, A>) -> bool {
        self.with(|traffic| {
            traffic.waiting.push(asked);
            let begins = traffic.calls < CALLS;
            traffic.calls += usize::from(begins);
            begins
        })
    }
}

impl<Q, A, const CALLS: usize> Lane<Q, A, CALLS> {
    fn with<T>(&self, act: impl FnOnce(&mut Traffic<Q, A>) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A call that is on the way, for as long as it lasts.
struct Call<'a, Q, A, const CALLS: usize>(Option<&'a Lane<Q, A, CALLS>>);

impl<Q, A, const CALLS: usize> Call<'_, Q, A, CALLS> {
    /// What waits; the call is over when it is nothing, in the same moment.
    fn next(&mut self) -> Option<Vec<Asked<Q, A>>> {
        let lane = self.0?;
        let together = lane.with(|traffic| {
            let some = traffic.waiting.len().min(ASKED_MAX);
            traffic.calls -= usize::from(some == 0);
            traffic.waiting.drain(..some).collect::<Vec<_>>()
        });
        if together.is_empty() {
            self.0 = None;
            return None;
        }
        Some(together)
    }
}

impl<Q, A, const CALLS: usize> Drop for Call<'_, Q, A, CALLS> {
    /// A call that broke off. What waits is given up rather than left for somebody who may never come.
    fn drop(&mut self) {
        let Some(lane) = self.0 else { return };
        lane.with(|traffic| {
            traffic.calls -= 1;
            traffic.waiting.clear();
        });
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::Semaphore;

    use super::*;

    /// Answers with how many were asked together, once it may.
    async fn asked<const CALLS: usize>(lane: &Arc<Lane<u32, usize, CALLS>>, gate: &Arc<Semaphore>) -> Option<usize> {
        let gate = gate.clone();
        let carry = move |together: Vec<Asked<u32, usize>>| {
            let gate = gate.clone();
            async move {
                gate.acquire().await.expect("open").forget();
                let count = together.len();
                for asked in together {
                    let _gone = asked.answer(count);
                }
            }
        };
        lane.ask(0, carry).await
    }

    /// So many callers come one after the other, and then five at once.
    async fn calls_of<const CALLS: usize>() -> (Vec<Option<usize>>, Vec<Option<usize>>) {
        let (lane, gate) = (Arc::new(Lane::<_, _, CALLS>::default()), Arc::new(Semaphore::new(0)));
        let mut first: Vec<_> = (0..CALLS).map(|_| Box::pin(asked(&lane, &gate))).collect();
        for caller in &mut first {
            assert!(futures::poll!(caller).is_pending());
            tokio::task::yield_now().await;
        }
        let others = futures::future::join_all((0..5).map(|_| asked(&lane, &gate)));
        tokio::pin!(others);
        assert!(futures::poll!(&mut others).is_pending());
        gate.add_permits(CALLS + 1);
        (futures::future::join_all(first).await, others.await)
    }

    #[tokio::test]
    async fn what_comes_while_all_calls_are_on_the_way_goes_together() {
        assert_eq!(calls_of::<1>().await, (vec![Some(1)], vec![Some(5); 5]));
        assert_eq!(calls_of::<2>().await, (vec![Some(1); 2], vec![Some(5); 5]));
    }

    #[tokio::test]
    async fn a_caller_that_goes_away_takes_nothing_with_it() {
        let (lane, gate) = (Arc::new(Lane::<_, _, 2>::default()), Arc::new(Semaphore::new(0)));
        {
            let gone = asked(&lane, &gate);
            tokio::pin!(gone);
            assert!(futures::poll!(&mut gone).is_pending());
        }
        gate.add_permits(2);
        assert!(asked(&lane, &gate).await.is_some());
    }

    #[tokio::test]
    async fn a_call_that_breaks_off_leaves_the_way_free() {
        let lane = Arc::new(Lane::<u32, usize, 2>::default());
        for _ in 0..3 {
            let broken = lane.ask(0, |_| async { panic!("on purpose") });
            assert_eq!(broken.await, None);
        }
        let gate = Arc::new(Semaphore::new(1));
        assert_eq!(asked(&lane, &gate).await, Some(1));
    }
}
