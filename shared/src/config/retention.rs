//! How long, and how many, of what has ended are kept.

use std::time::Duration;

use super::layers::Layers;
use super::setting::{self, Setting};
use super::value::{duration, integer};

const AGE_MIN: Duration = Duration::from_secs(1);
const AGE_MAX: Duration = Duration::from_secs(3650 * 24 * 60 * 60);

/// The limits to what is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetentionConfig {
    /// Of completed jobs.
    pub completed: Keep,
    /// Of cancelled jobs.
    pub cancelled: Keep,
    /// Of discarded jobs that are no dead letters.
    pub discarded: Keep,
    /// Of dead letters.
    pub dead_letters: Keep,
    /// Of workflows.
    pub workflows: Keep,
    /// How long a queue is known that is not used.
    pub queues: Duration,
}

/// The limits to what is kept of one kind; the stricter one holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keep {
    /// For how long.
    pub age: Duration,
    /// How many at most in each partition.
    pub count: u64,
}

impl RetentionConfig {
    pub(super) fn take(layers: &mut Layers<'_>) -> Self {
        Self {
            completed: Keep::take(layers, &setting::RETENTION_COMPLETED, &setting::RETENTION_COMPLETED_COUNT),
            cancelled: Keep::take(layers, &setting::RETENTION_CANCELLED, &setting::RETENTION_CANCELLED_COUNT),
            discarded: Keep::take(layers, &setting::RETENTION_DISCARDED, &setting::RETENTION_DISCARDED_COUNT),
            dead_letters: Keep::take(layers, &setting::RETENTION_DEAD_LETTERS, &setting::RETENTION_DEAD_LETTERS_COUNT),
            workflows: Keep::take(layers, &setting::RETENTION_WORKFLOWS, &setting::RETENTION_WORKFLOWS_COUNT),
            queues: layers.required(&setting::RETENTION_QUEUES, duration(AGE_MIN..=AGE_MAX)),
        }
    }
}

impl Keep {
    fn take(layers: &mut Layers<'_>, age: &'static Setting, count: &'static Setting) -> Self {
        Self {
            age: layers.required(age, duration(AGE_MIN..=AGE_MAX)),
            count: layers.required(count, integer(1..=100_000_000)),
        }
    }
}
