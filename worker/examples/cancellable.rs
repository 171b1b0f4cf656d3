//! A handler that stops when it is told to: because its job was cancelled, its time is up, its lease is lost, or the worker
//! ends. Send it `{"type": "import.rows", "args": [{"rows": 100000}], "timeout_ms": 60000}`.

use std::time::Duration;

use carillon_worker::{Context, HandlerError, Shutdown, StopReason, Worker};
use serde::Deserialize;

#[derive(Deserialize)]
struct Import {
    rows: u64,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let worker = Worker::builder()
        .handler("import.rows", import)
        .concurrency(4)
        .grace(Duration::from_secs(30))
        // From being told to stop until being aborted.
        .stop_grace(Duration::from_secs(5))
        .build()?;
    worker.run(Shutdown::on_signals()?).await?;
    Ok(())
}

async fn import(context: Context, import: Import) -> Result<u64, HandlerError> {
    for row in 0..import.rows {
        tokio::select! {
            () = import_row(row) => {}
            reason = context.cancelled() => return Err(wind_up(row, reason)),
        }
    }
    Ok(import.rows)
}

async fn import_row(_row: u64) {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

/// What is returned now is only told to somebody when the time was up: whoever cancelled the job has its end already, a
/// lost lease is another worker's, and a shutdown gives the job back.
fn wind_up(row: u64, reason: StopReason) -> HandlerError {
    HandlerError::retry(format!("stopped at row {row}: {}", reason.as_str()))
}
