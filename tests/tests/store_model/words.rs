//! What the model says, in the words of the store.

use std::time::Duration;

use carillon_shared::clock::Timestamp;
use carillon_shared::id::JobId;
use carillon_shared::job::{Envelope, Failure, Lease, RateLimit, UniquePolicy};
use carillon_shared::store::{Ended, QueueChange, Reclaim, Reclaimed, Retention};
use carillon_tests::model::{How, Limit, Moment, Period, Shape, Spec, Taken, Timeout, When};
use carillon_tests::store::envelope;
use serde_json::{Value, json};

pub(crate) const HOUR: Duration = Duration::from_secs(3600);

pub(crate) fn failure() -> Failure {
    Failure::new("handler_error", "no")
}

pub(crate) fn at(order: u64) -> Timestamp {
    Timestamp::from_ms(i64::try_from(order).expect("few moments pass"))
}

/// So far ahead that it does not come while a test runs.
pub(crate) fn ahead() -> Timestamp {
    Timestamp::from_ms(4_000_000_000_000)
}

pub(crate) fn described(spec: &Spec, id: JobId) -> Envelope {
    let job = json!({"type": "job", "args": [], "id": id, "options": {"queue": format!("q{}", spec.queue), "priority": spec.priority}});
    let mut job = envelope(&job, at(0));
    job.pending = spec.when == When::Pending;
    job.scheduled_at = match spec.when {
        When::Later => Some(ahead()),
        When::Past => Some(at(1)),
        When::Now | When::Pending => None,
    };
    let expires = spec.expires.map(|moment| match moment {
        Moment::Ahead => ahead(),
        Moment::Past(order) => at(order),
    });
    job.expires_at = expires.map(|at| (at, at.to_string()));
    job.timeout = (spec.timeout == Timeout::Hour).then_some(HOUR);
    if let Some(unique) = spec.unique {
        job.job_type = format!("unique{}", unique.kind).parse().expect("a type");
        let mut policy = json!({"keys": ["type"], "states": unique.states, "on_conflict": unique.on_conflict.as_str()});
        if unique.period == Period::Hour {
            policy["period"] = "PT1H".into();
        }
        job.unique = Some(UniquePolicy::parse(policy.as_object().expect("an object"), "unique").expect("a policy"));
    }
    job
}

pub(crate) fn retention(how: How) -> Retention {
    let of = match how {
        How::Completed => Ended::Completed,
        How::Cancelled => Ended::Cancelled,
        How::Discarded => Ended::Discarded,
        How::Dead => Ended::DeadLetter,
        How::Workflow => Ended::Workflow,
    };
    Retention { of, kept_for: Duration::ZERO, kept: u64::MAX }
}

pub(crate) fn change(limit: Limit) -> QueueChange {
    match limit {
        Limit::Pause => QueueChange::Pause,
        Limit::Resume => QueueChange::Resume,
        Limit::Concurrency(most) => QueueChange::Concurrency(most),
        Limit::Rate(most) => QueueChange::Rate(most.map(|starts| RateLimit { starts, window: HOUR })),
    }
}

pub(crate) fn back(id: JobId, lease: Lease, taken: Taken) -> Reclaim {
    let outcome = match taken {
        Taken::Available => Reclaimed::Available,
        Taken::Discarded => Reclaimed::Discarded,
        Taken::Dead => Reclaimed::DeadLetter,
    };
    Reclaim { id, lease, attempt: 1, failure: failure(), outcome }
}

pub(crate) fn request(shape: Shape, number: u8) -> Value {
    let job = || json!({"type": "step", "args": [], "options": {"queue": format!("q{number}")}});
    let step = |id: &str, depends_on: &[&str]| json!({"id": id, "type": "step", "args": [], "depends_on": depends_on, "options": {"queue": format!("q{number}")}});
    match shape {
        Shape::Chain => json!({"type": "chain", "steps": [job(), job(), job()]}),
        Shape::Group => json!({"type": "group", "jobs": [job(), job()]}),
        Shape::Batch => json!({"type": "batch", "jobs": [job(), job()],
            "callbacks": {"on_complete": job(), "on_success": job(), "on_failure": job()}}),
        Shape::Diamond => {
            json!({"steps": [step("a", &[]), step("b", &["a"]), step("c", &["a"]), step("d", &["b", "c"])]})
        }
    }
}
