//! Job ids: lowercase UUIDv7 (RFC 9562), with the partition in the last ten bits of those we make.
//!
//! An id that a client brought has anything there; the hint is then wrong and the other partitions are asked too.

use std::cell::Cell;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

use crate::clock::Timestamp;

/// The index of a partition, `0..P`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Partition(pub u16);

/// The identity of a job.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId([u8; 16]);

/// The text was not a lowercase UUIDv7.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a lowercase UUIDv7 such as 019501a2-3b4c-7d5e-8f6a-1b2c3d4e5f6a")]
pub struct JobIdError(String);

const PARTITION_BITS: u16 = 10;
/// The largest number of partitions that an id can tell apart.
pub const PARTITIONS_MAX: u16 = 1 << PARTITION_BITS;

impl JobId {
    /// A new id, unlike any other.
    #[must_use]
    pub fn random(now: Timestamp, partition: Partition) -> Self {
        Self::with_tail(now, random_bytes(), partition)
    }

    /// The id of the run of an entry at one instant.
    ///
    /// It depends on nothing else, so that an occurrence fired again after Redis lost its last second carries the id that
    /// it had before.
    #[must_use]
    pub fn of_occurrence(entry_uid: &str, scheduled: Timestamp, partition: Partition) -> Self {
        Self::derived(scheduled, &["occurrence", entry_uid, &scheduled.as_ms().to_string()], partition)
    }

    /// The id of the job that was the `ticket`-th to be taken from an inbox.
    ///
    /// Whoever finishes what a killed intake left behind arrives at the same id and enqueues nothing twice.
    #[must_use]
    pub fn of_ticket(taken: Timestamp, ticket: &str, partition: Partition) -> Self {
        Self::derived(taken, &["ticket", ticket], partition)
    }

    /// The same id, made for another partition.
    #[must_use]
    pub fn moved_to(mut self, partition: Partition) -> Self {
        self.set_partition(partition);
        self
    }

    /// The partition this id was made for, if it was made here with that many partitions.
    #[must_use]
    pub fn partition_hint(&self, partitions: u16) -> Partition {
        Partition((u16::from_be_bytes([self.0[14], self.0[15]]) % PARTITIONS_MAX) % partitions.max(1))
    }

    fn derived(time: Timestamp, parts: &[&str], partition: Partition) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            // The length before the text keeps ("a", "bc") apart from ("ab", "c").
            hash.update(part.len().to_be_bytes());
            hash.update(part);
        }
        let mut tail = [0; 10];
        tail.copy_from_slice(&hash.finalize()[..10]);
        Self::with_tail(time, tail, partition)
    }

    fn with_tail(time: Timestamp, tail: [u8; 10], partition: Partition) -> Self {
        let mut bytes = [0; 16];
        bytes[..6].copy_from_slice(&time.as_ms().max(0).to_be_bytes()[2..]);
        bytes[6..].copy_from_slice(&tail);
        bytes[6] = 0x70 | (bytes[6] & 0x0f);
        bytes[8] = 0x80 | (bytes[8] & 0x3f);
        let mut id = Self(bytes);
        id.set_partition(partition);
        id
    }

    fn set_partition(&mut self, partition: Partition) {
        let low = u16::from_be_bytes([self.0[14], self.0[15]]);
        let low = (low & !(PARTITIONS_MAX - 1)) | (partition.0 % PARTITIONS_MAX);
        self.0[14..].copy_from_slice(&low.to_be_bytes());
    }
}

/// Random bytes that are asked for at once; each is used once.
const STOCK_BYTES: usize = 640;

/// Ten bytes from the operating system's generator, of which each thread keeps a small stock: a call for each id would cost
/// more than the id.
///
/// # Panics
///
/// If the operating system has no randomness to give, in which case no unique id can be made at all.
fn random_bytes() -> [u8; 10] {
    thread_local! {
        static STOCK: Cell<([u8; STOCK_BYTES], usize)> = const { Cell::new(([0; STOCK_BYTES], 0)) };
    }
    STOCK.with(|cell| {
        let (mut stock, mut left) = cell.get();
        if left == 0 {
            getrandom::fill(&mut stock).expect("the operating system gives random bytes");
            left = STOCK_BYTES;
        }
        left -= 10;
        let mut bytes = [0; 10];
        bytes.copy_from_slice(&stock[left..left + 10]);
        cell.set((stock, left));
        bytes
    })
}

/// A random text of 16 hexadecimal digits: the nonce of a request, a leadership or an entry.
#[must_use]
pub fn nonce() -> String {
    let bytes = random_bytes();
    let digits = bytes[..8].iter().flat_map(|byte| hex(*byte)).map(char::from);
    digits.collect()
}

/// A random number in `[0, 1)`, for what is to be spread.
#[must_use]
pub fn chance() -> f64 {
    let bytes = random_bytes();
    f64::from(u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])) / 4_294_967_296.0
}

fn hex(byte: u8) -> [u8; 2] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]
}

/// Where the digits of each byte stand in the text of an id, and where dashes do.
const PLACES: [usize; 16] = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34];
const DASHES: [usize; 4] = [8, 13, 18, 23];

impl JobId {
    /// How long an id is when it is written.
    pub(crate) const CHARS: usize = 36;

    /// Writes it down in the room given.
    pub(crate) fn written(self, text: &mut [u8; Self::CHARS]) -> &str {
        let mut digits = [0; 32];
        for (pair, byte) in digits.as_chunks_mut().0.iter_mut().zip(self.0) {
            *pair = hex(byte);
        }
        text.fill(b'-');
        text[..8].copy_from_slice(&digits[..8]);
        text[9..13].copy_from_slice(&digits[8..12]);
        text[14..18].copy_from_slice(&digits[12..16]);
        text[19..23].copy_from_slice(&digits[16..20]);
        text[24..].copy_from_slice(&digits[20..]);
        str::from_utf8(text).unwrap_or_default()
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.written(&mut [0; Self::CHARS]))
    }
}

impl fmt::Debug for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for JobId {
    type Err = JobIdError;
    fn from_str(text: &str) -> Result<Self, JobIdError> {
        parse(text.as_bytes()).map(Self).ok_or_else(|| JobIdError(text.chars().take(64).collect()))
    }
}

fn parse(text: &[u8]) -> Option<[u8; 16]> {
    let text: &[u8; JobId::CHARS] = text.try_into().ok()?;
    if DASHES.iter().any(|&dash| text[dash] != b'-') {
        return None;
    }
    let mut bytes = [0; 16];
    for (byte, place) in bytes.iter_mut().zip(PLACES) {
        *byte = digit(text[place])? << 4 | digit(text[place + 1])?;
    }
    (bytes[6] >> 4 == 7 && bytes[8] >> 6 == 0b10).then_some(bytes)
}

fn digit(char: u8) -> Option<u8> {
    match char {
        b'0'..=b'9' => Some(char - b'0'),
        b'a'..=b'f' => Some(char - b'a' + 10),
        _ => None,
    }
}

impl Serialize for JobId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.written(&mut [0; Self::CHARS]))
    }
}

impl<'de> Deserialize<'de> for JobId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_772_947_800);

    #[test]
    fn an_id_is_a_lowercase_uuidv7_that_carries_its_partition() {
        for partition in [0, 1, 17, 1023] {
            let id = JobId::random(NOW, Partition(partition));
            assert_eq!(id.to_string().parse(), Ok(id));
            assert_eq!(id.partition_hint(PARTITIONS_MAX), Partition(partition));
        }
    }

    #[test]
    fn the_same_occurrence_has_the_same_id_and_another_has_not() {
        let id = |uid, secs| JobId::of_occurrence(uid, Timestamp::from_secs(secs), Partition(3));
        assert_eq!(id("u", 60), id("u", 60));
        assert_ne!(id("u", 60), id("u", 120));
        assert_ne!(id("u", 60), id("v", 60));
    }

    #[test]
    fn other_versions_cases_and_shapes_are_refused() {
        for text in [
            "",
            "019501A2-3b4c-7d5e-8f6a-1b2c3d4e5f6a",
            "019501a2-3b4c-4d5e-8f6a-1b2c3d4e5f6a",
            "019501a2-3b4c-7d5e-cf6a-1b2c3d4e5f6a",
            "019501a23b4c7d5e8f6a1b2c3d4e5f6a",
            "019501a2-3b4c-7d5e-8f6a-1b2c3d4e5f6ä",
            "019501a2-3b4c-7d5e-8f6a-1b2c3d4e5fä",
            "019501a2-3b4c-7d5e-8f6a-1b2c3d4e5f6g",
            "019501a2-3b4c-7d5e-8f6a-1b2c3d4e5f-a",
            "019501a2-3b4c-7d5e-8f6a01b2c3d4e5f6a",
        ] {
            assert!(text.parse::<JobId>().is_err(), "{text}");
        }
    }
}
