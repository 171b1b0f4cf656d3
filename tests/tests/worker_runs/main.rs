//! Workers run jobs, as a library and as a program, against a real Redis.

mod attempts;
mod leases;
mod orders;
mod program;
mod refusals;
mod shutdown;
mod stage;
