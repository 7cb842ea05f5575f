//! The registration that a path names, for callers who present nothing: WeChat and visitors.

use std::net::IpAddr;
use std::sync::Arc;

use engine::Engine;
use engine::apps::Registered;
use engine::guard::{Caller, Doubtful};

use crate::answer::Error;
use crate::app_path::AppPath;

/// Finds it.
///
/// # Errors
/// When there is none, the caller is not let in here at all, or asks for too many that this node does not know.
pub(crate) async fn of_anyone(
    engine: &Engine,
    path: &AppPath<'_>,
    caller: &Caller<'_>,
    client: IpAddr,
) -> Result<Arc<Registered>, Error> {
    engine.guard.anyone(caller)?;
    let now = engine.clock.now();
    let is_loaded = engine.directory.loaded(&path.key, now).is_some();
    if !is_loaded {
        // A stranger who guesses names costs a read of the database each time.
        engine.guard.may_try(Doubtful::Name, client, now)?;
    }
    let registered = engine.directory.find(&path.key, now).await;
    let registered = registered.inspect_err(|error| tracing::error!(%error, "a registration cannot be read"));
    let registered = registered.map_err(|_| Error::NotReady)?;
    registered.ok_or_else(|| {
        engine.guard.turned_out_bad(Doubtful::Name, client, now);
        Error::UnknownKey(path.key.clone().into_owned())
    })
}
