//! A payment by API v2 is believed only with its sign, and what is signed is opened exactly when it tells of a payment to
//! this merchant.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wechat::pay::{Merchant, NoticeKind, Received, SignatureHeaders, v2};
use wechat::xml;

const MCH_ID: &str = "1900000109";
const MCH_KEY: &str = "testonly0v2key0wechatproxy000001";

fuzz_target!(|data: &[u8]| {
    let merchant = Merchant::from(v2::Merchant::new(MCH_ID, MCH_KEY.into()).expect("a merchant"));
    let open = |body: &[u8]| {
        let received = Received { status: 200, headers: SignatureHeaders::default(), body };
        merchant.open(NoticeKind::Payment, &received, 0)
    };
    assert!(open(data).is_err(), "nobody signed this");

    let Ok(document) = xml::read(data) else { return };
    let pairs: Vec<_> =
        document.children.iter().filter_map(|child| Some((child.name.as_ref(), child.scalar()?))).collect();
    let has_sign = pairs.iter().any(|(name, _)| *name == "sign");
    let Some(end) = data.windows(6).rposition(|end| end == b"</xml>").filter(|_| !has_sign) else { return };
    let sign = format!("<sign>{}</sign>", v2::md5(pairs.iter().copied(), MCH_KEY));
    let body = [&data[..end], sign.as_bytes(), &data[end..]].concat();
    let Ok(notice) = open(&body) else { return };
    let text = |wanted: &str| pairs.iter().find(|(name, _)| *name == wanted).map(|(_, value)| *value);
    assert_eq!(text("mch_id"), Some(MCH_ID));
    assert_eq!(text("result_code"), Some("SUCCESS"));
    assert_eq!(text("out_trade_no"), Some(notice.out_trade_no.as_str()));
    assert_eq!(text("total_fee").and_then(|fee| fee.parse().ok()), Some(notice.total_fee));
    assert!(notice.fields.values().all(|value| value.is_i64() || value.as_str().is_some_and(|text| !text.is_empty())));
});
