//! Who calls: the headers that every request has to have, and its signature.
//!
//! Source: "Request signature" of the API v3 docs; the texts are those that merchants see. A request may go by the
//! sandbox's clock or by the machine's, whichever its sender has.

use super::refusal::Refusal;
use crate::clock::{Time, machine_time};
use crate::merchant::{Authorization, lines};
use crate::wire::Call;
use crate::world::World;

/// How far a timestamp may be off, in seconds.
const WINDOW_SECS: u64 = 300;

/// A merchant whose signature is good.
#[derive(Clone, Copy, Debug)]
pub(super) struct Caller<'a> {
    pub(super) mchid: &'a str,
    /// `Wechatpay-Serial`: the key that is to sign the answer.
    pub(super) named: Option<&'a str>,
}

/// `Accept`, `User-Agent` and, with a body, `Content-Type`.
pub(super) fn check_headers(call: &Call) -> Result<(), Refusal> {
    let accept = call.header("accept").unwrap_or_default();
    if !["application/json", "*/*", "application/*"].iter().any(|kind| accept.contains(kind)) {
        return Err(Refusal::parameter("Http头Accept错误，请设置为application/json"));
    }
    if call.header("user-agent").is_none_or(|agent| agent.trim().is_empty()) {
        return Err(Refusal::parameter("Http头缺少User-Agent"));
    }
    let content_type = call.header("content-type").unwrap_or_default().to_ascii_lowercase();
    if !call.body.is_empty() && !content_type.starts_with("application/json") {
        return Err(Refusal::parameter("Http头Content-Type错误，请设置为application/json"));
    }
    Ok(())
}

/// The merchant that the header names, rightly or not.
pub(super) fn merchant_named(call: &Call) -> Option<&str> {
    Authorization::parse(call.header("authorization")?).map(|header| header.mchid)
}

/// The merchant that has signed the call.
pub(super) fn authenticate<'a>(world: &mut World, call: &'a Call, now: Time) -> Result<Caller<'a>, Refusal> {
    let header = call.header("authorization").and_then(Authorization::parse);
    let header = header
        .ok_or_else(|| Refusal::unsigned("Http头Authorization值格式错误，请参考《微信支付商户REST API签名规则》"))?;
    let unknown = || Refusal::unsigned("商户证书序列号有误。请使用签名私钥匹配的证书序列号");
    let merchant = world.merchants.get_mut(header.mchid).ok_or_else(unknown)?;
    if merchant.api.serial != header.serial {
        return Err(unknown());
    }
    let near = |clock: Time| clock.secs().abs_diff(header.timestamp) <= WINDOW_SECS;
    let (by_sandbox, by_machine) = (near(now), near(machine_time()));
    if !by_sandbox && !by_machine {
        return Err(Refusal::unsigned("Http头Authorization中的timestamp与发起请求的时间不得超过5分钟"));
    }
    let timestamp = header.timestamp.to_string();
    let signed = lines(&[call.method.as_str(), &call.target(), &timestamp, header.nonce], &call.body);
    if !merchant.api.key.verifies(&signed, header.signature) {
        return Err(Refusal::unsigned("错误的签名，验签失败").with_detail(mismatch(call, &signed)));
    }
    if by_sandbox != by_machine {
        merchant.by_sandbox_clock = by_sandbox;
    }
    Ok(Caller { mchid: header.mchid, named: call.header("wechatpay-serial").filter(|serial| !serial.is_empty()) })
}

/// What was to be signed, as WeChat shows it.
fn mismatch(call: &Call, signed: &[u8]) -> serde_json::Value {
    let shown: String = String::from_utf8_lossy(signed).chars().take(200).collect();
    serde_json::json!({
        "detail": { "issue": "sign not match" }, "field": "signature", "location": "authorization",
        "sign_information": {
            "method": call.method.as_str(), "url": call.target(),
            "truncated_sign_message": shown, "sign_message_length": signed.len(),
        },
    })
}
