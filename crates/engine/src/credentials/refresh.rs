//! One refresh: claim the lease, ask WeChat, store what it said, let go.
//!
//! What must stay true: nothing is asked without the lease, and what was asked for is stored or noted as a failure.

use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use store::{Credential, Failure, NewValue, Timestamp};
use wechat::Errcode;
use wechat::calls::Issued;

use super::ask::Miss;
use super::decide::{Demand, Want, same};
use super::schedule::{refresh_at, retry_after};
use super::{Credentials, LEASE, LOOK_AGAIN, PATIENCE};
use crate::credential_error::CredentialError;
use crate::random::unique_name;
use crate::slot::{Slot, SlotId};

/// A value with more time left than this, which WeChat refuses, was ended by somebody.
const NEAR_ITS_END: Duration = Duration::from_secs(300);

/// Says in the log, once for all who saw it, that WeChat refused a token before its time.
fn tell_if_killed(row: &Credential, demand: &Demand, now: Timestamp) {
    let (Want::Healed(dead), Some(value), Some(end)) = (&demand.want, &row.value, row.expires_at) else { return };
    if !same(dead, value) || end <= now + NEAR_ITS_END {
        return;
    }
    tracing::warn!(
        credential = row.id,
        age_s = row.issued_at.map(|at| now.since(at).as_secs()),
        left_s = end.since(now).as_secs(),
        "WeChat refused our access_token before its time, and it was replaced: somebody outside holds the account's secret and \
         refreshed the token, or the secret was reset; let every system get its token here"
    );
}

/// What came of a try to refresh.
pub(super) enum Tried {
    /// Somebody else was faster; look at the database again.
    Overtaken,
    /// WeChat was asked, and its answer is stored.
    Asked,
}

impl Credentials {
    /// Asks WeChat, if the lease can be had. `last_try`: a dead token is not replaced any more, its refusal stands.
    pub(super) async fn refresh(
        &self,
        slot: &Arc<Slot>,
        row: &Credential,
        demand: &Demand,
        force: bool,
        last_try: bool,
    ) -> Result<Tried, CredentialError> {
        // Before the lease is claimed: waiting for a token may take longer than a lease lasts.
        let need = self.need(slot, row).await?;
        let asked_at = self.0.clock.now();
        let Some(owner) = self.claim(slot, row, asked_at).await? else {
            return Ok(Tried::Overtaken);
        };
        let answer = match need {
            Ok(need) => self.ask(slot, &need, demand, force).await,
            Err(miss) => Err(miss),
        };
        match answer {
            Ok(issued) => {
                self.complete(slot, &owner, &issued, asked_at, force).await?;
                tell_if_killed(row, demand, asked_at);
            }
            Err(Miss::DeadToken { error, tokens, token }) if !last_try => {
                self.release(slot, &owner).await?;
                tracing::warn!(
                    credential = %tokens.id,
                    errcode = error.errcode.0,
                    "WeChat refused our access_token; replacing it (somebody else who holds the secret may have refreshed it)"
                );
                // If no other is to be had, the next try meets that token's failure and makes it the ticket's.
                let _ = self.healed(&tokens, token).await;
            }
            Err(miss) => self.fail(slot, &owner, row, miss).await?,
        }
        Ok(Tried::Asked)
    }

    /// Asks WeChat whether `secret` is the account's, before a registration with it is stored. The token that comes
    /// back is kept: it was paid for, also if the caller is gone by then. A wrong secret is not remembered: what is
    /// stored may be right.
    ///
    /// # Errors
    /// [`CredentialError`] when WeChat refuses it or cannot be asked.
    pub async fn prove(&self, id: SlotId, secret: &SecretString) -> Result<(), CredentialError> {
        let proof = self.0.tasks.spawn(self.clone().prove_to_the_end(id, secret.clone()));
        proof.await.unwrap_or(Err(CredentialError::TimedOut))
    }

    async fn prove_to_the_end(self, id: SlotId, secret: SecretString) -> Result<(), CredentialError> {
        let slot = self.0.slots.slot(id);
        let (owner, asked_at) = self.claim_patiently(&slot).await?;
        let miss = match self.ask_for_token(&slot.id, &secret, false).await {
            Ok(issued) => return self.complete(&slot, &owner, &issued, asked_at, false).await,
            Err(miss) => miss,
        };
        self.release(&slot, &owner).await?;
        let retry_in = Duration::ZERO;
        Err(match miss {
            Miss::Refused(error) | Miss::DeadToken { error, .. } => CredentialError::Refused { error, retry_in },
            Miss::NoAnswer(reason) => CredentialError::Unreachable { reason, retry_in },
            Miss::NoToken(error) => error,
        })
    }

    /// Waits for whoever is asking, then claims; not longer than the caller waits, so that proofs that nobody waits for
    /// any more do not queue up and ask WeChat one after the other.
    async fn claim_patiently(&self, slot: &Slot) -> Result<(String, Timestamp), CredentialError> {
        let end = self.0.clock.now() + PATIENCE;
        loop {
            let row = self.reload(slot).await?;
            let now = self.0.clock.now();
            if end <= now {
                return Err(CredentialError::TimedOut);
            }
            let is_free = row.lease.as_ref().is_none_or(|lease| lease.until <= now);
            if is_free && let Some(owner) = self.claim(slot, &row, now).await? {
                return Ok((owner, now));
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    async fn claim(&self, slot: &Slot, row: &Credential, now: Timestamp) -> Result<Option<String>, CredentialError> {
        let owner = format!("{}-{}", self.0.owner, unique_name(&*self.0.random));
        let (id, appid) = (slot.id.to_string(), slot.id.appid.as_str());
        let won = self.0.store.claim_credential(&id, appid, &owner, row.version, now, now + LEASE).await?;
        Ok(won.then_some(owner))
    }

    async fn release(&self, slot: &Slot, owner: &str) -> Result<(), CredentialError> {
        Ok(self.0.store.release_credential(&slot.id.to_string(), owner).await?)
    }

    async fn complete(
        &self,
        slot: &Slot,
        owner: &str,
        issued: &Issued,
        asked_at: Timestamp,
        forced: bool,
    ) -> Result<(), CredentialError> {
        let life = Duration::from_secs(issued.expires_in.into());
        let value = NewValue {
            value: issued.value.clone(),
            issued_at: asked_at,
            // Counted from the question, not from the answer: never more than WeChat grants.
            expires_at: asked_at + life,
            refresh_at: refresh_at(slot.id.kind, asked_at, life, &*self.0.random),
            forced_at: forced.then_some(asked_at),
        };
        if self.0.store.complete_credential(&slot.id.to_string(), owner, &value).await? {
            tracing::info!(credential = %slot.id, expires_in = issued.expires_in, forced, "refreshed");
            self.0.metrics.refresh(slot.id.kind.name(), "ok");
        } else {
            tracing::warn!(credential = %slot.id, "WeChat's answer came after our lease had ended; another node's counts");
        }
        self.reload(slot).await?;
        self.0.stored.notify_one();
        Ok(())
    }

    async fn fail(&self, slot: &Slot, owner: &str, row: &Credential, miss: Miss) -> Result<(), CredentialError> {
        let now = self.0.clock.now();
        let count = row.failure.as_ref().map_or(0, |failure| failure.count).saturating_add(1);
        let (errcode, text, retry) = self.consequence(miss, count);
        tracing::warn!(
            credential = %slot.id,
            errcode = errcode.map(|code| code.0),
            reason = text,
            advice = errcode.and_then(Errcode::advice),
            old_value_still_good = row.expires_at.is_some_and(|end| now < end),
            retry_in_s = retry.as_secs(),
            "refresh failed"
        );
        self.0.metrics.refresh(slot.id.kind.name(), "failed");
        let failure =
            Failure { errcode: errcode.map(|code| code.0), text, count, failed_at: now, retry_at: now + retry };
        self.0.store.fail_credential(&slot.id.to_string(), owner, &failure).await?;
        self.reload(slot).await?;
        Ok(())
    }

    /// What is remembered of a miss, and for how long.
    fn consequence(&self, miss: Miss, count: u32) -> (Option<Errcode>, String, Duration) {
        let after = |errcode| retry_after(errcode, count, &*self.0.random);
        // A ticket whose token is not to be had fails as the token does, and is tried again soon after the token is.
        let soon = |retry_in: Duration| retry_in.clamp(Duration::from_secs(1), Duration::from_secs(30));
        match miss {
            Miss::Refused(error) => (Some(error.errcode), error.errmsg, after(Some(error.errcode))),
            Miss::DeadToken { error, .. } => (Some(error.errcode), error.errmsg, soon(after(None))),
            Miss::NoAnswer(reason) => (None, reason, after(None)),
            Miss::NoToken(CredentialError::Refused { error, retry_in }) => {
                (Some(error.errcode), error.errmsg, soon(retry_in))
            }
            Miss::NoToken(CredentialError::Unreachable { reason, retry_in }) => (None, reason, soon(retry_in)),
            Miss::NoToken(error) => (None, error.to_string(), soon(Duration::ZERO)),
        }
    }
}
