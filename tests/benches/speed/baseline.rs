//! Ratios beside those of a committed run. Absolute times of another machine say nothing, and a wide margin is needed.

use std::path::Path;
use std::process::ExitCode;

use serde_json::Value;

use crate::figure::Figure;

/// A ratio may fall to this share of the baseline's.
const SHARE_MIN: f64 = 0.6;

/// Fails when a ratio has fallen far below that of the baseline.
pub(crate) fn check(path: &Path, figures: &[Figure]) -> ExitCode {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let baseline: Value = serde_json::from_str(&text).expect("a baseline is JSON that --json wrote");
    let before = |name: &str| {
        let figures = baseline["figures"].as_array()?;
        figures.iter().find(|figure| figure["name"] == name)?["ratio"].as_f64()
    };
    println!("\nratios beside {} (fails below {SHARE_MIN} of it)", path.display());
    let mut fallen = 0;
    for figure in figures {
        let Some(ratio) = figure.ratio() else { continue };
        let Some(before) = before(figure.name) else {
            println!("  {:<38}       → {ratio:>5.2}  not in the baseline", figure.name);
            continue;
        };
        let falls = ratio < before * SHARE_MIN;
        fallen += u32::from(falls);
        println!("  {:<38} {before:>7.2} → {ratio:>5.2}  {}", figure.name, if falls { "FALLEN" } else { "ok" });
    }
    if fallen == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
