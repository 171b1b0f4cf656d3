//! The members of an envelope that have a meaning.

/// Members that only we write; what a client sends for them is ignored.
const SYSTEM: &[&str] = &[
    "state",
    "attempt",
    "max_attempts",
    "created_at",
    "enqueued_at",
    "started_at",
    "completed_at",
    "cancelled_at",
    "discarded_at",
    "expired_at",
    "activated_at",
    "previous_state",
    "error",
    "errors",
    "result",
    "retry_delay_ms",
    "next_attempt_at",
    "worker_id",
    "workflow_id",
    "step_id",
    "parent_results",
    "progress",
    "visibility_deadline",
];

/// Members that are read into fields of their own.
const KNOWN: &[&str] = &[
    "specversion",
    "id",
    "type",
    "queue",
    "args",
    "meta",
    "priority",
    "timeout",
    "timeout_ms",
    "visibility_timeout",
    "visibility_timeout_ms",
    "scheduled_at",
    "delay_until",
    "delay",
    "expires_at",
    "ttl",
    "ttl_ms",
    "enqueue_ttl",
    "retry",
    "unique",
    "tags",
    "schema",
    "rate_limit",
    "pending",
    "options",
];

/// Whether a member is none that OJS names: it is kept as it is.
pub(super) fn is_unknown(name: &str) -> bool {
    !KNOWN.contains(&name) && !SYSTEM.contains(&name)
}
