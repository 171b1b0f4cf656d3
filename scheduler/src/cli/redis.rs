//! The way to Redis for commands that only look at or change what stands there.

use carillon_shared::client::Client;
use carillon_shared::config::{CommonConfig, process_environment};
use carillon_shared::store::{Store, StoreOptions};
use carillon_shared::telemetry::install_logs;
use clap::ArgMatches;

use super::{Failure, SOFTWARE, block_on, chain};

/// Carries out a command on the store that the settings describe.
pub(super) fn with_client<F, Fut>(matches: &ArgMatches, command: F) -> Result<(), Failure>
where
    F: FnOnce(Client) -> Fut,
    Fut: Future<Output = Result<(), Failure>>,
{
    let config = CommonConfig::read(matches, &process_environment)?;
    install_logs(&config.telemetry).map_err(|error| Failure::new(SOFTWARE, error.to_string()))?;
    block_on(async {
        let client = open(&config).await?;
        command(client).await
    })
}

async fn open(config: &CommonConfig) -> Result<Client, Failure> {
    let redis = &config.redis;
    let mut options = StoreOptions::from(redis);
    options.connection.connections = 1;
    let store = Store::open(options).await.map_err(|error| {
        let message = format!("Redis at {}: {}", redis.url, chain(&error));
        Failure { message, ..error.into() }
    })?;
    Ok(Client::new(store))
}
