//! The signature of v2: sorted parameters, the key at their end, MD5 or HMAC-SHA256, upper-case hex.
//!
//! Used by both directions: to check what merchants send and to sign what WeChat answers and sends, and by the client's
//! check of `paySign`. Source: "Signature" of the API v2 docs. Empty values and `sign` take no part.

use aws_lc_rs::hmac;
use md5::{Digest as _, Md5};
use serde::Serialize;

/// How something is signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) enum SignType {
    #[default]
    #[serde(rename = "MD5")]
    Md5,
    #[serde(rename = "HMAC-SHA256")]
    HmacSha256,
}

impl SignType {
    /// What `sign_type` says; absent or empty is MD5.
    pub(crate) fn parse(text: &str) -> Option<SignType> {
        match text {
            "" | "MD5" => Some(SignType::Md5),
            "HMAC-SHA256" => Some(SignType::HmacSha256),
            _ => None,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            SignType::Md5 => "MD5",
            SignType::HmacSha256 => "HMAC-SHA256",
        }
    }
}

/// The signature of these parameters, in whatever order they come.
pub(crate) fn sign<'a>(
    pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
    v2_key: &str,
    sign_type: SignType,
) -> String {
    let mut pairs: Vec<_> = pairs.into_iter().filter(|(name, value)| *name != "sign" && !value.is_empty()).collect();
    pairs.sort_unstable();
    let mut text: String = pairs.iter().map(|(name, value)| format!("{name}={value}&")).collect();
    text.push_str("key=");
    text.push_str(v2_key);
    match sign_type {
        SignType::Md5 => hex::encode_upper(Md5::digest(text)),
        SignType::HmacSha256 => {
            let key = hmac::Key::new(hmac::HMAC_SHA256, v2_key.as_bytes());
            hex::encode_upper(hmac::sign(&key, text.as_bytes()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "testonly0v2key0wechatproxy000001";

    /// Signs `a=1&b=2` as the document writes it.
    fn signed(text: &str, key: &str, sign_type: SignType) -> String {
        sign(text.split('&').map(|pair| pair.split_once('=').unwrap()), key, sign_type)
    }

    #[test]
    fn the_official_example() {
        let (text, key) = (
            "mch_id=10000100&device_info=1000&body=test&appid=wxd930ea5d5a258f4f&nonce_str=ibuaiVcKdpRxkhJA&attach=",
            "192006250b4c09247ec02edce69f6a2d",
        );
        assert_eq!(signed(text, key, SignType::Md5), "9A0A8659F005D6984697E2CA0A9CF3B7");
        assert_eq!(
            signed(text, key, SignType::HmacSha256),
            "6A9AE1657590FD6257D693A078E1C3E4BB6BA4DC30B23E0EE2496E54170DACD6"
        );
    }

    #[test]
    fn an_order() {
        let text = "appid=wx8888888888888888&attach=&body=测试商品&mch_id=1900000109&nonce_str=TESTNONCE0000000000000000\
                    000000A&notify_url=https://pay.example.com/notify/wechat&out_trade_no=TEST20260101000001&\
                    spbill_create_ip=203.0.113.7&total_fee=100&trade_type=NATIVE";
        assert_eq!(signed(text, KEY, SignType::Md5), "088ABA76CE40BE4B4AD120E895F94832");
        let text = format!("{text}&sign_type=HMAC-SHA256");
        assert_eq!(
            signed(&text, KEY, SignType::HmacSha256),
            "BC55974D01B832C20591634E89012E59FFCD5C3184D91ABD3910FF09369E1240"
        );
    }

    #[test]
    fn a_notification() {
        let text = "appid=wx8888888888888888&attach=shop-1&bank_type=OTHERS&cash_fee=90&coupon_count=1&coupon_fee=10&\
                    coupon_fee_0=10&coupon_id_0=10000&coupon_type_0=CASH&fee_type=CNY&is_subscribe=N&mch_id=1900000109\
                    &nonce_str=TESTNONCE0000000000000000000000B&openid=oTest0only0openid0000000000A&out_trade_no=\
                    TEST20260101000001&result_code=SUCCESS&return_code=SUCCESS&time_end=20260101103456&total_fee=100&\
                    trade_type=NATIVE&transaction_id=4200000000202601010000000001";
        assert_eq!(signed(text, KEY, SignType::Md5), "AADFE6F0B710F64247050DF8FF98B2E8");
    }

    #[test]
    fn what_clients_sign() {
        let page = "appId=wx8888888888888888&nonceStr=TESTNONCE0000000000000000000000A&package=prepay_id=\
                    wx01103456000000testonly000000000001&signType=MD5&timeStamp=1767234896";
        assert_eq!(signed(page, KEY, SignType::Md5), "AE57486C39EC2E62362FEFC291DE75DF");
        let app = "appid=wx8888888888888888&noncestr=TESTNONCE0000000000000000000000A&package=Sign=WXPay&partnerid=\
                   1900000109&prepayid=wx01103456000000testonly000000000001&timestamp=1767234896";
        assert_eq!(signed(app, KEY, SignType::Md5), "86EA94E6D3300D71B6360F1C63374040");
    }

    #[test]
    fn names_are_sorted_and_not_what_is_written() {
        let one = sign([("x_10", "a"), ("x_1", "b")], KEY, SignType::Md5);
        let other = hex::encode_upper(Md5::digest(format!("x_1=b&x_10=a&key={KEY}")));
        assert_eq!(one, other);
    }
}
