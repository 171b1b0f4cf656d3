//! A Redis Cluster of three masters on loopback, whose slots can be moved and whose masters can be killed.

use std::time::Duration;

use crate::redis::Server;
use crate::wait::until;

const SLOTS: u16 = 16_384;
const MASTERS: u16 = 3;

/// How long the nodes wait before they think that one is dead. A machine under load must not seem dead to them where no
/// failover is wanted, and where one is, nobody wants to wait.
const TIMEOUT_LONG: Duration = Duration::from_secs(30);
const TIMEOUT_SHORT: Duration = Duration::from_secs(5);

/// A cluster; it goes when this is dropped.
#[derive(Debug)]
pub struct Cluster {
    /// The masters at first, in the order of their slots.
    pub masters: Vec<Server>,
    /// A replica of each, or none.
    pub replicas: Vec<Server>,
}

impl Cluster {
    /// Starts three masters without replicas.
    ///
    /// # Panics
    ///
    /// When it does not come up.
    pub async fn start() -> Self {
        Self::of(nodes(TIMEOUT_LONG), Vec::new()).await
    }

    /// Starts three masters with a replica each, which takes over within seconds.
    ///
    /// # Panics
    ///
    /// When it does not come up.
    pub async fn with_replicas() -> Self {
        Self::of(nodes(TIMEOUT_SHORT), nodes(TIMEOUT_SHORT)).await
    }

    async fn of(masters: Vec<Server>, replicas: Vec<Server>) -> Self {
        let cluster = Self { masters, replicas };
        for (n, master) in (0..MASTERS).zip(&cluster.masters) {
            let (first, last) =
                (n * (SLOTS / MASTERS), if n + 1 == MASTERS { SLOTS } else { (n + 1) * (SLOTS / MASTERS) } - 1);
            let () = master.ask(&["CLUSTER", "ADDSLOTSRANGE", &first.to_string(), &last.to_string()]).await;
            let () = master.ask(&["CLUSTER", "SET-CONFIG-EPOCH", &(n + 1).to_string()]).await;
        }
        for node in cluster.nodes().skip(1) {
            let () = node.ask(&["CLUSTER", "MEET", "127.0.0.1", &cluster.masters[0].port().to_string()]).await;
        }
        for (replica, master) in cluster.replicas.iter().zip(&cluster.masters) {
            let id: String = master.ask(&["CLUSTER", "MYID"]).await;
            // Refused until the two have heard of each other.
            until("a replica to know its master", async || {
                let mut replicate = redis::cmd("CLUSTER");
                replicate.arg("REPLICATE").arg(&id);
                replicate.query_async::<()>(&mut replica.connection().await).await.is_ok()
            })
            .await;
            until("a replica to follow its master", async || {
                replica.ask::<String>(&["INFO", "replication"]).await.contains("master_link_status:up")
            })
            .await;
        }
        cluster.until_whole().await;
        cluster
    }

    /// Its address as programs take it.
    #[must_use]
    pub fn url(&self) -> String {
        let hosts: Vec<String> = self.nodes().map(|node| format!("127.0.0.1:{}", node.port())).collect();
        format!("redis+cluster://{}", hosts.join(","))
    }

    /// Every node that runs.
    pub fn nodes(&self) -> impl Iterator<Item = &Server> {
        self.masters.iter().chain(&self.replicas)
    }

    /// The master that has this slot now, as it says itself.
    ///
    /// # Panics
    ///
    /// When nobody has it.
    pub async fn master_of(&self, slot: u16) -> usize {
        for (n, master) in self.masters.iter().enumerate() {
            let info: String = master.ask(&["CLUSTER", "NODES"]).await;
            let mine = info.lines().find(|line| line.contains("myself")).expect("a node knows itself");
            let ranges = mine.split(' ').skip(8).filter_map(|range| {
                let (first, last) = range.split_once('-').unwrap_or((range, range));
                Some((first.parse::<u16>().ok()?, last.parse::<u16>().ok()?))
            });
            if { ranges }.any(|(first, last)| (first..=last).contains(&slot)) {
                return n;
            }
        }
        panic!("nobody has slot {slot}");
    }

    /// Moves a slot to another master key by key, and lets `meanwhile` look on when half of the keys are there.
    ///
    /// # Panics
    ///
    /// When the cluster does not do as it is told.
    pub async fn move_slot(&self, slot: u16, to: usize, meanwhile: impl AsyncFnOnce()) {
        let from = self.master_of(slot).await;
        let (source, target, slot) = (&self.masters[from], &self.masters[to], slot.to_string());
        let source_id: String = source.ask(&["CLUSTER", "MYID"]).await;
        let target_id: String = target.ask(&["CLUSTER", "MYID"]).await;
        let () = target.ask(&["CLUSTER", "SETSLOT", &slot, "IMPORTING", &source_id]).await;
        let () = source.ask(&["CLUSTER", "SETSLOT", &slot, "MIGRATING", &target_id]).await;
        let keys: usize = source.ask(&["CLUSTER", "COUNTKEYSINSLOT", &slot]).await;
        migrate(source, target, &slot, keys / 2).await;
        meanwhile().await;
        migrate(source, target, &slot, usize::MAX).await;
        let () = target.ask(&["CLUSTER", "SETSLOT", &slot, "NODE", &target_id]).await;
        let () = source.ask(&["CLUSTER", "SETSLOT", &slot, "NODE", &target_id]).await;
    }

    async fn until_whole(&self) {
        let size = format!("cluster_known_nodes:{}\r\n", self.nodes().count());
        for node in self.nodes() {
            until("the cluster to be whole", async || {
                let info: String = node.ask(&["CLUSTER", "INFO"]).await;
                info.contains("cluster_state:ok") && info.contains(&size)
            })
            .await;
        }
        for node in self.nodes() {
            until("every node to know every slot's master", async || {
                let slots: Vec<redis::Value> = node.ask(&["CLUSTER", "SLOTS"]).await;
                slots.len() == usize::from(MASTERS)
            })
            .await;
        }
    }
}

fn nodes(timeout: Duration) -> Vec<Server> {
    let timeout_ms = timeout.as_millis().to_string();
    let options = ["--cluster-enabled", "yes", "--cluster-node-timeout", &timeout_ms, "--appendonly", "yes"];
    (0..MASTERS).map(|_| Server::start(&options)).collect()
}

/// Moves at most so many keys, one by one, so that calls come in between.
async fn migrate(source: &Server, target: &Server, slot: &str, most: usize) {
    let (mut connection, port) = (source.connection().await, target.port());
    for _ in 0..most {
        let mut next = redis::cmd("CLUSTER");
        next.arg("GETKEYSINSLOT").arg(slot).arg(1);
        let keys: Vec<String> = next.query_async(&mut connection).await.expect("the slot is here");
        let Some(key) = keys.first() else { return };
        let mut migrate = redis::cmd("MIGRATE");
        migrate.arg("127.0.0.1").arg(port).arg(key).arg(0).arg(60_000);
        // A key that expired meanwhile is answered for too.
        migrate.exec_async(&mut connection).await.expect("the other master takes the key");
    }
}
