//! The task that keeps the entries as the files say: at start, when the files change, and every so often, in case a change
//! was not seen or Redis was emptied.

use std::path::Path;
use std::time::Duration;

use carillon_shared::client::{Client, ClientError};
use carillon_shared::clock::Timestamp;
use carillon_shared::config::SchedulesConfig;
use carillon_shared::store::{Holder, StoreError};
use carillon_shared::telemetry::{chain, metric};
use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::apply::{carry_out, survey};
use super::directory::{self, Declaration};
use super::mistake::Mistakes;
use super::plan::Plan;
use crate::duty::{Duty, repeat};

/// How often the directory is read although nothing was heard of it.
const POLL_INTERVAL: Duration = Duration::from_secs(15);
/// Files are seldom written at once: what was heard of a change is waited after for so long.
const QUIET: Duration = Duration::from_millis(200);
/// But if it never gets quiet, for no longer than this.
const UNREST_MAX: Duration = Duration::from_secs(2);

/// Keeps the entries of one directory.
#[derive(Debug)]
pub(crate) struct Keeper {
    client: Client,
    config: SchedulesConfig,
    instance: String,
    stop: CancellationToken,
    hints: Hints,
    held: Option<Held>,
    /// The mistakes that were told last, so that they are told once.
    told: String,
    is_due: bool,
}

/// The last declaration without a mistake, and when it was first seen, by Redis's clock.
#[derive(Debug)]
struct Held {
    declaration: Declaration,
    seen_at: Timestamp,
}

/// Says that something in the directory may have changed.
#[derive(Debug)]
struct Hints {
    heard: mpsc::Receiver<()>,
    // Watches as long as it is there.
    _watcher: Option<RecommendedWatcher>,
}

impl Keeper {
    /// Keeps the entries of `config` for the scheduler that is called `instance`, until `stop`.
    pub(crate) fn new(client: Client, config: SchedulesConfig, instance: String, stop: CancellationToken) -> Self {
        let hints = Hints::of(&config.directory);
        Self { client, config, instance, stop, hints, held: None, told: String::new(), is_due: true }
    }

    /// Keeps them until it is told to stop, and then holds nothing any more.
    pub(crate) async fn run(self) {
        let (client, owner, instance) = (self.client.clone(), self.config.owner.clone(), self.instance.clone());
        let stop = self.stop.clone();
        repeat(self, stop).await;
        // Only now, when no round is under way that would say it again.
        if let Err(error) = client.store().forget_holder(&owner, &instance).await {
            warn!(error = %chain(&error), "other schedulers learn only by and by that this one is gone");
        }
    }

    /// Reads the directory. While there is a mistake in it, what was held before is still held.
    async fn read(&mut self) -> Result<Option<Mistakes>, StoreError> {
        let (directory, owner) = (self.config.directory.clone(), self.config.owner.clone());
        let read = tokio::task::spawn_blocking(move || directory::read(&directory, &owner)).await;
        match read {
            Ok(Ok(declaration)) => {
                if self.held.as_ref().is_none_or(|held| held.declaration.digest != declaration.digest) {
                    let seen_at = self.client.store().now().await?;
                    self.held = Some(Held { declaration, seen_at });
                }
            }
            Ok(Err(mistakes)) => return Ok(Some(mistakes)),
            Err(error) => error!(%error, "the schedules could not be read"),
        }
        Ok(None)
    }

    /// Makes the entries what is held, if that is what counts; says why it cannot be done.
    async fn keep(&self) -> Result<Option<Mistakes>, StoreError> {
        let Some(held) = &self.held else { return Ok(None) };
        let (store, owner) = (self.client.store(), &self.config.owner);
        let holder = Holder {
            instance: self.instance.clone(),
            digest: held.declaration.digest.clone(),
            seen_at: held.seen_at,
            heard_at: store.now().await?,
        };
        store.note_holder(owner, &holder).await?;
        if !prevails(&holder, &store.holders(owner).await?) {
            return Ok(None);
        }
        match survey(store, &held.declaration).await?.plan(store, &held.declaration) {
            Ok(plan) if plan.is_done() => Ok(None),
            Ok(plan) => self.apply(&held.declaration, &plan).await.map(|()| None),
            Err(mistakes) => Ok(Some(mistakes)),
        }
    }

    async fn apply(&self, declaration: &Declaration, plan: &Plan) -> Result<(), StoreError> {
        match carry_out(&self.client, declaration, plan).await {
            Ok(()) => {
                let [added, changed, removed, _] = plan.counts();
                info!(added, changed, removed, owner = %self.config.owner, "the schedules were applied");
                Ok(())
            }
            Err(ClientError::Store(error)) => Err(error),
            // Somebody was faster. The next round sees what there is now.
            Err(error) => {
                warn!(error = %chain(&error), "the schedules were not applied whole; it is tried again");
                Ok(())
            }
        }
    }

    /// Tells of mistakes when they are new, and when they are gone.
    fn tell(&mut self, mistakes: Option<&Mistakes>) {
        let count = u32::try_from(mistakes.map_or(0, |mistakes| mistakes.0.len())).unwrap_or(u32::MAX);
        metrics::gauge!(metric::DECLARED_MISTAKES).set(f64::from(count));
        let said = mistakes.map(ToString::to_string).unwrap_or_default();
        if said == self.told {
            return;
        }
        let directory = self.config.directory.display();
        if said.is_empty() {
            info!(%directory, "there is no mistake in the schedules any more");
        } else {
            error!(%directory, "mistakes in the schedules, which stay as they were: {said}");
        }
        self.told = said;
    }

    /// Waits until there may be something to do.
    async fn rest(&mut self) {
        if self.is_due {
            return;
        }
        tokio::select! {
            () = self.stop.cancelled() => {}
            () = sleep(POLL_INTERVAL) => {}
            () = self.hints.quiet_again() => {}
        }
    }
}

impl Duty for Keeper {
    const NAME: &'static str = "schedules";

    async fn round(&mut self) -> Result<Duration, StoreError> {
        self.rest().await;
        if self.stop.is_cancelled() {
            return Ok(Duration::ZERO);
        }
        // Until all of it is done, so that what Redis interrupted is not put off until the next poll.
        self.is_due = true;
        let unread = self.read().await?;
        let refused = self.keep().await?;
        self.tell(unread.or(refused).as_ref());
        self.is_due = false;
        Ok(Duration::ZERO)
    }
}

/// Whether what `own` holds counts: no other holder saw something else later.
fn prevails(own: &Holder, all: &[Holder]) -> bool {
    let age = |holder: &Holder| (holder.seen_at, holder.digest.clone());
    all.iter().filter(|other| other.digest != own.digest).all(|other| {
        let newest_of_ours = all.iter().filter(|holder| holder.digest == own.digest).map(age).max();
        newest_of_ours.unwrap_or_else(|| age(own)) > age(other)
    })
}

impl Hints {
    fn of(directory: &Path) -> Self {
        let (sender, heard) = mpsc::channel(1);
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            // Our own reading is no change.
            if event.is_ok_and(|event| !event.kind.is_access()) {
                // A full channel says the same already.
                _ = sender.try_send(());
            }
        });
        let watcher = watcher.and_then(|mut watcher| {
            watcher.watch(directory, RecursiveMode::NonRecursive)?;
            Ok(watcher)
        });
        let watcher = watcher
            .map_err(|error| warn!(%error, "changes of the schedules are seen only every {POLL_INTERVAL:?}"))
            .ok();
        Self { heard, _watcher: watcher }
    }

    /// Waits for a change, and until no other follows for a while.
    async fn quiet_again(&mut self) {
        if self.heard.recv().await.is_none() {
            return std::future::pending().await;
        }
        let quiet = async { while timeout(QUIET, self.heard.recv()).await.is_ok_and(|heard| heard.is_some()) {} };
        // Quiet or not, it is time to look.
        _ = timeout(UNREST_MAX, quiet).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holder(instance: &str, digest: &str, seen_ms: i64) -> Holder {
        let (seen_at, heard_at) = (Timestamp::from_ms(seen_ms), Timestamp::from_ms(0));
        Holder { instance: instance.to_owned(), digest: digest.to_owned(), seen_at, heard_at }
    }

    #[test]
    fn the_declaration_that_was_seen_last_counts_whoever_holds_it() {
        let (old, new, late) = (holder("a", "old", 1), holder("b", "new", 2), holder("c", "new", 9));
        for (own, all, counts) in [
            (&old, vec![&old], true),
            (&old, vec![&old, &new], false),
            (&new, vec![&old, &new], true),
            // The deploy was taken back.
            (&old, vec![&old], true),
            // A scheduler of the old sort was started anew in between.
            (&new, vec![&holder("d", "old", 5), &new], false),
            (&new, vec![&holder("d", "old", 5), &new, &late], true),
            (&holder("x", "one", 3), vec![&holder("x", "one", 3), &holder("y", "two", 3)], false),
            (&holder("y", "two", 3), vec![&holder("x", "one", 3), &holder("y", "two", 3)], true),
        ] {
            let all: Vec<_> = all.into_iter().cloned().collect();
            assert_eq!(prevails(own, &all), counts, "{own:?} among {all:?}");
        }
    }
}
