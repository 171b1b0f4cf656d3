//! `validate` and `explain`: what to know about an expression before it is registered.

use std::io::{Write as _, stdout};

use carillon_shared::clock::machine_time;
use carillon_shared::cron::{Preview, PreviewRequest, Warning};
use serde_json::json;

use super::Failure;
use super::args::Format;
use super::calendar_args::ScheduleArgs;
use super::failure::NO;
use super::next::{described, print_rows, wrong};
use super::table::print_json;

/// Succeeds if the expression is valid; remarks do not make it invalid.
pub(super) fn validate(args: ScheduleArgs) -> Result<(), Failure> {
    let format = args.format;
    match (request(args).read(machine_time()), format) {
        (Ok(preview), Format::Table) => {
            writeln!(stdout(), "valid: {}", preview.schedule)?;
            tell(&warnings(&preview))
        }
        (Ok(preview), Format::Json) => {
            let canonical = preview.schedule.to_string();
            Ok(print_json(
                &mut stdout(),
                &json!({"valid": true, "canonical": canonical, "warnings": warnings(&preview)}),
            )?)
        }
        (Err(error), Format::Table) => Err(Failure::new(NO, format!("invalid: {error}"))),
        (Err(error), Format::Json) => {
            print_json(&mut stdout(), &json!({"valid": false, "error": error}))?;
            Err(Failure::quiet(NO))
        }
    }
}

/// Says in words what the expression means, and shows what comes next.
pub(super) fn explain(args: ScheduleArgs) -> Result<(), Failure> {
    let format = args.format;
    let preview = request(args).read(machine_time()).map_err(|error| wrong(&error))?;
    if format == Format::Json {
        return Ok(print_json(
            &mut stdout(),
            &json!({
                "expression": preview.schedule.expression(),
                "canonical": preview.schedule.to_string(),
                "description": preview.schedule.describe(),
                "timezone": preview.schedule.zone(),
                "occurrences": preview.rows(),
                "warnings": warnings(&preview),
            }),
        )?);
    }
    writeln!(stdout(), "{}", preview.schedule.describe())?;
    tell(&warnings(&preview))?;
    writeln!(stdout())?;
    print_rows(&preview)
}

fn request(args: ScheduleArgs) -> PreviewRequest {
    PreviewRequest { after: args.after, ..described(args.expr, args.how) }
}

fn warnings(preview: &Preview) -> Vec<Warning> {
    preview.schedule.warnings(preview.after)
}

fn tell(warnings: &[Warning]) -> Result<(), Failure> {
    for warning in warnings {
        writeln!(stdout(), "note ({}): {}", warning.code, warning.message)?;
    }
    Ok(())
}
