//! Declared schedules: cron entries that stand in files.
//!
//! A *directory* holds files of TOML, YAML and JSON, each with one entry or several. Together they are a *declaration*: what
//! the entries of its *owner* should be. An entry is declared if and only if it has a source in the store; its file alone
//! says what it is, and operators when it pauses.
//!
//! - *All or nothing*: a declaration is read whole before anything is changed. One mistake in one file, a name that stands
//!   twice, or a name that somebody else's entry has, and nothing is changed. A directory without a single file is a mistake
//!   too: it is more often a volume that is not mounted than the wish to remove everything.
//! - *Ours only*: what another owner declares and what clients registered is never touched, in whatever order things happen:
//!   the store compares what was read before it writes.
//! - *Who applies*: every scheduler that was given a directory says what it holds and since when. The declaration that was
//!   seen last by a scheduler that lives is the one that counts, and whoever holds it keeps the entries so. In a rolling
//!   deploy the new files win as soon as they are there, and the old scheduler does not undo them; when the deploy is taken
//!   back and the new scheduler goes, the old files count again.

mod apply;
mod difference;
mod directory;
mod file;
mod keeper;
mod mistake;
mod plan;
mod shape;
mod syntax;

pub(crate) use apply::{carry_out, survey};
pub(crate) use difference::Difference;
pub(crate) use directory::{Declaration, read};
pub(crate) use keeper::Keeper;
pub(crate) use mistake::{Mistake, Mistakes};
pub(crate) use plan::{Action, Plan, Step};
pub(crate) use syntax::from_yaml;
