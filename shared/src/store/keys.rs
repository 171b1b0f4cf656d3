//! The schema: every key that Carillon writes is named here, and nowhere else.
//!
//! Keys of partition *p* start with `<ns>:{pNN}:`, so that they share a hash slot and one script may touch any of them. The
//! suffixes below are also handed to the scripts (see [`script`](super::script)), which build the names of records that they
//! come upon, and never spell one themselves.

use std::fmt::Write;

use sha1_smol::Sha1;

use crate::id::{JobId, Partition};
use crate::name::{CronName, Namespace, OwnerName, QueueName, WorkerId};

/// The suffixes within a partition, under the names by which the scripts know them.
pub(crate) const SUFFIXES: &[(&str, &str)] = &[
    ("JOB", JOB),
    ("ENV", ENV),
    ("OUT", OUT),
    ("ERRORS", ERRORS),
    ("READY", READY),
    ("QUEUE", QUEUE),
    ("QUEUES", QUEUES),
    ("BELL", BELL),
    ("DUE", DUE),
    ("PARKED", PARKED),
    ("LEASES", LEASES),
    ("ENDED", ENDED),
    ("DEAD", DEAD),
    ("CLAIM", CLAIM),
    ("CRON", CRON),
    ("CRONS", CRONS),
    ("DEF", DEF),
    ("DECLARED", DECLARED),
    ("LIVE", LIVE),
    ("WAIT", WAIT),
    ("WAITING", WAITING),
    ("LEDGER", LEDGER),
    ("FLOW", FLOW),
    ("FLOWS", FLOWS),
    ("UNIQUE", UNIQUE),
    ("EXPIRES", EXPIRES),
    ("TIMEOUTS", TIMEOUTS),
    ("RATE", RATE),
    ("LIMIT", LIMIT),
    ("RUNNING", RUNNING),
    ("MINUTES", MINUTES),
    ("DONE", DONE),
    ("PROGRESS", PROGRESS),
    ("FENCE", FENCE),
    ("REAPER", REAPER),
    ("EVENTS", EVENTS),
    ("TOLD", TOLD),
];

/// As long as most names are: a job id.
const NAME_CHARS: usize = 36;

const JOB: &str = "job:";
const ENV: &str = "env:";
const OUT: &str = "out:";
const ERRORS: &str = "errors:";
const READY: &str = "ready:";
const QUEUE: &str = "queue:";
const QUEUES: &str = "queues";
const BELL: &str = "bell:";
const DUE: &str = "due";
const PARKED: &str = "parked";
const LEASES: &str = "leases";
const ENDED: &str = "ended:";
const DEAD: &str = "dead:";
const CLAIM: &str = "claim:";
const CRON: &str = "cron:";
const CRONS: &str = "crons";
const DEF: &str = "def:";
const DECLARED: &str = "declared";
const LIVE: &str = "live:";
const WAIT: &str = "wait:";
const WAITING: &str = "waiting";
const LEDGER: &str = "ledger:";
const FLOW: &str = "flow:";
const FLOWS: &str = "flows";
const UNIQUE: &str = "unique:";
const EXPIRES: &str = "expires";
const TIMEOUTS: &str = "timeouts";
const RATE: &str = "rate:";
const LIMIT: &str = "limit:";
const RUNNING: &str = "running:";
const MINUTES: &str = "minutes:";
const DONE: &str = "done:";
const PROGRESS: &str = "progress:";
const FENCE: &str = "fence";
const REAPER: &str = "reaper";
const EVENTS: &str = "events";
const TOLD: &str = "told";

/// A key that never exists, in the hash slot of another: what is asked together with it is answered only while the slot is
/// at rest.
pub(crate) fn still(key: &str) -> String {
    match key.find('}') {
        Some(end) => format!("{}:still", &key[..=end]),
        None => format!("{{{key}}}:still"),
    }
}

/// The keys of one deployment.
#[derive(Debug, Clone)]
pub struct Keys {
    namespace: Namespace,
    partitions: u16,
}

impl Keys {
    /// The keys of `namespace`, which is divided into `partitions` partitions.
    #[must_use]
    pub fn new(namespace: Namespace, partitions: u16) -> Self {
        Self { namespace, partitions: partitions.max(1) }
    }

    /// The namespace.
    #[must_use]
    pub fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// The number of partitions.
    #[must_use]
    pub fn partitions(&self) -> u16 {
        self.partitions
    }

    /// Every partition, in order.
    pub fn all(&self) -> impl Iterator<Item = PartitionKeys> + '_ {
        (0..self.partitions).map(|index| self.partition(Partition(index)))
    }

    /// The keys of one partition.
    #[must_use]
    pub fn partition(&self, partition: Partition) -> PartitionKeys {
        PartitionKeys { partition, root: format!("{}:{{p{:02}}}:", self.namespace, partition.0) }
    }

    /// The partition in which a queue lives, with all its jobs and the entries that fire into it.
    #[must_use]
    pub fn partition_of(&self, queue: &QueueName) -> Partition {
        let digest = Sha1::from(queue.as_str()).digest().bytes();
        Partition(u16::from_be_bytes([digest[0], digest[1]]) % self.partitions)
    }

    /// The partitions in which a job may be: first the one its id names.
    pub fn partitions_of(&self, id: JobId) -> impl Iterator<Item = Partition> + '_ {
        let hint = id.partition_hint(self.partitions);
        std::iter::once(hint).chain((0..self.partitions).map(Partition).filter(move |other| *other != hint))
    }

    /// What was fixed when the namespace was first used: hash of partitions and format, and of how much is kept.
    #[must_use]
    pub fn meta(&self) -> String {
        self.outside("meta")
    }

    /// The leader's token, under `SET NX EX`.
    #[must_use]
    pub fn leader(&self) -> String {
        self.outside("leader")
    }

    /// The highest epoch of any leadership so far.
    #[must_use]
    pub fn leader_epoch(&self) -> String {
        self.beside("leader", "epoch")
    }

    /// A number that grows with each renewal: proof of life that no clock can fake.
    #[must_use]
    pub fn leader_beat(&self) -> String {
        self.beside("leader", "beat")
    }

    /// What the leader says of a jump of Redis's clock, while it holds back because of it: string, short-lived.
    #[must_use]
    pub fn clock_alarm(&self) -> String {
        self.beside("clock", "alarm")
    }

    /// When an operator last said that Redis's clock is right: string, short-lived.
    #[must_use]
    pub fn clock_accepted(&self) -> String {
        self.beside("clock", "accepted")
    }

    /// The latest leaderships, the newest first: a list of `<since> <last beat> <until or -> <token>`, times in milliseconds.
    #[must_use]
    pub fn leader_terms(&self) -> String {
        self.beside("leader", "terms")
    }

    /// Rung by a leader that steps down, so that a standby need not wait.
    #[must_use]
    pub fn leader_bell(&self) -> String {
        self.beside("leader", "bell")
    }

    /// Where producers of any language push job JSON: a list, taken from its head.
    #[must_use]
    pub fn inbox(&self) -> String {
        self.outside("inbox")
    }

    /// What was taken from the inbox and is not settled yet, each behind its ticket.
    #[must_use]
    pub fn inbox_taken(&self) -> String {
        self.beside("inbox", "taken")
    }

    /// The number of the last ticket.
    #[must_use]
    pub fn inbox_ticket(&self) -> String {
        self.beside("inbox", "ticket")
    }

    /// What could not be accepted from the inbox, each with its reason; in the inbox's hash slot, since one script moves it.
    #[must_use]
    pub fn inbox_rejected(&self) -> String {
        self.beside("inbox", "rejected")
    }

    /// The workers by their last heartbeat, in milliseconds.
    #[must_use]
    pub fn workers(&self) -> String {
        self.outside("workers")
    }

    /// What a worker last said of itself, as JSON; expires when it falls silent. In the hash slot of the workers, since one
    /// script notes it and answers the order.
    #[must_use]
    pub fn worker(&self, worker: &WorkerId) -> String {
        self.beside("workers", &format!("said:{worker}"))
    }

    /// The workers that send heartbeats of OJS, by the last of them, in milliseconds.
    #[must_use]
    pub fn heard(&self) -> String {
        self.outside("heard")
    }

    /// What a worker was told to do, until it has stopped: `quiet` or `terminate`.
    #[must_use]
    pub fn order(&self, worker: &WorkerId) -> String {
        self.beside("workers", &format!("order:{worker}"))
    }

    /// The channel on which a worker hears that it should send a heartbeat at once.
    #[must_use]
    pub fn worker_channel(&self, worker: &str) -> String {
        format!("{}:nudge:{worker}", self.namespace)
    }

    /// The schedulers that hold a directory of schedules of this owner: hash of instance to what it holds, as JSON.
    #[must_use]
    pub fn holders(&self, owner: &OwnerName) -> String {
        format!("{}:holders:{owner}", self.namespace)
    }

    /// The channel of every event; in a cluster each partition has [one of its own](PartitionKeys::events_channel).
    #[must_use]
    pub fn events_channel(&self) -> String {
        self.outside("events")
    }

    /// A pattern for `SCAN` that matches every key of the namespace.
    #[must_use]
    pub fn pattern(&self) -> [String; 2] {
        [format!("{}:*", self.namespace), format!("{{{}:*", self.namespace)]
    }

    fn outside(&self, name: &str) -> String {
        format!("{}:{name}", self.namespace)
    }

    /// A key in the hash slot of `outside(name)`.
    fn beside(&self, name: &str, suffix: &str) -> String {
        format!("{{{}:{name}}}:{suffix}", self.namespace)
    }
}

/// The keys of one partition.
#[derive(Debug, Clone)]
pub struct PartitionKeys {
    partition: Partition,
    root: String,
}

impl PartitionKeys {
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
        self.named(JOB, id)
    }

    /// The envelope of a job: the JSON that its producer sent, normalised once.
    #[must_use]
    pub fn envelope(&self, id: JobId) -> String {
        self.named(ENV, id)
    }

    /// The result of a job: JSON as its handler returned it.
    #[must_use]
    pub fn out(&self, id: JobId) -> String {
        self.named(OUT, id)
    }

    /// The errors of a job, oldest first: list of JSON objects.
    #[must_use]
    pub fn errors(&self, id: JobId) -> String {
        self.named(ERRORS, id)
    }

    /// The available jobs of a queue: zset by priority band and time in.
    #[must_use]
    pub fn ready(&self, queue: &QueueName) -> String {
        self.named(READY, queue)
    }

    /// Pause, sequence and counters of a queue: hash.
    #[must_use]
    pub fn queue(&self, queue: &QueueName) -> String {
        self.named(QUEUE, queue)
    }

    /// The queues that were ever used here: set.
    #[must_use]
    pub fn queues(&self) -> String {
        self.single(QUEUES)
    }

    /// Wake-up tokens for idle workers of a queue: list of at most 64.
    #[must_use]
    pub fn bell(&self, queue: &QueueName) -> String {
        self.named(BELL, queue)
    }

    /// Scheduled and retryable jobs of all queues: zset by due time in milliseconds.
    #[must_use]
    pub fn due(&self) -> String {
        self.single(DUE)
    }

    /// Pending jobs, which wait to be activated: zset by creation time in milliseconds.
    #[must_use]
    pub fn parked(&self) -> String {
        self.single(PARKED)
    }

    /// Active jobs of all queues: zset by lease deadline in milliseconds.
    #[must_use]
    pub fn leases(&self) -> String {
        self.single(LEASES)
    }

    /// Jobs that ended one way (`completed`, `cancelled`, `discarded`, `dead`): zset by time of the end in milliseconds.
    #[must_use]
    pub fn ended(&self, how: &str) -> String {
        self.named(ENDED, how)
    }

    /// The dead letters of a queue: zset by time of the end in milliseconds. All of them are in `ended:dead` too.
    #[must_use]
    pub fn dead(&self, queue: &QueueName) -> String {
        self.named(DEAD, queue)
    }

    /// The ids that one claim request was given, for when its reply was lost.
    #[must_use]
    pub fn claim(&self, request: &str) -> String {
        self.named(CLAIM, request)
    }

    /// What was registered of a cron entry: JSON. Apart from the record, which is written with each fire.
    #[must_use]
    pub fn definition(&self, name: &CronName) -> String {
        self.named(DEF, name)
    }

    /// The record of a cron entry: string of lines.
    #[must_use]
    pub fn cron(&self, name: &CronName) -> String {
        self.named(CRON, name)
    }

    /// The cron entries by next instant in milliseconds; `+inf` when there is none.
    #[must_use]
    pub fn crons(&self) -> String {
        self.single(CRONS)
    }

    /// The names of the cron entries that files declare: set.
    #[must_use]
    pub fn declared(&self) -> String {
        self.single(DECLARED)
    }

    /// The runs of an entry that are not terminal: zset by scheduled time in milliseconds.
    #[must_use]
    pub fn live(&self, name: &CronName) -> String {
        self.named(LIVE, name)
    }

    /// The runs of an entry that wait for their predecessor: list, in order.
    #[must_use]
    pub fn wait(&self, name: &CronName) -> String {
        self.named(WAIT, name)
    }

    /// The runs of all entries that wait for their predecessors: zset by time in, in milliseconds.
    #[must_use]
    pub fn waiting(&self) -> String {
        self.single(WAITING)
    }

    /// The decisions of an entry and the ends of its runs: list of rows, the oldest first.
    #[must_use]
    pub fn ledger(&self, name: &CronName) -> String {
        self.named(LEDGER, name)
    }

    /// A workflow: its kind and state, and where each of its steps is: hash.
    #[must_use]
    pub fn flow(&self, id: JobId) -> String {
        self.named(FLOW, id)
    }

    /// The workflows that have ended: zset by that time in milliseconds.
    #[must_use]
    pub fn flows(&self) -> String {
        self.single(FLOWS)
    }

    /// The job that holds a fingerprint: string.
    #[must_use]
    pub fn unique(&self, fingerprint: &str) -> String {
        self.named(UNIQUE, fingerprint)
    }

    /// Jobs that expire unless they are claimed before: zset by that time in milliseconds. A hint: the record decides.
    #[must_use]
    pub fn expires(&self) -> String {
        self.single(EXPIRES)
    }

    /// Active jobs whose attempt has a time limit: zset by that time in milliseconds. A hint: the record decides.
    #[must_use]
    pub fn timeouts(&self) -> String {
        self.single(TIMEOUTS)
    }

    /// The latest starts of a queue that has a rate limit: zset by time in milliseconds.
    #[must_use]
    pub fn rate(&self, queue: &QueueName) -> String {
        self.named(RATE, queue)
    }

    /// The latest starts of jobs that share a rate limit by its key: zset by time in milliseconds.
    #[must_use]
    pub fn limit(&self, limit: &str) -> String {
        self.named(LIMIT, limit)
    }

    /// The active jobs that share a limit by its key: set.
    #[must_use]
    pub fn running(&self, limit: &str) -> String {
        self.named(RUNNING, limit)
    }

    /// What became of the jobs of a queue in ten minutes, minute by minute: hash. `block` counts tens of minutes since 1970.
    #[must_use]
    pub fn minutes(&self, queue: &QueueName, block: i64) -> String {
        self.named(MINUTES, format_args!("{queue}:{block}"))
    }

    /// That a request has been carried out which leaves no other trace: string, for 30 s.
    #[must_use]
    pub fn done(&self, request: &str) -> String {
        self.named(DONE, request)
    }

    /// What the handler of a job last said of its progress: string, JSON.
    #[must_use]
    pub fn progress(&self, id: JobId) -> String {
        self.named(PROGRESS, id)
    }

    /// The token of the leader that may fire here.
    #[must_use]
    pub fn fence(&self) -> String {
        self.single(FENCE)
    }

    /// Last tick and hold-off of the reclaiming of leases: hash.
    #[must_use]
    pub fn reaper(&self) -> String {
        self.single(REAPER)
    }

    /// What happened here: capped stream.
    #[must_use]
    pub fn events(&self) -> String {
        self.single(EVENTS)
    }

    /// How many events were told in entries of several, and where blocks of them end: hash.
    #[must_use]
    pub fn told(&self) -> String {
        self.single(TOLD)
    }

    /// The shard channel of the events of this partition, in a cluster.
    #[must_use]
    pub fn events_channel(&self) -> String {
        self.single(EVENTS)
    }

    fn single(&self, suffix: &str) -> String {
        format!("{}{suffix}", self.root)
    }

    fn named(&self, suffix: &str, name: impl std::fmt::Display) -> String {
        let mut key = String::with_capacity(self.root.len() + suffix.len() + NAME_CHARS);
        key.push_str(&self.root);
        key.push_str(suffix);
        // Writing to memory does not fail.
        let _infallible = write!(key, "{name}");
        key
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_always_lives_in_the_same_partition() {
        let keys = Keys::new(Namespace::default(), 16);
        let queue: QueueName = "reports".parse().expect("a queue name");
        let partition = keys.partition_of(&queue);
        assert!(partition.0 < 16);
        assert_eq!(partition, keys.partition_of(&queue));
        assert_eq!(Keys::new(Namespace::default(), 1).partition_of(&queue), Partition(0));
    }

    #[test]
    fn every_suffix_the_scripts_know_is_a_key_of_its_own() {
        let mut seen: Vec<_> = SUFFIXES.iter().map(|(_, suffix)| suffix.trim_end_matches(':')).collect();
        seen.sort_unstable();
        seen.dedup();
        // `queue:` and `queues`, `cron:` and `crons` differ by more than the colon.
        assert_eq!(seen.len(), SUFFIXES.len());
    }

    #[test]
    fn the_key_that_never_exists_is_in_the_slot_of_its_neighbour() {
        let keys = Keys::new(Namespace::default(), 16);
        assert_eq!(still(&keys.partition(Partition(3)).events()), "ojs:{p03}:still");
        assert_eq!(still(&keys.leader()), "{ojs:leader}:still");
        assert_eq!(still(&keys.inbox_taken()), "{ojs:inbox}:still");
    }

    #[test]
    fn the_inbox_has_the_name_that_producers_were_told() {
        assert_eq!(Keys::new(Namespace::default(), 1).inbox(), "ojs:inbox");
    }
}
