//! The keys of a partition.

use std::fmt::{Display, Write};

use super::suffix;
use crate::id::{JobId, Partition};
use crate::name::{CronName, Namespace, QueueName};

/// As long as most names are: a job id.
const NAME_CHARS: usize = 36;

/// The keys of one partition.
#[derive(Debug, Clone)]
pub struct PartitionKeys {
    partition: Partition,
    root: String,
}

impl PartitionKeys {
    pub(super) fn new(namespace: &Namespace, partition: Partition) -> Self {
        Self { partition, root: format!("{namespace}:{{p{:02}}}:", partition.0) }
    }

    /// Which partition this is.
    #[must_use]
    pub fn partition(&self) -> Partition {
        self.partition
    }

    /// What every key of the partition begins with.
    #[must_use]
    pub fn root(&self) -> &str {
        &self.root
    }

    /// The record of a job: string of lines.
    #[must_use]
    pub fn job(&self, id: JobId) -> String {
        self.named(suffix::JOB, id)
    }

    /// The envelope of a job: the JSON that its producer sent, normalised once.
    #[must_use]
    pub fn envelope(&self, id: JobId) -> String {
        self.named(suffix::ENV, id)
    }

    /// The result of a job: JSON as its handler returned it.
    #[must_use]
    pub fn out(&self, id: JobId) -> String {
        self.named(suffix::OUT, id)
    }

    /// The errors of a job, oldest first: list of JSON objects.
    #[must_use]
    pub fn errors(&self, id: JobId) -> String {
        self.named(suffix::ERRORS, id)
    }

    /// The available jobs of a queue: zset by priority band and time in.
    #[must_use]
    pub fn ready(&self, queue: &QueueName) -> String {
        self.named(suffix::READY, queue)
    }

    /// Pause, sequence and counters of a queue: hash.
    #[must_use]
    pub fn queue(&self, queue: &QueueName) -> String {
        self.named(suffix::QUEUE, queue)
    }

    /// The queues that were ever used here: set.
    #[must_use]
    pub fn queues(&self) -> String {
        self.single(suffix::QUEUES)
    }

    /// Wake-up tokens for idle workers of a queue: list of at most 64.
    #[must_use]
    pub fn bell(&self, queue: &QueueName) -> String {
        self.named(suffix::BELL, queue)
    }

    /// Scheduled and retryable jobs of all queues: zset by due time in milliseconds.
    #[must_use]
    pub fn due(&self) -> String {
        self.single(suffix::DUE)
    }

    /// Pending jobs, which wait to be activated: zset by creation time in milliseconds.
    #[must_use]
    pub fn parked(&self) -> String {
        self.single(suffix::PARKED)
    }

    /// Active jobs of all queues: zset by lease deadline in milliseconds.
    #[must_use]
    pub fn leases(&self) -> String {
        self.single(suffix::LEASES)
    }

    /// Jobs that ended one way (`completed`, `cancelled`, `discarded`, `dead`): zset by time of the end in milliseconds.
    #[must_use]
    pub fn ended(&self, how: &str) -> String {
        self.named(suffix::ENDED, how)
    }

    /// The dead letters of a queue: zset by time of the end in milliseconds. All of them are in `ended:dead` too.
    #[must_use]
    pub fn dead(&self, queue: &QueueName) -> String {
        self.named(suffix::DEAD, queue)
    }

    /// The ids that one claim request was given, for when its reply was lost.
    #[must_use]
    pub fn claim(&self, request: &str) -> String {
        self.named(suffix::CLAIM, request)
    }

    /// What was registered of a cron entry: JSON. Apart from the record, which is written with each fire.
    #[must_use]
    pub fn definition(&self, name: &CronName) -> String {
        self.named(suffix::DEF, name)
    }

    /// The record of a cron entry: string of lines.
    #[must_use]
    pub fn cron(&self, name: &CronName) -> String {
        self.named(suffix::CRON, name)
    }

    /// The cron entries by next instant in milliseconds; `+inf` when there is none.
    #[must_use]
    pub fn crons(&self) -> String {
        self.single(suffix::CRONS)
    }

    /// The names of the cron entries that files declare: set.
    #[must_use]
    pub fn declared(&self) -> String {
        self.single(suffix::DECLARED)
    }

    /// The runs of an entry that are not terminal: zset by scheduled time in milliseconds.
    #[must_use]
    pub fn live(&self, name: &CronName) -> String {
        self.named(suffix::LIVE, name)
    }

    /// The runs of an entry that wait for their predecessor: list, in order.
    #[must_use]
    pub fn wait(&self, name: &CronName) -> String {
        self.named(suffix::WAIT, name)
    }

    /// The runs of all entries that wait for their predecessors: zset by time in, in milliseconds.
    #[must_use]
    pub fn waiting(&self) -> String {
        self.single(suffix::WAITING)
    }

    /// The decisions of an entry and the ends of its runs: list of rows, the oldest first.
    #[must_use]
    pub fn ledger(&self, name: &CronName) -> String {
        self.named(suffix::LEDGER, name)
    }

    /// A workflow: its kind and state, and where each of its steps is: hash.
    #[must_use]
    pub fn flow(&self, id: JobId) -> String {
        self.named(suffix::FLOW, id)
    }

    /// The workflows that have ended: zset by that time in milliseconds.
    #[must_use]
    pub fn flows(&self) -> String {
        self.single(suffix::FLOWS)
    }

    /// The job that holds a fingerprint: string.
    #[must_use]
    pub fn unique(&self, fingerprint: &str) -> String {
        self.named(suffix::UNIQUE, fingerprint)
    }

    /// Jobs that expire unless they are claimed before: zset by that time in milliseconds. A hint: the record decides.
    #[must_use]
    pub fn expires(&self) -> String {
        self.single(suffix::EXPIRES)
    }

    /// Active jobs whose attempt has a time limit: zset by that time in milliseconds. A hint: the record decides.
    #[must_use]
    pub fn timeouts(&self) -> String {
        self.single(suffix::TIMEOUTS)
    }

    /// The latest starts of a queue that has a rate limit: zset by time in milliseconds.
    #[must_use]
    pub fn rate(&self, queue: &QueueName) -> String {
        self.named(suffix::RATE, queue)
    }

    /// The latest starts of jobs that share a rate limit by its key: zset by time in milliseconds.
    #[must_use]
    pub fn limit(&self, limit: &str) -> String {
        self.named(suffix::LIMIT, limit)
    }

    /// The active jobs that share a limit by its key: set.
    #[must_use]
    pub fn running(&self, limit: &str) -> String {
        self.named(suffix::RUNNING, limit)
    }

    /// What became of the jobs of a queue in ten minutes, minute by minute: hash. `block` counts tens of minutes since 1970.
    #[must_use]
    pub fn minutes(&self, queue: &QueueName, block: i64) -> String {
        self.named(suffix::MINUTES, format_args!("{queue}:{block}"))
    }

    /// That a request has been carried out which leaves no other trace: string, for 30 s.
    #[must_use]
    pub fn done(&self, request: &str) -> String {
        self.named(suffix::DONE, request)
    }

    /// What the handler of a job last said of its progress: string, JSON.
    #[must_use]
    pub fn progress(&self, id: JobId) -> String {
        self.named(suffix::PROGRESS, id)
    }

    /// The workers that are handed no jobs here: zset by until when, in milliseconds. Notes: what they were told, and say of
    /// themselves, stands with the workers.
    #[must_use]
    pub fn quiet(&self) -> String {
        self.single(suffix::QUIET)
    }

    /// The token of the leader that may fire here.
    #[must_use]
    pub fn fence(&self) -> String {
        self.single(suffix::FENCE)
    }

    /// Last tick and hold-off of the reclaiming of leases: hash.
    #[must_use]
    pub fn reaper(&self) -> String {
        self.single(suffix::REAPER)
    }

    /// What happened here: capped stream.
    #[must_use]
    pub fn events(&self) -> String {
        self.single(suffix::EVENTS)
    }

    /// How many events were told in entries of several, and where blocks of them end: hash.
    #[must_use]
    pub fn told(&self) -> String {
        self.single(suffix::TOLD)
    }

    /// The shard channel of the events of this partition, in a cluster.
    #[must_use]
    pub fn events_channel(&self) -> String {
        self.single(suffix::EVENTS)
    }

    fn single(&self, suffix: &str) -> String {
        format!("{}{suffix}", self.root)
    }

    fn named(&self, suffix: &str, name: impl Display) -> String {
        let mut key = String::with_capacity(self.root.len() + suffix.len() + NAME_CHARS);
        key.push_str(&self.root);
        key.push_str(suffix);
        // Writing to memory does not fail.
        let _infallible = write!(key, "{name}");
        key
    }
}
