//! `import`: schedules of other systems, written as files that can be applied.

use std::fs::File;
use std::io::{self, Read, Write as _, stderr, stdout};
use std::path::Path;

use super::Failure;
use super::declared_args::{ImportArgs, ImportKind};
use super::failure::{DATA, NO, NO_INPUT, SOFTWARE};
use crate::import::{self, Circumstances, Import, Table};

/// The size of a file at most.
const BYTES_MAX: u64 = 8 << 20;

pub(super) fn run(args: &ImportArgs) -> Result<(), Failure> {
    let text = text(&args.file)?;
    let circumstances = Circumstances { zone: args.tz, table: table(args) };
    let import = match args.kind {
        ImportKind::Crontab => Ok(import::crontab(&text, &circumstances)),
        ImportKind::Quartz => import::quartz(&text, &circumstances),
        ImportKind::Nuxeo => import::nuxeo(&text, &circumstances),
        ImportKind::K8s => import::k8s(&text, &circumstances),
    };
    let import = import.map_err(|problem| Failure::new(DATA, format!("{}: {problem}", args.file)))?;
    let losses = import.all_losses();
    for loss in &losses {
        writeln!(stderr(), "{}: {}", args.file, printable(&loss.to_string()))?;
    }
    if import.entries.is_empty() {
        return Err(Failure::new(DATA, format!("{}: there is no schedule in it that can be carried over", args.file)));
    }
    if args.strict && !losses.is_empty() {
        let message = format!("{} of {} cannot be carried over: nothing is written", count(losses.len()), args.file);
        return Err(Failure::new(NO, message));
    }
    write(args, &import)
}

fn write(args: &ImportArgs, import: &Import) -> Result<(), Failure> {
    let (mut entries, handlers) = (import::entries(import, &args.file), import::handlers(import));
    match &args.handlers {
        Some(path) => save(path, &handlers)?,
        None if handlers.is_empty() => {}
        None => entries.push_str(&format!("\n{}", import::commented(&handlers))),
    }
    match &args.output {
        Some(path) => save(path, &entries),
        None => Ok(stdout().write_all(entries.as_bytes())?),
    }
}

fn save(path: &Path, text: &str) -> Result<(), Failure> {
    let wrong = |error: io::Error| Failure::new(SOFTWARE, format!("cannot write {}: {error}", path.display()));
    std::fs::write(path, text).map_err(wrong)
}

fn table(args: &ImportArgs) -> Table {
    if args.system || args.file.starts_with("/etc/") { Table::System } else { Table::User }
}

fn text(source: &str) -> Result<String, Failure> {
    let mut bytes = Vec::new();
    let read = if source == "-" {
        io::stdin().take(BYTES_MAX + 1).read_to_end(&mut bytes)
    } else {
        File::open(source).and_then(|file| file.take(BYTES_MAX + 1).read_to_end(&mut bytes))
    };
    read.map_err(|error| Failure::new(NO_INPUT, format!("cannot read {source}: {error}")))?;
    if bytes.len() as u64 > BYTES_MAX {
        return Err(Failure::new(DATA, format!("{source}: larger than the {BYTES_MAX} bytes that are read")));
    }
    String::from_utf8(bytes).map_err(|_| Failure::new(DATA, format!("{source}: not UTF-8")))
}

fn count(losses: usize) -> String {
    if losses == 1 { "1 thing".to_owned() } else { format!("{losses} things") }
}

/// What a foreign file says must not steer the terminal.
fn printable(text: &str) -> String {
    text.chars().flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] }).collect()
}
