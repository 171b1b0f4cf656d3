//! The Open Job Spec over HTTP, as workers and producers of any language use it.

mod admin;
mod attempts;
mod batch;
#[path = "../http_api/client.rs"]
mod client;
mod dead_letters;
mod flows;
mod heartbeats;
mod listing;
mod payloads;
mod poll;
mod progress;
mod queues;
mod recovery;
mod stage;
mod unique;
mod workers;
