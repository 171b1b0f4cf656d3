//! Which master of a cluster has which hash slot, as a node said or as calls found out since.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crc::{CRC_16_XMODEM, Crc};
use redis::Value;

/// How many hash slots a cluster has.
const SLOTS: u16 = 16_384;
static CRC: Crc<u16> = Crc::<u16>::new(&CRC_16_XMODEM);

/// The host and port of a node.
pub(super) type Address = (String, u16);

/// The masters of a cluster by hash slot.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Slots {
    /// By the last slot of a range: its first, and the master.
    ranges: BTreeMap<u16, (u16, Address)>,
    /// What `MOVED` said since the ranges were read.
    moved: HashMap<u16, Address>,
}

impl Slots {
    /// Reads the answer to `CLUSTER SLOTS`. A node that leaves out its host has that of the one that was `asked`.
    pub(super) fn read(answer: &Value, asked: &str) -> Self {
        let ranges = items(answer).iter().filter_map(|range| {
            let [first, last, master, ..] = items(range) else { return None };
            let [host, port, ..] = items(master) else { return None };
            let address = (host_of(host, asked), u16::try_from(number(port)?).ok()?);
            Some((u16::try_from(number(last)?).ok()?, (u16::try_from(number(first)?).ok()?, address)))
        });
        Self { ranges: ranges.collect(), moved: HashMap::new() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// Notes that a slot was found elsewhere.
    pub(super) fn moved(&mut self, slot: u16, to: Address) {
        self.moved.insert(slot, to);
    }

    /// The master of a slot.
    pub(super) fn master(&self, slot: u16) -> Option<&Address> {
        let listed = || self.ranges.range(slot..).next().filter(|(_, (first, _))| *first <= slot);
        self.moved.get(&slot).or_else(|| listed().map(|(_, (_, master))| master))
    }

    /// Every master that has a slot, each once.
    pub(super) fn masters(&self) -> BTreeSet<&Address> {
        self.ranges.values().map(|(_, master)| master).chain(self.moved.values()).collect()
    }
}

/// The hash slot of a key: that of what stands between its first braces, if anything does.
pub(super) fn slot_of(key: &[u8]) -> u16 {
    let position = |bytes: &[u8], byte| bytes.iter().position(|found| *found == byte);
    let tag = position(key, b'{').and_then(|open| {
        let behind = &key[open + 1..];
        position(behind, b'}').filter(|length| *length > 0).map(|length| &behind[..length])
    });
    CRC.checksum(tag.unwrap_or(key)) % SLOTS
}

/// The address in `MOVED`; its host may be left out.
pub(super) fn address(text: &str, asked: &str) -> Option<Address> {
    let (host, port) = text.rsplit_once(':')?;
    Some((if host.is_empty() || host == "?" { asked } else { host }.to_owned(), port.parse().ok()?))
}

fn items(value: &Value) -> &[Value] {
    match value {
        Value::Array(items) => items,
        _ => &[],
    }
}

fn number(value: &Value) -> Option<i64> {
    match value {
        Value::Int(number) => Some(*number),
        _ => None,
    }
}

fn host_of(value: &Value, asked: &str) -> String {
    match value {
        Value::BulkString(host) if !host.is_empty() && host != b"?" => String::from_utf8_lossy(host).into_owned(),
        Value::SimpleString(host) if !host.is_empty() => host.clone(),
        _ => asked.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value {
        Value::BulkString(text.into())
    }

    fn range(first: i64, last: i64, host: Value, port: i64) -> Value {
        Value::Array(vec![Value::Int(first), Value::Int(last), Value::Array(vec![host, Value::Int(port), text("id")])])
    }

    fn slots() -> Slots {
        let answer = Value::Array(vec![
            range(0, 99, text("a"), 1),
            range(200, 300, text(""), 2),
            range(301, 301, Value::Nil, 3),
        ]);
        Slots::read(&answer, "asked")
    }

    fn at(host: &str, port: u16) -> Address {
        (host.to_owned(), port)
    }

    #[test]
    fn a_slot_is_found_in_its_range_or_not_at_all() {
        let slots = slots();
        assert_eq!(slots.master(0), Some(&at("a", 1)));
        assert_eq!(slots.master(99), Some(&at("a", 1)));
        assert_eq!(slots.master(100), None);
        assert_eq!(slots.master(250), Some(&at("asked", 2)));
        assert_eq!(slots.master(301), Some(&at("asked", 3)));
        assert_eq!(slots.master(302), None);
    }

    #[test]
    fn what_moved_is_where_it_moved_to() {
        let mut slots = slots();
        slots.moved(7, at("b", 9));
        assert_eq!(slots.master(7), Some(&at("b", 9)));
        assert_eq!(slots.masters().len(), 4);
    }

    #[test]
    fn an_answer_of_another_shape_names_no_master() {
        assert!(Slots::read(&Value::Nil, "asked").is_empty());
        assert!(Slots::read(&Value::Array(vec![Value::Int(1), Value::Array(vec![])]), "asked").is_empty());
    }

    #[test]
    fn a_key_has_the_slot_that_redis_says() {
        // As `CLUSTER KEYSLOT` answers.
        for (key, slot) in
            [("ojs:leader", 13334), ("ojs:{p00}:events", 11214), ("{ojs:inbox}:taken", 4720), ("foo{}{bar}", 8363)]
        {
            assert_eq!(slot_of(key.as_bytes()), slot, "{key}");
        }
    }

    #[test]
    fn a_redirection_without_a_host_means_the_host_that_was_asked() {
        assert_eq!(address("10.0.0.1:7000", "x"), Some(at("10.0.0.1", 7000)));
        assert_eq!(address(":7000", "x"), Some(at("x", 7000)));
        assert_eq!(address("::1:7000", "x"), Some(at("::1", 7000)));
        assert_eq!(address("nonsense", "x"), None);
    }
}
