//! Reading what scripts answer. An answer of another shape is `Corrupt`, with the script that gave it.

use std::borrow::Cow;

use redis::Value;

use super::StoreError;
use crate::clock::Timestamp;

/// An array that a script answered.
#[derive(Debug)]
pub(crate) struct Reply {
    script: &'static str,
    items: Vec<Value>,
}

impl Reply {
    pub(crate) fn new(script: &'static str, value: Value) -> Result<Self, StoreError> {
        match value {
            Value::Array(items) => Ok(Self { script, items }),
            other => Err(StoreError::corrupt(script, format!("an array was expected, not {other:?}"))),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.items.len()
    }

    pub(crate) fn text(&self, i: usize) -> Result<String, StoreError> {
        self.read(i).map(Cow::into_owned)
    }

    /// The same where it stands.
    pub(crate) fn read(&self, i: usize) -> Result<Cow<'_, str>, StoreError> {
        match self.items.get(i) {
            // First as what it nearly always is, which is told much faster.
            Some(Value::BulkString(bytes)) => {
                Ok(str::from_utf8(bytes).map_or_else(|_| String::from_utf8_lossy(bytes), Cow::Borrowed))
            }
            Some(Value::SimpleString(text)) => Ok(text.into()),
            Some(Value::Int(number)) => Ok(number.to_string().into()),
            Some(Value::Nil) => Ok("".into()),
            other => Err(self.unexpected(i, other)),
        }
    }

    pub(crate) fn bytes(&self, i: usize) -> Result<&[u8], StoreError> {
        match self.items.get(i) {
            Some(Value::BulkString(bytes)) => Ok(bytes),
            other => Err(self.unexpected(i, other)),
        }
    }

    pub(crate) fn int(&self, i: usize) -> Result<i64, StoreError> {
        match self.items.get(i) {
            Some(Value::Int(number)) => Ok(*number),
            other => self.text(i)?.parse().map_err(|_| self.unexpected(i, other)),
        }
    }

    pub(crate) fn time(&self, i: usize) -> Result<Timestamp, StoreError> {
        self.int(i).map(Timestamp::from_ms)
    }

    pub(crate) fn texts(&self, from: usize) -> Result<Vec<String>, StoreError> {
        (from..self.len()).map(|i| self.text(i)).collect()
    }

    pub(crate) fn list(&self, i: usize) -> Result<Self, StoreError> {
        match self.items.get(i) {
            Some(Value::Array(items)) => Ok(Self { script: self.script, items: items.clone() }),
            other => Err(self.unexpected(i, other)),
        }
    }

    /// The items from `from` on, one after the other.
    pub(crate) fn items(&self, from: usize) -> Items<'_> {
        Items { reply: self, next: from }
    }

    pub(crate) fn lists(&self, from: usize) -> Result<Vec<Self>, StoreError> {
        (from..self.len()).map(|i| self.list(i)).collect()
    }

    pub(crate) fn is_list(&self, i: usize) -> bool {
        matches!(self.items.get(i), Some(Value::Array(_)))
    }

    /// Fields and values by turns, as `HGETALL` answers.
    pub(crate) fn pairs(&self) -> Result<Vec<(String, String)>, StoreError> {
        (0..self.len() / 2).map(|i| Ok((self.text(2 * i)?, self.text(2 * i + 1)?))).collect()
    }

    fn unexpected(&self, i: usize, found: Option<&Value>) -> StoreError {
        StoreError::corrupt(self.script, format!("item {i} of the answer was {found:?}"))
    }
}

/// The items of an answer that has no lists within it: how long each is, is told before it, because three lists within the
/// answer of a job cost a script as much as reading its record.
#[derive(Debug)]
pub(crate) struct Items<'a> {
    reply: &'a Reply,
    next: usize,
}

impl<'a> Items<'a> {
    pub(crate) fn is_empty(&self) -> bool {
        self.next >= self.reply.len()
    }

    pub(crate) fn text(&mut self) -> Result<Cow<'a, str>, StoreError> {
        let text = self.reply.read(self.next);
        self.next += 1;
        text
    }

    pub(crate) fn int(&mut self) -> Result<i64, StoreError> {
        let number = self.reply.int(self.next);
        self.next += 1;
        number
    }

    /// So many of them.
    pub(crate) fn texts(&mut self, count: usize) -> Result<Vec<Cow<'a, str>>, StoreError> {
        (0..count).map(|_| self.text()).collect()
    }

    /// How many there are, then each.
    pub(crate) fn list(&mut self) -> Result<Vec<String>, StoreError> {
        let count = self.int()?;
        (0..count).map(|_| self.text().map(Cow::into_owned)).collect()
    }
}
