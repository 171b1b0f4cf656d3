//! The store does what a pure model says, over random sequences of commands: every answer is the same, and so is everything
//! that can be seen afterwards.
//!
//! `MODEL_SEED` repeats one sequence, `MODEL_COMMANDS` says how many commands are tried in all (4000). A sequence that
//! fails is made short before it is shown.

mod calls;
mod found;
mod passing;
mod real;
mod sight;
mod words;

use carillon_tests::model::{Command, Generator, Model, shrunk};
use real::Real;

/// A sequence is so long: enough for workflows to end, and few enough for a page of jobs.
const LENGTH: usize = 160;
/// So many sequences run beside each other, each on a server of its own.
const LANES: usize = 2;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is a number, not `{text}`")))
}

fn sequence(seed: u64) -> Vec<Command> {
    let mut generator = Generator::new(seed);
    (0..LENGTH).map(|_| generator.command()).collect()
}

/// Does the same to both worlds. How often they are compared whole is for the caller to say: it takes most of the time.
async fn difference(real: &mut Real, commands: &[Command], looks_every: usize) -> Option<String> {
    let mut model = Model::default();
    real.empty().await;
    for (place, command) in commands.iter().enumerate() {
        let (expected, actual) = (model.apply(command), real.apply(command).await);
        if expected != actual {
            return Some(format!("command {place}, {command:?}, answered `{actual}`, not `{expected}`"));
        }
        if (place + 1) % looks_every == 0 || place + 1 == commands.len() {
            let differences = real.compare(&mut model).await;
            if !differences.is_empty() {
                return Some(format!("after command {place}, {command:?}:\n{}", differences.join("\n")));
            }
        }
    }
    None
}

/// Fails with the shortest sequence that shows the difference.
async fn assert_same(real: &mut Real, seed: u64) {
    let commands = sequence(seed);
    if difference(real, &commands, 5).await.is_none() {
        return;
    }
    let short = shrunk(commands, async |some| difference(real, some, 1).await.is_some()).await;
    let difference = difference(real, &short, 1).await.unwrap_or_else(|| "it went away".to_owned());
    let told: Vec<String> = short.iter().map(|command| format!("  {command:?}")).collect();
    panic!("MODEL_SEED={seed}\n{}\n{difference}", told.join("\n"));
}

async fn lane(first_seed: u64, sequences: u64) {
    let mut real = Real::start().await;
    for turn in 0..sequences {
        assert_same(&mut real, first_seed + turn * LANES as u64).await;
    }
}

#[tokio::test]
async fn the_store_does_what_the_model_says() {
    if let Some(seed) = number("MODEL_SEED") {
        return assert_same(&mut Real::start().await, seed).await;
    }
    let commands = usize::try_from(number("MODEL_COMMANDS").unwrap_or(4000)).expect("a number of commands");
    let sequences = commands.div_ceil(LENGTH * LANES) as u64;
    let first = fastrand::u64(0..1 << 40);
    println!("MODEL_SEED={first} and the {} after it", sequences * LANES as u64 - 1);
    futures::future::join_all((0..LANES as u64).map(|n| lane(first + n, sequences))).await;
    println!("{} commands, each answered as the model says", sequences as usize * LENGTH * LANES);
}
