//! Logins of visitors by official accounts: codes, web tokens, profiles, followers.

use sandbox::AccountKind::{MiniProgram, Official, Website};
use sandbox::{Account, NewAccount};
use serde_json::{Value, json};

use crate::client::{Sandbox, errcode, token};
use crate::visitor::{SITE, exchange_target, led, link, query};

#[tokio::test]
async fn snsapi_base_is_silent_and_its_code_works_once() {
    let sandbox = Sandbox::start().await;
    let (account, other) = (sandbox.account(Official), sandbox.account(Official));
    let opened = sandbox.open(&link(&account.appid, SITE, "snsapi_base", "&state=aZ09"), &[]).await;
    let led = led(&opened);
    assert_eq!((led.place.as_str(), led.state.as_deref()), (SITE, Some("aZ09")));
    let code = led.code();
    assert_eq!(errcode(&sandbox.exchange(&other, &code).await), 40029, "a code for another account");
    let wrong = sandbox.get(&exchange_target(&account, &code).replace(&account.secret, "x")).await;
    assert_eq!(errcode(&wrong), 40125);
    let answer = sandbox.send("GET", &exchange_target(&account, &code), "").await;
    assert_eq!(answer.header("content-type"), Some("text/plain"));
    let granted = answer.json();
    assert_eq!((&granted["expires_in"], &granted["scope"]), (&json!(7200), &json!("snsapi_base")));
    assert_eq!(granted["openid"], sandbox.phone_of(&account.appid).await);
    assert!(granted.get("unionid").is_none() && granted.get("is_snapshotuser").is_none(), "{granted}");
    let again = sandbox.exchange(&account, &code).await;
    assert_eq!(errcode(&again), 40163);
    assert!(again["errmsg"].as_str().unwrap().starts_with("code been used, rid: "), "{again}");
    assert_eq!(errcode(&sandbox.profile(&granted).await), 48001);
}

#[tokio::test]
async fn a_code_dies_after_five_minutes() {
    let sandbox = Sandbox::start().await;
    let account = sandbox.account(Official);
    let (early, late) = (sandbox.code(&account, "snsapi_base").await, sandbox.code(&account, "snsapi_base").await);
    assert_ne!(early, late);
    sandbox.advance(299).await;
    assert_eq!(errcode(&sandbox.exchange(&account, &early).await), 0);
    sandbox.advance(1).await;
    assert_eq!(errcode(&sandbox.exchange(&account, &late).await), 42003);
}

#[tokio::test]
async fn what_is_wrong_with_an_exchange_is_told() {
    let sandbox = Sandbox::start().await;
    let (account, mini) = (sandbox.account(Official), sandbox.account(MiniProgram));
    let (appid, secret) = (account.appid.as_str(), account.secret.as_str());
    let good = [("appid", appid), ("secret", secret), ("code", "x"), ("grant_type", "authorization_code")];
    let target = |pairs: &[(&str, &str)]| format!("/sns/oauth2/access_token?{}", query(pairs));
    assert_eq!(errcode(&sandbox.get(&target(&good)).await), 40029);
    for (missing, code) in [("grant_type", 40002), ("appid", 41002), ("secret", 41004), ("code", 41008)] {
        let rest: Vec<_> = good.into_iter().filter(|(name, _)| *name != missing).collect();
        assert_eq!(errcode(&sandbox.get(&target(&rest)).await), code, "{missing}");
    }
    for unknown in ["wx0", mini.appid.as_str()] {
        let other = good.map(|(name, value)| if name == "appid" { (name, unknown) } else { (name, value) });
        assert_eq!(errcode(&sandbox.get(&target(&other)).await), 40013);
    }
    let posted = sandbox.send("POST", &target(&good), "").await;
    assert_eq!((errcode(&posted.json()), posted.header("content-type")), (43001, Some("text/plain")));
    for (patch, code) in
        [(json!({ "secret_frozen": true }), 40243), (json!({ "secret_frozen": false, "frozen": true }), 50007)]
    {
        sandbox.set_account(appid, &patch).await;
        assert_eq!(errcode(&sandbox.get(&target(&good)).await), code);
    }
}

#[tokio::test]
async fn a_profile_is_what_the_user_is_whatever_letters_it_has() {
    let sandbox = Sandbox::start().await;
    let account = sandbox.account(Official);
    let openid = sandbox.phone_of(&account.appid).await;
    let nickname = "\"</script><b>'&amp;😀\n\\";
    let patch = json!({ "nickname": nickname, "headimgurl": "https://thirdwx.qlogo.cn/mmopen/x/132", "sex": 1, "city": "广州" });
    sandbox.set_user(&account.appid, &openid, &patch).await;
    let granted = sandbox.exchange(&account, &sandbox.code(&account, "snsapi_userinfo").await).await;
    let profile = sandbox.profile(&granted).await;
    assert_eq!(
        profile,
        json!({
            "openid": openid, "nickname": nickname, "sex": 1, "province": "", "city": "广州", "country": "",
            "headimgurl": "https://thirdwx.qlogo.cn/mmopen/x/132", "privilege": [], "unionid": granted["unionid"],
        })
    );
    let other = json!({ "access_token": granted["access_token"], "openid": "oOther" });
    assert_eq!(errcode(&sandbox.profile(&other).await), 40003);
    let web_token = token(&granted);
    assert_eq!(errcode(&sandbox.get(&format!("/sns/userinfo?access_token={web_token}")).await), 41009);
    assert_eq!(errcode(&sandbox.get(&format!("/sns/userinfo?openid={openid}")).await), 41001);
}

#[tokio::test]
async fn a_picture_is_drawn_by_the_sandbox() {
    let sandbox = Sandbox::start().await;
    let account = sandbox.account(Official);
    let granted = sandbox.exchange(&account, &sandbox.code(&account, "snsapi_userinfo").await).await;
    let profile = sandbox.profile(&granted).await;
    let picture =
        profile["headimgurl"].as_str().unwrap().strip_prefix("http://localhost").expect("the sandbox's address");
    assert!(picture.ends_with("/132"), "{picture}");
    let drawn = sandbox.send("GET", picture, "").await;
    assert_eq!((drawn.status, drawn.header("content-type")), (200, Some("image/svg+xml")));
    assert!(drawn.body.starts_with("<svg"));
    assert_eq!(sandbox.send("GET", "/mmopen/vi_32/x/7", "").await.status, 404);
}

#[tokio::test]
async fn one_person_has_one_unionid_and_many_openids() {
    let sandbox = Sandbox::start().await;
    let (one, two, unbound) = (sandbox.account(Official), sandbox.account(Official), sandbox.account(Official));
    sandbox.set_account(&unbound.appid, &json!({ "open_platform": false })).await;
    let mut granted = Vec::new();
    for account in [&one, &two, &unbound] {
        granted.push(sandbox.exchange(account, &sandbox.code(account, "snsapi_userinfo").await).await);
    }
    assert!(granted[0]["unionid"].is_string());
    assert_eq!(granted[0]["unionid"], granted[1]["unionid"]);
    assert_ne!(granted[0]["openid"], granted[1]["openid"]);
    assert!(granted[2].get("unionid").is_none());
    assert!(sandbox.profile(&granted[2]).await.get("unionid").is_none());
    let another = sandbox.set_user(&one.appid, "oAnother", &json!({ "nickname": "A" })).await;
    assert_ne!(another["unionid"], granted[0]["unionid"]);
    let openid = granted[0]["openid"].as_str().unwrap();
    sandbox.set_user(&one.appid, openid, &json!({ "nickname": "新名字" })).await;
    assert_eq!(sandbox.profile(&granted[1]).await["nickname"], "新名字", "the phone's user is one person");
}

#[tokio::test]
async fn web_tokens_are_not_account_tokens_and_end_by_themselves() {
    let sandbox = Sandbox::start().await;
    let account = sandbox.account(Official);
    let account_token = token(&sandbox.stable(&account, false).await);
    let granted = sandbox.exchange(&account, &sandbox.code(&account, "snsapi_userinfo").await).await;
    let (web_token, openid) = (token(&granted), granted["openid"].as_str().unwrap());
    let check = |token: &str| format!("/sns/auth?access_token={token}&openid={openid}");
    assert_eq!(sandbox.get(&check(&web_token)).await, json!({ "errcode": 0, "errmsg": "ok" }));
    assert_eq!(errcode(&sandbox.get(&format!("/sns/auth?access_token={web_token}&openid=x")).await), 40003);
    assert_eq!(errcode(&sandbox.get(&check(&account_token)).await), 40001);
    assert_eq!(errcode(&sandbox.get(&check("x")).await), 40014);
    assert_eq!(sandbox.judge(&web_token).await, 40001);
    sandbox.control("POST", "/sandbox/tokens/expire", &json!({ "access_token": web_token })).await.ok();
    assert_eq!(errcode(&sandbox.get(&check(&web_token)).await), 42001);
    let granted = sandbox.exchange(&account, &sandbox.code(&account, "snsapi_userinfo").await).await;
    sandbox.control("POST", "/sandbox/tokens/kill", &json!({ "access_token": token(&granted) })).await.ok();
    assert_eq!(errcode(&sandbox.profile(&granted).await), 40001);
    let granted = sandbox.exchange(&account, &sandbox.code(&account, "snsapi_userinfo").await).await;
    sandbox.advance(7_200).await;
    assert_eq!(errcode(&sandbox.profile(&granted).await), 42001);
}

#[tokio::test]
async fn web_tokens_are_refreshed_for_thirty_days() {
    let sandbox = Sandbox::start().await;
    let (account, other) = (sandbox.account(Official), sandbox.account(Official));
    let granted = sandbox.exchange(&account, &sandbox.code(&account, "snsapi_userinfo").await).await;
    let refresh = granted["refresh_token"].as_str().unwrap();
    let target = |appid: &str, refresh: &str| {
        format!("/sns/oauth2/refresh_token?appid={appid}&grant_type=refresh_token&refresh_token={refresh}")
    };
    sandbox.advance(7_000).await;
    let kept = sandbox.get(&target(&account.appid, refresh)).await;
    assert_eq!((token(&kept), &kept["openid"]), (token(&granted), &granted["openid"]));
    assert_eq!(
        (&kept["expires_in"], &kept["scope"], &kept["refresh_token"]),
        (&json!(7200), &json!("snsapi_userinfo"), &json!(refresh))
    );
    sandbox.advance(7_000).await;
    assert_eq!(errcode(&sandbox.profile(&kept).await), 0);
    sandbox.advance(200).await;
    let renewed = sandbox.get(&target(&account.appid, refresh)).await;
    assert_ne!(token(&renewed), token(&granted));
    assert_eq!(errcode(&sandbox.profile(&renewed).await), 0);
    for (target, code) in [
        (target(&other.appid, refresh), 40030),
        (target(&account.appid, "x"), 40030),
        (target(&account.appid, ""), 41003),
        (target("", refresh), 41002),
        (target(&account.appid, refresh).replace("grant_type=refresh_token", "grant_type=x"), 40002),
    ] {
        assert_eq!(errcode(&sandbox.get(&target).await), code, "{target}");
    }
    sandbox.advance(30 * 86_400).await;
    assert_eq!(errcode(&sandbox.get(&target(&account.appid, refresh)).await), 42002);
}

#[tokio::test]
async fn a_snapshot_page_gives_a_virtual_identity() {
    let sandbox = Sandbox::start().await;
    let account = sandbox.account(Official);
    let real = sandbox.exchange(&account, &sandbox.code(&account, "snsapi_userinfo").await).await;
    sandbox.set_phone(&json!({ "consent": "snapshot" })).await;
    let target = link(&account.appid, SITE, "snsapi_userinfo", "");
    let code = led(&sandbox.open(&target, &[]).await).code();
    let granted = sandbox.exchange(&account, &code).await;
    assert_eq!(granted["is_snapshotuser"], 1);
    assert_ne!((&granted["openid"], &granted["unionid"]), (&real["openid"], &real["unionid"]));
    let profile = sandbox.profile(&granted).await;
    assert_eq!((&profile["nickname"], &profile["openid"]), (&json!("微信用户"), &granted["openid"]));
    let base = led(&sandbox.open(&link(&account.appid, SITE, "snsapi_base", ""), &[]).await).code();
    let base = sandbox.exchange(&account, &base).await;
    assert_eq!((&base["openid"], base.get("is_snapshotuser")), (&real["openid"], None));
    sandbox.set_phone(&json!({ "consent": "allow" })).await;
    let forced = led(&sandbox.open(&format!("{target}&forceSnapShot=true"), &[]).await).code();
    assert_eq!(sandbox.exchange(&account, &forced).await["is_snapshotuser"], 1);
}

#[tokio::test]
async fn followers_are_known_and_others_hardly() {
    let sandbox = Sandbox::start().await;
    let (account, mini) = (sandbox.account(Official), sandbox.account(MiniProgram));
    let good = token(&sandbox.stable(&account, false).await);
    let openid = sandbox.phone_of(&account.appid).await;
    let info = |openid: &str| format!("/cgi-bin/user/info?access_token={good}&openid={openid}&lang=zh_CN");
    let follower = sandbox.get(&info(&openid)).await;
    let now = sandbox.get("/sandbox/clock").await["now"].as_u64().unwrap() / 1000;
    let unionid = sandbox.get("/sandbox/phone").await["person"]["unionid"].clone();
    assert!(follower["subscribe_time"].as_u64().unwrap().abs_diff(now) <= 60);
    let Value::Object(mut rest) = follower else { panic!("no object") };
    rest.remove("subscribe_time");
    assert_eq!(
        Value::Object(rest),
        json!({
            "subscribe": 1, "openid": openid, "language": "zh_CN", "unionid": unionid, "remark": "", "groupid": 0,
            "tagid_list": [], "subscribe_scene": "ADD_SCENE_SEARCH", "qr_scene": 0, "qr_scene_str": "",
        })
    );
    sandbox.set_user(&account.appid, &openid, &json!({ "following": false })).await;
    let left = sandbox.get(&info(&openid)).await;
    assert_eq!(left, json!({ "subscribe": 0, "openid": openid, "unionid": unionid }));
    sandbox.set_account(&account.appid, &json!({ "open_platform": false })).await;
    assert_eq!(sandbox.get(&info(&openid)).await, json!({ "subscribe": 0, "openid": openid }));
    for wrong in ["oNobody", ""] {
        assert_eq!(errcode(&sandbox.get(&info(wrong)).await), 40003);
    }
    let batch = format!("/cgi-bin/user/info/batchget?access_token={good}");
    sandbox.set_user(&account.appid, "oTwo", &json!({ "language": "en" })).await;
    let list = json!({ "user_list": [{ "openid": "oTwo", "lang": "en" }, { "openid": openid }] });
    let infos = sandbox.post(&batch, &list).await;
    assert_eq!(
        (&infos["user_info_list"][0]["language"], &infos["user_info_list"][1]["subscribe"]),
        (&json!("en"), &json!(0))
    );
    let many = vec![json!({ "openid": openid }); 101];
    assert_eq!(errcode(&sandbox.post(&batch, &json!({ "user_list": many })).await), 40032);
    assert_eq!(errcode(&sandbox.post(&batch, &json!({ "user_list": [{ "openid": "oNobody" }] })).await), 40003);
    let of_mini = token(&sandbox.stable(&mini, false).await);
    assert_eq!(errcode(&sandbox.get(&format!("/cgi-bin/user/info?access_token={of_mini}&openid=x")).await), 48001);
    assert_eq!(errcode(&sandbox.get("/cgi-bin/user/info?openid=x").await), 41001);
}

#[tokio::test]
async fn websites_have_no_account_tokens() {
    let sandbox = Sandbox::start().await;
    let site = sandbox.account(Website);
    assert_eq!(errcode(&sandbox.stable(&site, false).await), 40013);
    assert_eq!(errcode(&sandbox.classic(&site).await), 40013);
    let callback = json!({ "url": "http://a", "token": "abc", "check": false });
    let refused = sandbox.control("PUT", &format!("/sandbox/accounts/{}/callback", site.appid), &callback).await;
    assert_eq!(refused.status, 400);
    assert!(refused.body.contains("gets no messages"), "{}", refused.body);
}

#[tokio::test]
async fn a_removed_account_takes_its_logins_along() {
    let sandbox = Sandbox::start().await;
    let account = sandbox.account(Official);
    let granted = sandbox.exchange(&account, &sandbox.code(&account, "snsapi_userinfo").await).await;
    let code = sandbox.code(&account, "snsapi_userinfo").await;
    let Account { appid, secret, .. } = &account;
    sandbox.control("DELETE", &format!("/sandbox/accounts/{appid}"), &Value::Null).await.ok();
    assert_eq!(errcode(&sandbox.profile(&granted).await), 40001);
    let wish = NewAccount { appid: Some(appid.clone()), secret: Some(secret.clone()), ..NewAccount::of(Official) };
    sandbox.platform.create_account(wish).unwrap();
    assert_eq!(errcode(&sandbox.profile(&granted).await), 40001, "the next account of that id has its own");
    assert_eq!(errcode(&sandbox.exchange(&account, &code).await), 40029);
}
