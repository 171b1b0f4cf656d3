//! The hour of this machine, for commands that need no Redis to tell the time.

use std::time::{SystemTime, UNIX_EPOCH};

use carillon_shared::clock::Timestamp;

/// Now, by this machine.
#[expect(
    clippy::disallowed_methods,
    reason = "whoever asks at a terminal means the hour of this machine; nothing is decided by it"
)]
pub(super) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_ms(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
