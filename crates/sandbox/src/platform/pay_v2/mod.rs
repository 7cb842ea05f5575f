//! WeChat Pay, API v2: XML with a shared key.
//!
//! Source: the API v2 docs of the merchant platform. Checks come in this order: client certificate of `/secapi/…`, XML,
//! merchant and appid, signature, fields, business. What fails before the business is `return_code` FAIL and not
//! signed; everything else is signed the way the request was.

mod bills;
mod orders;
mod refunds;

use std::collections::BTreeMap;

use http::Method;
use serde_json::Value;

use crate::callback::from_xml;
use crate::clock::Time;
use crate::merchant::{AnswerKnob, Fields, MerchantHolder, SignType, element, next_answer, pairs, put, sign};
use crate::wire::{Call, Reply};
use crate::world::World;

/// What nginx says in front of `/secapi/…`.
const NO_CERTIFICATE: &str = "<html>\r\n<head><title>400 No required SSL certificate was sent</title></head>\r\n<body>\r\n\
    <center><h1>400 Bad Request</h1></center>\r\n<center>No required SSL certificate was sent</center>\r\n\
    <hr><center>nginx</center>\r\n</body>\r\n</html>\r\n";

/// What a handler has before it: a request whose signature is good.
struct Request<'a> {
    world: &'a mut World,
    mch_id: String,
    appid: String,
    fields: BTreeMap<String, String>,
    sign_type: SignType,
    now: Time,
    /// How a browser reaches the sandbox.
    origin: String,
}

/// Why a call fails.
enum Failure {
    /// `return_code` FAIL with this text, unsigned.
    Malformed(String),
    /// `result_code` FAIL.
    Refused(&'static str, &'static str),
    /// `downloadbill`: `return_code` FAIL with an `error_code`.
    NoBill(&'static str, &'static str),
}

/// What a call gives.
enum Success {
    /// Fields to be signed.
    Fields(Fields),
    /// A file.
    File(&'static str, Vec<u8>),
}

type Answer = Result<Success, Failure>;
type Handler = fn(&mut Request<'_>) -> Answer;

const ROUTES: [(&str, Handler); 6] = [
    ("/pay/unifiedorder", orders::create),
    ("/pay/orderquery", orders::query),
    ("/pay/closeorder", orders::close),
    ("/secapi/pay/refund", refunds::create),
    ("/pay/refundquery", refunds::query),
    ("/pay/downloadbill", bills::download),
];

fn handler(path: &str) -> Option<Handler> {
    ROUTES.iter().find(|(known, _)| *known == path).map(|(_, handler)| *handler)
}

/// Whether a path is one of this API.
pub(super) fn has(path: &str) -> bool {
    handler(path).is_some()
}

/// Carries one call out; `None` when it is not for this API.
pub(super) fn answer(world: &mut World, call: &Call) -> Option<Reply> {
    let handler = handler(&call.path)?;
    if call.path.starts_with("/secapi/") && call.client_certificate().is_none() {
        return Some(Reply::page(400, "text/html", NO_CERTIFICATE).with_note("no client certificate"));
    }
    let mut request = match read(world, call) {
        Ok(request) => request,
        Err(failure) => return Some(unsigned(&failure)),
    };
    let answered = handler(&mut request);
    let Request { mch_id, appid, sign_type, world, .. } = request;
    Some(match answered {
        Ok(Success::File(content_type, body)) => Reply::page(200, content_type, body).with_note("SUCCESS"),
        Ok(Success::Fields(fields)) => signed(world, &mch_id, &appid, sign_type, Ok(fields)),
        Err(Failure::Refused(code, text)) => signed(world, &mch_id, &appid, sign_type, Err((code, text))),
        Err(failure) => unsigned(&failure),
    })
}

/// What a fault answers with.
pub(super) fn failed(world: &mut World, call: &Call, code: &str, text: Option<&str>) -> Reply {
    let fields = fields_of(call).unwrap_or_default();
    let named = |name: &str| fields.get(name).cloned().unwrap_or_default();
    let (mch_id, appid) = (named("mch_id"), named("appid"));
    let sign_type = SignType::parse(&named("sign_type")).unwrap_or_default();
    signed(world, &mch_id, &appid, sign_type, Err((code, text.unwrap_or("系统繁忙，请稍后再试"))))
}

/// The appid that a call names.
pub(super) fn appid_of(call: &Call) -> Option<String> {
    fields_of(call).ok()?.remove("appid")
}

/// All that has to be right before a handler looks at it.
fn read<'a>(world: &'a mut World, call: &Call) -> Result<Request<'a>, Failure> {
    let malformed = |text: &str| Failure::Malformed(text.to_owned());
    if call.method != Method::POST {
        return Err(malformed("请使用post方法"));
    }
    let fields = fields_of(call)?;
    let field = |name: &str| fields.get(name).map(String::as_str).unwrap_or_default();
    for name in ["mch_id", "appid", "nonce_str", "sign"] {
        if field(name).is_empty() {
            return Err(Failure::Malformed(format!("缺少参数{name}")));
        }
    }
    let (mch_id, appid) = (field("mch_id"), field("appid"));
    let merchant = world.merchants.get(mch_id).ok_or_else(|| malformed("商户号mch_id不存在"))?;
    if !merchant.appids.iter().any(|bound| bound == appid) {
        let exists = world.accounts.contains_key(appid) || world.merchants.know(appid);
        return Err(malformed(if exists {
            "商户号mch_id与appid不匹配"
        } else {
            "AppID不存在，请检查后再试"
        }));
    }
    if call.path.starts_with("/secapi/") && !is_own(merchant, call) {
        return Err(malformed("证书验证失败"));
    }
    let unsigned = || malformed("签名错误，请检查后再试");
    let sign_type = SignType::parse(field("sign_type")).ok_or_else(unsigned)?;
    let pairs = fields.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    if sign(pairs, &merchant.v2_key, sign_type) != field("sign") {
        return Err(unsigned());
    }
    if field("nonce_str").chars().count() > 32 {
        return Err(malformed("参数错误:nonce_str"));
    }
    let (mch_id, appid, now) = (mch_id.to_owned(), appid.to_owned(), world.clock.now());
    let origin = world.addresses.page_origin(call);
    Ok(Request { world, mch_id, appid, fields, sign_type, now, origin })
}

/// The children of `<xml>`: one flat level of texts.
fn fields_of(call: &Call) -> Result<BTreeMap<String, String>, Failure> {
    let malformed = |text: &str| Failure::Malformed(text.to_owned());
    if call.body.is_empty() {
        return Err(malformed("post数据为空"));
    }
    let text = std::str::from_utf8(&call.body).map_err(|_| malformed("编码格式错误，请使用UTF-8"))?;
    let children = from_xml(text.trim_start_matches('\u{feff}')).map_err(|_| malformed("XML格式错误"))?;
    let flat = |(name, value): (String, Value)| match value {
        Value::String(text) => Ok((name, text)),
        _ => Err(malformed("XML格式错误")),
    };
    children.into_iter().map(flat).collect()
}

/// Whether a call came with the merchant's own certificate.
fn is_own(merchant: &MerchantHolder, call: &Call) -> bool {
    let own = merchant.api.certificate().map(|issued| issued.der.as_ref());
    own.is_some() && own == call.client_certificate()
}

/// An answer that is signed, success or not, with what a fault makes of it.
fn signed(
    world: &mut World,
    mch_id: &str,
    appid: &str,
    sign_type: SignType,
    verdict: Result<Fields, (&str, &str)>,
) -> Reply {
    let mut fields = Fields::new();
    for (name, value) in [("return_code", "SUCCESS"), ("return_msg", "OK"), ("appid", appid), ("mch_id", mch_id)] {
        put(&mut fields, name, value);
    }
    put(&mut fields, "nonce_str", crate::chance::letters(16));
    let note = match verdict {
        Ok(more) => {
            put(&mut fields, "result_code", "SUCCESS");
            fields.extend(more);
            "SUCCESS".to_owned()
        }
        Err((code, text)) => {
            put(&mut fields, "result_code", "FAIL");
            put(&mut fields, "err_code", code);
            put(&mut fields, "err_code_des", text);
            format!("{code} {text}")
        }
    };
    let merchant = world.merchants.get_mut(mch_id);
    let (key, knob) = match merchant {
        Some(merchant) => (merchant.v2_key.clone(), next_answer(&mut merchant.settings.answer_faults)),
        None => (String::new(), None),
    };
    let key = match knob {
        Some(AnswerKnob::Signtest | AnswerKnob::WrongSignature) => "another key",
        _ => &key,
    };
    let signature = sign(pairs(&fields), key, sign_type);
    if knob != Some(AnswerKnob::Unsigned) {
        put(&mut fields, "sign", signature);
    }
    if knob == Some(AnswerKnob::AlteredBody) {
        put(&mut fields, "attach", "altered");
    }
    xml(&fields).with_note(note)
}

fn unsigned(failure: &Failure) -> Reply {
    let mut fields = Fields::new();
    put(&mut fields, "return_code", "FAIL");
    let text = match failure {
        Failure::Malformed(text) => text,
        Failure::Refused(_, text) | Failure::NoBill(text, _) => *text,
    };
    put(&mut fields, "return_msg", text);
    if let Failure::NoBill(_, code) = failure {
        put(&mut fields, "error_code", *code);
    }
    xml(&fields).with_note(format!("FAIL {text}"))
}

fn xml(fields: &Fields) -> Reply {
    Reply::page(200, "text/plain", element("xml", fields))
}

impl Request<'_> {
    /// A field, empty when it is absent.
    fn field(&self, name: &str) -> &str {
        self.fields.get(name).map(String::as_str).unwrap_or_default()
    }

    /// A field that has to be there.
    fn needed(&self, name: &str) -> Result<&str, Failure> {
        let value = self.field(name);
        if value.is_empty() { Err(Failure::Malformed(format!("缺少参数{name}"))) } else { Ok(value) }
    }

    /// An amount in fen that has to be there.
    fn amount(&self, name: &str) -> Result<u64, Failure> {
        let text = self.needed(name)?;
        let digits = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0') && text.len() <= 10;
        text.parse().ok().filter(|_| digits).ok_or_else(|| wrong(name))
    }

    /// Fields that are longer than they may be are an error.
    fn check_lengths(&self, longest: &[(&str, usize)]) -> Result<(), Failure> {
        let long = longest.iter().find(|(name, most)| self.field(name).chars().count() > *most);
        long.map_or(Ok(()), |(name, _)| Err(wrong(name)))
    }
}

/// A field that cannot be.
fn wrong(name: &str) -> Failure {
    Failure::Malformed(format!("参数错误:{name}"))
}
