//! What WeChat's client checks before somebody pays: codes, prepay ids, what a page or an app hands over; and the
//! sheet.
//!
//! Used by the phone (control API, JSSDK bridge) and by the H5 page. Source: the invocation pages of both APIs. The
//! texts are those that people see; which of them the real client shows when is unconfirmed.

use serde::{Deserialize, Serialize};

use super::holder::MerchantHolder;
use super::order::{CODE_URL, MWEB_SECS, Order, Origin, PREPAY_SECS, TradeType};
use super::sign_v2::sign;
use super::sign_v3::lines;
use super::store::{Merchants, NotPaid};
use crate::clock::Time;

/// By what an order is named: give one of them.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Means {
    /// What the scanner read.
    pub(crate) code_url: Option<String>,
    /// Without a check of who calls: for tests.
    pub(crate) prepay_id: Option<String>,
    pub(crate) mweb_url: Option<String>,
    /// The parameters of `getBrandWCPayRequest`.
    pub(crate) request: Option<PageRequest>,
    /// The parameters that an app gives to WeChat's SDK.
    pub(crate) app: Option<AppRequest>,
}

/// The parameters of `getBrandWCPayRequest`, as a page hands them over; others are passed over.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct PageRequest {
    app_id: String,
    #[serde(deserialize_with = "text")]
    time_stamp: String,
    nonce_str: String,
    package: String,
    sign_type: String,
    pay_sign: String,
}

/// The parameters of an app.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct AppRequest {
    appid: String,
    partnerid: String,
    prepayid: String,
    package: String,
    noncestr: String,
    #[serde(deserialize_with = "text")]
    timestamp: String,
    sign: String,
}

/// Why the client shows no sheet, or does not pay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Refused {
    /// What the person sees.
    pub(crate) text: &'static str,
    /// The same for who develops, with what to do.
    pub(crate) hint: String,
}

impl Refused {
    pub(crate) fn new(text: &'static str, hint: impl Into<String>) -> Refused {
        Refused { text, hint: hint.into() }
    }
}

impl From<NotPaid> for Refused {
    fn from(reason: NotPaid) -> Refused {
        match reason {
            NotPaid::Unknown => Refused::new("订单不存在", "there is no such order"),
            NotPaid::Paid => Refused::new("该订单已支付", "the order is paid already"),
            NotPaid::Closed => Refused::new("订单已关闭", "the order is closed; make another one"),
            NotPaid::Expired => Refused::new("订单已过期，请重新下单", "time_expire of the order has passed"),
            NotPaid::OtherPayer => Refused::new(
                "下单账号与支付账号不一致，请核实后再支付",
                "the order was made for another openid than that of whoever pays",
            ),
            NotPaid::TooManyCoupons => {
                Refused::new("优惠金额超过订单金额", "the coupons are worth more than the order")
            }
        }
    }
}

/// What the pay sheet shows.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Sheet {
    pub(crate) mch_id: String,
    pub(crate) merchant_name: String,
    pub(crate) appid: String,
    pub(crate) out_trade_no: String,
    pub(crate) prepay_id: String,
    pub(crate) description: String,
    pub(crate) trade_type: TradeType,
    /// In fen.
    pub(crate) total: u64,
    pub(crate) currency: &'static str,
    pub(crate) state: &'static str,
    pub(crate) created: Time,
    pub(crate) expires: Time,
    /// Whom the order was made for.
    pub(crate) openid: Option<String>,
    /// Who would pay.
    pub(crate) payer: String,
    /// Why it cannot be paid.
    pub(crate) refused: Option<Refused>,
}

impl Merchants {
    /// The order that is named, once the client has checked what it was given.
    ///
    /// # Errors
    /// What the person sees instead of a sheet.
    pub(crate) fn named(&self, means: &Means, now: Time) -> Result<&Order, Refused> {
        let Means { code_url, prepay_id, mweb_url, request, app } = means;
        match (code_url, prepay_id, mweb_url, request, app) {
            (Some(code_url), None, None, None, None) => self.by_code(code_url, now),
            (None, Some(prepay_id), None, None, None) => self.by_prepay(prepay_id, now),
            (None, None, Some(mweb_url), None, None) => self.by_mweb(mweb_url, now),
            (None, None, None, Some(request), None) => self.by_page(request, now),
            (None, None, None, None, Some(request)) => self.by_app(request, now),
            _ => Err(Refused::new("参数错误", "give one of code_url, prepay_id, mweb_url, request, app")),
        }
    }

    /// What the pay sheet shows of an order to whoever would pay.
    pub(crate) fn sheet(&self, order: &Order, payer: String, now: Time) -> Sheet {
        let refused = Merchants::payable(order, &payer, now).err().map(Refused::from);
        Sheet {
            mch_id: order.mch_id.clone(),
            merchant_name: self.get(&order.mch_id).map(|holder| holder.name.clone()).unwrap_or_default(),
            appid: order.appid.clone(),
            out_trade_no: order.out_trade_no.clone(),
            prepay_id: order.prepay().map(|prepay| prepay.id.clone()).unwrap_or_default(),
            description: order.description.clone(),
            trade_type: order.trade_type,
            total: order.total,
            currency: "CNY",
            state: order.trade_state().0,
            created: order.created,
            expires: order.expires,
            openid: order.openid.clone(),
            payer,
            refused,
        }
    }

    fn by_code(&self, code_url: &str, now: Time) -> Result<&Order, Refused> {
        let dead = || {
            Refused::new(
                "二维码已失效，请刷新后重新扫码",
                "no order has this code_url any more: it is older than 2 hours, or the order was made once more",
            )
        };
        let code = code_url
            .trim()
            .strip_prefix(CODE_URL)
            .ok_or_else(|| Refused::new("无法识别的二维码", "a code_url begins with weixin://wxpay/bizpayurl?pr="))?;
        let order = self.all_orders().find(|order| order.code.as_deref() == Some(code)).ok_or_else(dead)?;
        let fresh = order.prepay().is_some_and(|prepay| prepay.issued.plus_secs(PREPAY_SECS) > now);
        if fresh { Ok(order) } else { Err(dead()) }
    }

    fn by_prepay(&self, prepay_id: &str, now: Time) -> Result<&Order, Refused> {
        let issued = |order: &Order| order.prepays.iter().find(|prepay| prepay.id == prepay_id).map(|p| p.issued);
        let found = self.all_orders().find_map(|order| issued(order).map(|issued| (order, issued)));
        let (order, issued) = found.ok_or_else(|| Refused::new("支付验证失败", "no order has this prepay_id"))?;
        if issued.plus_secs(PREPAY_SECS) > now {
            return Ok(order);
        }
        Err(Refused::new(
            "订单已失效，请重新下单",
            "the prepay_id is older than 2 hours; order with the same number again",
        ))
    }

    /// Also `redirect_url` and what else was put behind it is fine.
    fn by_mweb(&self, mweb_url: &str, now: Time) -> Result<&Order, Refused> {
        let url = reqwest::Url::parse(mweb_url).map_err(|_| Refused::new("参数错误", "mweb_url is no URL"))?;
        let param =
            |name: &str| url.query_pairs().find(|(known, _)| known == name).map(|(_, value)| value.into_owned());
        let (prepay, package) = (param("prepay_id").unwrap_or_default(), param("package").unwrap_or_default());
        self.opened(&prepay, &package, now)
    }

    /// The order of an H5 page.
    pub(crate) fn opened(&self, prepay_id: &str, package: &str, now: Time) -> Result<&Order, Refused> {
        let order = self.by_prepay(prepay_id, now)?;
        let latest = order.prepay().filter(|prepay| prepay.id == prepay_id);
        let fresh = latest.is_some_and(|prepay| prepay.issued.plus_secs(MWEB_SECS) > now);
        if fresh && order.package.as_deref() == Some(package) {
            return Ok(order);
        }
        let hint = "a mweb_url can be opened for 5 minutes, and not after the order was made once more";
        Err(Refused::new("支付链接已失效，请返回商家重新发起支付", hint))
    }

    fn by_page(&self, request: &PageRequest, now: Time) -> Result<&Order, Refused> {
        let PageRequest { app_id, time_stamp, nonce_str, package, sign_type, pay_sign } = request;
        let named = [
            ("appId", app_id),
            ("timeStamp", time_stamp),
            ("nonceStr", nonce_str),
            ("package", package),
            ("signType", sign_type),
            ("paySign", pay_sign),
        ];
        if let Some((missing, _)) = named.iter().find(|(_, value)| value.is_empty()) {
            return Err(Refused::new(
                "调用支付JSAPI缺少参数",
                format!("{missing} is missing; names are case-sensitive"),
            ));
        }
        let prepay_id = package
            .strip_prefix("prepay_id=")
            .ok_or_else(|| Refused::new("调用支付JSAPI参数错误", "package has to be prepay_id= and the prepay_id"))?;
        let order = self.by_prepay(prepay_id, now)?;
        let merchant = self.client_checks(order, TradeType::Jsapi, app_id, time_stamp)?;
        let good = match order.origin {
            Origin::V3 if sign_type == "RSA" => {
                merchant.api.key.verifies(&lines(&[app_id, time_stamp, nonce_str], package.as_bytes()), pay_sign)
            }
            Origin::V2 { sign_type: ordered } if sign_type == ordered.name() => {
                sign(
                    named.iter().filter(|(n, _)| *n != "paySign").map(|(n, v)| (*n, v.as_str())),
                    &merchant.v2_key,
                    ordered,
                ) == *pay_sign
            }
            Origin::V3 => return Err(wrong_type("RSA")),
            Origin::V2 { sign_type: ordered } => return Err(wrong_type(ordered.name())),
        };
        if good { Ok(order) } else { Err(unsigned("paySign")) }
    }

    fn by_app(&self, request: &AppRequest, now: Time) -> Result<&Order, Refused> {
        let AppRequest { appid, partnerid, prepayid, package, noncestr, timestamp, sign: signature } = request;
        let order = self.by_prepay(prepayid, now)?;
        let merchant = self.client_checks(order, TradeType::App, appid, timestamp)?;
        if package != "Sign=WXPay" || *partnerid != order.mch_id {
            let hint = "package has to be Sign=WXPay, and partnerid the merchant's number";
            return Err(Refused::new("支付参数错误", hint));
        }
        let good = match order.origin {
            Origin::V3 => {
                merchant.api.key.verifies(&lines(&[appid, timestamp, noncestr], prepayid.as_bytes()), signature)
            }
            Origin::V2 { sign_type } => {
                let named = [
                    ("appid", appid),
                    ("partnerid", partnerid),
                    ("prepayid", prepayid),
                    ("package", package),
                    ("noncestr", noncestr),
                    ("timestamp", timestamp),
                ];
                sign(named.map(|(n, v)| (n, v.as_str())), &merchant.v2_key, sign_type) == *signature
            }
        };
        if good { Ok(order) } else { Err(unsigned("sign")) }
    }

    /// What pages and apps have in common.
    fn client_checks(
        &self,
        order: &Order,
        trade_type: TradeType,
        appid: &str,
        timestamp: &str,
    ) -> Result<&MerchantHolder, Refused> {
        if order.trade_type != trade_type {
            let hint =
                format!("the order is {}, and this is a call for {}", order.trade_type.name(), trade_type.name());
            return Err(Refused::new("支付方式与订单不符", hint));
        }
        if appid != order.appid {
            return Err(Refused::new("appid与订单不匹配", format!("the order was made under {}", order.appid)));
        }
        if !(1..=10).contains(&timestamp.len()) || !timestamp.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(Refused::new("时间戳格式错误", "the timestamp is in Unix seconds, 10 digits"));
        }
        self.get(&order.mch_id).ok_or_else(|| Refused::new("商户号不存在", "the merchant was deleted"))
    }
}

fn wrong_type(wanted: &str) -> Refused {
    Refused::new("支付验证签名失败", format!("signType has to be that of the order: {wanted}"))
}

fn unsigned(name: &str) -> Refused {
    Refused::new(
        "支付验证签名失败",
        format!("{name} is not the signature of these parameters with this merchant's key"),
    )
}

/// A text, or the number that a page wrongly gives: real clients on Android take it as well.
fn text<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let value = serde_json::Value::deserialize(deserializer)?;
    Ok(value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned))
}
