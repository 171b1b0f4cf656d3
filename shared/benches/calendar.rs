//! The calendar beside the crates `cron` and `croner`, in one run over one set: next occurrence and parsing, medians.
//!
//! `cargo bench --bench calendar` prints a table and one line of JSON; `-- --check` exits with 1 where a limit is missed.

use std::hint::black_box;
use std::process::ExitCode;
use std::str::FromStr;
use std::time::{Duration, Instant};

use carillon_shared::clock::Timestamp;
use carillon_shared::cron::{Schedule, ScheduleOptions, Zone};
use chrono::{DateTime, TimeZone};
use chrono_tz::Tz;

/// An expression as we, `cron` and `croner` write it; `cron` has no `L`, `W` and `#`.
struct Subject {
    kind: &'static str,
    ours: &'static str,
    cron: Option<&'static str>,
    croner: &'static str,
}

const fn subject(kind: &'static str, ours: &'static str, cron: Option<&'static str>) -> Subject {
    Subject { kind, ours, cron, croner: ours }
}

const SUBJECTS: [Subject; 10] = [
    subject("dense", "* * * * *", Some("0 * * * * *")),
    subject("dense", "*/15 * * * *", Some("0 */15 * * * *")),
    subject("dense", "*/10 * * * * *", Some("*/10 * * * * *")),
    subject("weekday", "0 9 * * MON-FRI", Some("0 0 9 * * Mon-Fri")),
    subject("weekday", "*/20 8-17 * * 1-5", Some("0 */20 8-17 * * Mon-Fri")),
    subject("month end", "0 0 L * *", None),
    subject("month end", "30 6 31 * *", Some("0 30 6 31 * *")),
    subject("leap day", "0 0 29 2 *", Some("0 0 0 29 2 *")),
    subject("L W #", "0 12 15W * *", None),
    subject("L W #", "0 12 * * 5#3", None),
];

const ZONES: [&str; 4] = ["UTC", "America/New_York", "Europe/Berlin", "Australia/Lord_Howe"];

const NEXT_NS_MAX: f64 = 100.0;
const RATIO_MAX: f64 = 1.0 / 3.0;
const PARSE_NS_MAX: f64 = 2000.0;

/// Instants spread over thirty years, none of them round.
fn instants() -> Vec<i64> {
    (0..64).map(|n| 1_700_000_000 + n * 14_812_347).collect()
}

/// Nanoseconds for one call: the median of repeated rounds over all inputs.
fn median_ns<T>(inputs: &[T], call: impl Fn(&T)) -> f64 {
    let budget = Instant::now();
    let mut rounds = Vec::new();
    while rounds.len() < 5 || (budget.elapsed() < Duration::from_millis(40) && rounds.len() < 2000) {
        let start = Instant::now();
        inputs.iter().for_each(&call);
        rounds.push(start.elapsed().as_nanos() as f64 / inputs.len() as f64);
    }
    median(&mut rounds)
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Nanoseconds of one subject in one zone: ours, `cron`, `croner`.
struct Row {
    kind: &'static str,
    expression: &'static str,
    zone: &'static str,
    ours: f64,
    cron: Option<f64>,
    croner: f64,
}

fn measure_next(subject: &Subject, zone: &'static str) -> Row {
    let options = ScheduleOptions { zone: zone.parse().expect("a zone"), ..ScheduleOptions::default() };
    let ours = Schedule::parse(subject.ours, &options).expect("ours reads it");
    let croner = croner::parser::CronParser::builder().seconds(croner::parser::Seconds::Optional).build();
    let croner = croner.parse(subject.croner).expect("croner reads it");
    let tz: Tz = zone.parse().expect("a zone");
    let stamps: Vec<_> = instants().into_iter().map(Timestamp::from_secs).collect();
    let dates: Vec<DateTime<Tz>> = instants().iter().map(|secs| tz.timestamp_opt(*secs, 0).unwrap()).collect();
    let cron = subject.cron.map(|text| cron::Schedule::from_str(text).expect("cron reads it"));
    Row {
        kind: subject.kind,
        expression: subject.ours,
        zone,
        ours: median_ns(&stamps, |after| _ = black_box(ours.next_fire_after(black_box(*after)))),
        cron: cron.map(|cron| median_ns(&dates, |after| _ = black_box(cron.after(black_box(after)).next()))),
        croner: median_ns(&dates, |after| _ = black_box(croner.find_next_occurrence(black_box(after), false))),
    }
}

/// Nanoseconds to parse: ours, `cron`, `croner`.
fn measure_parse(subject: &Subject) -> (f64, Option<f64>, f64) {
    let parser = croner::parser::CronParser::builder().seconds(croner::parser::Seconds::Optional).build();
    let options = ScheduleOptions { zone: Zone::UTC, ..ScheduleOptions::default() };
    let repeated = |text| [text; 16];
    let ours = median_ns(&repeated(subject.ours), |text| _ = black_box(Schedule::parse(black_box(text), &options)));
    let cron = subject
        .cron
        .map(|text| median_ns(&repeated(text), |text| _ = black_box(cron::Schedule::from_str(black_box(text)))));
    let croner = median_ns(&repeated(subject.croner), |text| _ = black_box(parser.parse(black_box(text))));
    (ours, cron, croner)
}

fn show(ns: Option<f64>) -> String {
    ns.map_or_else(|| "-".to_owned(), |ns| format!("{ns:.0}"))
}

fn main() -> ExitCode {
    let check = std::env::args().any(|argument| argument == "--check");
    let rows: Vec<_> =
        SUBJECTS.iter().flat_map(|subject| ZONES.iter().map(move |zone| measure_next(subject, zone))).collect();
    println!("next occurrence, ns       {:<20} {:<21} {:>8} {:>8} {:>8}", "", "", "ours", "cron", "croner");
    for Row { kind, expression, zone, ours, cron, croner } in &rows {
        println!("{kind:<25} {expression:<20} {zone:<21} {ours:>8.0} {:>8} {croner:>8.0}", show(*cron));
    }
    println!("parse, ns");
    let mut parses = Vec::new();
    for subject in &SUBJECTS {
        let (ours, cron, croner) = measure_parse(subject);
        println!("{:<25} {:<42} {ours:>8.0} {:>8} {croner:>8.0}", subject.kind, subject.ours, show(cron));
        parses.push((ours, cron, croner));
    }
    // The ratio compares what both can do: the rows that `cron` can read.
    let shared: Vec<_> = rows.iter().filter_map(|row| row.cron.map(|cron| (row.ours, cron))).collect();
    let next = median(&mut rows.iter().map(|row| row.ours).collect::<Vec<_>>());
    let croner = median(&mut rows.iter().map(|row| row.croner).collect::<Vec<_>>());
    let cron = median(&mut shared.iter().map(|row| row.1).collect::<Vec<_>>());
    let ratio = median(&mut shared.iter().map(|row| row.0).collect::<Vec<_>>()) / cron;
    let parse = median(&mut parses.iter().map(|row| row.0).collect::<Vec<_>>());
    let parse_worst = parses.iter().map(|row| row.0).fold(0.0, f64::max);
    println!(
        "{{\"next_ns\":{next:.1},\"next_ns_max\":{NEXT_NS_MAX},\"cron_ns\":{cron:.1},\"croner_ns\":{croner:.1},\
         \"ratio_to_cron\":{ratio:.4},\"ratio_max\":{RATIO_MAX:.4},\"parse_ns\":{parse:.0},\
         \"parse_worst_ns\":{parse_worst:.0},\"parse_ns_max\":{PARSE_NS_MAX}}}"
    );
    let met = next <= NEXT_NS_MAX && ratio <= RATIO_MAX && parse <= PARSE_NS_MAX;
    if check && !met { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
