//! Watching events: which ones, without missing any, and how one looks on a line.

mod filter;
mod follow;
mod line;

pub use filter::{EventFilter, FilterError};
pub use follow::{Follower, Seen};
pub use line::line;
