//! A typed handler: send it, through HTTP or the inbox,
//! `{"type": "report.generate", "args": [{"month": "2026-03", "pages": 12}]}`.
//!
//! Run it with `cargo run -p carillon-worker --example typed`.

use carillon_worker::{Context, HandlerError, Shutdown, Worker};
use serde::{Deserialize, Serialize};

/// What the producer sends.
#[derive(Deserialize)]
struct Report {
    month: String,
    #[serde(default)]
    pages: u32,
}

/// What is kept as the result of the job.
#[derive(Serialize)]
struct Generated {
    path: String,
    pages: u32,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let worker = Worker::builder()
        .redis_url(std::env::var("REDIS_URL").unwrap_or_else(|_| "redis://127.0.0.1:6379".to_owned()))
        .queues(["reports", "default"])
        .handler("report.generate", generate)
        // One argument needs no struct, and the result may be anything that serde can write.
        .handler("report.title", |_: Context, month: String| async move {
            Ok::<_, HandlerError>(format!("Report of {month}"))
        })
        .build()?;
    let summary = worker.run(Shutdown::on_signals()?).await?;
    println!("{summary:?}");
    Ok(())
}

async fn generate(context: Context, report: Report) -> Result<Generated, HandlerError> {
    if report.pages == 0 {
        return Err(HandlerError::permanent("a report needs at least one page").with_code("empty_report"));
    }
    let path = std::env::temp_dir().join(format!("report-{}-{}.txt", report.month, context.job_id()));
    // `?` on any error: the retry policy of the job decides whether it is tried again.
    tokio::fs::write(&path, format!("Report of {}", report.month)).await?;
    Ok(Generated { path: path.display().to_string(), pages: report.pages })
}
