//! Names: text with a grammar, checked once.
//!
//! A name that exists is valid, so it may stand in a Redis key, a metric label or a line of JSON without being escaped.
//! None of the grammars admits `{`, `}`, `:`, `*` or white space: a user's text can neither choose its hash slot nor run
//! into a neighbouring key.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Text that does not follow the grammar of its kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{value}` is not a valid {what}: expected {expected}")]
pub struct NameError {
    /// What it should have been a name of.
    pub what: &'static str,
    /// The grammar, in words.
    pub expected: &'static str,
    /// The text, cut to 80 characters.
    pub value: String,
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $what:literal, $expected:literal, $valid:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NameError;
            fn from_str(text: &str) -> Result<Self, NameError> {
                let valid: fn(&str) -> bool = $valid;
                if valid(text) {
                    return Ok(Self(text.into()));
                }
                Err(NameError { what: $what, expected: $expected, value: text.chars().take(80).collect() })
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

name! {
    /// The prefix of every key of one deployment: `ojs` unless configured.
    Namespace, "namespace", "1 to 64 of a-z, 0-9, `.`, `_` and `-`, starting with a letter or digit",
    |text| bounded(text, 64) && starts_lower_or_digit(text) && text.bytes().all(|b| lower_or_digit(b) || b"._-".contains(&b))
}

name! {
    /// A queue (OJS core: `[a-z0-9][a-z0-9\-\.]*`, at most 128 characters).
    QueueName, "queue", "1 to 128 of a-z, 0-9, `-` and `.`, starting with a letter or digit",
    |text| bounded(text, 128) && dashed(text)
}

name! {
    /// A cron entry (OJS scheduling: `[a-z0-9][a-z0-9\-\.]*`, at most 255 characters).
    CronName, "cron entry name", "1 to 255 of a-z, 0-9, `-` and `.`, starting with a letter or digit",
    |text| bounded(text, 255) && dashed(text)
}

name! {
    /// Whoever declares schedules in files: one directory, whichever scheduler reads it. `default` unless configured.
    OwnerName, "owner", "1 to 64 of a-z, 0-9, `.`, `_` and `-`, starting with a letter or digit",
    |text| bounded(text, 64) && starts_lower_or_digit(text) && text.bytes().all(|b| lower_or_digit(b) || b"._-".contains(&b))
}

name! {
    /// A job type: what a handler is registered for, such as `report.generate`.
    JobType, "job type",
    "1 to 255 characters: words of a-z, 0-9, `_` and `-` that start with a letter, joined by `.` (such as report.generate)",
    |text| bounded(text, 255) && text.split('.').all(|word| {
        word.starts_with(|c: char| c.is_ascii_lowercase()) && word.bytes().all(|b| lower_or_digit(b) || b"_-".contains(&b))
    })
}

name! {
    /// Whoever claims jobs. Unique per process start, since names come back and leases must not.
    WorkerId, "worker id", "1 to 255 printable characters without white space, braces or quotes",
    |text| bounded(text, 255) && text.chars().all(|c| !c.is_control() && !c.is_whitespace() && !"{}\"'\\<>".contains(c))
}

impl Default for Namespace {
    fn default() -> Self {
        Self("ojs".into())
    }
}

impl Default for QueueName {
    fn default() -> Self {
        Self("default".into())
    }
}

fn bounded(text: &str, chars_max: usize) -> bool {
    !text.is_empty() && text.len() <= chars_max
}

fn lower_or_digit(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit()
}

fn starts_lower_or_digit(text: &str) -> bool {
    text.bytes().next().is_some_and(lower_or_digit)
}

fn dashed(text: &str) -> bool {
    starts_lower_or_digit(text) && text.bytes().all(|b| lower_or_digit(b) || b"-.".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_specification_are_taken() {
        for queue in ["default", "reports", "a", "0", "a.b-c"] {
            assert!(queue.parse::<QueueName>().is_ok(), "{queue}");
        }
        for kind in ["report.generate", "echo", "dlq.test.list-first", "maintenance.cache_cleanup"] {
            assert!(kind.parse::<JobType>().is_ok(), "{kind}");
        }
    }

    #[test]
    fn names_outside_the_grammar_are_refused() {
        for queue in ["", "Default", "my_queue!", "-invalid", "my queue", "a}b{", "a:b", &"q".repeat(129)] {
            assert!(queue.parse::<QueueName>().is_err(), "{queue}");
        }
        for kind in ["", "Report", "1a", "a..b", ".a", "a.", "a b", "a@b", "a!"] {
            assert!(kind.parse::<JobType>().is_err(), "{kind}");
        }
    }

    #[test]
    fn a_refusal_says_what_was_expected() {
        let error = "My Queue".parse::<QueueName>().expect_err("upper case and a space");
        assert_eq!(
            error.to_string(),
            "`My Queue` is not a valid queue: expected 1 to 128 of a-z, 0-9, `-` and `.`, starting with a letter or digit"
        );
    }
}
