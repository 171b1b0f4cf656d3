//! How to reach Redis, and what every program shares.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use clap::ArgMatches;
use redis::IntoConnectionInfo;

use super::error::ConfigError;
use super::layers::Layers;
use super::setting;
use super::telemetry::TelemetryConfig;
use super::value::{duration, integer, name, parsed};
use crate::name::Namespace;

/// The address of a Redis, whose password is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct RedisUrl(String);

impl RedisUrl {
    /// The address with its password, for the client that connects.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl FromStr for RedisUrl {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // The client's own error may quote the address, password and all, so it is not passed on.
        let info = text.into_connection_info();
        info.map(|_| Self(text.to_owned())).map_err(|_| "the address of a Redis, such as redis://127.0.0.1:6379/0")
    }
}

/// Shows the address without password and query, which may hold one too.
impl fmt::Display for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(mut url) = redis::parse_redis_url(&self.0) else {
            return f.write_str("***");
        };
        url.set_query(None);
        if url.password().is_some() && url.set_password(Some("***")).is_err() {
            return f.write_str("***");
        }
        f.write_str(url.as_str())
    }
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Where the data lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedisConfig {
    /// The Redis to use.
    pub url: RedisUrl,
    /// The prefix of every key.
    pub namespace: Namespace,
    /// The number of partitions, fixed when the namespace is first used.
    pub partitions: u16,
    /// The longest wait for a connection or an answer.
    pub timeout: Duration,
    /// The number of shared connections.
    pub connections: usize,
}

impl RedisConfig {
    pub(super) fn take(layers: &mut Layers<'_>) -> Self {
        Self {
            url: layers.required(&setting::REDIS_URL, parsed),
            namespace: layers.required(&setting::NAMESPACE, name),
            partitions: layers.required(&setting::PARTITIONS, integer(1..=1024)),
            timeout: layers
                .required(&setting::REDIS_TIMEOUT, duration(Duration::from_millis(50)..=Duration::from_secs(60))),
            connections: layers.required(&setting::REDIS_CONNECTIONS, integer(1..=16)),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redis_address_is_shown_without_its_password() {
        let url: RedisUrl = "redis://ann:hunter2@redis.example:6380/3".parse().expect("a valid address");
        assert_eq!(url.to_string(), "redis://ann:***@redis.example:6380/3");
        assert_eq!(format!("{url:?}"), url.to_string());
        assert!(url.expose().contains("hunter2"));
    }

    #[test]
    fn a_password_in_the_query_of_a_socket_address_is_not_shown_either() {
        let url: RedisUrl = "unix:///run/redis.sock?db=1&pass=hunter2".parse().expect("a valid address");
        assert_eq!(url.to_string(), "unix:///run/redis.sock");
    }

    #[test]
    fn what_is_no_redis_address_is_refused() {
        for text in ["", "127.0.0.1:6379", "http://x", "redis://:port"] {
            assert!(text.parse::<RedisUrl>().is_err(), "{text:?}");
        }
    }
}
