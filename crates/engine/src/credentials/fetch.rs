//! Asking WeChat for a token or ticket, under a lease, and storing what it said.
//!
//! What must stay true: nothing is asked without the lease, and what was asked for is stored or noted as a failure.

use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use store::{Credential, Failure, NewValue, Timestamp};
use wechat::calls::{AnswerError, Call, Issued, TicketKind, read_access_token, read_ticket};
use wechat::errcode::ErrorClass;
use wechat::{ApiError, Appid, Errcode};

use super::decide::{Demand, Want, same};
use super::schedule::{refresh_at, retry_after};
use super::{Credentials, LEASE};
use crate::credential_error::CredentialError;
use crate::random::unique_name;
use crate::slot::{Kind, Slot, SlotId};

/// Why WeChat gave nothing.
enum Miss {
    Refused(ApiError),
    NoAnswer(String),
    /// WeChat calls the token dead that a ticket was asked for with.
    DeadToken(ApiError),
    /// The token that a ticket needs is not to be had; that one's failure is remembered already.
    NoToken(CredentialError),
}

/// What came of a try to refresh.
pub(super) enum Tried {
    /// Somebody else was faster; look at the database again.
    Overtaken,
    /// WeChat was asked, and its answer is stored.
    Asked,
}

/// What WeChat wants to see before it gives a value.
enum Need {
    Secret(SecretString),
    Token { kind: TicketKind, tokens: Arc<Slot>, token: SecretString },
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
        let need = self.need(slot).await?;
        let asked_at = self.0.clock.now();
        let Some(owner) = self.claim(slot, row, asked_at).await? else {
            return Ok(Tried::Overtaken);
        };
        let answer = match &need {
            Ok(need) => self.ask_as_demanded(slot, need, demand, force).await,
            Err(error) => Err(Miss::NoToken(error.clone())),
        };
        match (answer, need) {
            (Ok(issued), _) => self.complete(slot, &owner, &issued, asked_at, force).await?,
            (Err(Miss::DeadToken(error)), Ok(Need::Token { tokens, token, .. })) if !last_try => {
                self.0.store.release_credential(&slot.id.to_string(), &owner).await?;
                tracing::warn!(
                    credential = %tokens.id,
                    errcode = error.errcode.0,
                    "WeChat refused our access_token; replacing it (somebody else who holds the secret may have refreshed it)"
                );
                // If no other is to be had, the next try meets that token's failure and makes it the ticket's.
                let _ = self.healed(&tokens, token).await;
            }
            (Err(miss), _) => self.fail(slot, &owner, row, miss).await?,
        }
        Ok(Tried::Asked)
    }

    async fn ask_as_demanded(&self, slot: &Slot, need: &Need, demand: &Demand, force: bool) -> Result<Issued, Miss> {
        let issued = self.ask(slot, need, force).await?;
        match &demand.want {
            // WeChat still calls the refused token current: only a forced refresh gives another.
            Want::Healed(dead) if slot.id.kind == Kind::Stable && same(&issued.value, dead) => {
                self.ask(slot, need, true).await
            }
            _ => Ok(issued),
        }
    }

    /// Asks WeChat whether `secret` is the account's, before a registration with it is stored. The token that comes
    /// back is kept: it was paid for. A wrong secret is not remembered: what is stored may be right.
    ///
    /// # Errors
    /// [`CredentialError`] when WeChat refuses it or cannot be asked.
    pub async fn prove(&self, id: SlotId, secret: &SecretString) -> Result<(), CredentialError> {
        let slot = self.0.slots.slot(id);
        loop {
            let row = self.reload(&slot).await?;
            let now = self.0.clock.now();
            if row.lease.as_ref().is_some_and(|lease| now < lease.until) {
                tokio::time::sleep(super::LOOK_AGAIN).await;
                continue;
            }
            let Some(owner) = self.claim(&slot, &row, now).await? else { continue };
            let answer = self.send(&token_call(slot.id.kind, &slot.id.appid, secret, false), read_access_token).await;
            let miss = match answer {
                Ok(issued) => return self.complete(&slot, &owner, &issued, now, false).await,
                Err(miss) => miss,
            };
            self.0.store.release_credential(&slot.id.to_string(), &owner).await?;
            return Err(match miss {
                Miss::Refused(error) | Miss::DeadToken(error) => {
                    CredentialError::Refused { error, retry_in: Duration::ZERO }
                }
                Miss::NoAnswer(reason) => CredentialError::Unreachable { reason, retry_in: Duration::ZERO },
                Miss::NoToken(error) => error,
            });
        }
    }

    async fn claim(&self, slot: &Slot, row: &Credential, now: Timestamp) -> Result<Option<String>, CredentialError> {
        let owner = format!("{}-{}", self.0.node, unique_name(&*self.0.random));
        let (id, appid) = (slot.id.to_string(), slot.id.appid.as_str());
        let won = self.0.store.claim_credential(&id, appid, &owner, row.version, now, now + LEASE).await?;
        Ok(won.then_some(owner))
    }

    /// What has to be at hand to ask for the value of this slot. The outer error is the database's.
    async fn need(&self, slot: &Slot) -> Result<Result<Need, CredentialError>, CredentialError> {
        let Some(app) = self.0.directory.best_for(&slot.id, self.0.clock.now()).await? else {
            let reason = "no registration of this account is left".to_owned();
            return Ok(Err(CredentialError::Unreachable { reason, retry_in: Duration::ZERO }));
        };
        let kind = match slot.id.kind {
            Kind::Jsapi => TicketKind::Jsapi,
            Kind::WxCard => TicketKind::WxCard,
            Kind::Stable | Kind::Classic | Kind::Wecom => return Ok(Ok(Need::Secret(app.secrets.secret))),
        };
        let tokens = self.0.slots.slot(SlotId::new(app.settings.token_mode.into(), &slot.id.appid));
        match self.valid(&tokens).await {
            Ok(token) => Ok(Ok(Need::Token { kind, tokens, token: token.value.clone() })),
            Err(CredentialError::Store(error)) => Err(CredentialError::Store(error)),
            Err(error) => Ok(Err(error)),
        }
    }

    async fn ask(&self, slot: &Slot, need: &Need, force: bool) -> Result<Issued, Miss> {
        match need {
            Need::Secret(secret) => {
                self.send(&token_call(slot.id.kind, &slot.id.appid, secret, force), read_access_token).await
            }
            Need::Token { kind, token, .. } => match self.send(&Call::ticket(*kind, token), read_ticket).await {
                Err(Miss::Refused(error)) if error.errcode.class() == ErrorClass::TokenDead => {
                    Err(Miss::DeadToken(error))
                }
                other => other,
            },
        }
    }

    async fn send(&self, call: &Call, read: fn(&[u8]) -> Result<Issued, AnswerError>) -> Result<Issued, Miss> {
        let body = self.0.upstream.send(call).await.map_err(|error| Miss::NoAnswer(error.to_string()))?;
        let answer = read(&body);
        match &answer {
            Ok(_) => self.0.upstream.count_answer(call, "0"),
            Err(AnswerError::Refused(error)) => self.0.upstream.count_answer(call, &error.errcode.to_string()),
            Err(AnswerError::Malformed(_)) => self.0.upstream.count_answer(call, "malformed"),
        }
        answer.map_err(|error| match error {
            AnswerError::Refused(error) => Miss::Refused(error),
            AnswerError::Malformed(_) => Miss::NoAnswer(format!("{}: {error}", call.path)),
        })
    }

    async fn complete(
        &self,
        slot: &Slot,
        owner: &str,
        issued: &Issued,
        asked_at: Timestamp,
        forced: bool,
    ) -> Result<(), CredentialError> {
        let now = self.0.clock.now();
        let life = Duration::from_secs(issued.expires_in.into());
        let value = NewValue {
            value: issued.value.clone(),
            issued_at: now,
            // Counted from the question, not from the answer: never more than WeChat grants.
            expires_at: asked_at + life,
            refresh_at: refresh_at(slot.id.kind, asked_at, life, &*self.0.random),
            forced_at: forced.then_some(now),
        };
        let id = slot.id.to_string();
        if self.0.store.complete_credential(&id, owner, &value).await? {
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
        let (errcode, text, retry) = match miss {
            Miss::Refused(error) | Miss::DeadToken(error) => {
                let retry = retry_after(Some(error.errcode), count, &*self.0.random);
                (Some(error.errcode), error.errmsg, retry)
            }
            Miss::NoAnswer(reason) => (None, reason, retry_after(None, count, &*self.0.random)),
            Miss::NoToken(error) => without_token(error),
        };
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
}

/// A ticket whose token is not to be had fails as the token does, and is tried again soon after the token is.
fn without_token(error: CredentialError) -> (Option<Errcode>, String, Duration) {
    let soon = |retry_in: Duration| retry_in.clamp(Duration::from_secs(1), Duration::from_secs(30));
    match error {
        CredentialError::Refused { error, retry_in } => (Some(error.errcode), error.errmsg, soon(retry_in)),
        CredentialError::Unreachable { reason, retry_in } => (None, reason, soon(retry_in)),
        other => (None, other.to_string(), soon(Duration::ZERO)),
    }
}

fn token_call(kind: Kind, appid: &Appid, secret: &SecretString, force: bool) -> Call {
    match kind {
        Kind::Classic => Call::classic_token(appid, secret),
        Kind::Wecom => Call::wecom_token(appid, secret),
        Kind::Stable | Kind::Jsapi | Kind::WxCard => Call::stable_token(appid, secret, force),
    }
}
