//! Random commands, the same for the same seed: mostly such that something can come of them.

use carillon_shared::job::{JobState, OnConflict};
use fastrand::Rng;

use super::command::{
    Command, ENTRIES, FINGERPRINTS, Finish, Fired, Grip, How, Label, Limit, QUEUES, Shape, Sight, Taken, Time, WORKERS,
};
use super::spec::{Moment, Period, Spec, Timeout, Unique, When};

/// Most commands are about one of so many latest jobs.
const RECENT: Label = 14;

const WAITING: &[JobState] = &[JobState::Available, JobState::Scheduled];
const LIVE: &[JobState] =
    &[JobState::Available, JobState::Active, JobState::Scheduled, JobState::Retryable, JobState::Pending];
const ANY: &[JobState] = &JobState::ALL;

/// Makes commands one after the other.
#[derive(Debug)]
pub struct Generator {
    random: Rng,
    next: Label,
    order: u64,
}

impl Generator {
    /// Begins the sequence of a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { random: Rng::with_seed(seed), next: 0, order: 0 }
    }

    /// The next command.
    pub fn command(&mut self) -> Command {
        match self.random.u32(0..100) {
            0..=15 => self.enqueue(),
            16..=17 => Command::EnqueueAgain,
            18..=31 => self.claim(),
            32..=33 => Command::ClaimAgain,
            34..=47 => self.end(),
            48..=49 => Command::Heartbeat(self.label(), self.grip()),
            50 => Command::HeartbeatAs(self.random.u8(0..WORKERS), self.label()),
            51..=54 => Command::Cancel(self.label()),
            55..=57 => Command::Promote,
            58..=59 => Command::Expire,
            60 => Command::Overtime,
            61..=62 => {
                Command::Trim(self.one(&[How::Completed, How::Cancelled, How::Discarded, How::Dead, How::Workflow]))
            }
            63..=71 => self.elapse(),
            72..=74 => Command::Reclaim(self.taken()),
            75 => Command::ReclaimOne(self.label(), self.grip()),
            76 => Command::ReclaimFrom(self.random.u8(0..WORKERS), self.taken()),
            77..=78 => Command::Activate(self.label()),
            79 => Command::Progress(self.label()),
            80..=83 => Command::Revive(self.label()),
            84 => Command::Bury(self.label()),
            85..=88 => self.limit(),
            89..=91 => self.begin_flow(),
            92 => Command::CancelFlow(self.label()),
            93..=94 => Command::Register(self.random.u8(0..ENTRIES)),
            95 if self.random.bool() => Command::Remove(self.random.u8(0..ENTRIES)),
            _ => self.fire(),
        }
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.random.usize(0..of.len())]
    }

    fn order(&mut self) -> u64 {
        self.order += 1;
        self.order
    }

    fn new_label(&mut self) -> Label {
        self.next += 1;
        self.next
    }

    /// Mostly a job that was made lately, at times one that was never made.
    fn label(&mut self) -> Label {
        self.random.u32(self.next.saturating_sub(RECENT)..self.next + 2)
    }

    /// One that was made before; never one that is still to be made.
    fn old_label(&mut self) -> Label {
        self.random.u32(self.next.saturating_sub(RECENT)..=self.next)
    }

    fn grip(&mut self) -> Grip {
        self.one(&[Grip::Latest, Grip::Latest, Grip::Latest, Grip::Latest, Grip::Earlier, Grip::Strange])
    }

    fn taken(&mut self) -> Taken {
        self.one(&[Taken::Available, Taken::Available, Taken::Available, Taken::Discarded, Taken::Dead])
    }

    fn enqueue(&mut self) -> Command {
        let many = self.one(&[1, 1, 1, 2, 3]);
        Command::Enqueue((0..many).map(|_| self.spec()).collect())
    }

    fn spec(&mut self) -> Spec {
        let label = if self.random.u8(0..20) == 0 { self.old_label() } else { self.new_label() };
        let order = self.order();
        let (none, ahead, past) = (None, Some(Moment::Ahead), Some(Moment::Past(order)));
        Spec {
            label,
            queue: self.random.u8(0..QUEUES),
            priority: self.one(&[0, 0, 0, 5, -5, 100]),
            when: self.one(&[When::Now, When::Now, When::Now, When::Later, When::Pending, When::Past]),
            expires: self.one(&[none, none, none, ahead, ahead, past]),
            timeout: self.one(&[Timeout::None, Timeout::None, Timeout::Hour]),
            unique: (self.random.u8(0..3) == 0).then(|| self.unique()),
        }
    }

    fn unique(&mut self) -> Unique {
        use OnConflict::{Ignore, Reject, Replace, ReplaceExceptSchedule};
        Unique {
            kind: self.random.u8(0..FINGERPRINTS),
            on_conflict: self.one(&[Reject, Ignore, Replace, ReplaceExceptSchedule]),
            states: self.one(&[LIVE, LIVE, WAITING, ANY]),
            period: self.one(&[Period::Endless, Period::Hour]),
        }
    }

    fn claim(&mut self) -> Command {
        let many = self.random.usize(1..5);
        let queues = (0..many).map(|_| self.random.u8(0..QUEUES)).collect();
        Command::Claim { queues, most: self.random.usize(1..5), worker: self.random.u8(0..WORKERS) }
    }

    fn end(&mut self) -> Command {
        use Finish::{Dead, Discard, Done, DoneSilently, Retry, Return, ReturnLater};
        let many = self.one(&[1, 1, 2, 3]);
        let finishes = [Done, Done, DoneSilently, Retry, Retry, Discard, Dead, Dead, Return, ReturnLater];
        Command::End((0..many).map(|_| (self.label(), self.grip(), self.one(&finishes))).collect())
    }

    fn elapse(&mut self) -> Command {
        let time =
            self.one(&[Time::Due, Time::Due, Time::Expiry, Time::Lease, Time::Lease, Time::Timeout, Time::Period]);
        Command::Elapse(self.label(), time, self.order())
    }

    fn limit(&mut self) -> Command {
        let few = Some(self.random.u32(1..4));
        let many = Some(self.random.u32(1..12));
        let limit = self.one(&[
            Limit::Pause,
            Limit::Resume,
            Limit::Resume,
            Limit::Concurrency(few),
            Limit::Concurrency(None),
            Limit::Rate(many),
            Limit::Rate(None),
        ]);
        Command::Limit(self.random.u8(0..QUEUES), limit)
    }

    fn begin_flow(&mut self) -> Command {
        let shape = self.one(&[Shape::Chain, Shape::Group, Shape::Batch, Shape::Diamond]);
        let label = self.new_label();
        self.next += Label::try_from(shape.steps()).unwrap_or(0);
        Command::BeginFlow(label, shape, self.random.u8(0..QUEUES))
    }

    fn fire(&mut self) -> Command {
        let run = if self.random.u8(0..10) == 0 { self.old_label() } else { self.new_label() };
        Command::Fire {
            entry: self.random.u8(0..ENTRIES),
            run,
            decision: self.one(&[Fired::Fire, Fired::Fire, Fired::Behind, Fired::Behind, Fired::Instead, Fired::Skip]),
            sight: self.one(&[Sight::Clear, Sight::Clear, Sight::Clear, Sight::Clear, Sight::Blurred]),
            order: self.order(),
        }
    }
}
