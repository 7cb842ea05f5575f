//! What `/pay` is asked for: its parameters, checked, in the names of WeChat's order API (v2), whatever version is used.
//!
//! `(name, value)` pairs go in, an [`OrderAsk`] comes out that can be placed. What must stay true: nothing that signs or
//! names another merchant passes through; the same parameters give the same [`OrderAsk::content`], whoever sends them.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use store::Timestamp;
use wechat::pay::{Fee, Order, OutTradeNo, TradeType};

use crate::apps::parameters::MAX_CALLS;
use crate::apps::{Registered, app_path};
use crate::backends::{CallProblem, CallUrls};
use crate::random::Random;

/// What an order is called when nobody says, as the program of 2017 did.
const NAME: &str = "微信支付";

/// Parameters that are ours, or that are filled in: they never reach WeChat as they came. (`notify_url` means `call`,
/// as it did in 2017: WeChat itself always notifies the proxy.)
const OURS: [&str; 23] = [
    "appid",
    "body",
    "call",
    "fee",
    "format",
    "key",
    "mch_id",
    "mch_key",
    "mchid",
    "name",
    "nonce_str",
    "notify_url",
    "openid",
    "out_trade_no",
    "server_ip",
    "sign",
    "sign_type",
    "size",
    "spbill_create_ip",
    "timestamp",
    "total_fee",
    "trade_type",
    "var",
];

/// Why an order cannot be placed as it was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AskProblem {
    /// A parameter; the text says what is wrong with it.
    #[error("{0}")]
    Parameter(String),
    /// Its `call`.
    #[error(transparent)]
    Call(#[from] CallProblem),
}

/// From where an order is asked for, and how.
#[derive(Debug, Clone, Copy)]
pub struct Circumstances<'a> {
    /// The kind of payment that this path makes, unless the caller says otherwise.
    pub trade_type: Option<TradeType>,
    /// The cookie `openid`, if there is one.
    pub cookie: Option<&'a str>,
    /// Whose request it is.
    pub client: IpAddr,
    /// Where the world finds this server, without `/` at the end.
    pub base: &'a str,
}

/// An order as it was asked for: what is written down, and sent again exactly so if it must be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderAsk {
    /// The merchant's number for it.
    pub out_trade_no: String,
    /// `JSAPI`, `NATIVE`, `APP` or `MWEB`.
    pub trade_type: String,
    /// In fen.
    pub total_fee: u32,
    /// What the payer reads.
    pub body: String,
    /// The payer, where he is known.
    pub openid: Option<String>,
    /// The payer's address, or the server's.
    pub client_ip: String,
    /// Where WeChat notifies the proxy.
    pub notify_url: String,
    /// All other parameters, by WeChat's names.
    pub others: BTreeMap<String, String>,
    /// Who is told of the payment.
    pub calls: Vec<String>,
}

impl OrderAsk {
    /// Reads the parameters of an order.
    ///
    /// # Errors
    /// [`AskProblem`].
    pub fn read(
        pairs: &[(String, String)],
        registered: &Registered,
        call_urls: &CallUrls,
        circumstances: &Circumstances<'_>,
        (now, random): (Timestamp, &dyn Random),
    ) -> Result<Self, AskProblem> {
        let given = Given { pairs };
        given.refuse_repeated()?;
        given.refuse_other("appid", Some(registered.appid.as_str()))?;
        given.refuse_other("mch_id", registered.app.settings.mch_id.as_deref())?;
        given.refuse_other("mchid", registered.app.settings.mch_id.as_deref())?;
        let total_fee = given.fee()?;
        let trade_type = given.trade_type(circumstances)?;
        let openid = given.openid(trade_type, circumstances.cookie)?;
        let out_trade_no = match given.value("out_trade_no") {
            Some(text) => OutTradeNo::parse(text).map_err(|error| AskProblem::Parameter(error.to_string()))?,
            None => new_number(now, random)?,
        };
        let others = given.others(trade_type, &out_trade_no, circumstances.base);
        let calls = given.calls();
        Ok(Self {
            out_trade_no: out_trade_no.as_str().to_owned(),
            trade_type: trade_type.as_str().to_owned(),
            total_fee: total_fee.fen(),
            body: given.value("body").or(given.value("name")).unwrap_or(NAME).to_owned(),
            openid,
            client_ip: given.client_ip(trade_type, registered, circumstances.client),
            notify_url: notify_url(circumstances.base, &registered.app.key, "/pay/notify"),
            others,
            calls: call_urls.of_payment(&calls, registered)?,
        })
    }

    /// What was asked, as a hash: the same number with the same content is the same order. The caller's address and this
    /// server's own are left out, because they may differ when somebody asks again.
    #[must_use]
    pub fn content(&self, appid: &str) -> [u8; 32] {
        let fee = self.total_fee.to_string();
        let openid = self.openid.as_deref().unwrap_or_default();
        let fixed = [appid, &self.out_trade_no, &self.trade_type, &fee, &self.body, openid];
        let others = self.others.iter().flat_map(|(name, value)| [name.as_str(), value.as_str()]);
        let mut hash = Sha256::new();
        for text in fixed.into_iter().chain(others).chain(self.calls.iter().map(String::as_str)) {
            hash.update(u64::try_from(text.len()).unwrap_or(u64::MAX).to_be_bytes());
            hash.update(text);
        }
        hash.finalize().into()
    }

    /// As the protocol takes it.
    ///
    /// # Errors
    /// What is wrong with it, when it was written down by another version of this program.
    pub fn order(&self, appid: &str) -> Result<Order, AskProblem> {
        let wrong = |text: String| AskProblem::Parameter(text);
        Ok(Order {
            appid: appid.to_owned(),
            out_trade_no: OutTradeNo::parse(&self.out_trade_no).map_err(|error| wrong(error.to_string()))?,
            trade_type: TradeType::parse(&self.trade_type).ok_or_else(|| wrong(WRONG_TRADE_TYPE.to_owned()))?,
            total_fee: Fee::parse(&self.total_fee.to_string()).map_err(|error| wrong(error.to_string()))?,
            body: self.body.clone(),
            openid: self.openid.clone(),
            client_ip: self.client_ip.clone(),
            notify_url: self.notify_url.clone(),
            others: self.others.clone(),
        })
    }
}

const WRONG_TRADE_TYPE: &str = "trade_type is JSAPI, NATIVE, APP or MWEB";

const NO_OPENID: &str = "openid is missing: a payment inside WeChat needs the payer's openid under this account; give openid=…, \
                         or lead the visitor through /auth first";

/// Where WeChat notifies the proxy of what happens to payments of this registration.
#[must_use]
pub fn notify_url(base: &str, key: &str, path: &str) -> String {
    format!("{base}{}", app_path(key, path))
}

/// Time and chance: 14 digits of Beijing time, so that people find it in WeChat's lists, and 18 of chance.
fn new_number(now: Timestamp, random: &dyn Random) -> Result<OutTradeNo, AskProblem> {
    let mut bytes = [0; 9];
    random.fill(&mut bytes);
    let number = format!("{}{}", wechat::pay::time::compact(now.as_seconds()), hex::encode(bytes));
    OutTradeNo::parse(&number).map_err(|error| AskProblem::Parameter(error.to_string()))
}

pub(super) struct Given<'a> {
    pub(super) pairs: &'a [(String, String)],
}

impl<'a> Given<'a> {
    fn value(&self, name: &str) -> Option<&'a str> {
        let value = self.pairs.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        value.filter(|value| !value.is_empty())
    }

    pub(super) fn refuse_repeated(&self) -> Result<(), AskProblem> {
        for (place, (name, _)) in self.pairs.iter().enumerate() {
            if name != "call" && self.pairs.iter().take(place).any(|(earlier, _)| earlier == name) {
                return Err(AskProblem::Parameter(format!("{} is given twice; give it once", shown(name))));
            }
        }
        Ok(())
    }

    pub(super) fn refuse_other(&self, name: &str, registered: Option<&str>) -> Result<(), AskProblem> {
        match self.value(name) {
            Some(given) if registered != Some(given) => Err(AskProblem::Parameter(format!(
                "{name} is another than the registered one; leave it out, or use the registration that it belongs to"
            ))),
            _ => Ok(()),
        }
    }

    fn fee(&self) -> Result<Fee, AskProblem> {
        let (fee, total_fee) = (self.value("fee"), self.value("total_fee"));
        if fee.is_some() && total_fee.is_some() && fee != total_fee {
            return Err(AskProblem::Parameter(
                "fee and total_fee are the same thing and differ; give one of them".into(),
            ));
        }
        Fee::parse(fee.or(total_fee).unwrap_or_default())
            .map_err(|error| AskProblem::Parameter(format!("fee: {error}")))
    }

    /// Who names a payer means a payment inside WeChat; else it is the QR code, as in 2017.
    fn trade_type(&self, circumstances: &Circumstances<'_>) -> Result<TradeType, AskProblem> {
        let given = self.value("trade_type").map(|text| TradeType::parse(text).ok_or(WRONG_TRADE_TYPE)).transpose();
        let given = given.map_err(|text| AskProblem::Parameter(text.to_owned()))?;
        match (given, circumstances.trade_type) {
            (Some(given), Some(wanted)) if given != wanted => Err(AskProblem::Parameter(format!(
                "this path makes {} orders; ask /pay for other kinds, with trade_type={}",
                wanted.as_str(),
                given.as_str()
            ))),
            (Some(given), _) => Ok(given),
            (None, Some(wanted)) => Ok(wanted),
            (None, None) if self.value("openid").is_some() => Ok(TradeType::Jsapi),
            (None, None) => Ok(TradeType::Native),
        }
    }

    fn openid(&self, trade_type: TradeType, cookie: Option<&str>) -> Result<Option<String>, AskProblem> {
        let openid = self.value("openid").or(cookie.filter(|_| trade_type == TradeType::Jsapi));
        match openid {
            None if trade_type == TradeType::Jsapi => Err(AskProblem::Parameter(NO_OPENID.to_owned())),
            Some(openid) if openid.len() > 128 || !openid.bytes().all(|b| b.is_ascii_graphic()) => {
                Err(AskProblem::Parameter("openid is at most 128 letters and digits, as WeChat gave it".to_owned()))
            }
            openid => Ok(openid.map(str::to_owned)),
        }
    }

    /// Of a payer at his own device it is his; else this server's.
    fn client_ip(&self, trade_type: TradeType, registered: &Registered, client: IpAddr) -> String {
        if let Some(given) = self.value("spbill_create_ip") {
            return given.to_owned();
        }
        let server = self.value("server_ip").or(registered.app.settings.server_ip.as_deref());
        match (trade_type, server) {
            (TradeType::Native, Some(server)) => server.to_owned(),
            (_, Some(server)) if client.is_loopback() => server.to_owned(),
            _ => client.to_string(),
        }
    }

    fn others(&self, trade_type: TradeType, number: &OutTradeNo, base: &str) -> BTreeMap<String, String> {
        let passed = self.pairs.iter().filter(|(name, value)| !value.is_empty() && !OURS.contains(&name.as_str()));
        let mut others: BTreeMap<String, String> = passed.cloned().collect();
        match trade_type {
            // WeChat wants one; it has a meaning for the merchant only.
            TradeType::Native => _ = others.entry("product_id".to_owned()).or_insert(number.as_str().to_owned()),
            TradeType::Mweb => {
                let scene =
                    serde_json::json!({"h5_info": {"type": "Wap", "wap_url": base, "wap_name": "wechat-proxy"}});
                others.entry("scene_info".to_owned()).or_insert(scene.to_string());
            }
            TradeType::Jsapi | TradeType::App => {}
        }
        others
    }

    fn calls(&self) -> Vec<&'a str> {
        let named =
            |name: &'static str| self.pairs.iter().filter(move |(known, value)| known == name && !value.is_empty());
        let mut calls: Vec<&str> = named("call").map(|(_, value)| value.as_str()).take(MAX_CALLS + 1).collect();
        if calls.is_empty() {
            calls.extend(named("notify_url").map(|(_, value)| value.as_str()));
        }
        calls
    }
}

/// A name that no parameter could have may be a piece of a value: it is not repeated.
pub(super) fn shown(name: &str) -> &str {
    let is_plain = name.len() <= 32 && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    if is_plain { name } else { "a parameter" }
}
