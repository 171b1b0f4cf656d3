//! No input of any bytes panics, or takes more than a millisecond per KiB: the fuzz target, and a brief run of it.
//!
//! `CALENDAR_FUZZ_SECS=600 cargo test --release --test calendar_fuzz` runs it longer; `CALENDAR_FUZZ_SEED` repeats a run.

mod computing;

use std::time::{Duration, Instant};

use carillon_shared::clock::Timestamp;
use carillon_shared::cron::{PreviewAnswer, PreviewRequest};
use computing::timed;

const PIECES: [&str; 48] = [
    "*",
    "?",
    "L",
    "W",
    "LW",
    "#",
    "-",
    "/",
    ",",
    " ",
    "\t",
    "\n",
    "0",
    "1",
    "5",
    "7",
    "8",
    "12",
    "15",
    "23",
    "24",
    "29",
    "30",
    "31",
    "59",
    "60",
    "99",
    "1970",
    "2099",
    "65536",
    "18446744073709551617",
    "MON",
    "fri",
    "SUN",
    "JAN",
    "dec",
    "MONDAY",
    "@",
    "@every ",
    "@daily",
    "1h",
    "30m",
    "1.5s",
    "é",
    "\u{a0}",
    "\u{0}",
    "L-3",
    "5#3",
];

const ZONES: [&str; 6] = ["UTC", "Europe/Berlin", "Pacific/Apia", "EST", "+05:00", "europe/berlin"];

/// Xorshift: small, and the same everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound as u64).unwrap_or(0)
    }
}

/// The target: whatever it is given, it answers within the limit, and what it accepts it can also say, write and repeat.
fn target(request: &PreviewRequest) {
    let (answer, took) = answered(request);
    let kib = u32::try_from(request.expr.len() / 1024 + 1).unwrap_or(u32::MAX);
    // A debug build is some twenty times slower, and a machine may be at one moment what it is not at another: so it may try
    // again.
    let limit = Duration::from_millis(if cfg!(debug_assertions) { 100 } else { 1 }) * kib;
    if took > limit {
        let again = (0..5).map(|_| answered(request).1).min().unwrap_or(took);
        assert!(again <= limit, "{request:?} took {again:?}");
    }
    let Ok(preview) = request.read(Timestamp::from_secs(1_770_000_000)) else {
        assert!(matches!(answer, PreviewAnswer::Refused { .. }));
        return;
    };
    assert!(!preview.schedule.describe().is_empty());
    let _ = (preview.rows(), preview.schedule.warnings(preview.after), preview.schedule.previous_before(preview.after));
    let written = PreviewRequest { expr: preview.schedule.to_string(), ..request.clone() };
    assert_eq!(written.answer(preview.after), PreviewAnswer::Next { next: preview.next() }, "{request:?}");
}

fn answered(request: &PreviewRequest) -> (PreviewAnswer, Duration) {
    timed(|| request.answer(Timestamp::from_secs(1_770_000_000)))
}

fn input(random: &mut Random) -> PreviewRequest {
    let mut expr = String::new();
    let fields = [1, 5, 5, 5, 6, 6, 7, 8][random.below(8)];
    for field in 0..fields {
        expr.push_str(if field == 0 { "" } else { " " });
        let most = if random.below(8) == 0 { 6 } else { 2 };
        for _ in 0..=random.below(most) {
            expr.push_str(PIECES[random.below(PIECES.len())]);
        }
    }
    if random.below(64) == 0 {
        expr = expr.repeat(1 + random.below(2000));
    }
    if random.below(16) == 0 {
        let bytes: Vec<u8> = (0..random.below(300)).map(|_| random.below(256) as u8).collect();
        expr = String::from_utf8_lossy(&bytes).into_owned();
    }
    PreviewRequest {
        expr,
        tz: Some(ZONES[random.below(ZONES.len())].to_owned()),
        dialect: Some(["ojs", "quartz"][random.below(2)].to_owned()),
        dst_fold: Some(["auto", "once", "both"][random.below(3)].to_owned()),
        count: Some(4),
        ..PreviewRequest::default()
    }
}

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

#[test]
fn no_input_panics_or_takes_long() {
    let chance = u64::from_str_radix(&carillon_shared::id::nonce(), 16).unwrap_or(1);
    let seed = variable("CALENDAR_FUZZ_SEED").unwrap_or(chance | 1);
    let budget = Duration::from_secs(variable("CALENDAR_FUZZ_SECS").unwrap_or(3));
    println!("CALENDAR_FUZZ_SEED={seed}");
    for zone in ZONES {
        // The first use of a zone builds its table, which is no part of a verdict.
        target(&PreviewRequest {
            expr: "0 0 * * *".to_owned(),
            tz: Some(zone.to_owned()),
            ..PreviewRequest::default()
        });
    }
    let (mut random, start) = (Random(seed), Instant::now());
    while start.elapsed() < budget {
        (0..100).for_each(|_| target(&input(&mut random)));
    }
}
