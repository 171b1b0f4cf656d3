//! `next`: when an expression fires, in all the clocks that matter.

use std::io::{Write as _, stdout};

use carillon_shared::clock::machine_time;
use carillon_shared::cron::{Preview, PreviewKind, PreviewRequest, PreviewRow, ScheduleError, Zone};
use serde_json::json;

use super::Failure;
use super::calendar_args::{HowArgs, Listing, NextArgs};
use super::failure::DATA;
use super::table::{print, print_json};

pub(super) fn show(args: NextArgs) -> Result<(), Failure> {
    let format = args.format;
    let preview = request(args).read(machine_time()).map_err(|error| wrong(&error))?;
    match format {
        Listing::Table => print_rows(&preview),
        Listing::Json => Ok(print_json(
            &mut stdout(),
            &json!({
                "expression": preview.schedule.expression(),
                "timezone": preview.schedule.zone(),
                "next": preview.next(),
                "occurrences": preview.rows(),
                "warnings": preview.schedule.warnings(preview.after),
            }),
        )?),
        Listing::Jsonl => {
            for row in preview.rows() {
                writeln!(stdout(), "{}", json!(row))?;
            }
            Ok(())
        }
    }
}

/// The rows of a preview as a table. What a clock change skips stands among them, because somebody will wonder.
pub(super) fn print_rows(preview: &Preview) -> Result<(), Failure> {
    let rows = preview.rows();
    if rows.is_empty() {
        return Ok(writeln!(stdout(), "it does not fire any more after {}", preview.after)?);
    }
    // Universal time needs no second column of its own.
    let zone = Some(preview.schedule.zone()).filter(|zone| *zone != Zone::UTC).map(|zone| zone.to_string());
    let viewer = preview.viewer.map(|viewer| viewer.to_string());
    let headings: Vec<&str> =
        [zone.as_deref(), viewer.as_deref(), Some("UTC"), Some("")].into_iter().flatten().collect();
    let rows = rows.into_iter().map(|row| cells(row, zone.is_some())).collect();
    Ok(print(&mut stdout(), &headings, rows)?)
}

fn cells(row: PreviewRow, has_zone: bool) -> Vec<String> {
    let note = match row.kind {
        PreviewKind::Fire => "",
        PreviewKind::DstSkip => "skipped: clocks go forward over this local time",
    };
    let local = Some(row.local).filter(|_| has_zone);
    [local, row.viewer, Some(row.utc.to_string()), Some(note.to_owned())].into_iter().flatten().collect()
}

fn request(args: NextArgs) -> PreviewRequest {
    let NextArgs { expr, how, after, count, starts_at, ends_at, viewer_tz, .. } = args;
    PreviewRequest { after, count, starts_at, ends_at, viewer_tz, ..described(expr.unwrap_or_default(), how) }
}

/// A request for an expression that is read in this way.
pub(super) fn described(expr: String, how: HowArgs) -> PreviewRequest {
    let HowArgs { tz, dialect, dst_fold, fields } = how;
    PreviewRequest { expr, tz, dialect, dst_fold, fields, ..PreviewRequest::default() }
}

pub(super) fn wrong(error: &ScheduleError) -> Failure {
    Failure::new(DATA, error.to_string())
}
