//! The program `carillon-scheduler`.

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// What one thread reads another often answers, for which the allocator of the C library takes locks: with this one a fetch
/// and its ack cost a fifth less.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    carillon_scheduler::cli::main()
}
