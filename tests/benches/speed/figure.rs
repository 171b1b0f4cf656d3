//! A measured figure, its limit, and what it must reach.

use std::fmt;

use serde_json::{Value, json};

/// Which way is up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Better {
    Higher,
    Lower,
}

/// One figure.
#[derive(Debug)]
pub(crate) struct Figure {
    pub(crate) name: &'static str,
    pub(crate) unit: &'static str,
    pub(crate) better: Better,
    pub(crate) measured: f64,
    pub(crate) limit: Option<f64>,
    pub(crate) floor: Option<f64>,
    pub(crate) goal: Option<f64>,
}

pub(crate) const HEAD: &str =
    "  what                                       measured       limit   ratio        floor         goal";

impl Figure {
    pub(crate) fn rate(name: &'static str, measured: f64) -> Self {
        Self::new(name, "/s", Better::Higher, measured)
    }

    pub(crate) fn ms(name: &'static str, measured: f64) -> Self {
        Self::new(name, "ms", Better::Lower, measured)
    }

    pub(crate) fn new(name: &'static str, unit: &'static str, better: Better, measured: f64) -> Self {
        Self { name, unit, better, measured, limit: None, floor: None, goal: None }
    }

    /// What a bare client reached in the same run.
    pub(crate) fn beside(self, limit: f64) -> Self {
        Self { limit: Some(limit), ..self }
    }

    /// What it must reach, and what we want it to reach.
    pub(crate) fn must(self, floor: f64, goal: f64) -> Self {
        Self { floor: Some(floor), goal: Some(goal), ..self }
    }

    /// How near it is to its limit: 1 is the limit, less is further away, whichever way is up.
    pub(crate) fn ratio(&self) -> Option<f64> {
        self.limit.map(|limit| match self.better {
            Better::Higher => self.measured / limit,
            Better::Lower => limit / self.measured,
        })
    }

    fn verdict(&self) -> &'static str {
        let reaches = |mark: f64| match self.better {
            Better::Higher => self.measured >= mark,
            Better::Lower => self.measured <= mark,
        };
        match (self.floor.map(reaches), self.goal.map(reaches)) {
            (None, _) => "",
            (Some(false), _) => "below the floor",
            (_, Some(true)) => "goal",
            _ => "floor",
        }
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let show = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), number);
        let ratio = self.ratio().map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}"));
        write!(
            f,
            "  {:<38} {:>9} {:<3} {:>9} {ratio:>7} {:>12} {:>12}  {}",
            self.name,
            number(self.measured),
            self.unit,
            show(self.limit),
            show(self.floor),
            show(self.goal),
            self.verdict()
        )
    }
}

/// Three digits for what is small, none behind the point for what is large.
fn number(value: f64) -> String {
    match value.abs() {
        v if v >= 100.0 => format!("{value:.0}"),
        v if v >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// The value below which a share of all lies, of 0 to 1.
pub(crate) fn percentile(sorted: &[f64], share: f64) -> f64 {
    // A place in a list is far below 2^53, and not negative.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a place")]
    let place = ((sorted.len() as f64 - 1.0) * share).round() as usize;
    sorted.get(place).copied().unwrap_or(f64::NAN)
}

pub(crate) fn json(figures: &[Figure], machine: &str) -> String {
    let figures: Vec<Value> = figures
        .iter()
        .map(|figure| {
            json!({
                "name": figure.name, "unit": figure.unit, "measured": figure.measured, "limit": figure.limit,
                "ratio": figure.ratio(), "floor": figure.floor, "goal": figure.goal, "verdict": figure.verdict(),
            })
        })
        .collect();
    format!("{:#}\n", json!({ "machine": machine, "figures": figures }))
}
