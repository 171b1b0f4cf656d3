//! What the scheduler and the workers of Carillon share: the calendar, the life of a job, and the store in Redis.
//!
//! Imports point one way: `name`, `id`, `clock` ← `job`, `cron`, `flow` ← `event` ← `store` ← `client`. Only `store` knows Redis.
//! `job`, `cron` and `flow` know neither Redis nor a runtime, nor the hour: what they decide, they decide from arguments.

pub mod client;
pub mod clock;
pub mod config;
pub mod cron;
pub mod event;
pub mod flow;
pub mod id;
pub mod job;
pub mod name;
pub mod store;
pub mod telemetry;
