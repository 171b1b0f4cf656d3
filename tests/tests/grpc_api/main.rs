//! The gRPC face, as its clients see it.

mod auth;
mod client;
mod cron;
mod dead_letters;
mod errors;
mod events;
mod job_stream;
mod jobs;
mod plain;
mod queues;
mod server;
mod workers;
mod workflows;
