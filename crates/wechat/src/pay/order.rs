//! What a team wants to be paid for.
//!
//! Made by the engine of what a backend asked, turned into a call by [`Merchant::order`](super::Merchant::order). What
//! must stay true: the same order makes the same parameters each time, because WeChat takes a repetition only if
//! nothing differs.

use std::collections::BTreeMap;

use super::{Fee, OutTradeNo};

/// How the payer pays; the names are v2's, whatever version is used.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum TradeType {
    /// In WeChat's browser or a mini program; needs the payer's openid.
    Jsapi,
    /// A QR code that is scanned with WeChat.
    Native,
    /// From a native app.
    App,
    /// In another mobile browser (H5); needs `scene_info`.
    Mweb,
}

impl TradeType {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Jsapi, Self::Native, Self::App, Self::Mweb];

    /// Reads v2's name, e.g. `JSAPI`.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// v2's name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Jsapi => "JSAPI",
            Self::Native => "NATIVE",
            Self::App => "APP",
            Self::Mweb => "MWEB",
        }
    }
}

/// An order, in v2's flat names whatever version is used.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Order {
    /// The account that the payment belongs to.
    pub appid: String,
    /// The merchant's number of the order.
    pub out_trade_no: OutTradeNo,
    /// How the payer pays.
    pub trade_type: TradeType,
    /// How much, in fen.
    pub total_fee: Fee,
    /// What for, as the payer reads it: 1 to 127 characters.
    pub body: String,
    /// Who pays; JSAPI needs it.
    pub openid: Option<String>,
    /// The payer's address (`spbill_create_ip`), IPv4 or IPv6; for NATIVE the server's.
    pub client_ip: String,
    /// Where WeChat sends the notification: a URL without query.
    pub notify_url: String,
    /// All other parameters, by v2's names; for v3 also by v3's own. Empty ones do not count.
    pub others: BTreeMap<String, String>,
}
