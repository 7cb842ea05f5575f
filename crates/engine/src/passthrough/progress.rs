//! Whether a body still moves: what stands still for too long is given up, however long the whole may take.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How long nothing may move: no byte of a caller's body, no head of an answer, no byte of its body. WeChat's slow APIs
/// (pictures that are looked at, drafts that are published) take seconds; its SDKs wait 5 to 60.
pub(super) const STALL: Duration = Duration::from_secs(30);

/// Notes that something moved.
#[derive(Debug, Default)]
pub(super) struct Progress(AtomicBool);

impl Progress {
    /// Something moved just now.
    pub(super) fn moved(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether something moved since the last call of this method.
    pub(super) fn has_moved(&self) -> bool {
        self.0.swap(false, Ordering::Relaxed)
    }
}
