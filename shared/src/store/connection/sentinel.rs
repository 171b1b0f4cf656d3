//! Redis under Sentinel: the master is asked for anew whenever the way to it fails.
//!
//! What a sentinel says may be old, and a server that was a master may have become a replica, so whoever it names must say
//! itself that it is the master before anything else is sent there.

use std::sync::{Arc, Mutex, PoisonError};

use redis::{ConnectionInfo, ErrorKind, RedisError, ServerErrorKind, Value};

use super::ConnectionOptions;
use super::call::Call;
use super::cluster::at;
use super::node::{Node, ends_connection};
use super::slots::Address;

/// A master that sentinels know by a name.
pub(super) struct Sentinels {
    sentinels: Vec<Node>,
    name: String,
    /// How to log in to the master, wherever it is.
    data: ConnectionInfo,
    options: ConnectionOptions,
    master: Mutex<Option<Arc<Node>>>,
    asking: tokio::sync::Mutex<()>,
}

impl Sentinels {
    pub(super) fn new(
        sentinels: Vec<ConnectionInfo>,
        name: String,
        data: ConnectionInfo,
        options: ConnectionOptions,
    ) -> Result<Self, RedisError> {
        // One connection each: they are asked only when the way to the master has failed.
        let own = ConnectionOptions { connections: 1, ..options.clone() };
        let sentinels = sentinels.into_iter().map(|info| Node::new(info, &own)).collect::<Result<_, _>>()?;
        let asking = tokio::sync::Mutex::default();
        Ok(Self { sentinels, name, data, options, master: Mutex::default(), asking })
    }

    /// The master.
    pub(super) async fn master(&self) -> Result<Arc<Node>, RedisError> {
        match self.known() {
            Some(master) => Ok(master),
            // Boxed, because it is rare and large.
            None => Box::pin(self.find()).await,
        }
    }

    async fn find(&self) -> Result<Arc<Node>, RedisError> {
        let _asking = self.asking.lock().await;
        if let Some(master) = self.known() {
            return Ok(master);
        }
        let mut failure = unknown("the address names no sentinel");
        for sentinel in &self.sentinels {
            match self.ask(sentinel).await {
                Ok(master) => {
                    *self.master.lock().unwrap_or_else(PoisonError::into_inner) = Some(master.clone());
                    return Ok(master);
                }
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    /// Forgets a master that failed, unless another one was found since.
    pub(super) fn learn(&self, node: &Arc<Node>, error: &RedisError) {
        use ServerErrorKind::{BusyLoading, MasterDown};
        let kind = error.kind();
        let is_away = [BusyLoading, MasterDown].iter().any(|known| kind == ErrorKind::Server(*known));
        if is_away || ends_connection(error) {
            let mut master = self.master.lock().unwrap_or_else(PoisonError::into_inner);
            master.take_if(|master| Arc::ptr_eq(master, node));
        }
    }

    fn known(&self) -> Option<Arc<Node>> {
        self.master.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn ask(&self, sentinel: &Node) -> Result<Arc<Node>, RedisError> {
        let mut question = redis::cmd("SENTINEL");
        question.arg("GET-MASTER-ADDR-BY-NAME").arg(&self.name);
        let answer = sentinel.carry(&Call::Command(&question)).await?;
        let address = address(&answer).ok_or_else(|| unknown("no sentinel knows a master of this name"))?;
        let master = Arc::new(Node::new(at(&self.data, &address), &self.options)?);
        match master.carry(&Call::Command(&redis::cmd("ROLE"))).await {
            Ok(role) if !is_master(&role) => Err(unknown("the server that a sentinel names is not a master (yet)")),
            // Who may not ask for the role finds it out by the first write.
            Err(error) if error.kind() != ErrorKind::Server(ServerErrorKind::NoPerm) => Err(error),
            _ => Ok(master),
        }
    }
}

fn address(answer: &Value) -> Option<Address> {
    let (host, port) = redis::from_redis_value::<Option<(String, String)>>(answer.clone()).ok()??;
    Some((host, port.parse().ok()?))
}

fn is_master(role: &Value) -> bool {
    let Value::Array(parts) = role else { return false };
    matches!(parts.first(), Some(Value::BulkString(name)) if name == b"master")
}

/// A state of affairs that may pass.
fn unknown(what: &'static str) -> RedisError {
    RedisError::from((ErrorKind::Io, what))
}
