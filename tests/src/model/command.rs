//! What can be asked of the queue. Jobs, workflows and entries are named by labels, so that a sequence means the same when
//! commands are taken out of it; a label that names nothing is as good a question as any.

use super::spec::Spec;

/// The name of a job or of a workflow in a sequence.
pub type Label = u32;

/// How many queues, workers, entries and fingerprints there are.
pub const QUEUES: u8 = 3;
/// How many workers claim.
pub const WORKERS: u8 = 2;
/// One entry of each policy that treats a revived run differently.
pub const ENTRIES: u8 = 3;
/// How many kinds of unique jobs there are.
pub(super) const FINGERPRINTS: u8 = 3;

/// One call of the store, or an hour that passes for one job.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Takes jobs in, all or none.
    Enqueue(Vec<Spec>),
    /// Sends the last enqueue again, as a client does that was not answered.
    EnqueueAgain,
    /// Claims.
    Claim {
        /// From these queues, in order; one may be named twice.
        queues: Vec<u8>,
        /// So many at most.
        most: usize,
        /// By this worker.
        worker: u8,
    },
    /// Sends the last claim again.
    ClaimAgain,
    /// Ends attempts in one call.
    End(Vec<(Label, Grip, Finish)>),
    /// Extends a lease.
    Heartbeat(Label, Grip),
    /// Extends a lease for a client that knows none.
    HeartbeatAs(u8, Label),
    /// Cancels a job.
    Cancel(Label),
    /// Makes available what is due.
    Promote,
    /// Discards what has expired.
    Expire,
    /// Lists attempts that take too long.
    Overtime,
    /// Forgets what ended: all of it.
    Trim(How),
    /// Lets a time of a job pass; the numbers give the order in which times passed.
    Elapse(Label, Time, u64),
    /// Takes back every job whose lease is over.
    Reclaim(Taken),
    /// Tries to take back a job whose lease may not be over.
    ReclaimOne(Label, Grip),
    /// Takes back what a worker holds.
    ReclaimFrom(u8, Taken),
    /// Makes a pending job available.
    Activate(Label),
    /// Notes how far a job is.
    Progress(Label),
    /// Makes a dead letter available.
    Revive(Label),
    /// Forgets a dead letter.
    Bury(Label),
    /// Changes what holds for a queue.
    Limit(u8, Limit),
    /// Begins a workflow, whose steps have the labels after its own.
    BeginFlow(Label, Shape, u8),
    /// Cancels a workflow.
    CancelFlow(Label),
    /// Registers an entry.
    Register(u8),
    /// Removes an entry.
    Remove(u8),
    /// Fires an entry, as decided on what was seen.
    Fire {
        /// Which.
        entry: u8,
        /// The label of the run.
        run: Label,
        /// What was decided.
        decision: Fired,
        /// What was seen.
        sight: Sight,
        /// The order of its instant among others.
        order: u64,
    },
}

/// Which lease of a job is presented.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grip {
    /// The last that was given out.
    Latest,
    /// The one before it.
    Earlier,
    /// One that nobody was given.
    Strange,
}

/// How an attempt ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finish {
    /// With a result.
    Done,
    /// Without one.
    DoneSilently,
    /// Failed; again in an hour.
    Retry,
    /// Failed for good.
    Discard,
    /// Failed for good, kept.
    Dead,
    /// Given back.
    Return,
    /// Given back for an hour from now.
    ReturnLater,
}

/// Which of the ended jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// Completed.
    Completed,
    /// Cancelled.
    Cancelled,
    /// Discarded, not kept.
    Discarded,
    /// Dead letters.
    Dead,
    /// Not jobs, but workflows.
    Workflow,
}

/// A time that can pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Time {
    /// When it is due.
    Due,
    /// When it expires.
    Expiry,
    /// When its lease ends.
    Lease,
    /// When its attempt has taken too long.
    Timeout,
    /// When it stops keeping others away.
    Period,
}

/// What becomes of a job that is taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// It is available.
    Available,
    /// It is discarded.
    Discarded,
    /// It is a dead letter.
    Dead,
}

/// What is made to hold for a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// Nothing is handed out.
    Pause,
    /// Something is.
    Resume,
    /// So many at once.
    Concurrency(Option<u32>),
    /// So many starts in an hour.
    Rate(Option<u32>),
}

/// The shape of a workflow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Three, one after the other.
    Chain,
    /// Two at once.
    Group,
    /// Two at once, then a callback of each kind.
    Batch,
    /// One, then two, then one.
    Diamond,
}

/// What was decided on an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fired {
    /// A run.
    Fire,
    /// A run behind the others.
    Behind,
    /// A run instead of the others.
    Instead,
    /// None.
    Skip,
}

/// On what it was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sight {
    /// On what is there.
    Clear,
    /// On a run that is not.
    Blurred,
}
