//! JSSDK: what lets a web page call WeChat's JavaScript API, and cards.
//!
//! * [`page`]: which page is signed for;
//! * [`names`]: which interfaces it may ask for;
//! * [`cards`]: signatures of cards.
//!
//! Called by `server` for `/js/config`, `/qyjs/config` and `/js/card`. A signature with a ticket from memory takes no lock,
//! asks no database and waits for nothing. What must stay true: a public server signs for pages of allowed hosts only.

pub mod cards;
pub mod names;
pub mod page;

use std::fmt::Write;
use std::sync::Arc;

use secrecy::ExposeSecret;
use wechat::jssdk::signature;

use self::names::Names;
use crate::apps::{Registered, Wanted};
use crate::credential_error::CredentialError;
use crate::credentials::Credentials;
use crate::foundation::Foundation;
use crate::random::nonce;
use crate::slot::Current;

/// Signs for pages. Cheap to clone.
#[derive(Clone)]
pub struct Jssdk {
    foundation: Arc<Foundation>,
    credentials: Credentials,
}

/// One signature, and what was signed beside the page's address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// Unix seconds.
    pub timestamp: i64,
    /// A random text.
    pub nonce_str: String,
    /// Lower-case hex.
    pub signature: String,
}

impl Jssdk {
    /// A signer on this foundation.
    #[must_use]
    pub fn new(foundation: Arc<Foundation>, credentials: Credentials) -> Self {
        Self { foundation, credentials }
    }

    /// Signs `page` with the ticket that is in memory; `None` when there is none.
    #[must_use]
    pub fn ready(&self, registered: &Registered, ticket: Wanted, page: &str) -> Option<Signed> {
        let slot = registered.slot(ticket, &self.foundation.slots);
        let current = slot.valid(self.foundation.clock.now())?;
        slot.mark_used();
        Some(self.sign(&current, page))
    }

    /// Signs `page`, with a new ticket if need be.
    ///
    /// # Errors
    /// [`CredentialError`] when no ticket is to be had.
    pub async fn signed(&self, registered: &Registered, ticket: Wanted, page: &str) -> Result<Signed, CredentialError> {
        let current = self.ticket(registered, ticket).await?;
        Ok(self.sign(&current, page))
    }

    async fn ticket(&self, registered: &Registered, ticket: Wanted) -> Result<Arc<Current>, CredentialError> {
        let slot = registered.slot(ticket, &self.foundation.slots);
        let current = self.credentials.valid(slot).await?;
        slot.mark_used();
        Ok(current)
    }

    fn sign(&self, ticket: &Current, page: &str) -> Signed {
        let timestamp = self.foundation.clock.now().as_seconds();
        let nonce_str = nonce(&*self.foundation.random);
        let signature = signature(ticket.value.expose_secret(), &nonce_str, timestamp, page);
        Signed { timestamp, nonce_str, signature }
    }
}

impl Signed {
    /// The argument of `wx.config` as JSON: `debug`, `appId`, `timestamp`, `nonceStr`, `signature`, `jsApiList`, `openTagList`;
    /// for WeCom `beta` too.
    #[must_use]
    pub fn wx_config(&self, registered: &Registered, names: &Names, debug: bool, is_corp: bool) -> String {
        let mut json = String::with_capacity(names.apis.len() + names.tags.len() + 256);
        let beta = if is_corp { "\"beta\":true," } else { "" };
        // Writing into a text cannot fail; none of these values needs an escape.
        let _ = write!(
            json,
            "{{{beta}\"debug\":{debug},\"appId\":\"{}\",\"timestamp\":{},\"nonceStr\":\"{}\",\"signature\":\"{}\",\
             \"jsApiList\":{},\"openTagList\":{}}}",
            registered.appid, self.timestamp, self.nonce_str, self.signature, names.apis, names.tags
        );
        json
    }

    /// The argument of WeCom's `wx.agentConfig` as JSON, without its callbacks.
    #[must_use]
    pub fn agent_config(&self, registered: &Registered, agentid: &str, names: &Names) -> String {
        format!(
            "{{\"corpid\":\"{}\",\"agentid\":\"{agentid}\",\"timestamp\":{},\"nonceStr\":\"{}\",\"signature\":\"{}\",\
             \"jsApiList\":{}}}",
            registered.appid, self.timestamp, self.nonce_str, self.signature, names.apis
        )
    }
}
