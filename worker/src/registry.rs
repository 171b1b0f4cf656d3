//! Which handler runs which type.

use std::collections::HashMap;

use carillon_shared::name::JobType;

use crate::error::WorkerError;
use crate::handler::Handler;

/// The handlers by the type of job they run.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    handlers: HashMap<JobType, Handler>,
}

impl Registry {
    pub(crate) fn add(&mut self, job_type: JobType, handler: Handler) -> Result<(), WorkerError> {
        if self.handlers.contains_key(&job_type) {
            return Err(WorkerError::HandlerTwice(job_type.to_string()));
        }
        self.handlers.insert(job_type, handler);
        Ok(())
    }

    pub(crate) fn find(&self, job_type: &JobType) -> Option<&Handler> {
        self.handlers.get(job_type)
    }

    /// The types, in order.
    pub(crate) fn job_types(&self) -> Vec<JobType> {
        let mut types: Vec<_> = self.handlers.keys().cloned().collect();
        types.sort();
        types
    }
}
