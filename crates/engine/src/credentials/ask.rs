//! Asking WeChat for a token or ticket: what is needed for it, the call, and what the answer means.
//!
//! Called by `refresh`, under a lease. No answer is stored here, and nothing is asked twice but for two cases: a refused
//! token that WeChat still calls current, and a WeCom token in its last second.

use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use store::Credential;
use wechat::calls::{AnswerError, Call, Issued, TicketKind, read_access_token, read_ticket};
use wechat::errcode::ErrorClass;
use wechat::{ApiError, Appid};

use super::Credentials;
use super::decide::{Demand, Want, same};
use crate::credential_error::CredentialError;
use crate::slot::{Kind, Slot, SlotId};
use crate::upstream::AskError;

/// A token with so many seconds left is of no use to anybody.
const LAST_SECONDS: u32 = 1;

/// What WeChat wants to see before it gives a value.
pub(super) enum Need {
    /// The account's secret.
    Secret(SecretString),
    /// A token of the account.
    Token {
        /// The call for the ticket.
        call: fn(&SecretString) -> Call,
        /// Where the token comes from.
        tokens: Arc<Slot>,
        /// The token.
        token: SecretString,
    },
}

/// Why WeChat gave nothing.
pub(super) enum Miss {
    /// It refused.
    Refused(ApiError),
    /// It calls the token dead that a ticket was asked for with.
    DeadToken {
        /// Its words.
        error: ApiError,
        /// Where the token came from.
        tokens: Arc<Slot>,
        /// The token.
        token: SecretString,
    },
    /// It gave no usable answer.
    NoAnswer(String),
    /// The token that a ticket needs is not to be had; that one's failure is remembered already.
    NoToken(CredentialError),
}

impl Credentials {
    /// What has to be at hand to ask for the value of this slot. The outer error ends the matter: the database does not
    /// answer, or no registration needs this credential any more, which is then removed.
    pub(super) async fn need(&self, slot: &Slot, row: &Credential) -> Result<Result<Need, Miss>, CredentialError> {
        let now = self.0.clock.now();
        let Some(app) = self.0.directory.best_for(&slot.id, now).await? else {
            self.0.store.remove_credential(&slot.id.to_string(), row.version, now).await?;
            self.reload(slot).await?;
            let reason = "no registration of this account is left".to_owned();
            return Err(CredentialError::Unreachable { reason, retry_in: Duration::ZERO });
        };
        let appid = &slot.id.appid;
        let account = || SlotId::new(app.settings.token_mode.into(), appid);
        let corp = || SlotId::wecom(appid, &app.secrets.secret);
        let (call, tokens): (fn(&SecretString) -> Call, _) = match slot.id.kind {
            Kind::Jsapi => (|token| Call::ticket(TicketKind::Jsapi, token), account()),
            Kind::WxCard => (|token| Call::ticket(TicketKind::WxCard, token), account()),
            Kind::CorpJsapi => (Call::corp_jsapi_ticket, corp()),
            Kind::Agent => (Call::agent_ticket, corp()),
            Kind::Stable | Kind::Classic | Kind::Wecom => return Ok(Ok(Need::Secret(app.secrets.secret))),
        };
        let tokens = self.0.slots.slot(tokens);
        match self.valid(&tokens).await {
            Ok(token) => Ok(Ok(Need::Token { call, tokens, token: token.value.clone() })),
            Err(CredentialError::Store(error)) => Err(CredentialError::Store(error)),
            Err(error) => Ok(Err(Miss::NoToken(error))),
        }
    }

    /// Asks for the value of this slot.
    pub(super) async fn ask(&self, slot: &Slot, need: &Need, demand: &Demand, force: bool) -> Result<Issued, Miss> {
        let secret = match need {
            Need::Secret(secret) => secret,
            Need::Token { call, tokens, token } => return self.ask_for_ticket(&call(token), tokens, token).await,
        };
        let issued = self.ask_for_token(&slot.id, secret, force).await?;
        match &demand.want {
            // WeChat still calls the refused token current: only a forced refresh gives another.
            Want::Healed(dead) if slot.id.kind == Kind::Stable && same(&issued.value, dead) => {
                // It refuses to, when it was forced too often: then the one that it calls current is all there is.
                Ok(self.ask_for_token(&slot.id, secret, true).await.unwrap_or(issued))
            }
            _ => Ok(issued),
        }
    }

    /// Asks for a token with this secret. WeCom gives the same token until its very end: one that is about to end is
    /// waited out, and the next one asked for.
    pub(super) async fn ask_for_token(&self, id: &SlotId, secret: &SecretString, force: bool) -> Result<Issued, Miss> {
        let call = token_call(id.kind, &id.appid, secret, force);
        let mut issued = self.send(&call, read_access_token).await?;
        if id.kind == Kind::Wecom && issued.expires_in <= LAST_SECONDS {
            tokio::time::sleep(Duration::from_secs(u64::from(issued.expires_in) + 1)).await;
            issued = self.send(&call, read_access_token).await?;
        }
        if issued.expires_in <= LAST_SECONDS {
            let reason = format!("{}: the token has no time left (expires_in {})", call.path, issued.expires_in);
            return Err(Miss::NoAnswer(reason));
        }
        Ok(issued)
    }

    async fn ask_for_ticket(&self, call: &Call, tokens: &Arc<Slot>, token: &SecretString) -> Result<Issued, Miss> {
        match self.send(call, read_ticket).await {
            Err(Miss::Refused(error)) if error.errcode.class() == ErrorClass::TokenDead => {
                Err(Miss::DeadToken { error, tokens: Arc::clone(tokens), token: token.clone() })
            }
            other => other,
        }
    }

    async fn send(&self, call: &Call, read: fn(&[u8]) -> Result<Issued, AnswerError>) -> Result<Issued, Miss> {
        self.0.upstream.ask(call, read).await.map_err(|error| match error {
            AskError::Answer(AnswerError::Refused(error)) => Miss::Refused(error),
            AskError::Answer(error) => Miss::NoAnswer(format!("{}: {error}", call.path)),
            AskError::NoAnswer(error) => Miss::NoAnswer(error.to_string()),
        })
    }
}

fn token_call(kind: Kind, appid: &Appid, secret: &SecretString, force: bool) -> Call {
    match kind {
        Kind::Classic => Call::classic_token(appid, secret),
        Kind::Wecom => Call::wecom_token(appid, secret),
        Kind::Stable | Kind::Jsapi | Kind::WxCard | Kind::CorpJsapi | Kind::Agent => {
            Call::stable_token(appid, secret, force)
        }
    }
}
