//! Mini programs: logins, session keys, what is encrypted with them, telephone numbers, pictures, text checks.

use aes::Aes128;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockModeDecrypt as _, KeyIvInit as _};
use sandbox::Account;
use sandbox::AccountKind::{MiniProgram, Official, Website};
use serde_json::{Value, json};
use sha1::{Digest as _, Sha1};

use crate::client::{Sandbox, errcode};
use crate::shop::Shop;
use crate::visitor::query;

fn target(appid: &str, secret: &str, code: &str) -> String {
    let pairs = [("appid", appid), ("secret", secret), ("js_code", code), ("grant_type", "authorization_code")];
    format!("/sns/jscode2session?{}", query(&pairs))
}

async fn code(sandbox: &Sandbox, appid: &str, wish: &Value) -> String {
    let path = format!("/sandbox/accounts/{appid}/mini-program/login");
    let answer = sandbox.control("POST", &path, wish).await;
    answer.ok();
    answer.json()["code"].as_str().expect("a code").to_owned()
}

async fn exchange(sandbox: &Sandbox, account: &Account, code: &str) -> Value {
    sandbox.get(&target(&account.appid, &account.secret, code)).await
}

/// What a mini program's server reads in `encryptedData`.
fn opened(answer: &Value, session_key: &str) -> Option<Value> {
    let bytes = |text: &str| STANDARD.decode(text).expect("base64");
    let key: [u8; 16] = bytes(session_key).try_into().expect("16 bytes");
    let iv: [u8; 16] = bytes(answer["iv"].as_str().expect("an IV")).try_into().expect("16 bytes");
    let mut sealed = bytes(answer["encryptedData"].as_str().expect("data"));
    let plain = cbc::Decryptor::<Aes128>::new(&key.into(), &iv.into()).decrypt_padded::<Pkcs7>(&mut sealed).ok()?;
    serde_json::from_slice(plain).ok()
}

#[tokio::test]
async fn a_code_gives_openid_and_session_key_once() {
    let sandbox = Sandbox::start().await;
    let account = sandbox.account(MiniProgram);
    let phone = sandbox.phone_of(&account.appid).await;
    let first = code(&sandbox, &account.appid, &json!({})).await;
    let answer = sandbox.send("GET", &target(&account.appid, &account.secret, &first), "").await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("text/plain")));
    let session = answer.json();
    assert_eq!(session["openid"], phone);
    assert_eq!(STANDARD.decode(session["session_key"].as_str().unwrap()).unwrap().len(), 16);
    let person = sandbox.get("/sandbox/phone").await["person"].clone();
    assert_eq!(session["unionid"], person["unionid"], "bound to the open platform");
    assert!(session.get("errcode").is_none());
    let again = exchange(&sandbox, &account, &first).await;
    assert_eq!(again["errcode"], 40163);
    assert!(again["errmsg"].as_str().unwrap().starts_with("code been used, rid: "), "{again}");

    sandbox.set_account(&account.appid, &json!({ "open_platform": false })).await;
    let second = code(&sandbox, &account.appid, &json!({ "openid": phone })).await;
    let other = exchange(&sandbox, &account, &second).await;
    assert!(other.get("unionid").is_none());
    assert_ne!(other["session_key"], session["session_key"], "each login has a new one");
    let late = code(&sandbox, &account.appid, &json!({})).await;
    sandbox.advance(300).await;
    assert_eq!(errcode(&exchange(&sandbox, &account, &late).await), 40029);
}

#[tokio::test]
async fn each_mistake_has_its_own_code() {
    let sandbox = Sandbox::start().await;
    let (account, other) = (sandbox.account(MiniProgram), sandbox.account(MiniProgram));
    let (official, website) = (sandbox.account(Official), sandbox.account(Website));
    let good = code(&sandbox, &account.appid, &json!({})).await;
    let Account { appid, secret, .. } = &account;
    let all = target(appid, secret, &good);
    for (wrong, expected) in [
        (all.replace("authorization_code", "client_credential"), 40002),
        (all.replace("&grant_type=authorization_code", ""), 40002),
        (all.replace(&format!("appid={appid}"), "appid="), 41002),
        (all.replace(&format!("secret={secret}"), "x=1"), 41004),
        (all.replace(&format!("js_code={good}"), "code=1"), 41008),
        (target("wx0", secret, &good), 40013),
        (target(&official.appid, &official.secret, &good), 40013),
        (target(&website.appid, &website.secret, &good), 40013),
        (target(appid, "x", &good), 40125),
        (target(appid, secret, "x"), 40029),
        (target(&other.appid, &other.secret, &good), 40029),
    ] {
        assert_eq!(errcode(&sandbox.get(&wrong).await), expected, "{wrong}");
    }
    assert_eq!(errcode(&sandbox.send("POST", &all, "").await.json()), 43001);
    for (patch, expected) in [(json!({ "secret_frozen": true }), 40243), (json!({ "frozen": true }), 50007)] {
        sandbox.set_account(appid, &json!({ "secret_frozen": false, "frozen": false })).await;
        sandbox.set_account(appid, &patch).await;
        assert_eq!(errcode(&sandbox.get(&all).await), expected);
    }
    sandbox.set_account(appid, &json!({ "frozen": false })).await;
    let openid = sandbox.phone_of(appid).await;
    sandbox.set_user(appid, &openid, &json!({ "high_risk": true })).await;
    assert_eq!(errcode(&sandbox.get(&all).await), 40226);
    let user = sandbox.set_user(appid, &openid, &json!({ "high_risk": false })).await;
    assert_eq!(user["high_risk"], false);
    assert_eq!(errcode(&sandbox.get(&all).await), 0, "nothing of this has used the code up");
}

#[tokio::test]
async fn a_user_logs_in_100_times_a_minute() {
    let sandbox = Sandbox::start().await;
    let account = sandbox.account(MiniProgram);
    for _ in 0..100 {
        let code = code(&sandbox, &account.appid, &json!({})).await;
        assert_eq!(errcode(&exchange(&sandbox, &account, &code).await), 0);
    }
    let one_more = code(&sandbox, &account.appid, &json!({})).await;
    assert_eq!(errcode(&exchange(&sandbox, &account, &one_more).await), 45011);
    let another = code(&sandbox, &account.appid, &json!({ "openid": "oAnother" })).await;
    assert_eq!(exchange(&sandbox, &account, &another).await["openid"], "oAnother");
    sandbox.advance(60).await;
    assert_eq!(errcode(&exchange(&sandbox, &account, &one_more).await), 0);
}

#[tokio::test]
async fn a_profile_is_signed_and_encrypted_with_the_current_session_key() {
    let sandbox = Sandbox::start().await;
    let account = sandbox.account(MiniProgram);
    let base = format!("/sandbox/accounts/{}/mini-program", account.appid);
    let info = async || sandbox.control("POST", &format!("{base}/user-info"), &json!({})).await;
    assert_eq!(info().await.status, 409, "nobody has logged in");
    let first = code(&sandbox, &account.appid, &json!({})).await;
    let session = exchange(&sandbox, &account, &first).await;
    let session_key = session["session_key"].as_str().unwrap();
    let profile = info().await.json();
    let raw = profile["rawData"].as_str().unwrap();
    assert_eq!(profile["signature"], hex::encode(Sha1::digest(format!("{raw}{session_key}"))));
    let opened_profile = opened(&profile, session_key).expect("the right key");
    let shown: Value = serde_json::from_str(raw).unwrap();
    for name in ["nickName", "gender", "language", "city", "province", "country", "avatarUrl"] {
        assert_eq!(shown[name], opened_profile[name], "{name}");
    }
    assert!(shown.get("openId").is_none());
    assert_eq!((&opened_profile["openId"], &opened_profile["unionId"]), (&session["openid"], &session["unionid"]));
    let now = sandbox.get("/sandbox/clock").await["now"].as_u64().unwrap() / 1_000;
    assert_eq!(opened_profile["watermark"], json!({ "appid": account.appid, "timestamp": now }));
    // After another login the server's old key opens nothing any more.
    code(&sandbox, &account.appid, &json!({})).await;
    assert_eq!(opened(&info().await.json(), session_key), None);
}

#[tokio::test]
async fn a_telephone_number_is_given_by_code_or_encrypted() {
    let shop = Shop::open(MiniProgram).await;
    let path = "/wxa/business/getuserphonenumber";
    let give = async || shop.control("POST", "mini-program/phone-number", &json!({})).await;
    let given = give().await;
    assert!(given.get("encryptedData").is_none(), "without a login there is no key");
    shop.sandbox.set_user(&shop.account.appid, &shop.openid, &json!({ "phone_number": "13912345678" })).await;
    let answer = shop.call(path, &json!({ "code": given["code"] })).await;
    assert_eq!((&answer["errcode"], &answer["phone_info"]["phoneNumber"]), (&json!(0), &json!("13912345678")));
    assert_eq!(answer["phone_info"]["watermark"]["appid"], shop.account.appid);
    for wrong in [given["code"].clone(), json!("x"), json!(null)] {
        assert_eq!(errcode(&shop.call(path, &json!({ "code": wrong })).await), 40029, "{wrong}");
    }
    let login = code(&shop.sandbox, &shop.account.appid, &json!({})).await;
    let session = exchange(&shop.sandbox, &shop.account, &login).await;
    let given = give().await;
    let number = opened(&given, session["session_key"].as_str().unwrap()).expect("the right key");
    assert_eq!((&number["purePhoneNumber"], &number["countryCode"]), (&json!("13912345678"), &json!("86")));
    let other = Shop { token: Shop::open(Official).await.token, ..shop };
    assert_eq!(errcode(&other.call(path, &json!({ "code": given["code"] })).await), 40001, "of another sandbox");
}

#[tokio::test]
async fn codes_of_telephone_numbers_are_for_one_mini_program_and_five_minutes() {
    let shop = Shop::open(MiniProgram).await;
    let path = "/wxa/business/getuserphonenumber";
    let other = shop.sandbox.account(MiniProgram);
    let of_other = format!("/sandbox/accounts/{}/mini-program/phone-number", other.appid);
    let foreign = shop.sandbox.control("POST", &of_other, &json!({})).await.json();
    assert_eq!(errcode(&shop.call(path, &json!({ "code": foreign["code"] })).await), 40029);
    let given = shop.control("POST", "mini-program/phone-number", &json!({ "openid": "oA" })).await;
    shop.sandbox.advance(300).await;
    assert_eq!(errcode(&shop.call(path, &json!({ "code": given["code"] })).await), 40029);
    let official = Shop::open(Official).await;
    assert_eq!(errcode(&official.call(path, &json!({ "code": "x" })).await), 48001);
    let refused = format!("/sandbox/accounts/{}/mini-program/login", official.account.appid);
    let refused = official.sandbox.control("POST", &refused, &json!({})).await;
    assert_eq!(refused.status, 400, "{}", refused.body);
    assert!(refused.body.contains("no mini program"), "{}", refused.body);
}

#[tokio::test]
async fn a_login_state_is_checked_and_reset() {
    let shop = Shop::open(MiniProgram).await;
    let signed = |key: &str, method: &str| {
        let hmac = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, key.as_bytes());
        let signature = hex::encode(aws_lc_rs::hmac::sign(&hmac, b""));
        format!("&{}", query(&[("openid", &shop.openid), ("signature", &signature), ("sig_method", method)]))
    };
    let good = "hmac_sha256";
    assert_eq!(errcode(&shop.get("/wxa/checksession", &signed("x", good)).await), 87007, "never logged in");
    let login = code(&shop.sandbox, &shop.account.appid, &json!({})).await;
    let session = exchange(&shop.sandbox, &shop.account, &login).await;
    let key = session["session_key"].as_str().unwrap();
    assert_eq!(errcode(&shop.get("/wxa/checksession", &signed(key, good)).await), 0);
    assert_eq!(errcode(&shop.get("/wxa/checksession", &signed("x", good)).await), 87009);
    assert_eq!(errcode(&shop.get("/wxa/checksession", &signed(key, "md5")).await), 87008);
    assert_eq!(errcode(&shop.get("/wxa/checksession", "&openid=oNobody").await), 40003);
    let reset = shop.get("/wxa/resetusersessionkey", &signed(key, good)).await;
    assert_eq!((errcode(&reset), &reset["openid"]), (0, &session["openid"]));
    assert_eq!(errcode(&shop.get("/wxa/checksession", &signed(key, good)).await), 87009, "the old one");
    let renewed = reset["session_key"].as_str().unwrap();
    assert_eq!(errcode(&shop.get("/wxa/checksession", &signed(renewed, good)).await), 0);
}

#[tokio::test]
async fn a_code_to_scan_is_a_picture_or_an_error() {
    let shop = Shop::open(MiniProgram).await;
    let path = format!("/wxa/getwxacodeunlimit?access_token={}", shop.token);
    for (body, expected) in [
        (json!({}), 40169),
        (json!({ "scene": "" }), 40169),
        (json!({ "scene": "x".repeat(33) }), 40169),
        (json!({ "scene": "中文" }), 40169),
        (json!({ "scene": "a=1", "page": "/pages/index" }), 41030),
    ] {
        assert_eq!(errcode(&shop.sandbox.post(&path, &body).await), expected, "{body}");
    }
    let mut connection = shop.sandbox.connect().await;
    let body = json!({ "scene": "x".repeat(32), "page": "pages/index/index" }).to_string();
    connection.send("POST", &path, &["connection: close"], &body).await;
    let head = connection.head().await.expect("a head");
    assert!(head.contains("content-type: image/png"), "{head}");
    assert!(connection.rest().await.starts_with(b"\x89PNG\r\n"));
}

#[tokio::test]
async fn texts_are_checked() {
    let shop = Shop::open(MiniProgram).await;
    let risky = "特3456书yuuo莞6543李zxcz蒜7782法fgnv级";
    let check = async |body: &Value| shop.call("/wxa/msg_sec_check", body).await;
    let second = |content: &str| json!({ "content": content, "version": 2, "scene": 1, "openid": shop.openid });
    assert_eq!(check(&second("hi")).await["result"], json!({ "suggest": "pass", "label": 100 }));
    assert_eq!(check(&second(risky)).await["result"]["suggest"], "risky");
    assert_eq!(errcode(&check(&json!({ "content": "hi", "version": 2, "scene": 1, "openid": "x" })).await), 40003);
    assert_eq!(errcode(&check(&json!({ "content": "hi" })).await), 0);
    assert_eq!(errcode(&check(&json!({ "content": risky })).await), 87014);
}
