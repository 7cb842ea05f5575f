//! A merchant's own side, written once more for the tests: signs for v2 and v3, and sees every byte of the answers.

use std::collections::BTreeMap;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest as _, Md5};
use sandbox::{KeyMode, Merchant, MerchantFiles, NewMerchant};
use serde_json::{Value, json};

use crate::client::{Answer, Sandbox};
use crate::receiver::{Got, Manner, Receiver};

pub(crate) const APPID: &str = "wx8888888888888888";

/// A merchant with a server for notifications.
pub(crate) struct Shop<'a> {
    pub(crate) sandbox: &'a Sandbox,
    pub(crate) merchant: Merchant,
    pub(crate) receiver: Receiver,
    files: Option<MerchantFiles>,
}

/// What v2's server says that accepts.
pub(crate) fn accepted_v2() -> Manner {
    Manner::Say(200, "<xml><return_code><![CDATA[SUCCESS]]></return_code></xml>".into())
}

/// What v3's server says that accepts.
pub(crate) fn accepted_v3() -> Manner {
    Manner::Say(204, String::new())
}

impl<'a> Shop<'a> {
    /// One that uses v2 alone: its keys are never made.
    pub(crate) async fn v2(sandbox: &'a Sandbox) -> Shop<'a> {
        Shop::open(sandbox, KeyMode::Certificate, accepted_v2(), false).await
    }

    pub(crate) async fn v3(sandbox: &'a Sandbox, key_mode: KeyMode) -> Shop<'a> {
        Shop::open(sandbox, key_mode, accepted_v3(), true).await
    }

    async fn open(sandbox: &'a Sandbox, key_mode: KeyMode, manner: Manner, with_keys: bool) -> Shop<'a> {
        let wish = NewMerchant { appids: vec![APPID.into()], key_mode, ..NewMerchant::default() };
        let merchant = sandbox.platform.create_merchant(wish).expect("a merchant");
        let files = with_keys.then(|| sandbox.platform.merchant_files(&merchant.mch_id).expect("its files"));
        Shop { sandbox, merchant, receiver: Receiver::start(manner).await, files }
    }

    pub(crate) fn files(&self) -> &MerchantFiles {
        self.files.as_ref().expect("a shop with keys")
    }

    pub(crate) fn notify_url(&self) -> String {
        format!("http://{}/notify", self.receiver.address)
    }

    /// Where the control API has something of this merchant.
    pub(crate) fn at(&self, rest: &str) -> String {
        format!("/sandbox/merchants/{}{rest}", self.merchant.mch_id)
    }

    pub(crate) async fn change(&self, patch: Value) {
        self.sandbox.control("PATCH", &self.at(""), &patch).await.ok();
    }

    /// An order of v2, ready to be changed.
    pub(crate) fn order_v2(&self, number: &str, trade_type: &str) -> BTreeMap<String, String> {
        let fields = [
            ("body", "测试商品"),
            ("out_trade_no", number),
            ("total_fee", "100"),
            ("spbill_create_ip", "203.0.113.7"),
            ("notify_url", &self.notify_url()),
            ("trade_type", trade_type),
            ("product_id", "p1"),
            ("scene_info", r#"{"h5_info":{"type":"Wap","wap_url":"https://shop.example.com","wap_name":"shop"}}"#),
        ];
        fields.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
    }

    /// Completes and signs a call of v2.
    pub(crate) fn signed_v2(&self, mut fields: BTreeMap<String, String>) -> String {
        fields.entry("appid".into()).or_insert_with(|| APPID.into());
        fields.entry("mch_id".into()).or_insert_with(|| self.merchant.mch_id.clone());
        fields.entry("nonce_str".into()).or_insert_with(|| "n0nce".into());
        let sign = sign_v2(&fields, &self.merchant.v2_key);
        fields.entry("sign".into()).or_insert(sign);
        let children: String = fields.iter().map(|(n, v)| format!("<{n}><![CDATA[{v}]]></{n}>")).collect();
        format!("<xml>{children}</xml>")
    }

    /// A call of v2 and its verified answer.
    pub(crate) async fn call_v2(&self, path: &str, fields: BTreeMap<String, String>) -> BTreeMap<String, String> {
        let answer = self.sandbox.send("POST", path, &self.signed_v2(fields)).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        let answer = elements(&answer.body);
        if answer["return_code"] == "SUCCESS" {
            assert_eq!(answer["sign"], sign_v2(&answer, &self.merchant.v2_key), "{answer:?}");
        }
        answer
    }

    /// An order of v3, ready to be changed.
    pub(crate) fn order_v3(&self, number: &str) -> Value {
        json!({
            "appid": APPID, "mchid": self.merchant.mch_id, "description": "测试商品", "out_trade_no": number,
            "notify_url": self.notify_url(), "amount": { "total": 100, "currency": "CNY" },
        })
    }

    /// The headers of a call of v3.
    pub(crate) fn headers_v3(&self, method: &str, target: &str, body: &str, timestamp: u64) -> Vec<String> {
        let message = format!("{method}\n{target}\n{timestamp}\nnonce0123\n{body}\n");
        let signature = self.sign_v3(&message);
        let Merchant { mch_id, serial, .. } = &self.merchant;
        vec![
            format!(
                "Authorization: WECHATPAY2-SHA256-RSA2048 mchid=\"{mch_id}\",nonce_str=\"nonce0123\",\
                 timestamp=\"{timestamp}\",serial_no=\"{serial}\",signature=\"{signature}\""
            ),
            "Accept: application/json".into(),
            "Content-Type: application/json".into(),
            "User-Agent: test".into(),
        ]
    }

    pub(crate) fn sign_v3(&self, message: &str) -> String {
        let pair = KeyPair::from_pkcs8(&der(&self.files().private_key)).expect("a key");
        let mut signature = vec![0; pair.public_modulus_len()];
        pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message.as_bytes(), &mut signature).expect("a signature");
        STANDARD.encode(signature)
    }

    pub(crate) async fn send_v3(&self, method: &str, target: &str, body: &str, named: Option<&str>) -> Answer {
        let now = self.sandbox.get("/sandbox/clock").await["now"].as_u64().expect("a time") / 1000;
        let mut headers = self.headers_v3(method, target, body, now);
        headers.extend(named.map(|serial| format!("Wechatpay-Serial: {serial}")));
        self.send_with(method, target, body, &headers).await
    }

    pub(crate) async fn send_with(&self, method: &str, target: &str, body: &str, headers: &[String]) -> Answer {
        let mut connection = self.sandbox.connect().await;
        let headers: Vec<_> = headers.iter().map(String::as_str).collect();
        connection.send(method, target, &headers, body).await;
        connection.answer().await.expect("an answer")
    }

    /// A call of v3 whose answer is signed by the certificate.
    pub(crate) async fn post_v3(&self, target: &str, body: &Value) -> (u16, Value) {
        let answer = self.send_v3("POST", target, &body.to_string(), None).await;
        self.check(&answer);
        (answer.status, json_of(&answer))
    }

    pub(crate) async fn get_v3(&self, target: &str) -> (u16, Value) {
        let answer = self.send_v3("GET", target, "", None).await;
        self.check(&answer);
        (answer.status, json_of(&answer))
    }

    /// An answer has to be signed, by the key that it names.
    pub(crate) fn check(&self, answer: &Answer) {
        let header = |name: &str| answer.header(name).unwrap_or_else(|| panic!("no {name}: {answer:?}"));
        assert!(answer.header("request-id").is_some());
        let (time, nonce) = (header("wechatpay-timestamp"), header("wechatpay-nonce"));
        let message = format!("{time}\n{nonce}\n{}\n", answer.body);
        assert!(self.is_wechats(header("wechatpay-serial"), &message, header("wechatpay-signature")), "{answer:?}");
    }

    /// Whether a signature is that of the key which is named so.
    pub(crate) fn is_wechats(&self, serial: &str, message: &str, signature: &str) -> bool {
        let files = self.files();
        let spki = if serial == self.merchant.public_key_id {
            der(&files.public_key)
        } else {
            assert_eq!(serial, self.merchant.platform_serial);
            spki_of(&der(&files.platform_certificate))
        };
        let Ok(signature) = STANDARD.decode(signature) else { return false };
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, spki).verify(message.as_bytes(), &signature).is_ok()
    }

    /// What a callback of v3 says, once its signature was found good.
    pub(crate) fn opened(&self, got: &Got) -> Value {
        let header = |name: &str| got.header(name).unwrap_or_else(|| panic!("no {name}: {}", got.head));
        let message = format!("{}\n{}\n{}\n", header("wechatpay-timestamp"), header("wechatpay-nonce"), got.body);
        assert!(self.is_wechats(header("wechatpay-serial"), &message, header("wechatpay-signature")));
        let envelope: Value = serde_json::from_str(&got.body).expect("JSON");
        let resource = &envelope["resource"];
        let plain = self.unsealed(resource).expect("a good tag");
        serde_json::from_str(&plain).expect("JSON")
    }

    /// The plaintext of `nonce`, `associated_data` and `ciphertext`.
    pub(crate) fn unsealed(&self, resource: &Value) -> Option<String> {
        let text = |name: &str| resource[name].as_str().expect("a text");
        let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, self.merchant.v3_key.as_bytes()).expect("a key"));
        let nonce = Nonce::try_assume_unique_for_key(text("nonce").as_bytes()).expect("a nonce");
        let mut bytes = STANDARD.decode(text("ciphertext")).expect("base64");
        let plain = key.open_in_place(nonce, Aad::from(text("associated_data").as_bytes()), &mut bytes).ok()?;
        String::from_utf8(plain.to_vec()).ok()
    }

    /// Pays an order over the control API.
    pub(crate) async fn pay(&self, number: &str, purse: Value) -> Value {
        let answer = self.sandbox.control("POST", &self.at(&format!("/orders/{number}/pay")), &purse).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.json()
    }

    /// All notifications of the merchant, once none of them is under way.
    pub(crate) async fn notices(&self) -> Vec<Value> {
        let target = format!("/sandbox/notifications?mch_id={}&wait=true", self.merchant.mch_id);
        self.sandbox.get(&target).await["notifications"].as_array().expect("notifications").clone()
    }
}

/// `sign` of v2, by `sign_type` of the fields; HMAC by the textbook, since only MD5 is at hand twice.
pub(crate) fn sign_v2(fields: &BTreeMap<String, String>, key: &str) -> String {
    let pairs = fields.iter().filter(|(name, value)| *name != "sign" && !value.is_empty());
    let text: String = pairs.map(|(name, value)| format!("{name}={value}&")).collect();
    let text = format!("{text}key={key}");
    let hmac = fields.get("sign_type").is_some_and(|kind| kind == "HMAC-SHA256")
        || fields.get("sign").is_some_and(|sign| sign.len() == 64);
    if !hmac {
        return hex::encode_upper(Md5::digest(text));
    }
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, key.as_bytes());
    hex::encode_upper(aws_lc_rs::hmac::sign(&key, text.as_bytes()))
}

/// The elements of v2's flat XML.
pub(crate) fn elements(xml: &str) -> BTreeMap<String, String> {
    let inside = xml.strip_prefix("<xml>").and_then(|rest| rest.strip_suffix("</xml>"));
    let mut rest = inside.unwrap_or_else(|| panic!("no XML: {xml}"));
    let mut found = BTreeMap::new();
    while let Some((name, after)) = rest.strip_prefix('<').and_then(|rest| rest.split_once("><![CDATA[")) {
        let (value, after) = after.split_once(&format!("]]></{name}>")).expect("an end");
        found.insert(name.to_owned(), value.to_owned());
        rest = after;
    }
    assert_eq!(rest, "", "{xml}");
    found
}

/// Fields by their names.
pub(crate) fn fields<const N: usize>(pairs: [(&str, &str); N]) -> BTreeMap<String, String> {
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

pub(crate) fn der(pem: &str) -> Vec<u8> {
    let lines = pem.lines().filter(|line| !line.starts_with("-----"));
    STANDARD.decode(lines.collect::<String>()).expect("PEM")
}

/// The `SubjectPublicKeyInfo` of a certificate: what begins with the RSA algorithm and is 294 bytes long for 2048 bits.
pub(crate) fn spki_of(certificate: &[u8]) -> Vec<u8> {
    let head = [0x30, 0x82, 0x01, 0x22, 0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
    let at = certificate.windows(head.len()).position(|window| window == head).expect("an RSA key");
    certificate[at..at + 294].to_vec()
}

fn json_of(answer: &Answer) -> Value {
    if answer.body.is_empty() { Value::Null } else { answer.json() }
}
