//! What an expression needs beside its text.

use crate::clock::Timestamp;

use super::dialect::{Dialect, DstFold, FieldCount};
use super::zone::Zone;

/// All that an expression does not say itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScheduleOptions {
    /// The grammar.
    pub dialect: Dialect,
    /// Whose local time the fields mean.
    pub zone: Zone,
    /// What a repeated local time does.
    pub dst_fold: DstFold,
    /// The only number of fields that is accepted, if there is such a rule.
    pub fields: Option<FieldCount>,
    /// What `@every` counts from.
    pub anchor: Timestamp,
}

impl Default for ScheduleOptions {
    fn default() -> Self {
        Self {
            dialect: Dialect::default(),
            zone: Zone::UTC,
            dst_fold: DstFold::default(),
            fields: None,
            anchor: Timestamp::from_ms(0),
        }
    }
}
