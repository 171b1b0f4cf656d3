//! How an expression is to be read: the dialect, the number of fields, and what a repeated hour means.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The grammar of an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dialect {
    /// Five fields, or six with seconds first; weekdays count from Sunday = 0; aliases and `@every`.
    #[default]
    Ojs,
    /// Six fields, or seven with a year last; weekdays count from Sunday = 1; `?`; ranges may wrap.
    Quartz,
}

/// What happens to a local time that a clock change repeats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DstFold {
    /// Once for a schedule that names its hours, both for one that runs in every hour.
    #[default]
    Auto,
    /// The first pass only.
    Once,
    /// Both passes.
    Both,
}

/// The number of fields that an entry is held to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub enum FieldCount {
    /// minute hour day-of-month month day-of-week
    Five,
    /// the same with seconds first
    Six,
    /// the same with seconds first and a year last
    Seven,
}

/// The text names none of the choices there are.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` {problem}; allowed are {allowed}")]
pub struct UnknownChoice {
    problem: &'static str,
    found: String,
    allowed: &'static str,
}

impl UnknownChoice {
    fn new(problem: &'static str, found: &str, allowed: &'static str) -> Self {
        Self { problem, found: found.chars().take(32).collect(), allowed }
    }

    pub(super) const fn problem(&self) -> &'static str {
        self.problem
    }

    /// What could have been written instead.
    #[must_use]
    pub const fn allowed(&self) -> &'static str {
        self.allowed
    }
}

impl FromStr for Dialect {
    type Err = UnknownChoice;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "ojs" => Ok(Self::Ojs),
            "quartz" => Ok(Self::Quartz),
            _ => Err(UnknownChoice::new("is no dialect", text, "ojs, quartz")),
        }
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ojs => "ojs",
            Self::Quartz => "quartz",
        })
    }
}

impl FromStr for DstFold {
    type Err = UnknownChoice;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "auto" => Ok(Self::Auto),
            "once" => Ok(Self::Once),
            "both" => Ok(Self::Both),
            _ => Err(UnknownChoice::new("is no rule for a repeated hour", text, "auto, once, both")),
        }
    }
}

impl fmt::Display for DstFold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Auto => "auto",
            Self::Once => "once",
            Self::Both => "both",
        })
    }
}

impl FieldCount {
    /// The number itself.
    #[must_use]
    pub const fn as_usize(self) -> usize {
        match self {
            Self::Five => 5,
            Self::Six => 6,
            Self::Seven => 7,
        }
    }
}

impl TryFrom<u8> for FieldCount {
    type Error = UnknownChoice;
    fn try_from(count: u8) -> Result<Self, Self::Error> {
        match count {
            5 => Ok(Self::Five),
            6 => Ok(Self::Six),
            7 => Ok(Self::Seven),
            _ => Err(UnknownChoice::new("is no number of fields", &count.to_string(), "5, 6, 7")),
        }
    }
}

impl From<FieldCount> for u8 {
    fn from(count: FieldCount) -> Self {
        match count {
            FieldCount::Five => 5,
            FieldCount::Six => 6,
            FieldCount::Seven => 7,
        }
    }
}
