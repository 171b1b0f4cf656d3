//! The program `carillon-scheduler`.

use std::process::ExitCode;

fn main() -> ExitCode {
    carillon_scheduler::cli::main()
}
