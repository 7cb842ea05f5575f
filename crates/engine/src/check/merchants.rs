//! What may be wrong with a registration's merchant: its keys, and when its certificates end.

use store::App;

use super::{Finding, Grade, Words};
use crate::apps::merchants::MerchantProblem;
use crate::engine::Engine;
use crate::payment::PayError;

/// A certificate that ends within this time is worth a warning, in seconds.
const SOON: i64 = 30 * 24 * 3600;

const DAY: i64 = 24 * 3600;

/// Asks WeChat Pay something that changes nothing, in the name of the merchant. Nothing for registrations without one.
pub(super) async fn findings(engine: &Engine, app: &App, words: &Words) -> Vec<Finding> {
    let Some(mch_id) = &app.settings.mch_id else { return Vec::new() };
    let name = format!("{} (mch_id {mch_id})", app.key);
    let Ok(Some(registered)) = engine.directory.find(&app.key, engine.clock.now()).await else { return Vec::new() };
    let proof = match engine.payment.prove(&registered).await {
        Ok(version) => words.good(
            format!("{name}: 微信支付 {version} 的密钥正确"),
            format!("{name}: the keys for WeChat Pay {version} are good"),
        ),
        Err(error) => bad(&name, &error, words),
    };
    let now = engine.clock.now().as_seconds();
    let ends = engine.payment.certificates_of(&registered);
    let ends = ends.into_iter().filter(|end| end.not_after - now < SOON);
    let ends = ends.map(|end| ending(&name, end.name, end.not_after - now, words));
    std::iter::once(proof).chain(ends).collect()
}

fn ending(name: &str, what: &str, seconds: i64, words: &Words) -> Finding {
    let days = seconds / DAY;
    let grade = if seconds <= 0 { Grade::Bad } else { Grade::Warning };
    words.not_good(
        grade,
        (format!("{name}: {what} 还有 {days} 天到期"), format!("{name}: {what} ends in {days} days")),
        (
            "在商户平台更新证书后, 用 /register 登记新的".into(),
            "renew it on the merchant platform, then register the new one with /register".into(),
        ),
    )
}

fn bad(name: &str, error: &PayError, words: &Words) -> Finding {
    let advice = match error {
        PayError::Merchant(MerchantProblem::Incomplete(_) | MerchantProblem::Wrong { .. }) => {
            ("按提示补登记".to_owned(), "register what is missing".to_owned())
        }
        PayError::Refused(refusal) if matches!(refusal.code.as_str(), "SIGNERROR" | "FAIL") => (
            "核对 mch_id 与密钥: v2 是 mch_key; v3 是 mch_serial, mch_private_key".to_owned(),
            "compare mch_id and keys with the merchant platform's: v2 mch_key; v3 mch_serial and mch_private_key"
                .to_owned(),
        ),
        PayError::NotSent(_) => (
            "检查 DNS, 防火墙和出口网络; 需要中转时用 --pay-url".to_owned(),
            "look at DNS, firewall and routing; a relay is named with --pay-url".to_owned(),
        ),
        PayError::Unclear(_) => (
            "核对 apiv3_key, 或微信支付公钥 (pay_key_id, pay_public_key)".to_owned(),
            "compare apiv3_key, or WeChat Pay's public key (pay_key_id, pay_public_key)".to_owned(),
        ),
        _ => ("看日志".to_owned(), "look into the log".to_owned()),
    };
    words.not_good(
        Grade::Bad,
        (format!("{name}: 微信支付不可用: {error}"), format!("{name}: WeChat Pay cannot be used: {error}")),
        advice,
    )
}
