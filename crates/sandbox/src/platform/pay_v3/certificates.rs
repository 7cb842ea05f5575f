//! `/v3/certificates`: the platform certificates, encrypted with the merchant's v3 key.
//!
//! Source: its page of the API v3 docs. A merchant with the public key alone has none.

use serde_json::{Value, json};

use super::refusal::Refusal;
use super::{Answer, Request, Success};
use crate::chance;
use crate::merchant::{rfc3339, seal};

const NONE: &str = "无可用的平台证书，请在商户平台-API安全申请使用微信支付公钥。可查看指引https://pay.weixin.qq.com/doc/v3/merchant/4012153196";

pub(super) fn list(request: &mut Request<'_>) -> Answer {
    let none = || Refusal::new(404, "RESOURCE_NOT_EXISTS", NONE);
    let merchant = request.world.merchants.get(request.mchid).ok_or_else(none)?;
    match request.call.param("algorithm_type") {
        None | Some("RSA" | "ALL") => {}
        Some(other) => return Err(Refusal::field("algorithm_type", &json!(other), "取值错误")),
    }
    let entry = |credential: &std::sync::Arc<crate::merchant::Credential>| -> Option<Value> {
        let issued = credential.certificate()?;
        let nonce = chance::letters(12);
        let ciphertext = seal(&merchant.v3_key, &nonce, "certificate", issued.pem.as_bytes())?;
        Some(json!({
            "serial_no": credential.serial, "effective_time": rfc3339(issued.from), "expire_time": rfc3339(issued.until),
            "encrypt_certificate": {
                "algorithm": "AEAD_AES_256_GCM", "nonce": nonce, "associated_data": "certificate",
                "ciphertext": ciphertext,
            },
        }))
    };
    let data: Vec<_> = merchant.listed().iter().filter_map(entry).collect();
    if data.is_empty() { Err(none()) } else { Ok(Success::Json(json!({ "data": data }))) }
}
