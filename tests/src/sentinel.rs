//! A master, its replica, and three sentinels that watch them, on loopback.

use std::time::Duration;

use crate::redis::Server;
use crate::wait::until;

/// By this name the sentinels know the master.
pub const MASTER: &str = "mymaster";
/// How long a master is silent before it is replaced, where a test wants that; and where a machine under load must not seem
/// dead.
pub const SILENT_SHORT: Duration = Duration::from_secs(5);
/// See [`SILENT_SHORT`].
pub const SILENT_LONG: Duration = Duration::from_secs(120);

/// Two servers of data under three sentinels; all go when this is dropped.
#[derive(Debug)]
pub struct Trio {
    /// The master at first, and its replica.
    pub data: [Server; 2],
    /// Who watches them.
    pub sentinels: Vec<Server>,
}

impl Trio {
    /// Starts all, and waits until the sentinels know of each other and of the replica. They replace a master that has been
    /// silent for so long.
    ///
    /// # Panics
    ///
    /// When they do not come up.
    pub async fn start(silent: Duration) -> Self {
        let options = ["--appendonly", "yes", "--repl-diskless-sync-delay", "0"];
        let master = Server::start(&options);
        let port = master.port().to_string();
        let replica = Server::start(&[&options[..], &["--replicaof", &format!("127.0.0.1 {port}")]].concat());
        until("the replica to follow", async || {
            replica.ask::<String>(&["INFO", "replication"]).await.contains("master_link_status:up")
        })
        .await;
        let config = format!(
            "sentinel monitor {MASTER} 127.0.0.1 {port} 2\n\
             sentinel down-after-milliseconds {MASTER} {}\n\
             sentinel failover-timeout {MASTER} 6000\n",
            silent.as_millis()
        );
        let sentinels: Vec<Server> = (0..3).map(|_| Server::configured(&config, &["--sentinel"])).collect();
        for sentinel in &sentinels {
            until("the sentinels to know of each other and of the replica", async || {
                let told: Vec<String> = sentinel.ask(&["SENTINEL", "MASTER", MASTER]).await;
                let is = |field: &str, value: &str| told.windows(2).any(|pair| pair == [field, value]);
                is("num-other-sentinels", "2") && is("num-slaves", "1")
            })
            .await;
        }
        Self { data: [master, replica], sentinels }
    }

    /// Its address as programs take it.
    #[must_use]
    pub fn url(&self) -> String {
        let hosts: Vec<String> = self.sentinels.iter().map(|node| format!("127.0.0.1:{}", node.port())).collect();
        format!("redis+sentinel://{}/{MASTER}", hosts.join(","))
    }

    /// Waits until every sentinel names the replica as the master.
    ///
    /// # Panics
    ///
    /// When they do not.
    pub async fn until_replaced(&self) {
        let port = self.data[1].port().to_string();
        for sentinel in &self.sentinels {
            until("the replica to be the master", async || {
                let named: Vec<String> = sentinel.ask(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", MASTER]).await;
                named.last() == Some(&port)
            })
            .await;
        }
        until("the replica to be in office", async || {
            self.data[1].ask::<String>(&["INFO", "replication"]).await.contains("role:master")
        })
        .await;
    }
}
