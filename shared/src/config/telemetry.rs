//! What is logged, and how.

use std::str::FromStr;

use tracing_subscriber::EnvFilter;

use super::layers::Layers;
use super::setting;
use super::value::{Parsed, parsed};

/// The form of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Pretty,
    /// One JSON object a line, for machines.
    Json,
}

impl FromStr for LogFormat {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "pretty" => Ok(Self::Pretty),
            "json" => Ok(Self::Json),
            _ => Err("pretty or json"),
        }
    }
}

/// What is logged, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TelemetryConfig {
    /// The filter, already found valid.
    pub filter: String,
    /// The form of log lines.
    pub format: LogFormat,
}

impl TelemetryConfig {
    pub(super) fn take(layers: &mut Layers<'_>) -> Self {
        Self { filter: layers.required(&setting::LOG, filter), format: layers.required(&setting::LOG_FORMAT, parsed) }
    }
}

fn filter(text: &str) -> Parsed<String> {
    let example = "a log filter such as info or warn,carillon_shared=debug";
    EnvFilter::try_new(text).map(|_| text.to_owned()).map_err(|_| example.to_owned())
}
