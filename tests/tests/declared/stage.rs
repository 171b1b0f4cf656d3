//! A namespace of its own, and a directory of schedules.

use std::path::{Path, PathBuf};
use std::process::Output;

use carillon_scheduler::app::App;
use carillon_scheduler::cli::configuration;
use carillon_shared::client::Client;
use carillon_shared::name::Namespace;
use carillon_shared::store::{Store, StoreOptions, StoredEntry};
use carillon_tests::process::scheduler;
use carillon_tests::redis::{namespace, shared};
use carillon_tests::store::options;
use tempfile::TempDir;

pub(crate) struct Stage {
    pub(crate) namespace: Namespace,
    pub(crate) store: Store,
    pub(crate) directory: TempDir,
}

impl Stage {
    pub(crate) async fn new() -> Self {
        let namespace = namespace();
        let options = StoreOptions { namespace: namespace.clone(), ..options(&shared().url()) };
        let store = Store::open(options).await.expect("Redis is there");
        Self { namespace, store, directory: directory() }
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(self.store.clone())
    }

    pub(crate) fn path(&self) -> &str {
        self.directory.path().to_str().expect("UTF-8")
    }

    /// Writes a file of the directory.
    pub(crate) fn write(&self, file: &str, text: &str) -> PathBuf {
        write(self.directory.path(), file, text)
    }

    pub(crate) async fn entry(&self, name: &str) -> Option<StoredEntry> {
        self.store.entry(&name.parse().expect("a name")).await.expect("Redis is there")
    }

    /// The expression of an entry, if there is one.
    pub(crate) async fn expression(&self, name: &str) -> Option<String> {
        Some(self.entry(name).await?.definition.expression)
    }

    /// Runs a command of the scheduler to its end.
    pub(crate) async fn run(&self, line: &[&str]) -> Output {
        let mut command = scheduler();
        command.args(line).env("REDIS_URL", shared().url()).env("CARILLON_NAMESPACE", self.namespace.as_str());
        tokio::task::spawn_blocking(move || command.output().expect("it runs")).await.expect("it ends")
    }

    /// The same, with its exit code and all that it says.
    pub(crate) async fn says(&self, line: &[&str]) -> (i32, String) {
        let output = self.run(line).await;
        let text = [output.stdout, output.stderr].map(|text| String::from_utf8(text).expect("text")).concat();
        (output.status.code().expect("it exits"), text)
    }

    /// Starts a scheduler that keeps the entries of a directory.
    pub(crate) async fn keep(&self, directory: &Path) -> App {
        self.serve(&["--schedules", directory.to_str().expect("UTF-8")]).await
    }

    pub(crate) async fn serve(&self, flags: &[&str]) -> App {
        let url = shared().url();
        let own = ["--redis-url", &url, "--namespace", self.namespace.as_str(), "--port", "0", "--grpc-port", "off"];
        let patient = ["--redis-timeout", "20s"];
        let config = configuration(&[&own[..], &patient, flags].concat()).expect("the test's flags are valid");
        App::start(&config, None).await.expect("the scheduler starts")
    }
}

pub(crate) fn directory() -> TempDir {
    tempfile::tempdir().expect("a directory")
}

pub(crate) fn write(directory: &Path, file: &str, text: &str) -> PathBuf {
    let path = directory.join(file);
    std::fs::write(&path, text).expect("a temporary directory takes a file");
    path
}

/// The text of a TOML file with one entry.
pub(crate) fn one(name: &str, cron: &str) -> String {
    format!("name = '{name}'\ncron = '{cron}'\ntype = 'echo'\n")
}
