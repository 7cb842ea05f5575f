//! The signatures of cards and coupons: what a page passes to `wx.addCard` and `wx.chooseCard`.
//!
//! Source: "JS-SDK", appendix 4 (card signatures) of the official account documents. The ticket is that of type `wx_card`
//! ([`TicketKind::WxCard`](crate::calls::TicketKind::WxCard)). Used by whoever answers `/js/card`.
//!
//! What must stay true: the values are signed, not their names, and each exactly as it is sent: a ticket is not even trimmed.

use serde::Serialize;

use crate::signature::sorted_sha1;

/// The rule of all card signatures: the values that are not empty, in byte-wise ascending order, joined by nothing; of that
/// the SHA-1 as lower-case hex.
#[must_use]
pub fn signature(values: &[&str]) -> String {
    sorted_sha1(&mut values.to_vec())
}

/// What `wx.addCard` needs for one card. `None` and an empty text are the same: not there.
#[derive(Clone, Copy)]
pub struct AddCard<'a> {
    /// The ticket of type `wx_card`.
    pub api_ticket: &'a str,
    /// Unix seconds.
    pub timestamp: i64,
    /// A random text.
    pub nonce_str: &'a str,
    /// Which card.
    pub card_id: &'a str,
    /// The card's number; only for cards whose numbers the merchant makes.
    pub code: Option<&'a str>,
    /// Who may take it; only for cards that are bound to one user.
    pub openid: Option<&'a str>,
    /// The scene, which comes back in the event `user_get_card`; not signed.
    pub outer_str: Option<&'a str>,
    /// When the card counts as taken, in Unix seconds; not signed.
    pub fixed_begintimestamp: Option<i64>,
}

impl AddCard<'_> {
    /// `signature` of this card.
    #[must_use]
    pub fn signature(&self) -> String {
        let (code, openid) = (self.code.unwrap_or_default(), self.openid.unwrap_or_default());
        signature(&[self.api_ticket, &self.timestamp.to_string(), self.nonce_str, self.card_id, code, openid])
    }

    /// `cardExt`: a text that is JSON itself, with the signature in it. What is not there is left out.
    #[must_use]
    pub fn card_ext(&self) -> String {
        let present = |text: Option<&str>| text.filter(|text| !text.is_empty()).map(str::to_owned);
        let ext = CardExt {
            code: present(self.code),
            openid: present(self.openid),
            timestamp: self.timestamp.to_string(),
            nonce_str: self.nonce_str,
            fixed_begintimestamp: self.fixed_begintimestamp,
            outer_str: present(self.outer_str),
            signature: self.signature(),
        };
        // Texts and an integer are always JSON.
        serde_json::to_string(&ext).unwrap_or_default()
    }
}

/// The members of `cardExt`, in the document's order. The timestamp is a text there.
#[derive(Serialize)]
struct CardExt<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    openid: Option<String>,
    timestamp: String,
    nonce_str: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    fixed_begintimestamp: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    outer_str: Option<String>,
    signature: String,
}

/// What `wx.chooseCard` needs. `None` and an empty text are the same: not there.
#[derive(Clone, Copy)]
pub struct ChooseCard<'a> {
    /// The ticket of type `wx_card`.
    pub api_ticket: &'a str,
    /// The account.
    pub app_id: &'a str,
    /// The shop (`shopId` in the page).
    pub location_id: Option<&'a str>,
    /// Unix seconds.
    pub timestamp: i64,
    /// A random text.
    pub nonce_str: &'a str,
    /// Only this card.
    pub card_id: Option<&'a str>,
    /// Only cards of this type, e.g. `GROUPON`.
    pub card_type: Option<&'a str>,
}

impl ChooseCard<'_> {
    /// `cardSign`; the page passes it with `signType` `SHA1`.
    #[must_use]
    pub fn card_sign(&self) -> String {
        let [location_id, card_id, card_type] =
            [self.location_id, self.card_id, self.card_type].map(Option::unwrap_or_default);
        let timestamp = self.timestamp.to_string();
        signature(&[self.api_ticket, self.app_id, location_id, &timestamp, self.nonce_str, card_id, card_type])
    }
}
