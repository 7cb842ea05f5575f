//! WeChat Pay, API v3: JSON, requests and answers signed with RSA.
//!
//! Source: the API v3 docs of the merchant platform. Checks come in this order: headers, `Authorization` (syntax,
//! merchant, serial, time, signature: 401 and not signed), `Wechatpay-Serial`, JSON and fields, merchant and appid,
//! business. What must stay true: every authenticated answer is signed, 204 and errors too; only files are not.

mod authentication;
mod bills;
mod body;
mod certificates;
mod orders;
mod refunds;
mod refusal;

use http::{HeaderName, HeaderValue, Method};
use serde_json::Value;

use authentication::Caller;
use refusal::Refusal;

use crate::chance;
use crate::clock::Time;
use crate::merchant::{AnswerKnob, PROBE, SCHEME, Signer, lines, next_answer};
use crate::wire::{Call, Reply};
use crate::world::World;

/// How far back a stale timestamp lies, in seconds.
const STALE_SECS: u64 = 600;

/// What a handler has before it: a request whose signature is good.
struct Request<'a> {
    world: &'a mut World,
    call: &'a Call,
    mchid: &'a str,
    now: Time,
}

/// What a call gives.
enum Success {
    Json(Value),
    /// 204.
    Nothing,
    /// A file, not signed.
    File(&'static str, Vec<u8>),
}

type Answer = Result<Success, Refusal>;

/// Whether a path is one of this API.
pub(super) fn has(path: &str) -> bool {
    path.starts_with("/v3/")
}

/// Carries one call out; `None` when it is not for this API.
pub(super) fn answer(world: &mut World, call: &Call) -> Option<Reply> {
    if !has(&call.path) {
        return None;
    }
    let now = world.clock.now();
    let caller = match authentication::check_headers(call).and_then(|()| authentication::authenticate(world, call, now))
    {
        Ok(caller) => caller,
        Err(refusal) => return Some(with_id(refusal.reply())),
    };
    let known = world.merchants.get(caller.mchid).is_some_and(|holder| holder.signer(caller.named).is_some());
    let answered = if known {
        route(&mut Request { world, call, mchid: caller.mchid, now })
    } else {
        Err(Refusal::parameter("平台证书序列号Wechatpay-Serial错误"))
    };
    let reply = match answered {
        Ok(Success::File(content_type, body)) => {
            return Some(with_id(Reply::page(200, content_type, body)).with_note("file"));
        }
        Ok(Success::Json(value)) => Reply::page(200, refusal::JSON, value.to_string()).with_note("OK"),
        Ok(Success::Nothing) => Reply::page(204, refusal::JSON, "").with_note("OK"),
        Err(refusal) => refusal.reply(),
    };
    Some(sign(world, &caller, reply, now))
}

/// What a fault answers with.
pub(super) fn failed(world: &mut World, call: &Call, code: &str, text: Option<&str>) -> Reply {
    let now = world.clock.now();
    let reply = Refusal::named(code, text).reply();
    match authentication::authenticate(world, call, now) {
        Ok(caller) => sign(world, &caller, reply, now),
        Err(_) => with_id(reply),
    }
}

/// The appid that a call names, or the first of its merchant's.
pub(super) fn appid_of(world: &World, call: &Call) -> Option<String> {
    let named = call.json().and_then(|body| Some(body.get("appid")?.as_str()?.to_owned()));
    named.or_else(|| {
        let mchid = authentication::merchant_named(call)?;
        world.merchants.get(mchid)?.appids.first().cloned()
    })
}

fn route(request: &mut Request<'_>) -> Answer {
    let call = request.call;
    let (get, post) = (call.method == Method::GET, call.method == Method::POST);
    let segments: Vec<String> = call.path.split('/').skip(2).map(decoded).collect();
    let path: Vec<&str> = segments.iter().map(String::as_str).collect();
    match path.as_slice() {
        ["pay", "transactions", "out-trade-no", number] if get => orders::by_number(request, number),
        ["pay", "transactions", "id", number] if get => orders::by_transaction(request, number),
        ["pay", "transactions", "out-trade-no", number, "close"] if post => orders::close(request, number),
        ["pay", "transactions", kind] if post && orders::is_kind(kind) => orders::create(request, kind),
        ["refund", "domestic", "refunds"] if post => refunds::create(request),
        ["refund", "domestic", "refunds", number] if get => refunds::query(request, number),
        ["certificates"] if get => certificates::list(request),
        ["bill", "tradebill"] if get => bills::trade(request),
        ["billdownload", "file"] if get => bills::file(request),
        _ => Err(Refusal::new(404, "NOT_FOUND", "此接口不存在，请检查请求方法与路径")),
    }
}

fn decoded(segment: &str) -> String {
    let pairs = segment.replace('+', "%2B").replace('=', "%3D").replace('&', "%26");
    form_urlencoded::parse(pairs.as_bytes()).next().map(|(name, _)| name.into_owned()).unwrap_or_default()
}

/// Signs an answer, with what a fault makes of it.
fn sign(world: &mut World, caller: &Caller<'_>, reply: Reply, now: Time) -> Reply {
    let mut reply = with_id(reply);
    let Some(merchant) = world.merchants.get_mut(caller.mchid) else { return reply };
    let probed = chance::happens(merchant.settings.signtest_rate).then_some(AnswerKnob::Signtest);
    let knob = next_answer(&mut merchant.settings.answer_faults).or(probed);
    let Some(Signer { id, key }) = merchant.signer(caller.named).or_else(|| merchant.signer(None)) else {
        return reply;
    };
    if knob == Some(AnswerKnob::Unsigned) {
        return reply;
    }
    let stale = if knob == Some(AnswerKnob::StaleTimestamp) { STALE_SECS } else { 0 };
    let (timestamp, nonce) = (merchant.stamp(now).saturating_sub(stale).to_string(), chance::pay_nonce());
    let signature = match knob {
        Some(AnswerKnob::WrongSignature) => key.sign(b"something else"),
        Some(AnswerKnob::Signtest) => format!("{PROBE}{}", key.sign(b"a probe")),
        _ => key.sign(&lines(&[&timestamp, &nonce], &reply.body)),
    };
    let serial = if knob == Some(AnswerKnob::UnknownSerial) { chance::serial() } else { id.to_owned() };
    if knob == Some(AnswerKnob::AlteredBody) && !reply.body.is_empty() {
        reply.body = [&reply.body, b" ".as_slice()].concat().into();
    }
    add(&mut reply, "wechatpay-nonce", &nonce);
    add(&mut reply, "wechatpay-serial", &serial);
    add(&mut reply, "wechatpay-signature", &signature);
    add(&mut reply, "wechatpay-signature-type", SCHEME);
    add(&mut reply, "wechatpay-timestamp", &timestamp);
    reply
}

fn with_id(mut reply: Reply) -> Reply {
    add(&mut reply, "request-id", &chance::request_id());
    reply
}

fn add(reply: &mut Reply, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        reply.headers.push((HeaderName::from_static(name), value));
    }
}
