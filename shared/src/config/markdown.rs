//! The table of settings as the README shows it.

use super::setting::{SETTINGS, Scope, Setting};

/// Renders the settings as Markdown tables: those of every program, of the scheduler, of the worker.
pub fn settings_markdown() -> String {
    let parts = [("Every program", Scope::Common), ("Scheduler", Scope::Scheduler), ("Worker", Scope::Worker)];
    parts.map(|(title, scope)| table(title, scope)).join("\n")
}

fn table(title: &str, scope: Scope) -> String {
    let rows: String = SETTINGS.iter().filter(|setting| setting.scope == scope).map(|setting| row(setting)).collect();
    format!("**{title}**\n\n| flag and file key | environment | default | meaning |\n|---|---|---|---|\n{rows}")
}

fn row(setting: &Setting) -> String {
    let default = setting.default.map(|default| format!("`{default}`")).unwrap_or_default();
    format!("| `{}` | `{}` | {default} | {} |\n", setting.flag, setting.env, setting.help.replace('|', "\\|"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_setting_has_one_row() {
        let markdown = settings_markdown();
        assert_eq!(markdown.matches("\n| `").count(), SETTINGS.len());
        assert!(markdown.contains("| `leader-ttl` | `CARILLON_LEADER_TTL` | `10s` | Life of the leader lock"));
    }
}
