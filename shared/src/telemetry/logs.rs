//! Logs: one line an occasion, on standard error.

use std::io;
use std::panic::PanicHookInfo;

use tracing::Subscriber;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::config::{LogFormat, TelemetryConfig};

/// Logs cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The filter is malformed.
    #[error("the log filter is malformed")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// Somebody else set up logs before.
    #[error("logs are set up already")]
    Twice(#[from] tracing::subscriber::SetGlobalDefaultError),
}

/// Sets up logs for this process, panics included.
///
/// # Errors
///
/// When the filter is malformed or logs are set up already.
pub fn install_logs(config: &TelemetryConfig) -> Result<(), LogError> {
    let subscriber = subscriber(config, io::stderr)?;
    tracing::subscriber::set_global_default(subscriber)?;
    std::panic::set_hook(Box::new(log_panic));
    Ok(())
}

fn subscriber<W>(config: &TelemetryConfig, writer: W) -> Result<Box<dyn Subscriber + Send + Sync>, LogError>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let filter = EnvFilter::try_new(&config.filter)?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer);
    Ok(match config.format {
        LogFormat::Pretty => Box::new(builder.with_ansi(io::IsTerminal::is_terminal(&io::stderr())).compact().finish()),
        LogFormat::Json => Box::new(builder.json().flatten_event(true).finish()),
    })
}

fn log_panic(panic: &PanicHookInfo<'_>) {
    let location = panic.location().map(ToString::to_string).unwrap_or_default();
    let payload = panic.payload();
    let text = payload.downcast_ref::<&str>().copied().or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    let message = text.unwrap_or("a panic without a text");
    let thread = std::thread::current();
    tracing::error!(panic.location = location, thread = thread.name(), "panicked: {message}");
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("no writer panics").write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(filter: &str, format: LogFormat) -> String {
        let lines = Lines::default();
        let config = TelemetryConfig { filter: filter.into(), format };
        let writer = lines.clone();
        let subscriber = subscriber(&config, move || writer.clone()).expect("a valid filter");
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!(queue.name = "q", "a bell rang");
            tracing::debug!("a detail");
        });
        let bytes = lines.0.lock().expect("no writer panics").clone();
        String::from_utf8(bytes).expect("logs are UTF-8")
    }

    #[test]
    fn json_lines_carry_message_and_fields() {
        let text = logged("info", LogFormat::Json);
        let line: serde_json::Value = serde_json::from_str(text.trim()).expect("one JSON line");
        assert_eq!((&line["message"], &line["queue.name"]), (&"a bell rang".into(), &"q".into()));
    }

    #[test]
    fn the_filter_decides_what_is_logged() {
        assert_eq!(logged("info", LogFormat::Pretty).lines().count(), 1);
        assert_eq!(logged("debug", LogFormat::Pretty).lines().count(), 2);
        assert_eq!(logged("warn", LogFormat::Pretty), "");
    }
}
