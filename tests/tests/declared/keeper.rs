//! Schedulers that keep entries as their directories declare them.

use carillon_tests::wait::{until, until_some};

use crate::stage::{Stage, directory, one, write};

#[tokio::test]
async fn files_are_applied_at_start_and_when_they_change() {
    let stage = Stage::new().await;
    stage.write("a.toml", &one("a", "@daily"));
    let app = stage.keep(stage.directory.path()).await;
    until("the entry to be there", async || stage.entry("a").await.is_some()).await;
    stage.write("b.toml", &one("b", "@daily"));
    until("the new file to be applied", async || stage.entry("b").await.is_some()).await;
    stage.write("a.toml", &one("a", "@hourly"));
    until("the change to be applied", async || stage.expression("a").await.as_deref() == Some("@hourly")).await;
    // A bad file holds everything up until it is mended.
    let bad = stage.write("bad.toml", "nonsense");
    stage.write("b.toml", &one("b", "@hourly"));
    stage.write("c.toml", &one("c", "@daily"));
    std::fs::remove_file(bad).expect("it is there");
    until("all of it to be applied", async || stage.entry("c").await.is_some()).await;
    std::fs::remove_file(stage.directory.path().join("a.toml")).expect("it is there");
    until("what is gone to be removed", async || stage.entry("a").await.is_none()).await;
    app.stop().await;
    assert!(stage.entry("b").await.is_some(), "entries stay when schedulers go");
}

#[tokio::test]
async fn the_newest_files_count_until_the_scheduler_that_has_them_goes() {
    let (stage, new) = (Stage::new().await, directory());
    let touch = || stage.write("again.toml", "# so that it is looked at again\n");
    stage.write("a.toml", &one("n", "@daily"));
    let old_app = stage.keep(stage.directory.path()).await;
    until("the old files to be applied", async || stage.entry("n").await.is_some()).await;

    write(new.path(), "a.toml", &one("n", "@hourly"));
    let new_app = stage.keep(new.path()).await;
    let expression = async || stage.expression("n").await;
    until("the new files to be applied", async || expression().await.as_deref() == Some("@hourly")).await;
    let revision = async || stage.entry("n").await.expect("it is there").revision;
    let before = revision().await;
    let owner = "default".parse().expect("a name");
    let heard = async || {
        let holders = stage.store.holders(&owner).await.expect("Redis is there");
        holders.into_iter().find(|holder| holder.instance == old_app.instance()).expect("it lives").heard_at
    };
    let seen = heard().await;
    until("the old scheduler to look again", async || {
        touch();
        heard().await > seen
    })
    .await;
    assert_eq!((expression().await.as_deref(), revision().await), (Some("@hourly"), before), "they do not fight");
    let (code, text) = stage.says(&["apply", stage.path()]).await;
    assert!(code == 1 && text.contains("would undo this"), "{text}");

    new_app.stop().await;
    let back = async || {
        touch();
        expression().await.filter(|expression| expression == "@daily")
    };
    until_some("the old files to count again", back).await;
    old_app.stop().await;
    assert!(stage.store.holders(&owner).await.expect("Redis is there").is_empty());
}

#[tokio::test]
async fn what_was_lost_with_redis_is_declared_again() {
    let stage = Stage::new().await;
    stage.write("a.toml", &one("a", "@daily"));
    let app = stage.keep(stage.directory.path()).await;
    until("the entry to be there", async || stage.entry("a").await.is_some()).await;
    stage.store.remove_entry(&"a".parse().expect("a name")).await.expect("Redis is there");
    until("the entry to be back", async || {
        stage.write("again.toml", "# so that it is looked at again\n");
        stage.entry("a").await.is_some()
    })
    .await;
    app.stop().await;
}
