//! This process among the others on its database: it says every few seconds that it is alive, which keeps in its hands
//! what it has claimed, and looks for those that are gone.

use std::sync::Arc;
use std::time::Duration;

use store::StoreError;
use tokio_util::sync::CancellationToken;

use crate::foundation::Foundation;
use crate::intake::Intake;

/// How often a node says that it is alive.
const BEAT_EVERY: Duration = Duration::from_secs(5);

/// After so long without a word it is gone, and others take over.
const ALIVE_FOR: Duration = Duration::from_secs(15);

/// Says that this node is alive from now on. On a database for one node whatever another process left is free at once.
///
/// # Errors
/// [`StoreError`] when the database does not answer.
pub async fn announce(here: &Foundation) -> Result<(), StoreError> {
    let now = here.clock.now();
    here.store.beat(here.node, now + ALIVE_FOR).await?;
    here.store.end_other_nodes(here.node, now).await
}

/// Says that this node is gone: what it did not finish is free at once.
///
/// # Errors
/// [`StoreError`] when the database does not answer.
pub async fn leave(here: &Foundation) -> Result<(), StoreError> {
    here.store.release_deliveries(here.node, None).await?;
    here.store.beat(here.node, here.clock.now()).await
}

/// Beats, and takes over what dead nodes left, until `stop`.
pub async fn run(here: Arc<Foundation>, intake: Intake, stop: CancellationToken) {
    let duties = async {
        tokio::join!(beat(&here), recover(&intake));
    };
    let _ = stop.run_until_cancelled(duties).await;
}

async fn beat(here: &Foundation) {
    loop {
        if let Err(error) = here.store.beat(here.node, here.clock.now() + ALIVE_FOR).await {
            tracing::error!(%error, "this node could not say that it is alive; others may take over what it has in hand");
        }
        tokio::time::sleep(BEAT_EVERY).await;
    }
}

async fn recover(intake: &Intake) {
    loop {
        if let Err(error) = intake.recovery_step().await {
            tracing::error!(%error, "looking for what other processes left failed");
        }
        tokio::time::sleep(BEAT_EVERY).await;
    }
}
