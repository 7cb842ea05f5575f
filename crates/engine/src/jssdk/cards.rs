//! Signatures of cards: what a page passes to `wx.addCard` and `wx.chooseCard`.

use secrecy::ExposeSecret;
use serde::Serialize;
use wechat::card::{AddCard, ChooseCard};

use super::Jssdk;
use crate::apps::{Registered, Wanted};
use crate::credential_error::CredentialError;
use crate::random::nonce;

/// Which card, and what else is signed with it. All as WeChat names it.
#[derive(Debug, Clone, Copy, Default)]
pub struct CardAsk<'a> {
    /// Which card.
    pub card_id: &'a str,
    /// The card's number, when the merchant makes them.
    pub code: Option<&'a str>,
    /// Who may take it, when it is bound to one user.
    pub openid: Option<&'a str>,
    /// The scene; not signed.
    pub outer_str: Option<&'a str>,
    /// When the card counts as taken, Unix seconds; not signed.
    pub fixed_begintimestamp: Option<i64>,
    /// For choosing: which shop (`shopId`).
    pub location_id: Option<&'a str>,
    /// For choosing: which type of card.
    pub card_type: Option<&'a str>,
}

/// What a page needs: `wx.addCard({cardList: [it]})`, and `wx.chooseCard(it)`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SignedCard<'a> {
    card_id: &'a str,
    /// JSON in a text, as `wx.addCard` wants it.
    card_ext: String,
    shop_id: &'a str,
    card_type: &'a str,
    timestamp: i64,
    nonce_str: String,
    sign_type: &'static str,
    card_sign: String,
}

impl Jssdk {
    /// Signs for one card.
    ///
    /// # Errors
    /// [`CredentialError`] when no ticket is to be had.
    pub async fn card<'a>(
        &self,
        registered: &Registered,
        ask: &CardAsk<'a>,
    ) -> Result<SignedCard<'a>, CredentialError> {
        let ticket = self.ticket(registered, Wanted::CardTicket).await?;
        let api_ticket = ticket.value.expose_secret();
        let timestamp = self.foundation.clock.now().as_seconds();
        let nonce_str = nonce(&*self.foundation.random);
        let add = AddCard {
            api_ticket,
            timestamp,
            nonce_str: &nonce_str,
            card_id: ask.card_id,
            code: ask.code,
            openid: ask.openid,
            outer_str: ask.outer_str,
            fixed_begintimestamp: ask.fixed_begintimestamp,
        };
        let choose = ChooseCard {
            api_ticket,
            app_id: registered.appid.as_str(),
            location_id: ask.location_id,
            timestamp,
            nonce_str: &nonce_str,
            card_id: Some(ask.card_id),
            card_type: ask.card_type,
        };
        let (card_ext, card_sign) = (add.card_ext(), choose.card_sign());
        Ok(SignedCard {
            card_id: ask.card_id,
            card_ext,
            shop_id: ask.location_id.unwrap_or_default(),
            card_type: ask.card_type.unwrap_or_default(),
            timestamp,
            sign_type: "SHA1",
            card_sign,
            nonce_str,
        })
    }
}
