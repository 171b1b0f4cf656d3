//! Entries that files declare: from the command line, by a scheduler that keeps them, and against everybody else.

mod api;
mod commands;
mod imports;
mod keeper;
mod stage;
