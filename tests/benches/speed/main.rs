//! How fast Carillon is, each figure beside its limit in the same run, on a Redis of its own as in production (AOF, everysec).
//!
//! `cargo bench -p carillon-tests --bench speed -- [NAME…] [--full] [--json FILE] [--check FILE]` measures the benches named,
//! or all. `--full` takes the sizes of the design where those are scaled down otherwise; `--check` compares ratios with a baseline, and
//! exits with 1 where one has fallen far below it.
//!
//! The limit of a figure is what a bare pipelining client reaches with the plain commands that the same work needs in the
//! end (the writes, the reads, one event per transition), in the same batches, with no script, guard, or check: see `bare.rs`.
//! The ratio says how near we come to it; 1.00 is the limit. Absolute numbers are noise on a shared machine.

use std::path::PathBuf;
use std::process::ExitCode;

mod bare;
mod baseline;
mod depth;
mod drain;
mod enqueue;
mod entries;
mod figure;
mod fire;
mod ground;
mod http;
mod latency;
mod machine;
mod memory;
mod wire;

use figure::Figure;
use ground::Scale;

/// What was asked for on the command line.
#[derive(Default)]
struct Wish {
    names: Vec<String>,
    scale: Scale,
    json: Option<PathBuf>,
    check: Option<PathBuf>,
}

const NAMES: [&str; 8] = ["drain", "enqueue", "fire", "latency", "depth", "entries", "http", "memory"];

impl Wish {
    fn read(arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut wish = Self::default();
        let mut arguments = arguments;
        while let Some(argument) = arguments.next() {
            let mut file = || arguments.next().map(PathBuf::from).ok_or_else(|| format!("{argument} needs a file"));
            match argument.as_str() {
                // Cargo says it to every bench.
                "--bench" => {}
                "--full" => wish.scale = Scale::Full,
                "--json" => wish.json = Some(file()?),
                "--check" => wish.check = Some(file()?),
                name if NAMES.contains(&name) => wish.names.push(argument),
                _ => {
                    return Err(format!(
                        "`{argument}` is neither an option nor a bench; benches: {}",
                        NAMES.join(", ")
                    ));
                }
            }
        }
        if wish.names.is_empty() {
            wish.names = NAMES.map(str::to_owned).to_vec();
        }
        Ok(wish)
    }
}

async fn measure(name: &str, scale: Scale) -> Vec<Figure> {
    match name {
        "drain" => drain::measure().await,
        "enqueue" => enqueue::measure(scale).await,
        "fire" => fire::measure(scale).await,
        "latency" => latency::measure(scale).await,
        "depth" => depth::measure().await,
        "entries" => entries::measure(scale).await,
        "http" => http::measure(scale).await,
        "memory" => memory::measure(scale).await,
        other => unreachable!("`{other}` was checked when it was read"),
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let wish = match Wish::read(std::env::args().skip(1)) {
        Ok(wish) => wish,
        Err(message) => {
            eprintln!("{message}");
            return ExitCode::from(2);
        }
    };
    // As in production: whoever runs this in earnest counts and logs.
    let _metrics = carillon_shared::telemetry::install_metrics().expect("nobody else counts in this process");
    // Our programs are brought up to date when they are first asked for: not while a clock runs.
    drop(carillon_tests::process::scheduler());
    println!("{}", machine::described());
    let mut figures = Vec::new();
    for name in &wish.names {
        println!("\n{name}\n{}", figure::HEAD);
        let measured = measure(name, wish.scale).await;
        measured.iter().for_each(|figure| println!("{figure}"));
        figures.extend(measured);
    }
    if let Some(path) = &wish.json {
        std::fs::write(path, figure::json(&figures, &machine::described())).expect("the file can be written");
    }
    wish.check.map_or(ExitCode::SUCCESS, |path| baseline::check(&path, &figures))
}
