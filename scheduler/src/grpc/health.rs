//! `grpc.health.v1.Health`: serving while Redis answers and nobody has asked us to stop.

use std::time::Duration;

use carillon_shared::store::StoreError;
use tokio::time::{sleep, timeout};
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

use super::GrpcState;

/// The services whose health is told: the server as a whole, and ours.
const SERVICES: &[&str] = &["", "ojs.v1.OJSService"];
const LOOK_INTERVAL: Duration = Duration::from_secs(2);
/// For one look, without the patience that use cases have.
const LOOK_MAX: Duration = Duration::from_secs(2);

/// Looks at Redis from time to time, and reports what it sees, until this server stops.
pub(super) async fn report(api: GrpcState, reporter: HealthReporter) {
    let stop = &api.0.stop;
    while !stop.is_cancelled() {
        let status = if pulse(&api).await.is_ok() { ServingStatus::Serving } else { ServingStatus::NotServing };
        tell(&reporter, status).await;
        tokio::select! {
            () = stop.cancelled() => {}
            () = sleep(LOOK_INTERVAL) => {}
        }
    }
    tell(&reporter, ServingStatus::NotServing).await;
}

async fn tell(reporter: &HealthReporter, status: ServingStatus) {
    for service in SERVICES {
        reporter.set_service_status(service, status).await;
    }
}

/// Asks Redis once.
pub(super) async fn pulse(api: &GrpcState) -> Result<(), String> {
    match timeout(LOOK_MAX, api.store().now()).await {
        Ok(answer) => answer.map(|_| ()).map_err(|error: StoreError| error.to_string()),
        Err(_) => Err("Redis does not answer in time".to_owned()),
    }
}
