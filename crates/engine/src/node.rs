//! This process among the others on its database: it says every few seconds that it is alive, which keeps in its hands
//! what it has claimed, and looks for those that are gone.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use store::{StoreError, Timestamp};
use tokio_util::sync::CancellationToken;

use crate::foundation::Foundation;
use crate::intake::Intake;

/// How often a node says that it is alive.
const BEAT_EVERY: Duration = Duration::from_secs(5);

/// After so long without a word it is gone, and others take over.
const ALIVE_FOR: Duration = Duration::from_secs(15);

/// How often a node looks for what it has and does not work on.
const LOST_EVERY: Duration = Duration::from_secs(300);

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
    here.store.beat(here.node, here.clock.now()).await
}

/// Beats, and takes over what dead nodes left, until `stop`.
pub async fn run(here: Arc<Foundation>, intake: Intake, stop: CancellationToken) {
    // It has just announced itself; what was dead before is dead.
    let well_since = AtomicI64::new(0);
    let duties = async {
        tokio::join!(beat(&here, &well_since), recover(&here, &intake, &well_since));
    };
    let _ = stop.run_until_cancelled(duties).await;
}

async fn beat(here: &Foundation, well_since: &AtomicI64) {
    let mut beaten_at = here.clock.now();
    loop {
        let now = here.clock.now();
        match here.store.beat(here.node, now + ALIVE_FOR).await {
            Ok(()) if now.since(beaten_at) < ALIVE_FOR => beaten_at = now,
            Ok(()) => {
                well_since.store(now.as_millis(), Ordering::Relaxed);
                beaten_at = now;
            }
            Err(error) => {
                tracing::error!(%error, "this node could not say that it is alive; others may take over what it has in hand");
            }
        }
        tokio::time::sleep(BEAT_EVERY).await;
    }
}

/// Takes over what dead nodes left: but after this node could not say for a while that it is alive, the others get time to say
/// that they are, because the database was away for them too.
async fn recover(here: &Foundation, intake: &Intake, well_since: &AtomicI64) {
    let mut looked_at = here.clock.now();
    loop {
        let well_for = here.clock.now().since(Timestamp::from_millis(well_since.load(Ordering::Relaxed)));
        let is_well = well_for >= ALIVE_FOR + BEAT_EVERY;
        if is_well && let Err(error) = intake.recovery_step().await {
            tracing::error!(%error, "looking for what other processes left failed");
        }
        if here.clock.now().since(looked_at) >= LOST_EVERY {
            looked_at = here.clock.now();
            if let Err(error) = intake.lost_step().await {
                tracing::error!(%error, "looking for what this node lost sight of failed");
            }
        }
        tokio::time::sleep(BEAT_EVERY).await;
    }
}
