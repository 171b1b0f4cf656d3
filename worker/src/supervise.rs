//! Watches over a handler that runs: its end, its timeout, and being told to stop.
//!
//! A handler that is told to stop may wind up for a while. Then it is aborted, which ends it at its next await. One that does
//! not get there either blocks its thread: it is abandoned, and keeps its slot until it ends.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::crew::{Broken, Ended, Task};
use crate::outcome::Outcome;
use crate::slots::Slot;
use crate::stop::{Stop, StopReason};
use crate::workshop::Workshop;

/// How long an aborted handler has to reach its next await.
const ABORT_WAIT: Duration = Duration::from_secs(1);

/// How the attempt ended, and the handler if it would not.
pub(crate) type Supervised = (Outcome, Option<Straggler>);

/// A handler that would not stop.
#[derive(Debug)]
pub(crate) struct Straggler(Task);

/// Waits for the end of `task`. `stop_grace`: how long it may wind up after it was told to stop, unless `give_back` comes first.
pub(crate) async fn supervise(
    mut task: Task,
    stop: &Stop,
    limit: Option<Duration>,
    stop_grace: Duration,
    give_back: &CancellationToken,
) -> Supervised {
    let reason = tokio::select! {
        // In this order: an end that has come counts, whatever else has.
        biased;
        joined = &mut task => return (ended_by_itself(stop, joined, limit), None),
        reason = stop.told() => reason,
        () = give_back.cancelled() => StopReason::Shutdown,
        () = sleep_until_limit(limit) => StopReason::Timeout,
    };
    // Tells it, unless it was told already; the first reason is the one the handler sees.
    stop.tell(reason);
    let wind_up = async {
        match reason {
            // A drain has a deadline of its own.
            StopReason::Shutdown => give_back.cancelled().await,
            _ => drop(timeout(stop_grace, give_back.cancelled()).await),
        }
    };
    tokio::select! {
        biased;
        joined = &mut task => return (ended_after(reason, joined, limit), None),
        () = wind_up => task.abort(),
    }
    match timeout(ABORT_WAIT, &mut task).await {
        Ok(joined) => (ended_after(reason, joined, limit), None),
        Err(_) => (Outcome::stopped(reason, limit), Some(Straggler(task))),
    }
}

impl Straggler {
    /// Leaves the handler alone, in its slot, until it ends.
    pub(crate) fn keep(self, workshop: &Arc<Workshop>, slot: Slot) {
        tracing::error!(
            "the handler does not stop: it blocks its thread, and keeps its slot until it ends (blocking work belongs in spawn_blocking)"
        );
        workshop.slots.lose();
        let shared = workshop.clone();
        workshop.stragglers.spawn(async move {
            // Its end has been reported as that of a handler that would not stop.
            let _late = self.0.await;
            shared.slots.find();
            drop(slot);
            tracing::info!("a handler that would not stop has ended after all; its slot is free again");
        });
    }
}

async fn sleep_until_limit(limit: Option<Duration>) {
    match limit {
        Some(limit) => sleep(limit).await,
        None => std::future::pending().await,
    }
}

fn ended(joined: Ended) -> Outcome {
    match joined {
        Ok(Ok(result)) => Outcome::completed(result),
        Ok(Err(error)) => {
            let (failure, retry_after) = error.into_parts();
            Outcome::Failed(failure, retry_after)
        }
        Err(Broken::Panicked(payload)) => Outcome::panicked(panic_message(payload.as_ref())),
        // Aborted from outside: only the end of the runtime does that.
        Err(Broken::Aborted) => Outcome::GivenBack,
    }
}

/// An end that was not waited for. A handler may have been told to stop, and have failed over it, before we looked.
fn ended_by_itself(stop: &Stop, joined: Ended, limit: Option<Duration>) -> Outcome {
    match (stop.reason(), joined) {
        (Some(reason), Ok(Err(_)) | Err(_)) => Outcome::stopped(reason, limit),
        (_, joined) => ended(joined),
    }
}

/// Work that was finished before a shutdown counts; a failure then says nothing about the job, so the attempt does not.
fn ended_after(reason: StopReason, joined: Ended, limit: Option<Duration>) -> Outcome {
    match (reason, joined) {
        (StopReason::Shutdown, Ok(Ok(result))) => Outcome::completed(result),
        (reason, _) => Outcome::stopped(reason, limit),
    }
}

fn panic_message(payload: &(dyn std::any::Any + Send)) -> &str {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("without a message")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::crew::tests::started;
    use crate::handler::Returned;
    use crate::handler_error::HandlerError;

    #[tokio::test]
    async fn a_handler_that_fails_over_being_told_to_stop_has_not_failed() {
        let case = case();
        case.stop.tell(StopReason::Shutdown);
        let failed = async { Err(HandlerError::retry("stopped")) };
        let task = started(failed);
        // Both are there when supervision looks for the first time.
        while !task.has_ended() {
            tokio::task::yield_now().await;
        }
        let (outcome, _) = supervise(task, &case.stop, None, MOMENT, &case.give_back).await;
        assert_eq!(outcome, Outcome::GivenBack);
    }

    const MOMENT: Duration = Duration::from_millis(20);

    struct Case {
        stop: Stop,
        limit: Option<Duration>,
        give_back: CancellationToken,
    }

    fn case() -> Case {
        Case { stop: Stop::default(), limit: None, give_back: CancellationToken::new() }
    }

    impl Case {
        async fn run(&self, handler: impl Future<Output = Returned> + Send + 'static) -> Outcome {
            let (outcome, straggler) =
                supervise(started(handler), &self.stop, self.limit, MOMENT, &self.give_back).await;
            assert!(straggler.is_none());
            outcome
        }
    }

    fn code(outcome: Outcome) -> String {
        match outcome {
            Outcome::Failed(failure, _) => failure.code,
            other => other.as_str().to_owned(),
        }
    }

    #[tokio::test]
    async fn a_handler_ends_as_it_returns() {
        assert_eq!(case().run(async { Ok(json!(1)) }).await, Outcome::Completed(json!(1)));
        assert_eq!(code(case().run(async { Err(HandlerError::retry("no").with_code("c")) }).await), "c");
    }

    #[tokio::test]
    async fn a_panic_is_a_failure_with_its_message() {
        let Outcome::Failed(failure, _) = case().run(async { panic!("ouch {}", 1) }).await else { panic!("it failed") };
        assert_eq!((failure.code.as_str(), failure.message.as_str()), ("panic", "the handler panicked: ouch 1"));
    }

    #[tokio::test]
    async fn a_handler_that_never_ends_is_ended_by_each_reason_in_its_way() {
        for (reason, word) in [(StopReason::Cancelled, "cancelled"), (StopReason::LeaseLost, "lost")] {
            let case = case();
            case.stop.tell(reason);
            assert_eq!(code(case.run(std::future::pending()).await), word);
        }
        let limited = Case { limit: Some(MOMENT), ..case() };
        assert_eq!(code(limited.run(std::future::pending()).await), "timeout");
        assert_eq!(limited.stop.reason(), Some(StopReason::Timeout));
        let hurried = case();
        hurried.give_back.cancel();
        assert_eq!(code(hurried.run(std::future::pending()).await), "returned");
    }

    #[tokio::test]
    async fn what_is_finished_before_a_shutdown_counts_and_what_fails_then_does_not() {
        for (returned, word) in [(Ok(json!(1)), "completed"), (Err(HandlerError::retry("stopped")), "returned")] {
            let case = case();
            let stop = case.stop.clone();
            case.stop.tell(StopReason::Shutdown);
            let outcome = case.run(async move {
                stop.told().await;
                tokio::time::sleep(MOMENT).await;
                returned
            });
            assert_eq!(code(outcome.await), word);
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_handler_that_blocks_its_thread_is_abandoned() {
        let (release, wait) = std::sync::mpsc::channel::<()>();
        let (begun, has_begun) = tokio::sync::oneshot::channel();
        let task = started(async move {
            begun.send(()).expect("the test waits");
            let _released = wait.recv();
            Ok(json!(null))
        });
        has_begun.await.expect("it begins");
        let stop = Stop::default();
        stop.tell(StopReason::Cancelled);
        let (outcome, straggler) = supervise(task, &stop, None, MOMENT, &CancellationToken::new()).await;
        assert!(straggler.is_some() && outcome == Outcome::Cancelled);
        drop(release);
    }
}
