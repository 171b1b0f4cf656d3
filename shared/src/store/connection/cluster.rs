//! Redis Cluster: each call goes to the master of its slot.
//!
//! The map of slots is read from any node, corrected by each `MOVED`, and read again when a call fails in a way that may
//! mean that the map is old. Nothing is sent twice from here: whether a call is repeated is decided in one place, above.
//! Nor is `ASK` followed: a slot that is being moved answers nothing that touches several keys, so calls wait until the
//! move is over, as they do through a failover.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use redis::{ConnectionAddr, ConnectionInfo, ErrorKind, RedisError, ServerErrorKind};

use super::ConnectionOptions;
use super::call::Call;
use super::node::{Node, ends_connection};
use super::slots::{Address, Slots, address, slot_of};

/// A cluster, as far as it is known.
pub(super) struct Cluster {
    seeds: Vec<ConnectionInfo>,
    options: ConnectionOptions,
    slots: RwLock<Slots>,
    nodes: Mutex<HashMap<Address, Arc<Node>>>,
    is_stale: AtomicBool,
    reading: tokio::sync::Mutex<()>,
    /// Whom to ask first, another one each time: a node that was cut off tells an old story.
    turn: AtomicUsize,
}

impl Cluster {
    pub(super) fn new(seeds: Vec<ConnectionInfo>, options: ConnectionOptions) -> Self {
        Self {
            seeds,
            options,
            slots: RwLock::default(),
            nodes: Mutex::default(),
            is_stale: AtomicBool::new(true),
            reading: tokio::sync::Mutex::default(),
            turn: AtomicUsize::new(0),
        }
    }

    /// The master of a key; of none in particular, the same one each time.
    pub(super) async fn node_of(&self, key: Option<&[u8]>) -> Result<Arc<Node>, RedisError> {
        self.freshen().await?;
        let address = {
            let slots = self.slots.read().unwrap_or_else(PoisonError::into_inner);
            match key {
                Some(key) => slots.master(slot_of(key)).cloned(),
                None => slots.masters().first().copied().cloned(),
            }
        };
        let Some(address) = address else {
            self.is_stale.store(true, Ordering::Relaxed);
            return Err(unknown("no node of the cluster has this hash slot"));
        };
        self.node(&address)
    }

    /// Every master that has slots.
    pub(super) async fn masters(&self) -> Result<Vec<Arc<Node>>, RedisError> {
        self.freshen().await?;
        let masters: Vec<Address> =
            self.slots.read().unwrap_or_else(PoisonError::into_inner).masters().into_iter().cloned().collect();
        masters.iter().map(|address| self.node(address)).collect()
    }

    /// Takes what a failure says about the map.
    pub(super) fn learn(&self, node: &Node, error: &RedisError) {
        use ServerErrorKind::{ClusterDown, MasterDown, Moved, TryAgain};
        let kind = error.kind();
        let is_old = [Moved, ClusterDown, MasterDown].iter().any(|known| kind == ErrorKind::Server(*known));
        // A slot that was moved may be found where it went.
        if is_old || kind == ErrorKind::Server(TryAgain) || ends_connection(error) {
            self.is_stale.store(true, Ordering::Relaxed);
        }
        let moved = error.redirect_node().filter(|_| kind == ErrorKind::Server(Moved));
        if let Some((to, slot)) = moved.and_then(|(to, slot)| Some((address(to, node.host())?, slot))) {
            self.slots.write().unwrap_or_else(PoisonError::into_inner).moved(slot, to);
        }
    }

    /// Reads the map again if it may be old. An old map is better than none.
    async fn freshen(&self) -> Result<(), RedisError> {
        if !self.is_stale.load(Ordering::Relaxed) {
            return Ok(());
        }
        let _reading = self.reading.lock().await;
        if !self.is_stale.swap(false, Ordering::Relaxed) {
            return Ok(());
        }
        match Box::pin(self.read()).await {
            Ok(slots) => {
                self.forget_all_but(&slots);
                *self.slots.write().unwrap_or_else(PoisonError::into_inner) = slots;
                Ok(())
            }
            Err(error) => {
                self.is_stale.store(true, Ordering::Relaxed);
                let is_known = !self.slots.read().unwrap_or_else(PoisonError::into_inner).is_empty();
                if is_known { Ok(()) } else { Err(error) }
            }
        }
    }

    async fn read(&self) -> Result<Slots, RedisError> {
        let mut asked = self.known()?;
        let first = self.turn.fetch_add(1, Ordering::Relaxed) % asked.len().max(1);
        asked.rotate_left(first);
        let mut failure = unknown("the address names no node");
        let mut question = redis::cmd("CLUSTER");
        question.arg("SLOTS");
        for node in asked {
            match node.carry(&Call::Command(&question)).await.map(|answer| Slots::read(&answer, node.host())) {
                Ok(slots) if !slots.is_empty() => return Ok(slots),
                Ok(_) => failure = unknown("no node of the cluster has any hash slot"),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    /// Whoever may be asked: the masters that are known, and those that the address names.
    fn known(&self) -> Result<Vec<Arc<Node>>, RedisError> {
        let mut known: Vec<Arc<Node>> =
            self.nodes.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect();
        for seed in &self.seeds {
            if !known.iter().any(|node| node.address() == seed.addr().to_string()) {
                known.push(Arc::new(Node::new(seed.clone(), &self.options)?));
            }
        }
        Ok(known)
    }

    fn forget_all_but(&self, slots: &Slots) {
        let masters = slots.masters();
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner).retain(|address, _| masters.contains(address));
    }

    fn node(&self, address: &Address) -> Result<Arc<Node>, RedisError> {
        let mut nodes = self.nodes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(node) = nodes.get(address) {
            return Ok(node.clone());
        }
        let seed = self.seeds.first().ok_or_else(|| unknown("the address names no node"))?;
        let node = Arc::new(Node::new(at(seed, address), &self.options)?);
        nodes.insert(address.clone(), node.clone());
        Ok(node)
    }
}

/// The way to another address with the same login and the same certificates.
pub(super) fn at(info: &ConnectionInfo, (host, port): &Address) -> ConnectionInfo {
    let (host, port) = (host.clone(), *port);
    let addr = match info.addr().clone() {
        ConnectionAddr::TcpTls { insecure, tls_params, .. } => {
            ConnectionAddr::TcpTls { host, port, insecure, tls_params }
        }
        _ => ConnectionAddr::Tcp(host, port),
    };
    info.clone().set_addr(addr)
}

fn unknown(what: &'static str) -> RedisError {
    RedisError::from((ErrorKind::ClusterConnectionNotFound, what))
}
