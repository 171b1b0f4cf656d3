//! The configuration of a worker.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::ArgMatches;

use super::error::ConfigError;
use super::layers::Layers;
use super::redis::{CommonConfig, RedisConfig};
use super::setting;
use super::telemetry::TelemetryConfig;
use super::value::{address_or_off, duration, integer, list, name};
use crate::name::{QueueName, WorkerId};

const MINUTE: Duration = Duration::from_secs(60);

/// The configuration of `carillon-worker`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerConfig {
    /// Where the data lives.
    pub redis: RedisConfig,
    /// What is logged, and how.
    pub telemetry: TelemetryConfig,
    /// The queues to serve, the first first.
    pub queues: Vec<QueueName>,
    /// Jobs run at the same time at most.
    pub concurrency: usize,
    /// The life of a claim without a heartbeat.
    pub lease: Duration,
    /// How often an idle worker looks although no bell rang.
    pub poll_interval: Duration,
    /// How long a stop waits for running jobs.
    pub grace: Duration,
    /// The file of handlers.
    pub handlers: Option<PathBuf>,
    /// The name of this worker; absent, one is made up.
    pub worker_id: Option<WorkerId>,
    /// Where metrics are served; absent, nowhere.
    pub metrics: Option<SocketAddr>,
    /// Times a job without a handler is given back.
    pub unhandled_max: u32,
}

impl WorkerConfig {
    /// Reads flags, environment and file.
    ///
    /// # Errors
    ///
    /// All mistakes at once.
    pub fn read(matches: &ArgMatches, environment: &dyn Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let mut layers = Layers::new(matches, environment);
        let config = Self::take(&mut layers);
        layers.finish(config)
    }

    fn take(layers: &mut Layers<'_>) -> Self {
        let CommonConfig { redis, telemetry } = CommonConfig::take(layers);
        Self {
            redis,
            telemetry,
            queues: layers.required(&setting::QUEUES, list(name)),
            concurrency: layers.required(&setting::CONCURRENCY, integer(1..=10_000)),
            lease: layers.required(&setting::LEASE, duration(Duration::from_secs(2)..=MINUTE * 60)),
            poll_interval: layers.required(&setting::POLL_INTERVAL, duration(Duration::from_millis(10)..=MINUTE)),
            grace: layers.required(&setting::GRACE, duration(Duration::ZERO..=MINUTE * 60)),
            handlers: layers.optional(&setting::HANDLERS, |text| Ok(PathBuf::from(text))),
            worker_id: layers.optional(&setting::WORKER_ID, name),
            metrics: layers.required(&setting::METRICS_ADDR, address_or_off),
            unhandled_max: layers.required(&setting::UNHANDLED_MAX, integer(1..=10_000)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Program, SETTINGS, Scope, arguments};
    use super::*;

    fn read(flags: &[&str]) -> Result<WorkerConfig, ConfigError> {
        let command = clap::Command::new("demo").args(arguments(Program::Worker));
        WorkerConfig::read(&command.get_matches_from([&["demo"], flags].concat()), &|_| None)
    }

    #[test]
    fn every_default_is_valid() {
        let config = read(&[]).expect("defaults");
        assert_eq!((config.concurrency, config.lease.as_secs(), config.unhandled_max), (10, 30, 20));
        assert_eq!(config.queues.iter().map(ToString::to_string).collect::<Vec<_>>(), ["default"]);
        assert_eq!(config.metrics, Some(([127, 0, 0, 1], 9091).into()));
    }

    #[test]
    fn queues_keep_their_order() {
        let config = read(&["--queues", "urgent, default,low"]).expect("valid");
        assert_eq!(config.queues.iter().map(ToString::to_string).collect::<Vec<_>>(), ["urgent", "default", "low"]);
    }

    #[test]
    fn metrics_can_be_switched_off() {
        assert_eq!(read(&["--metrics-addr", "off"]).expect("valid").metrics, None);
    }

    #[test]
    fn each_setting_of_the_worker_is_read() {
        let settings = SETTINGS.iter().filter(|setting| setting.scope == Scope::Worker && setting.flag != "handlers");
        for setting in settings {
            let error = read(&[&format!("--{}", setting.flag), "\u{1}"]).expect_err("a refusal").to_string();
            assert!(error.contains(setting.flag), "{} in {error}", setting.flag);
        }
    }
}
