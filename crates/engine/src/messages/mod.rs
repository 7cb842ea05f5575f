//! A message as the engine writes it down: how it came, where it goes, and how each try went.
//!
//! The store keeps these as bytes (JSON): fields that a later version adds are ignored by this one, missing ones have
//! their default.

mod attempt;
mod callback;
mod request;
mod usable;

pub use self::attempt::Attempt;
pub use self::callback::{Callback, content_type_of, shown};
pub use self::request::{MAX_LATE, Request, TRIES};
pub use self::usable::Usable;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// JSON of a value that always has one.
pub(crate) fn to_json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}

/// The value, or its default when a row is from a version that wrote something else.
pub(crate) fn from_json<T: DeserializeOwned + Default>(bytes: &[u8]) -> T {
    serde_json::from_slice(bytes).unwrap_or_default()
}
