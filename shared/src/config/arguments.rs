//! The command line that the table of settings makes.

use std::path::PathBuf;

use clap::{Arg, ValueHint};

use super::setting::{CONFIG_ENV, CONFIG_FLAG, Program, SETTINGS, Setting};

/// Makes the arguments that `program` understands, `--config` first.
///
/// Values stay text here: they are parsed together with those of the environment and the file, so that all mistakes
/// can be told at once.
pub fn arguments(program: Program) -> Vec<Arg> {
    let settings = SETTINGS.iter().filter(|setting| setting.scope.concerns(program));
    std::iter::once(config_argument()).chain(settings.map(|setting| argument(setting))).collect()
}

fn config_argument() -> Arg {
    Arg::new(CONFIG_FLAG)
        .long(CONFIG_FLAG)
        .value_name("FILE")
        .value_hint(ValueHint::FilePath)
        .value_parser(clap::value_parser!(PathBuf))
        .help(format!("TOML file of settings, keys named as the flags [env: {CONFIG_ENV}]"))
}

fn argument(setting: &Setting) -> Arg {
    let argument = Arg::new(setting.flag).long(setting.flag).value_name(value_name(setting)).help(help(setting));
    if setting.switch {
        return argument.num_args(0..=1).require_equals(true).default_missing_value("true");
    }
    argument.num_args(1)
}

fn value_name(setting: &Setting) -> String {
    let last = setting.flag.rsplit('-').next().unwrap_or(setting.flag);
    last.to_ascii_uppercase()
}

/// The default stands in the text and not in clap, because a default of clap's would hide environment and file.
fn help(setting: &Setting) -> String {
    let default = setting.default.map(|default| format!(" [default: {default}]")).unwrap_or_default();
    format!("{} [env: {}]{default}", setting.help, setting.env)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn help_of(program: Program) -> String {
        clap::Command::new("demo").args(arguments(program)).render_long_help().to_string()
    }

    #[test]
    fn help_shows_flag_environment_name_and_default_of_what_a_program_reads() {
        let help = help_of(Program::Scheduler);
        for setting in SETTINGS.iter().filter(|setting| setting.scope.concerns(Program::Scheduler)) {
            assert!(help.contains(&format!("--{}", setting.flag)), "{}", setting.flag);
            assert!(help.contains(&format!("[env: {}]", setting.env)), "{}", setting.env);
        }
        assert!(help.contains("[default: 10s]"));
    }

    #[test]
    fn a_worker_does_not_offer_the_flags_of_the_scheduler() {
        assert!(!help_of(Program::Worker).contains("--leader-ttl"));
        assert!(!help_of(Program::Client).contains("--queues"));
    }

    #[test]
    fn clap_finds_no_fault_in_the_arguments() {
        for program in [Program::Scheduler, Program::Worker, Program::Client] {
            clap::Command::new("demo").args(arguments(program)).debug_assert();
        }
    }
}
