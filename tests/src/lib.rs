//! Helpers of the end-to-end tests: real Redis servers, our own processes, faults between them, and waiting.
//!
//! Helpers panic where a test could not go on; their messages name what was awaited.

pub mod cluster;
pub mod cron;
pub mod election;
pub mod entry_record;
pub mod invariants;
pub mod ledger;
pub mod load;
pub mod model;
pub mod process;
pub mod proxy;
pub mod record;
pub mod redis;
pub mod sentinel;
pub mod snapshot;
pub mod store;
pub mod wait;
mod watchdog;
