//! The table of metrics as the README shows it.

use super::metric::{METRICS, Metric};

/// Renders the metrics as a Markdown table.
pub fn metrics_markdown() -> String {
    let rows: String = METRICS.iter().map(row).collect();
    format!("| metric | kind | labels | meaning |\n|---|---|---|---|\n{rows}")
}

fn row(metric: &Metric) -> String {
    let labels: Vec<_> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
    format!("| `{}` | {} | {} | {} |\n", metric.name, metric.kind.word(), labels.join(", "), metric.meaning)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_metric_has_one_row() {
        let markdown = metrics_markdown();
        assert_eq!(markdown.matches("\n| `carillon_").count(), METRICS.len());
        assert!(markdown.contains("| `carillon_jobs_ended_total` | counter | `queue`, `outcome` |"));
    }
}
