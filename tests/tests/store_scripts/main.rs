//! Every script, and every guard in its header: what is refused leaves the namespace byte for byte as it was, and what is
//! sent twice has the effect of one.

mod attempts;
mod case;
mod crons;
mod flows;
mod hostile;
mod jobs;
mod leading;
mod life;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use carillon_tests::invariants::assert_all_hold;
use carillon_tests::store::store;
use case::{Case, Effect, look};

fn cases() -> Vec<Case> {
    [jobs::cases(), attempts::cases(), life::cases(), flows::cases(), crons::cases(), leading::cases()]
        .into_iter()
        .flatten()
        .collect()
}

/// The scripts with their headers. What only others include has no shebang.
fn scripts() -> BTreeMap<String, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/src/store/lua");
    let files = std::fs::read_dir(folder).expect("the scripts lie there").map(|file| file.expect("a file").path());
    let read = |path: &Path| std::fs::read_to_string(path).expect("a script is text");
    let named = |path: &Path| path.file_stem().expect("it has a name").to_string_lossy().into_owned();
    files.map(|path| (named(&path), read(&path))).filter(|(_, text)| text.starts_with("#!lua")).collect()
}

fn covered(by: impl Fn(Effect) -> bool) -> BTreeSet<&'static str> {
    cases().iter().filter(|case| by(case.effect)).map(|case| case.script).collect()
}

#[test]
fn every_script_has_cases() {
    let scripts = scripts();
    let (all, refused) = (covered(|_| true), covered(|effect| effect == Effect::Nothing));
    let missing: Vec<_> = scripts.keys().filter(|name| !all.contains(name.as_str())).collect();
    assert!(missing.is_empty(), "no case shows what these scripts do: {missing:?}");
    let guarded = scripts.iter().filter(|(_, text)| text.lines().any(|line| line.contains("Pre ")));
    let unguarded: Vec<_> = guarded.map(|(name, _)| name).filter(|name| !refused.contains(name.as_str())).collect();
    assert!(unguarded.is_empty(), "no case shows the guards of these scripts: {unguarded:?}");
    let unknown: Vec<_> = all.iter().filter(|name| !scripts.contains_key(**name)).collect();
    assert!(unknown.is_empty(), "these cases are of no script: {unknown:?}");
}

#[tokio::test]
async fn what_is_refused_changes_nothing() {
    for case in cases().iter().filter(|case| case.effect == Effect::Nothing) {
        let store = store().await;
        let call = (case.prepare)(store.clone()).await;
        let before = look(&store).await;
        let answer = call.make().await.unwrap_or_else(|error| panic!("{}: {error}", case.name()));
        let changes = before.changes(&look(&store).await);
        assert!(changes.is_empty(), "{}, answered {answer}: {}", case.name(), changes.join("\n"));
    }
}

#[tokio::test]
async fn twice_equals_once() {
    for case in cases().iter().filter(|case| case.effect != Effect::Nothing) {
        let store = store().await;
        let call = (case.prepare)(store.clone()).await;
        let before = look(&store).await;
        let answer = call.make().await.unwrap_or_else(|error| panic!("{}: {error}", case.name()));
        let once = look(&store).await;
        assert_ne!(once, before, "{}, answered {answer}, has no effect", case.name());
        let again = call.make().await.unwrap_or_else(|error| panic!("{}: {error}", case.name()));
        let twice = look(&store).await;
        assert_all_hold(store.keys(), &twice);
        if case.effect == Effect::Once {
            let changes = once.changes(&twice);
            assert!(changes.is_empty(), "{}, answered {answer}, then {again}: {}", case.name(), changes.join("\n"));
        }
    }
}
