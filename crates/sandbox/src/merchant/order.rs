//! Orders: what was ordered, by which prepay ids and codes it can be paid, and whether it was.
//!
//! Made by `platform/pay_v2` and `pay_v3`, paid through `checkout`. States: `NOTPAY` to `SUCCESS` (`REFUND` once there
//! is one), or to `CLOSED`; an order past its end is not paid any more and stays `NOTPAY` until it is closed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::sign_v2::SignType;
use crate::clock::Time;

/// How long a `prepay_id` and a `code_url` can be paid with, in seconds.
pub(crate) const PREPAY_SECS: u64 = 2 * 3600;
/// How long a `mweb_url` can be opened, in seconds.
pub(crate) const MWEB_SECS: u64 = 300;
/// How long an order without `time_expire` can be paid, in seconds.
pub(crate) const LIFETIME_SECS: u64 = 7 * 86_400;
/// Prepay ids that an order remembers.
const MOST_PREPAYS: usize = 50;

/// How an order is paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum TradeType {
    /// On a page in WeChat, or in a mini program.
    Jsapi,
    /// By a QR code.
    Native,
    /// In an app.
    App,
    /// On a page outside WeChat (H5).
    Mweb,
}

impl TradeType {
    /// The name that v2 and answers of v3 use.
    pub(crate) fn name(self) -> &'static str {
        match self {
            TradeType::Jsapi => "JSAPI",
            TradeType::Native => "NATIVE",
            TradeType::App => "APP",
            TradeType::Mweb => "MWEB",
        }
    }

    /// The trade type of a v2 order.
    pub(crate) fn parse(text: &str) -> Option<TradeType> {
        [TradeType::Jsapi, TradeType::Native, TradeType::App, TradeType::Mweb].into_iter().find(|t| t.name() == text)
    }
}

/// By which API something was asked for; notifications come in its format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "api", rename_all = "snake_case")]
pub(crate) enum Origin {
    V2 { sign_type: SignType },
    V3,
}

/// A coupon that was used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Coupon {
    /// What it is worth, in fen.
    pub amount: u64,
    /// Recharged (`CASH`) or not (`NO_CASH`, which lowers what is settled).
    #[serde(default = "cash")]
    pub cash: bool,
    /// The coupon's id; made up when absent.
    #[serde(default)]
    pub id: Option<String>,
}

fn cash() -> bool {
    true
}

/// How an order was paid.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Payment {
    pub(crate) transaction_id: String,
    pub(crate) openid: String,
    pub(crate) bank_type: String,
    pub(crate) time: Time,
    pub(crate) coupons: Vec<Coupon>,
}

impl Payment {
    /// What coupons paid, in fen.
    pub(crate) fn discount(&self) -> u64 {
        self.coupons.iter().map(|coupon| coupon.amount).sum()
    }

    /// What coupons paid that were not recharged, in fen: it is not settled.
    pub(crate) fn unsettled(&self) -> u64 {
        self.coupons.iter().filter(|coupon| !coupon.cash).map(|coupon| coupon.amount).sum()
    }
}

/// Where an order is.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub(crate) enum OrderState {
    Unpaid,
    Paid(Payment),
    Closed { closed: Time },
}

/// A prepay id.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Prepay {
    pub(crate) id: String,
    pub(crate) issued: Time,
}

/// What an order is made from; checked already.
#[derive(Clone, Debug)]
pub(crate) struct OrderWish {
    pub(crate) mch_id: String,
    pub(crate) appid: String,
    pub(crate) out_trade_no: String,
    pub(crate) origin: Origin,
    pub(crate) trade_type: TradeType,
    pub(crate) description: String,
    pub(crate) attach: String,
    pub(crate) device_info: String,
    /// In fen.
    pub(crate) total: u64,
    /// Of the payer, under `appid`; of JSAPI orders.
    pub(crate) openid: Option<String>,
    pub(crate) notify_url: String,
    pub(crate) expires: Option<Time>,
    /// All that has to be the same when the number is used again.
    pub(crate) parameters: BTreeMap<String, String>,
}

/// An order.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Order {
    /// In the order in which they were made.
    pub(crate) number: u64,
    pub(crate) mch_id: String,
    pub(crate) appid: String,
    pub(crate) out_trade_no: String,
    #[serde(flatten)]
    pub(crate) origin: Origin,
    pub(crate) trade_type: TradeType,
    pub(crate) description: String,
    pub(crate) attach: String,
    pub(crate) device_info: String,
    pub(crate) total: u64,
    pub(crate) openid: Option<String>,
    pub(crate) notify_url: String,
    pub(crate) created: Time,
    pub(crate) expires: Time,
    #[serde(skip)]
    pub(crate) parameters: BTreeMap<String, String>,
    /// The latest is the last.
    pub(crate) prepays: Vec<Prepay>,
    /// The end of the one `code_url` that works.
    pub(crate) code: Option<String>,
    /// What the one `mweb_url` that works has as `package`.
    pub(crate) package: Option<String>,
    /// The payer is typing the password: it cannot be closed now.
    pub(crate) paying: bool,
    #[serde(flatten)]
    pub(crate) state: OrderState,
    /// Refunds that were accepted, closed ones too.
    pub(crate) refunds: u64,
}

impl Order {
    pub(crate) fn new(wish: OrderWish, number: u64, now: Time) -> Order {
        let minute = now.plus_secs(60);
        Order {
            number,
            mch_id: wish.mch_id,
            appid: wish.appid,
            out_trade_no: wish.out_trade_no,
            origin: wish.origin,
            trade_type: wish.trade_type,
            description: wish.description,
            attach: wish.attach,
            device_info: wish.device_info,
            total: wish.total,
            openid: wish.openid,
            notify_url: wish.notify_url,
            created: now,
            expires: wish.expires.map_or_else(|| now.plus_secs(LIFETIME_SECS), |expires| expires.max(minute)),
            parameters: wish.parameters,
            prepays: Vec::new(),
            code: None,
            package: None,
            paying: false,
            state: OrderState::Unpaid,
            refunds: 0,
        }
    }

    /// Whether the time to pay is over.
    pub(crate) fn is_expired(&self, now: Time) -> bool {
        now >= self.expires
    }

    /// Gives out new credentials; the code and the H5 page before them die.
    pub(crate) fn issue(&mut self, now: Time) {
        let (id, code, package) = (super::ids::prepay_id(now), super::ids::code_tail(), crate::chance::digits(10));
        if self.prepays.len() >= MOST_PREPAYS {
            self.prepays.remove(0);
        }
        self.prepays.push(Prepay { id, issued: now });
        self.code = (self.trade_type == TradeType::Native).then_some(code);
        self.package = (self.trade_type == TradeType::Mweb).then_some(package);
    }

    /// The latest prepay id.
    pub(crate) fn prepay(&self) -> Option<&Prepay> {
        self.prepays.last()
    }

    /// `weixin://wxpay/bizpayurl?pr=…`.
    pub(crate) fn code_url(&self) -> Option<String> {
        self.code.as_ref().map(|code| format!("{CODE_URL}{code}"))
    }

    /// The address of the page that a browser outside WeChat pays on. WeChat's own is at wx.tenpay.com.
    pub(crate) fn mweb_url(&self, origin: &str) -> Option<String> {
        let (prepay, package) = (&self.prepay()?.id, self.package.as_ref()?);
        Some(format!("{origin}/cgi-bin/mmpayweb-bin/checkmweb?prepay_id={prepay}&package={package}"))
    }

    pub(crate) fn payment(&self) -> Option<&Payment> {
        if let OrderState::Paid(payment) = &self.state { Some(payment) } else { None }
    }

    /// `trade_state`, and its description.
    pub(crate) fn trade_state(&self) -> (&'static str, &'static str) {
        match (&self.state, self.refunds) {
            (OrderState::Unpaid, _) => ("NOTPAY", "订单未支付"),
            (OrderState::Closed { .. }, _) => ("CLOSED", "订单已关闭"),
            (OrderState::Paid(_), 0) => ("SUCCESS", "支付成功"),
            (OrderState::Paid(_), _) => ("REFUND", "订单发生过退款，退款详情请查询退款单"),
        }
    }
}

/// What stands before the end of a `code_url`.
pub(crate) const CODE_URL: &str = "weixin://wxpay/bizpayurl?pr=";
