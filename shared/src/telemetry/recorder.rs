//! Metrics for Prometheus: the recorder, and the endpoint of processes that have no other HTTP server.

use std::net::SocketAddr;
use std::time::Duration;

use metrics_exporter_prometheus::{BuildError, PrometheusBuilder, PrometheusHandle};
use tokio::task::JoinHandle;

use super::metric::{Kind, METRICS};

/// Bounds of the buckets, from a script call to a long job.
const BUCKETS_SECONDS: [f64; 18] = [
    0.0001, 0.000_25, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0, 300.0,
    3600.0,
];
const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);

/// Metrics cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum MetricsError {
    /// Somebody else set up metrics before.
    #[error("metrics are set up already")]
    Twice(#[source] BuildError),
    /// The address cannot be listened on.
    #[error("cannot serve metrics on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why not.
        #[source]
        source: BuildError,
    },
}

/// The metrics of this process, to be rendered.
#[derive(Clone)]
pub struct MetricsHandle(PrometheusHandle);

impl MetricsHandle {
    /// Renders all metrics in the text format of Prometheus.
    pub fn render(&self) -> String {
        self.0.render()
    }
}

/// Sets up metrics for this process, to be rendered by its own HTTP server. Needs a tokio runtime.
///
/// # Errors
///
/// When metrics are set up already.
pub fn install_metrics() -> Result<MetricsHandle, MetricsError> {
    let handle = builder().install_recorder().map_err(MetricsError::Twice)?;
    describe_all();
    tokio::spawn(keep_up(handle.clone()));
    Ok(MetricsHandle(handle))
}

/// Sets up metrics for this process and serves them over HTTP on every path of `address`. Needs a tokio runtime.
///
/// The task that serves ends only when it is aborted.
///
/// # Errors
///
/// When metrics are set up already or `address` cannot be listened on.
pub fn serve_metrics(address: SocketAddr) -> Result<JoinHandle<()>, MetricsError> {
    let built = builder().with_http_listener(address).build();
    let (recorder, serve) = built.map_err(|source| MetricsError::Listen { address, source })?;
    metrics::set_global_recorder(recorder).map_err(|error| MetricsError::Twice(error.into()))?;
    describe_all();
    Ok(tokio::spawn(async move {
        if serve.await.is_err() {
            tracing::warn!(%address, "the metrics endpoint stopped");
        }
    }))
}

/// Without a time after which idle metrics are forgotten: some are held by those who count.
fn builder() -> PrometheusBuilder {
    let builder = PrometheusBuilder::new().set_buckets(&BUCKETS_SECONDS);
    builder.expect("the list of buckets is not empty")
}

/// Tells the recorder what each metric means.
fn describe_all() {
    for metric in METRICS {
        match metric.kind {
            Kind::Counter => metrics::describe_counter!(metric.name, metric.unit.into(), metric.meaning),
            Kind::Gauge => metrics::describe_gauge!(metric.name, metric.unit.into(), metric.meaning),
            Kind::Histogram => metrics::describe_histogram!(metric.name, metric.unit.into(), metric.meaning),
        }
    }
}

/// Without upkeep a process that is never scraped would keep every sample of its histograms.
async fn keep_up(handle: PrometheusHandle) {
    let mut interval = tokio::time::interval(UPKEEP_INTERVAL);
    loop {
        interval.tick().await;
        handle.run_upkeep();
    }
}

#[cfg(test)]
mod tests {
    use super::super::metric::{self, label};
    use super::super::queue_label;
    use super::*;

    #[test]
    fn metrics_are_rendered_with_meaning_labels_and_buckets() {
        let recorder = builder().build_recorder();
        metrics::with_local_recorder(&recorder, || {
            describe_all();
            metrics::counter!(metric::JOBS_ENQUEUED_TOTAL, label::QUEUE => queue_label("mail")).increment(2);
            metrics::histogram!(metric::JOB_WAIT_SECONDS, label::QUEUE => queue_label("mail")).record(0.003);
        });
        let text = recorder.handle().render();
        assert!(text.contains("# HELP carillon_jobs_enqueued_total Jobs accepted"), "{text}");
        assert!(text.contains(r#"carillon_jobs_enqueued_total{queue="mail"} 2"#), "{text}");
        assert!(text.contains(r#"carillon_job_wait_seconds_bucket{queue="mail",le="0.005"} 1"#), "{text}");
    }
}
