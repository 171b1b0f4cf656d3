//! The scheduler of Carillon: it leads, fires cron entries, takes jobs in, and shows everything over HTTP, gRPC
//! and on the command line.

pub mod app;
pub mod cli;
mod declared;
pub mod dev;
pub mod duty;
pub mod grpc;
pub mod http;
mod import;
pub mod leader;
mod peers;
pub mod samples;
pub mod watch;
