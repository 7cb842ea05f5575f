//! Names of messages, nodes and backends: 16 bytes each, compared as bytes on every database.

use std::fmt;
use std::str::FromStr;

use crate::StoreError;

/// Bytes of every id.
const LENGTH: usize = 16;

/// What stands before the digits of a message's id.
const MESSAGE_PREFIX: &str = "msg_";

/// The id of a message: made from what it is, so that every try of WeChat and every node gives it the same. Shown (and
/// sent as `webhook-id`) as `msg_` and 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(pub [u8; LENGTH]);

/// A running process.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct NodeId(pub [u8; LENGTH]);

/// A backend, by what its URL names without the query.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BackendId(pub [u8; LENGTH]);

/// A text that is no id of a message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a message's id is msg_ and 32 hexadecimal digits")]
pub struct NoMessageId;

impl FromStr for MessageId {
    type Err = NoMessageId;

    fn from_str(text: &str) -> Result<Self, NoMessageId> {
        read_id(MESSAGE_PREFIX, text).map(Self).ok_or(NoMessageId)
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_id(f, MESSAGE_PREFIX, &self.0)
    }
}

impl fmt::Debug for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for BackendId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

/// The bytes of an id that is shown as a prefix and 32 hexadecimal digits.
pub(crate) fn read_id(prefix: &str, text: &str) -> Option<[u8; LENGTH]> {
    hex::decode(text.strip_prefix(prefix)?).ok()?.try_into().ok()
}

/// Shows an id as its prefix and 32 hexadecimal digits.
pub(crate) fn write_id(f: &mut fmt::Formatter<'_>, prefix: &str, id: &[u8; LENGTH]) -> fmt::Result {
    let mut digits = [0; 2 * LENGTH];
    hex::encode_to_slice(id, &mut digits).map_err(|_| fmt::Error)?;
    f.write_str(prefix)?;
    f.write_str(std::str::from_utf8(&digits).map_err(|_| fmt::Error)?)
}

/// The id columns of several messages.
pub(crate) fn bytes_of(ids: &[MessageId]) -> impl Iterator<Item = Vec<u8>> {
    ids.iter().map(|id| id.0.to_vec())
}

/// The bytes of an id column.
pub(crate) fn id_bytes(bytes: Vec<u8>) -> Result<[u8; LENGTH], StoreError> {
    bytes.try_into().map_err(|_| StoreError::corrupt("an id in the database does not have 16 bytes"))
}

/// The text of a column that holds UTF-8.
pub(crate) fn utf8(bytes: Vec<u8>) -> Result<String, StoreError> {
    String::from_utf8(bytes).map_err(|_| StoreError::corrupt("a name in the database is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_messages_are_read_as_they_are_shown() {
        let id = MessageId([0xab; 16]);
        assert_eq!(id.to_string(), format!("msg_{}", "ab".repeat(16)));
        assert_eq!(id.to_string().parse(), Ok(id));
        for bad in ["", "msg_", "msg_ab", "ab", &format!("msg_{}", "zz".repeat(16)), &format!("msg_{}", "a".repeat(33))]
        {
            assert_eq!(bad.parse::<MessageId>(), Err(NoMessageId), "{bad}");
        }
    }
}
