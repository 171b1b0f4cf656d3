//! How long this thread computes: not how long it waits while others have the processor, nor how long the machine stands
//! still.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Does `work`, and says how long it computed.
pub(crate) fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let before = computed();
    let done = work();
    (done, computed() - before)
}

fn computed() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let (secs, nanos) = (u64::try_from(time.tv_sec), u32::try_from(time.tv_nsec));
    Duration::new(secs.expect("it counts from zero"), nanos.expect("less than a second"))
}
