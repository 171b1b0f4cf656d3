//! The table of metrics: a metric is here or it does not exist.

/// How a metric behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Distribution over buckets.
    Histogram,
}

impl Kind {
    /// The word that Prometheus uses.
    pub fn word(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// What a metric counts or measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Things.
    Count,
    /// Seconds, with fractions.
    Seconds,
}

impl From<Unit> for metrics::Unit {
    fn from(unit: Unit) -> Self {
        match unit {
            Unit::Count => Self::Count,
            Unit::Seconds => Self::Seconds,
        }
    }
}

/// One metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metric {
    /// Its name in Prometheus.
    pub name: &'static str,
    /// How it behaves.
    pub kind: Kind,
    /// What it counts or measures.
    pub unit: Unit,
    /// Its labels.
    pub labels: &'static [&'static str],
    /// One line for Prometheus and the README.
    pub meaning: &'static str,
}

/// Names of labels.
pub mod label {
    /// Name of a queue, bounded by [`queue_label`](crate::telemetry::queue_label).
    pub const QUEUE: &str = "queue";
    /// Type of a job, bounded by [`type_label`](crate::telemetry::type_label).
    pub const TYPE: &str = "type";
    /// How an attempt ended.
    pub const OUTCOME: &str = "outcome";
    /// How a call or beat went.
    pub const RESULT: &str = "result";
    /// State of a job or slot.
    pub const STATE: &str = "state";
    /// Why an instant was skipped.
    pub const REASON: &str = "reason";
    /// Route as declared, without the values in it.
    pub const ROUTE: &str = "route";
    /// HTTP or gRPC method.
    pub const METHOD: &str = "method";
    /// HTTP or gRPC status code.
    pub const STATUS: &str = "status";
    /// Class of an error.
    pub const KIND: &str = "kind";
    /// Name of a Redis script.
    pub const SCRIPT: &str = "script";
}

use label::{KIND, METHOD, OUTCOME, QUEUE, REASON, RESULT, ROUTE, SCRIPT, STATE, STATUS, TYPE};

macro_rules! metrics {
    ($($name:ident = $kind:ident $text:literal $labels:expr, $meaning:literal;)*) => {
        $(#[doc = $meaning] pub const $name: &str = concat!("carillon_", $text);)*

        /// Every metric, in the order in which the README shows them.
        pub static METRICS: &[Metric] = &[$($kind($name, &$labels, $meaning)),*];
    };
}

metrics! {
    JOBS_ENQUEUED_TOTAL = counter "jobs_enqueued_total" [QUEUE], "Jobs accepted from producers and cron entries";
    JOBS_CLAIMED_TOTAL = counter "jobs_claimed_total" [QUEUE], "Jobs handed to this worker";
    JOBS_ENDED_TOTAL = counter "jobs_ended_total" [QUEUE, OUTCOME], "Attempts that ended, by how they ended";
    JOB_RUN_SECONDS = histogram "job_run_seconds" [QUEUE, TYPE], "Time from start to end of an attempt";
    JOB_WAIT_SECONDS = histogram "job_wait_seconds" [QUEUE], "Time from available to started";
    JOBS_UNHANDLED_TOTAL = counter "jobs_unhandled_total" [TYPE], "Jobs given back because this worker has no handler for their type";
    JOBS_RECLAIMED_TOTAL = counter "jobs_reclaimed_total" [], "Jobs taken back from workers whose lease ran out";
    JOBS_PROMOTED_TOTAL = counter "jobs_promoted_total" [], "Scheduled and retryable jobs that became available";
    JOBS_TRIMMED_TOTAL = counter "jobs_trimmed_total" [], "Finished jobs and workflows removed by retention";
    LEASES_LOST_TOTAL = counter "leases_lost_total" [], "Leases this worker lost while a handler was running";
    HEARTBEATS_TOTAL = counter "heartbeats_total" [RESULT], "Heartbeats sent, by result";
    WORKER_SLOTS = gauge "worker_slots" [STATE], "Slots of this worker, busy and free";
    CRON_FIRED_TOTAL = counter "cron_fired_total" [], "Instants of cron entries that became jobs";
    CRON_SKIPPED_TOTAL = counter "cron_skipped_total" [REASON], "Instants of cron entries that did not fire, by reason";
    CRON_UNREADABLE_TOTAL = counter "cron_unreadable_total" [], "Times an entry was set aside because it cannot be read";
    CRON_LATENESS_SECONDS = histogram "cron_lateness_seconds" [], "Time from the due instant to its decision";
    CLOCK_JUMPED = gauge "clock_jumped" [], "1 while nothing fires because Redis's clock has jumped, else 0";
    CRON_ENTRIES = gauge "cron_entries" [], "Cron entries registered";
    DECLARED_MISTAKES = gauge "declared_mistakes" [], "Mistakes in the directory of schedules; while there are any, nothing it says is applied";
    LEADER = gauge "leader" [], "1 while this scheduler leads, else 0";
    LEADERSHIP_CHANGES_TOTAL = counter "leadership_changes_total" [], "Times this scheduler became or ceased to be the leader";
    INBOX_TAKEN_TOTAL = counter "inbox_taken_total" [], "Jobs taken from the inbox";
    INBOX_REJECTED_TOTAL = counter "inbox_rejected_total" [], "Inbox items refused and kept in the rejected list";
    QUEUE_DEPTH = gauge "queue_depth" [QUEUE, STATE], "Jobs in a queue, by state";
    HTTP_REQUESTS_TOTAL = counter "http_requests_total" [ROUTE, METHOD, STATUS], "HTTP requests answered";
    HTTP_REQUEST_SECONDS = histogram "http_request_seconds" [ROUTE], "Time to answer an HTTP request";
    GRPC_REQUESTS_TOTAL = counter "grpc_requests_total" [METHOD, STATUS], "gRPC calls answered; of a stream, its beginning";
    GRPC_REQUEST_SECONDS = histogram "grpc_request_seconds" [METHOD], "Time to answer a gRPC call; of a stream, to its beginning";
    REDIS_ERRORS_TOTAL = counter "redis_errors_total" [KIND], "Calls to Redis that failed, by kind";
    REDIS_CALL_SECONDS = histogram "redis_call_seconds" [SCRIPT], "Time a script call to Redis took";
    EVENTS_STREAMS = gauge "events_streams" [], "Clients that follow the events over HTTP";
}

const fn counter(name: &'static str, labels: &'static [&'static str], meaning: &'static str) -> Metric {
    Metric { name, kind: Kind::Counter, unit: Unit::Count, labels, meaning }
}

const fn gauge(name: &'static str, labels: &'static [&'static str], meaning: &'static str) -> Metric {
    Metric { name, kind: Kind::Gauge, unit: Unit::Count, labels, meaning }
}

const fn histogram(name: &'static str, labels: &'static [&'static str], meaning: &'static str) -> Metric {
    Metric { name, kind: Kind::Histogram, unit: Unit::Seconds, labels, meaning }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_what_they_are() {
        for metric in METRICS {
            assert_eq!(metric.name.ends_with("_total"), metric.kind == Kind::Counter, "{}", metric.name);
            assert_eq!(metric.name.ends_with("_seconds"), metric.unit == Unit::Seconds, "{}", metric.name);
        }
    }

    #[test]
    fn a_constant_is_named_as_its_metric() {
        assert_eq!(JOB_RUN_SECONDS, "carillon_job_run_seconds");
        assert_eq!(EVENTS_STREAMS, "carillon_events_streams");
    }

    #[test]
    fn no_name_stands_twice() {
        let names: std::collections::HashSet<_> = METRICS.iter().map(|metric| metric.name).collect();
        assert_eq!(names.len(), METRICS.len());
    }
}
