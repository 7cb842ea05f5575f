//! How much of WeChat's quotas is used, and what is held back once one is used up.
//!
//! * [`usage`]: calls by registration and API, for metrics and `/admin/usage`;
//! * [`circuit`]: APIs that WeChat refuses for having been called too often;
//! * `limit`: for how long.

pub mod circuit;
mod limit;
pub mod usage;

pub use circuit::Circuits;
pub use usage::Usage;
