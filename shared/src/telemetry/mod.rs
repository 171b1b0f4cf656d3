//! Telemetry: logs to standard error, metrics for Prometheus.
//!
//! [`METRICS`] is the table of metrics: names, kinds, units, labels, meanings. Whoever emits one uses its constant in
//! [`metric`]; label values that come from users pass through [`queue_label`] or [`type_label`], which bound how many
//! there can be.

mod chain;
mod label;
mod logs;
mod markdown;
pub mod metric;
mod recorder;

pub use chain::chain;
pub use label::{BoundedLabel, queue_label, type_label};
pub use logs::{LogError, install_logs};
pub use markdown::metrics_markdown;
pub use metric::{Kind, METRICS, Metric, Unit};
pub use recorder::{MetricsError, MetricsHandle, install_metrics, serve_metrics};
