//! `lint`, `plan` and `apply`: a directory of schedules, read, compared, and made true.

use std::io::{Write as _, stderr, stdout};

use carillon_shared::client::Client;
use carillon_shared::store::Store;
use clap::ArgMatches;
use serde_json::{Value, json};

use super::args::Format;
use super::declared_args::DirectoryArgs;
use super::failure::{CHANGES, DATA, Failure, NO};
use super::redis::with_client;
use super::table::print_json;
use crate::declared::{Action, Declaration, Difference, Mistakes, Plan, Step, carry_out, read, survey};

/// Says whether the files can be applied, as far as that can be known from them alone.
pub(super) fn lint(args: &DirectoryArgs) -> Result<(), Failure> {
    let declaration = declared(args)?;
    match args.format {
        Format::Table => {
            tell_passed_over(&declaration)?;
            Ok(writeln!(stdout(), "valid: {} entries", declaration.entries.len())?)
        }
        Format::Json => {
            let names: Vec<_> = declaration.entries.keys().collect();
            let answer = json!({"valid": true, "entries": names, "passed_over": declaration.passed_over});
            Ok(print_json(&mut stdout(), &answer)?)
        }
    }
}

/// Says what would be done.
pub(super) fn plan(matches: &ArgMatches, args: &DirectoryArgs) -> Result<(), Failure> {
    // What is wrong in the files is told without Redis.
    let declaration = declared(args)?;
    with_client(matches, async |client| {
        let plan = planned(client.store(), &declaration, args).await?;
        show(&plan, &declaration, args.format, Told::Before)?;
        if plan.is_done() { Ok(()) } else { Err(Failure::quiet(CHANGES)) }
    })
}

/// Does it, and says what was done.
pub(super) fn apply(matches: &ArgMatches, args: &DirectoryArgs) -> Result<(), Failure> {
    let declaration = declared(args)?;
    with_client(matches, async |client| {
        stands_alone(&client, &declaration).await?;
        let plan = planned(client.store(), &declaration, args).await?;
        carry_out(&client, &declaration, &plan).await?;
        show(&plan, &declaration, args.format, Told::After)
    })
}

/// A scheduler that keeps other entries for this owner would undo what is done here.
async fn stands_alone(client: &Client, declaration: &Declaration) -> Result<(), Failure> {
    let holders = client.store().holders(&declaration.owner).await?;
    match holders.iter().find(|holder| holder.digest != declaration.digest) {
        None => Ok(()),
        Some(other) => Err(Failure::new(
            NO,
            format!(
                "the scheduler {} keeps the entries of the owner {} as its own directory says, and would undo this: change \
                 that directory, or use --owner",
                other.instance, declaration.owner
            ),
        )),
    }
}

fn declared(args: &DirectoryArgs) -> Result<Declaration, Failure> {
    read(&args.directory, &args.owner).map_err(|mistakes| refused(&mistakes, args))
}

async fn planned(store: &Store, declaration: &Declaration, args: &DirectoryArgs) -> Result<Plan, Failure> {
    let plan = survey(store, declaration).await?.plan(store, declaration);
    plan.map_err(|mistakes| refused(&mistakes, args))
}

/// Tells every mistake on a line of its own.
fn refused(mistakes: &Mistakes, args: &DirectoryArgs) -> Failure {
    let told = match args.format {
        Format::Table => mistakes.0.iter().try_for_each(|mistake| writeln!(stderr(), "{mistake}")),
        Format::Json => {
            let mistakes: Vec<_> = mistakes.0.iter().map(crate::declared::Mistake::to_json).collect();
            print_json(&mut stdout(), &json!({"valid": false, "mistakes": mistakes}))
        }
    };
    let count = mistakes.0.len();
    let what = if count == 1 { "1 mistake".to_owned() } else { format!("{count} mistakes") };
    match told {
        Ok(()) => Failure::new(DATA, format!("{what} in {}: nothing is changed", args.directory.display())),
        Err(error) => error.into(),
    }
}

/// When a plan is told.
#[derive(Debug, Clone, Copy)]
enum Told {
    Before,
    After,
}

fn show(plan: &Plan, declaration: &Declaration, format: Format, told: Told) -> Result<(), Failure> {
    if format == Format::Json {
        return Ok(print_json(&mut stdout(), &to_json(plan, declaration))?);
    }
    tell_passed_over(declaration)?;
    for Step { name, file, action } in &plan.0 {
        let (sign, members) = match action {
            Action::Add => ('+', &[][..]),
            Action::Change(members) => ('~', members.as_slice()),
            Action::Remove => ('-', &[][..]),
            Action::Keep => continue,
        };
        writeln!(stdout(), "{sign} {name}  ({file})")?;
        for member in members {
            writeln!(stdout(), "    {member}")?;
        }
    }
    let [add, change, remove, keep] = plan.counts();
    match told {
        Told::Before => writeln!(stdout(), "{add} to add, {change} to change, {remove} to remove, {keep} unchanged")?,
        Told::After => writeln!(stdout(), "{add} added, {change} changed, {remove} removed, {keep} unchanged")?,
    }
    Ok(())
}

fn tell_passed_over(declaration: &Declaration) -> Result<(), Failure> {
    for name in &declaration.passed_over {
        writeln!(stderr(), "not read: {name}")?;
    }
    Ok(())
}

fn to_json(plan: &Plan, declaration: &Declaration) -> Value {
    let steps = |wanted: fn(&Action) -> bool| -> Vec<Value> {
        let chosen = plan.0.iter().filter(|step| wanted(&step.action));
        chosen.map(|step| json!({"name": step.name, "file": step.file})).collect()
    };
    let changed = plan.0.iter().filter_map(|step| match &step.action {
        Action::Change(members) => {
            let members: Vec<_> = members.iter().map(Difference::to_json).collect();
            Some(json!({"name": step.name, "file": step.file, "members": members}))
        }
        _ => None,
    });
    json!({
        "owner": declaration.owner,
        "added": steps(|action| *action == Action::Add),
        "changed": changed.collect::<Vec<_>>(),
        "removed": steps(|action| *action == Action::Remove),
        "unchanged": steps(|action| *action == Action::Keep),
        "passed_over": declaration.passed_over,
    })
}
