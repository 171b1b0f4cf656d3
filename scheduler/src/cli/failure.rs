//! Why a command did not succeed: one line, and an exit code by the customs of sysexits.

use std::io;

use carillon_shared::client::ClientError;
use carillon_shared::config::ConfigError;
use carillon_shared::store::StoreError;
use carillon_shared::telemetry::chain;

use crate::app::StartError;
use crate::watch::FilterError;

/// What is asked for does not exist or does not hold.
pub(crate) const NO: u8 = 1;
/// There is something to do that was only asked about.
pub(crate) const CHANGES: u8 = 2;
/// The command line is wrong.
pub(crate) const USAGE: u8 = 64;
/// What was given as data is wrong.
pub(crate) const DATA: u8 = 65;
/// A file that was named cannot be read.
pub(crate) const NO_INPUT: u8 = 66;
/// Redis, or something else that is needed, is away.
pub(crate) const UNAVAILABLE: u8 = 69;
/// Something that should not have happened.
pub(crate) const SOFTWARE: u8 = 70;
/// The configuration is wrong.
pub(crate) const CONFIG: u8 = 78;

/// The end of a command that did not succeed.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) code: u8,
    /// One line; empty when there is nothing to say.
    pub(crate) message: String,
}

impl Failure {
    pub(crate) fn new(code: u8, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// An end without a word.
    pub(crate) fn quiet(code: u8) -> Self {
        Self::new(code, "")
    }
}

/// Whoever read our output has seen enough: that is a success.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::quiet(0),
            _ => Self::new(SOFTWARE, format!("cannot write: {error}")),
        }
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::new(CONFIG, error.to_string())
    }
}

impl From<FilterError> for Failure {
    fn from(error: FilterError) -> Self {
        Self::new(USAGE, error.to_string())
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::new(code_of(&error), chain(&error))
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::Refused(refusal) => Self::new(DATA, refusal.to_string()),
            ClientError::Duplicate(_)
            | ClientError::NotUnique(_)
            | ClientError::NoJob(_)
            | ClientError::Conflict { .. }
            | ClientError::Superseded(_)
            | ClientError::NoEntry(_)
            | ClientError::Declared { .. }
            | ClientError::Taken(_) => Self::new(NO, error.to_string()),
            ClientError::Contended(_) => Self::new(UNAVAILABLE, error.to_string()),
            ClientError::Store(error) => error.into(),
        }
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        let code = match &error {
            StartError::Store { source, .. } => code_of(source),
            StartError::Listen { .. } => UNAVAILABLE,
        };
        Self::new(code, error.to_string())
    }
}

fn code_of(error: &StoreError) -> u8 {
    match error {
        StoreError::Corrupt { .. } => SOFTWARE,
        error if error.kind() == "configuration" => CONFIG,
        _ => UNAVAILABLE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_that_went_away_is_no_failure() {
        let failure = Failure::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert_eq!((failure.code, failure.message.as_str()), (0, ""));
        assert_eq!(Failure::from(io::Error::from(io::ErrorKind::StorageFull)).code, SOFTWARE);
    }
}
