//! A refund by API v2 is believed only if it opens with the merchant's key, and what is outside of the seal changes
//! nothing that is inside.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wechat::pay::{Merchant, Notice, NoticeError, NoticeKind, Received, SignatureHeaders, v2};

const MCH_ID: &str = "1900000109";
const MCH_KEY: &str = "testonly0v2key0wechatproxy000001";

fn open(body: &[u8]) -> Result<Notice, NoticeError> {
    let merchant = Merchant::from(v2::Merchant::new(MCH_ID, MCH_KEY.into()).expect("a merchant"));
    let received = Received { status: 200, headers: SignatureHeaders::default(), body };
    merchant.open(NoticeKind::Refund, &received, 0)
}

fn around(req_info: &str, more: &str) -> Vec<u8> {
    format!(
        "<xml><return_code>SUCCESS</return_code><mch_id>{MCH_ID}</mch_id><req_info>{req_info}</req_info>{more}</xml>"
    )
    .into_bytes()
}

fuzz_target!(|data: &[u8]| {
    assert!(open(data).is_err(), "nobody sealed this");
    let text = String::from_utf8_lossy(data);
    let _ = v2::unseal(&text, MCH_KEY);

    let sealed = v2::seal(data, MCH_KEY);
    assert_eq!(v2::unseal(&sealed, MCH_KEY).as_deref(), Some(data));
    let opened = open(&around(&sealed, ""));
    let with_more = open(&around(&sealed, "<refund_fee>1</refund_fee><total_fee>1</total_fee>"));
    assert_eq!(opened, with_more);
    if let Ok(notice) = opened {
        assert!(notice.event_type.starts_with("REFUND.") && notice.mch_id == MCH_ID && notice.out_refund_no.is_some());
    }
});
