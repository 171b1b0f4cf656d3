//! How to reach Redis, and what every program shares.

use std::str::FromStr;
use std::time::Duration;

use clap::ArgMatches;

use super::error::ConfigError;
use super::layers::Layers;
use super::redis_tls::RedisTls;
use super::redis_url::RedisUrl;
use super::setting;
use super::telemetry::TelemetryConfig;
use super::value::{duration, integer, name, parsed};
use crate::name::Namespace;

/// Enough for every master of a small cluster to have some.
const PARTITIONS_OF_A_CLUSTER: u16 = 16;

/// Where the data lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedisConfig {
    /// The Redis to use.
    pub url: RedisUrl,
    /// By what it is known, and by what it knows us, if the way there is encrypted.
    pub tls: RedisTls,
    /// The prefix of every key.
    pub namespace: Namespace,
    /// The number of partitions, fixed when the namespace is first used.
    pub partitions: u16,
    /// The longest wait for a connection or an answer.
    pub timeout: Duration,
    /// The number of shared connections.
    pub connections: usize,
    /// What follows when it will not do.
    pub check: RedisCheck,
}

/// What follows when a Redis would lose what it should keep.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RedisCheck {
    /// The program does not start.
    #[default]
    Refuse,
    /// It says so and starts.
    Warn,
}

impl FromStr for RedisCheck {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "refuse" => Ok(Self::Refuse),
            "warn" => Ok(Self::Warn),
            _ => Err("refuse or warn"),
        }
    }
}

impl RedisConfig {
    pub(super) fn take(layers: &mut Layers<'_>) -> Self {
        let url: RedisUrl = layers.required(&setting::REDIS_URL, parsed);
        let partitions = layers.optional(&setting::PARTITIONS, integer(1..=1024));
        Self {
            tls: RedisTls::take(layers, &url),
            partitions: partitions.unwrap_or(if url.is_cluster() { PARTITIONS_OF_A_CLUSTER } else { 1 }),
            namespace: layers.required(&setting::NAMESPACE, name),
            url,
            timeout: layers
                .required(&setting::REDIS_TIMEOUT, duration(Duration::from_millis(50)..=Duration::from_secs(60))),
            connections: layers.required(&setting::REDIS_CONNECTIONS, integer(1..=16)),
            check: layers.required(&setting::REDIS_CHECK, parsed),
        }
    }
}

/// What commands need that only talk to Redis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommonConfig {
    /// Where the data lives.
    pub redis: RedisConfig,
    /// What is logged, and how.
    pub telemetry: TelemetryConfig,
}

impl CommonConfig {
    /// Reads the settings that every program shares.
    ///
    /// # Errors
    ///
    /// All mistakes at once.
    pub fn read(matches: &ArgMatches, environment: &dyn Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let mut layers = Layers::new(matches, environment);
        let config = Self::take(&mut layers);
        layers.finish(config)
    }

    pub(super) fn take(layers: &mut Layers<'_>) -> Self {
        Self { redis: RedisConfig::take(layers), telemetry: TelemetryConfig::take(layers) }
    }
}
