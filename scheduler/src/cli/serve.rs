//! `serve`: a scheduler until it is told to stop.

use carillon_shared::config::{SchedulerConfig, process_environment};
use carillon_shared::telemetry::{install_logs, install_metrics};
use clap::ArgMatches;

use super::{Failure, SOFTWARE, Signals, block_on};
use crate::app::App;

pub(super) fn serve(matches: &ArgMatches) -> Result<(), Failure> {
    let config = SchedulerConfig::read(matches, &process_environment)?;
    install_logs(&config.telemetry).map_err(|error| Failure::new(SOFTWARE, error.to_string()))?;
    block_on(run(&config))
}

async fn run(config: &SchedulerConfig) -> Result<(), Failure> {
    let mut signals = Signals::listen()?;
    for warning in config.warnings() {
        tracing::warn!("{warning}");
    }
    let metrics = install_metrics().map_err(|error| Failure::new(SOFTWARE, error.to_string()))?;
    let app = tokio::select! {
        app = App::start(config, Some(metrics)) => app?,
        () = signals.next() => return Ok(()),
    };
    signals.next().await;
    signals.unless_again(app.stop()).await
}
