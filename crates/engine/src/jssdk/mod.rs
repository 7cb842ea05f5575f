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

    /// Signs `page` with the ticket that is in memory; `None` when there is none ([`Jssdk::warm`]).
    #[must_use]
    pub fn sign(&self, registered: &Registered, ticket: Wanted, page: &str) -> Option<Signed> {
        let slot = registered.slot(ticket, &self.foundation.slots);
        let now = self.foundation.clock.now();
        let current = slot.valid(now)?;
        slot.mark_used();
        let nonce_str = nonce(&*self.foundation.random);
        let signature = signature(current.value.expose_secret(), &nonce_str, now.as_seconds(), page);
        Some(Signed { timestamp: now.as_seconds(), nonce_str, signature })
    }

    /// Brings a ticket into memory, if there is none that is good.
    ///
    /// # Errors
    /// [`CredentialError`] when none is to be had.
    pub async fn warm(&self, registered: &Registered, ticket: Wanted) -> Result<(), CredentialError> {
        self.ticket(registered, ticket).await.map(drop)
    }

    async fn ticket(&self, registered: &Registered, ticket: Wanted) -> Result<Arc<Current>, CredentialError> {
        let slot = registered.slot(ticket, &self.foundation.slots);
        let current = self.credentials.valid(slot).await?;
        slot.mark_used();
        Ok(current)
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
