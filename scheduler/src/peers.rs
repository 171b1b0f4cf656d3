//! How many connections each address has, over all doors of this server together.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

/// Counts connections by address; loopback is not counted, because proxies come from there.
#[derive(Debug, Default)]
pub(crate) struct Peers(Mutex<HashMap<IpAddr, usize>>);

/// A connection that is counted until this is dropped.
#[derive(Debug)]
pub(crate) struct Counted(Option<(Arc<Peers>, IpAddr)>);

impl Peers {
    /// Counts a connection, unless its address has `most` already.
    pub(crate) fn count(self: &Arc<Self>, peer: IpAddr, most: usize) -> Option<Counted> {
        let peer = peer.to_canonical();
        if peer.is_loopback() {
            return Some(Counted(None));
        }
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(peer).or_default();
        if *count >= most {
            return None;
        }
        *count += 1;
        Some(Counted(Some((self.clone(), peer))))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let Some((peers, peer)) = &self.0 else { return };
        let mut counts = peers.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(peer) {
            *count -= 1;
            if *count == 0 {
                counts.remove(peer);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_only_so_many_until_one_goes() {
        let (peers, peer) = (Arc::new(Peers::default()), IpAddr::from([192, 0, 2, 1]));
        let first = peers.count(peer, 1);
        assert!(first.is_some() && peers.count(peer, 1).is_none());
        assert!(peers.count(IpAddr::from([192, 0, 2, 2]), 1).is_some());
        drop(first);
        assert!(peers.count(peer, 1).is_some());
        assert!(peers.0.lock().expect("no test panics").is_empty(), "what is not connected is not remembered");
    }

    #[test]
    fn loopback_is_not_counted() {
        let peers = Arc::new(Peers::default());
        let kept: Vec<_> = (0..9).map(|_| peers.count(IpAddr::from([127, 0, 0, 1]), 1)).collect();
        assert!(kept.iter().all(Option::is_some));
    }
}
