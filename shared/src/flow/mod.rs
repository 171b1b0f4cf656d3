//! Workflows (OJS workflows): chains, groups, batches with callbacks, and graphs of steps, all as one kind of graph, and
//! workflows within them.
//!
//! A step is an ordinary job. It waits, as `pending`, for the steps it depends on; the script that ends the last of them lets
//! it go. A step that fails takes those that wait for it along; siblings are independent. Callbacks of a batch run when all
//! members have ended. A workflow within another is a step of it that begins with its first members and ends with its last.

mod camel;
mod plan;
mod request;

pub use plan::{Plan, Step, StepRole, StepSort, Work};

/// The shape in which a workflow was described.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FlowKind {
    /// One after the other.
    Chain,
    /// All at once.
    Group,
    /// All at once, then callbacks.
    Batch,
    /// As each step's `depends_on` says.
    Dag,
}

impl FlowKind {
    /// The kind as the wire writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Chain => "chain",
            Self::Group => "group",
            Self::Batch => "batch",
            Self::Dag => "dag",
        }
    }
}
