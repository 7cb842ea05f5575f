//! What the tests are made of: servers, peers, databases, callers; and waiting for a condition instead of sleeping.

pub(crate) mod backend;
pub(crate) mod browser;
pub(crate) mod caller;
pub(crate) mod databases;
pub(crate) mod fake_wechat;
pub(crate) mod html;
pub(crate) mod login_scene;
pub(crate) mod merchant_files;
pub(crate) mod pictures;
pub(crate) mod playground;
pub(crate) mod process;
pub(crate) mod relay;
pub(crate) mod scene;
pub(crate) mod script;
pub(crate) mod server;
pub(crate) mod shop;
pub(crate) mod wechat_pushes;

use std::time::{Duration, Instant};

/// Longer than anything here takes; a condition that does not come true by then never will.
pub(crate) const TOO_LONG: Duration = Duration::from_secs(40);

/// Looks again and again until `condition` holds, and fails with `what` when it never does.
pub(crate) async fn eventually(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let begin = Instant::now();
    while !condition().await {
        assert!(begin.elapsed() < TOO_LONG, "waited {TOO_LONG:?} in vain: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Fails instead of waiting for ever.
pub(crate) async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(TOO_LONG, future).await {
        Ok(done) => done,
        Err(_) => panic!("took longer than {TOO_LONG:?}: {what}"),
    }
}
