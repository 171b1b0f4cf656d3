//! Everything that Carillon keeps in Redis, and every way in which it changes.
//!
//! One partition is a complete small world in one hash slot: its jobs, queues, entries and events change only through
//! scripts, each of which is isolated, checks all its guards before its first write, and may be sent twice. What is not in a
//! partition is a hint or a cache: it can be lost and is rebuilt. (The orders to workers and what they say of themselves are
//! neither, but they cannot be in a partition, which keeps notes of them.)
//!
//! A refused transition is an answer of the call. [`StoreError`] is for what the caller cannot know.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use redis::Value;

use crate::clock::{BootInstant, Clock, Timestamp};
use crate::config::{RedisCheck, RedisConfig};
use crate::id::Partition;
use crate::name::Namespace;

mod alarm;
mod attempts;
mod bell;
mod check;
mod claims;
mod connection;
mod crons;
mod dead;
mod decided;
mod due_entries;
mod ends;
mod entries;
mod entry_list;
mod entry_record;
mod error;
mod event_cursor;
mod event_feed;
mod events;
mod evidence;
mod fields;
mod fire;
mod fire_item;
mod flows;
mod holders;
mod inbox;
mod index;
mod job_item;
mod job_lines;
mod jobs;
mod keys;
mod leadership;
mod leases;
mod ledger;
mod ledger_list;
mod ledger_pages;
mod ledger_tail;
mod life;
mod limits;
mod meta;
mod orders;
mod outlook;
mod queues;
mod quiet;
mod recent;
mod record;
mod reply;
mod reset;
mod retention;
mod script;
mod shelf;
mod silence;
mod workers;

pub use crate::cron::{LedgerDecision, LedgerRow, LiveRun, RunEnd};
pub use attempts::{AttemptEnd, EndReply, Ending};
pub use bell::Bell;
pub use check::{Finding, Grade, acl_rules};
pub use claims::{Claim, Claimed};
pub use connection::ConnectionOptions;
pub use crons::{EntryPut, EntryRemoved, PutReply, Told};
pub use dead::DeadLetters;
pub use decided::DecidedInstants;
pub use due_entries::{DueEntries, Unreadable};
pub use ends::{AskedEnd, EndAnswer, Presented, Right};
pub use entries::StoredEntry;
pub use entry_list::EntryPage;
pub use error::StoreError;
pub use event_cursor::{EventCursor, EventCursorError};
pub use event_feed::EventFeed;
pub use events::EventPage;
pub use fire::{FireDecision, FireItem, FireReply, FireResult, Run};
pub use flows::{Flow, FlowCancel, FlowStep, FlowWork};
pub use holders::Holder;
pub use inbox::{InboxItem, Settlement};
pub use index::{JobFilter, JobPage};
pub use jobs::{CancelReply, ChangeReply, EnqueueReply, NewJob, TakenIn};
pub use keys::{Keys, PartitionKeys};
pub use leadership::{Acquired, LeaderSeen, LeaderToken, Sealed};
pub use leases::{Held, LeaseState, Nudges};
pub use ledger::{Ledger, LedgerPage};
pub use ledger_tail::LedgerNews;
pub use life::{Overdue, Promoted, Reclaim, ReclaimReply, Reclaimed};
pub use limits::KeyUse;
pub use orders::WorkerOrder;
pub use outlook::{Coming, Outlook};
pub use queues::{QueueChange, QueueStats};
pub use quiet::QuietNote;
pub use recent::Recent;
pub use retention::{Ended, Retention};
pub use shelf::{JobCursor, JobCursorError};
pub use silence::FallenSilent;
pub use workers::{KnownWorker, WorkerInfo};

use connection::{Arg, Connection};
use reply::Reply;
use script::Script;

/// How to open a store.
#[derive(Debug, Clone)]
pub struct StoreOptions {
    /// The way to Redis.
    pub connection: ConnectionOptions,
    /// The prefix of every key.
    pub namespace: Namespace,
    /// The number of partitions; must be what the namespace was first used with.
    pub partitions: u16,
    /// How many errors of a job are kept.
    pub errors_kept: u32,
    /// How much of the past is kept: made to hold for the namespace, or, when absent, as it holds there.
    pub kept: Option<Kept>,
    /// What follows when the Redis will not do; see [`Store::admit`].
    pub check: RedisCheck,
}

/// How much of the past is kept, about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    /// Events of each partition.
    pub events: u64,
    /// Rows of each entry's ledger.
    pub ledger_rows: u64,
    /// How long those rows are kept.
    pub ledger_age: Duration,
}

impl Default for Kept {
    fn default() -> Self {
        Self { events: 20_000, ledger_rows: 1000, ledger_age: Duration::from_secs(90 * 86_400) }
    }
}

impl From<&RedisConfig> for StoreOptions {
    fn from(redis: &RedisConfig) -> Self {
        let connection = ConnectionOptions {
            url: redis.url.expose().to_owned(),
            tls: redis.tls.clone(),
            timeout: redis.timeout,
            connections: redis.connections,
            ..ConnectionOptions::default()
        };
        Self {
            connection,
            namespace: redis.namespace.clone(),
            partitions: redis.partitions,
            check: redis.check,
            ..Self::default()
        }
    }
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self {
            connection: ConnectionOptions::default(),
            namespace: Namespace::default(),
            partitions: 1,
            errors_kept: 50,
            kept: None,
            check: RedisCheck::default(),
        }
    }
}

/// The store: cheap to clone, shared by everything in a process.
#[derive(Debug, Clone)]
pub struct Store(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    connection: Connection,
    keys: Keys,
    clock: Clock,
    options: StoreOptions,
    kept: OnceLock<Kept>,
}

impl Store {
    /// Opens the store: reaches Redis, reads its time, and checks or fixes the number of partitions and the format.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached, or the namespace was set up with another number of partitions.
    pub async fn open(options: StoreOptions) -> Result<Self, StoreError> {
        let connection = Connection::new(options.connection.clone())?;
        let keys = Keys::new(options.namespace.clone(), options.partitions);
        let store = Self(Arc::new(Inner { connection, keys, clock: Clock::default(), options, kept: OnceLock::new() }));
        store.now().await?;
        store.settle().await?;
        let kept = store.settle_kept().await?;
        store.0.kept.get_or_init(|| kept);
        Ok(store)
    }

    /// The names of the keys.
    #[must_use]
    pub fn keys(&self) -> &Keys {
        &self.0.keys
    }

    /// Redis's time as this process estimates it, for sleeping and showing.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// Every partition.
    pub fn partitions(&self) -> impl Iterator<Item = Partition> + use<> {
        (0..self.0.keys.partitions()).map(Partition)
    }

    /// Asks Redis for its time.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached.
    pub async fn now(&self) -> Result<Timestamp, StoreError> {
        let sent = BootInstant::now();
        let reply = Reply::new("TIME", self.0.connection.send(&redis::cmd("TIME")).await?)?;
        let now = Timestamp::from_ms(reply.int(0)? * 1000 + reply.int(1)? / 1000);
        self.0.clock.observe(now, sent);
        Ok(now)
    }

    fn kept(&self) -> Kept {
        self.0.kept.get().copied().unwrap_or_default()
    }

    fn key(&self, partition: Partition) -> PartitionKeys {
        self.0.keys.partition(partition)
    }

    /// Runs a script of a partition; `keys` comes after the stream of events, `args` after what all scripts are told.
    async fn run(
        &self,
        script: &Script,
        partition: &PartitionKeys,
        keys: Vec<String>,
        args: Vec<Arg<'_>>,
    ) -> Result<Reply, StoreError> {
        let kept = self.kept();
        let mut all_keys = vec![partition.events(), partition.told()];
        all_keys.extend(keys);
        let mut all_args: Vec<Arg<'_>> = vec![
            partition.root().into(),
            self.events_channel(partition).into(),
            format!("{}:{}", kept.events, self.ledger_kept()).into(),
            self.0.keys.worker_channel("").into(),
        ];
        all_args.extend(args);
        self.run_bare(script, &all_keys, &all_args).await
    }

    /// Where the scripts of a partition publish its events: in a cluster on a shard channel, because every node would have to
    /// hear of anything that is published on an ordinary one.
    fn events_channel(&self, partition: &PartitionKeys) -> String {
        if self.0.connection.is_cluster() { partition.events_channel() } else { self.0.keys.events_channel() }
    }

    async fn run_bare(&self, script: &Script, keys: &[String], args: &[Arg<'_>]) -> Result<Reply, StoreError> {
        Reply::new(script.name, self.0.connection.invoke(script, keys, args).await?)
    }

    async fn send(&self, command: &redis::Cmd) -> Result<Value, StoreError> {
        self.0.connection.send(command).await
    }

    /// Takes the time that a script read as the newest measure of the clock.
    fn heard(&self, reply: &Reply, i: usize, sent: BootInstant) -> Result<Timestamp, StoreError> {
        let now = reply.time(i)?;
        self.0.clock.observe(now, sent);
        Ok(now)
    }
}
