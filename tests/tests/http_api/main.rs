//! The HTTP face, as its clients see it.

mod auth;
mod away;
mod client;
mod cron;
mod events;
mod health;
mod jobs;
mod ledger;
mod lists;
mod pauses;
mod preview;
mod protocol;
mod slow;
mod stream;
mod why;
