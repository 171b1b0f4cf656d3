//! Jobs: what a producer says, what is kept about it, and what follows when an attempt fails.
//!
//! Everything here decides from its arguments. Nothing knows Redis, a runtime or the hour.

pub mod duration;
mod envelope;
mod failure;
mod fields;
mod kept;
mod lease;
mod limit;
mod member;
mod object;
mod record;
mod refusal;
mod retry;
mod said;
mod short;
mod shown;
mod state;
mod taken_in;
mod unique;

pub use envelope::{ENVELOPE_BYTES_MAX, Envelope};
pub use failure::{Failure, Verdict, decide, exhausted};
pub use fields::Fields;
pub use kept::Kept;
pub use lease::{Lease, LeaseError};
pub use limit::{KeyLimit, RateLimit};
pub use record::{Job, Record};
pub use refusal::{Refusal, RefusalKind};
pub use retry::{Backoff, OnExhaustion, RetryPolicy};
pub use state::{JobState, JobStateError};
pub use unique::{OnConflict, UniqueKey, UniquePolicy};
