//! `/register`: every parameter, in every form, merged, cleared, refused.

use std::sync::LazyLock;

use serde_json::{Value, json};

use crate::harness::caller::{Caller, encoded};
use crate::harness::eventually;
use crate::harness::fake_wechat::{FakeWechat, Reply, STABLE};
use crate::harness::merchant_files;
use crate::harness::playground::{Playground, of};
use crate::harness::server::{SECRET, local};

const APPID: &str = "wx0123456789abcdef";
const AES: &str = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG";
const MASK: &str = "********";

/// Every optional parameter, and how it is shown.
static EVERYTHING: LazyLock<[(&str, &str, &str); 14]> = LazyLock::new(|| {
    [
        ("token", "callback-token", MASK),
        ("aes", AES, MASK),
        ("mch_id", "1230000109", "1230000109"),
        ("mch_key", "v2-key-of-the-merchant", MASK),
        ("server_ip", "203.0.113.7", "203.0.113.7"),
        ("mch_serial", "5157F09EFDC096DE15EBE81A47057A7232F1B8E1", "5157F09EFDC096DE15EBE81A47057A7232F1B8E1"),
        ("mch_private_key", merchant_files::private_key(), MASK),
        ("apiv3_key", "0123456789abcdef0123456789abcdef", MASK),
        ("pay_key_id", "PUB_KEY_ID_0114232134912410000000000000", "PUB_KEY_ID_0114232134912410000000000000"),
        ("pay_public_key", merchant_files::public_key(), merchant_files::public_key()),
        ("mch_cert", merchant_files::certificate_and_key(), MASK),
        ("pay", "v2", "v2"),
        ("token_mode", "classic", "classic"),
        ("expires", "86400", ""),
    ]
});

const LISTS: [(&str, &str); 6] = [
    ("call", "/api"),
    ("call", "/js"),
    ("allow", "shop.example.com"),
    ("allow", "*.example.org"),
    ("msg_call", "https://shop.example.com/wechat?a=b&c=d"),
    ("pay_call", "https://shop.example.com/paid?a=b"),
];

fn required(key: &str) -> Vec<(&str, &str)> {
    vec![("key", key), ("appid", APPID), ("secret", SECRET), ("check", "false")]
}

fn all_of(key: &str) -> Vec<(&str, &str)> {
    let single = EVERYTHING.iter().map(|(name, value, _)| (*name, *value));
    required(key).into_iter().chain(single).chain(LISTS).collect()
}

/// Each optional parameter by a request of its own, all at once, half of them on each node.
pub(crate) async fn merge_everything_at_once(one: &Caller, two: &Caller) {
    let merges = EVERYTHING.iter().enumerate().map(|(number, (name, value, _))| {
        let node = if number % 2 == 0 { one } else { two };
        let query = encoded(&[&required("test")[..], &[(name, value)]].concat());
        async move { node.get(&format!("/register?{query}")).await }
    });
    let lists = [vec![LISTS[0], LISTS[1]], vec![LISTS[2], LISTS[3]], vec![LISTS[4]], vec![LISTS[5]]];
    let lists = lists.into_iter().map(|list| {
        let query = encoded(&[required("test"), list].concat());
        async move { two.get(&format!("/register?{query}")).await }
    });
    let (singles, lists) = tokio::join!(futures::future::join_all(merges), futures::future::join_all(lists));
    for answer in singles.iter().chain(&lists) {
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
}

pub(crate) fn everything_is_there(shown: &Value) {
    for (name, _, expected) in EVERYTHING.iter().filter(|(name, ..)| *name != "expires") {
        assert_eq!(shown[name], *expected, "{name} in {shown}");
    }
    assert!((86_300..=86_400).contains(&shown["expires"].as_i64().unwrap()), "{shown}");
    assert_eq!(shown["call"], json!(["/api", "/js"]));
    assert_eq!(shown["allow"], json!(["shop.example.com", "*.example.org"]));
    assert_eq!(shown["msg_call"], json!(["https://shop.example.com/wechat?a=b&c=d"]));
    assert_eq!(shown["pay_call"], json!(["https://shop.example.com/paid?a=b"]));
    assert_eq!((&shown["secret"], &shown["api_key"]), (&json!(MASK), &json!(MASK)));
}

/// What is shown, without what depends on the moment.
fn lasting(mut shown: Value) -> Value {
    for field in ["key", "created_at", "updated_at", "expires"] {
        shown.as_object_mut().unwrap().remove(field);
    }
    shown
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn query_form_and_json_register_the_same_and_everything_is_shown_masked() {
    let wechat = FakeWechat::start().await;
    let (server, _database) = local(&wechat.url).await;
    let by_query = server.get(&format!("/register?{}", encoded(&all_of("query")))).await;
    let by_form = server.post_form("/register", &all_of("form")).await;
    let mut body = json!({"key": "json", "appid": APPID, "secret": SECRET, "check": false});
    for (name, value, _) in *EVERYTHING {
        body[name] = json!(value);
    }
    body["expires"] = json!(86400);
    for (name, _) in LISTS {
        body[name] = LISTS.iter().filter(|(known, _)| *known == name).map(|(_, value)| json!(value)).collect();
    }
    let by_json = server.post_json("/register", &body).await;
    let mut shown = Vec::new();
    for (key, answer) in [("query", by_query), ("form", by_form), ("json", by_json)] {
        let told = answer.json();
        assert_eq!((&told["success"], &told["key"]), (&json!(true), &json!(key)), "{told}");
        assert!(told["api_key"].as_str().unwrap().len() >= 32);
        let view = server.get(&format!("/app/{key}")).await.json();
        everything_is_there(&view);
        shown.push(lasting(view));
    }
    assert_eq!(shown[0], shown[1]);
    assert_eq!(shown[0], shown[2]);
    assert_eq!(wechat.all_calls(), 0, "check=false asks nobody");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_call_again_merges_and_a_parameter_given_empty_is_cleared() {
    let wechat = FakeWechat::start().await;
    let (server, _database) = local(&wechat.url).await;
    server.get(&format!("/register?{}", encoded(&all_of("test")))).await;
    let again = server.get(&format!("/register?{}", encoded(&required("test")))).await;
    assert_eq!(again.json(), json!({"success": true, "key": "test"}), "the api_key is told once");
    everything_is_there(&server.get("/app/test").await.json());

    let changed =
        [&required("test")[..], &[("token", "another"), ("mch_id", ""), ("allow", "new.example.com")]].concat();
    assert_eq!(server.post_form("/register", &changed).await.status, 200);
    let shown = server.get("/app/test").await.json();
    assert_eq!((&shown["mch_id"], &shown["allow"]), (&Value::Null, &json!(["new.example.com"])));
    assert_eq!((&shown["aes"], &shown["call"]), (&json!(MASK), &json!(["/api", "/js"])));

    let empty: Vec<(&str, &str)> = EVERYTHING.iter().map(|(name, ..)| (*name, "")).collect();
    let lists = [("call", ""), ("allow", ""), ("msg_call", ""), ("pay_call", "")];
    assert_eq!(server.post_form("/register", &[&required("test")[..], &empty, &lists].concat()).await.status, 200);
    let bare = server.get("/app/test").await.json();
    server.register(&required("bare")).await;
    assert_eq!(lasting(bare), lasting(server.get("/app/bare").await.json()), "as if nothing had ever been given");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn merges_at_once_lose_nothing() {
    let wechat = FakeWechat::start().await;
    let (server, _database) = local(&wechat.url).await;
    server.register(&required("test")).await;
    merge_everything_at_once(&server, &server).await;
    everything_is_there(&server.get("/app/test").await.json());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_new_key_at_once_is_created_once() {
    let wechat = FakeWechat::start().await;
    let (server, _database) = local(&wechat.url).await;
    let target = format!("/register?{}", encoded(&required("test")));
    let answers = server.at_once(20, &target).await;
    assert!(answers.iter().all(|answer| answer.status == 200), "{answers:?}");
    let created = answers.iter().filter(|answer| !answer.json()["api_key"].is_null()).count();
    assert_eq!(created, 1, "one of them gets the api_key");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn appid_and_secret_are_checked_before_anything_is_stored() {
    let platform = Playground::start().await;
    let account = platform.official();
    let (server, database) = local(&platform.url).await;
    let wrong = [("key", "test"), ("appid", account.appid.as_str()), ("secret", "wrong")];
    let refused = server.get(&format!("/register?{}", encoded(&wrong))).await;
    assert_eq!((refused.status, refused.errcode()), (200, 40125));
    assert!(refused.errmsg().contains("invalid appsecret"), "WeChat's own words: {}", refused.text());
    server.get("/app/test").await.is_refusal(404, -10004);
    assert_eq!((database.rows("apps").await, database.rows("credentials").await), (0, 0), "nothing is stored half");
    let unknown = [("key", "test"), ("appid", "wxffffffffffffffff"), ("secret", SECRET)];
    assert_eq!(server.get(&format!("/register?{}", encoded(&unknown))).await.errcode(), 40013);
    server.get("/app/test").await.is_refusal(404, -10004);

    server.register(&of(&account, "test")).await;
    let token = server.token("test").await;
    assert_eq!(platform.judges(&token).await, 0);
    let refused = server.post_form("/register", &[&wrong[..], &[("token", "t")]].concat()).await;
    assert_eq!(refused.errcode(), 40125);
    assert_eq!(server.get("/app/test").await.json()["token"], Value::Null, "nothing of it was merged");
    assert_eq!(server.token("test").await, token, "and the good token stays");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_wechat_cannot_be_asked_nothing_is_stored_and_check_false_is_named() {
    let wechat = FakeWechat::start().await;
    wechat.always(STABLE, Reply::Http(500, "<html>"));
    let (server, _database) = local(&wechat.url).await;
    let pairs = [("key", "test"), ("appid", APPID), ("secret", SECRET)];
    let refused = server.get(&format!("/register?{}", encoded(&pairs))).await.is_refusal(502, -10014);
    assert!(refused.errmsg().contains("check=false") && refused.errmsg().contains("nothing was stored"));
    server.get("/app/test").await.is_refusal(404, -10004);
    server.register(&required("test")).await;
    assert_eq!(server.get("/app/test").await.json()["checked_at"], Value::Null);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_of_another_account_is_refused() {
    let wechat = FakeWechat::start().await;
    let (server, _database) = local(&wechat.url).await;
    server.register(&required("test")).await;
    let other = [("key", "test"), ("appid", "wxfedcba9876543210"), ("secret", SECRET), ("token", "t")];
    let refused = server.post_form("/register", &other).await.is_refusal(409, -10013);
    assert!(refused.errmsg().contains("another key"));
    let shown = server.get("/app/test").await.json();
    assert_eq!((&shown["appid"], &shown["token"]), (&json!(APPID), &Value::Null));
    assert_eq!(wechat.all_calls(), 0, "WeChat is not asked about it");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_secret_that_is_being_checked_costs_others_nothing() {
    let platform = Playground::start().await;
    let account = platform.official();
    let (server, _database) = local(&platform.url).await;
    server.register(&[&of(&account, "test")[..], &[("check", "false")]].concat()).await;
    let wrong = format!("/register?{}", encoded(&[("key", "w"), ("appid", &account.appid), ("secret", "wrong")]));
    let (refused, answers) = tokio::join!(server.at_once(10, &wrong), server.at_once(50, "/app/test/api"));
    assert!(refused.iter().all(|answer| answer.errcode() == 40125), "{refused:?}");
    assert!(answers.iter().all(|answer| answer.token() == answers[0].token()));
    server.get("/app/w").await.is_refusal(404, -10004);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_corrected_secret_works_at_once() {
    let platform = Playground::start().await;
    let account = platform.official();
    let (server, _database) = local(&platform.url).await;
    let wrong = [("key", "test"), ("appid", &account.appid), ("secret", "wrong"), ("check", "false")];
    server.register(&wrong).await;
    assert_eq!(server.get("/app/test/api").await.errcode(), 40125);
    assert_eq!(server.get("/app/test/jsapi").await.errcode(), 40125);
    server.register(&of(&account, "test")).await;
    assert_eq!(platform.judges(&server.token("test").await).await, 0);
    assert!(!server.get("/app/test/jsapi").await.ticket().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_secret_given_for_one_key_serves_all_keys_of_the_account() {
    let platform = Playground::start().await;
    let account = platform.official();
    let (server, _database) = local(&platform.url).await;
    server.register(&of(&account, "one")).await;
    server.register(&of(&account, "two")).await;
    let path = format!("/sandbox/accounts/{}", account.appid);
    let control = Caller::of(&platform.url);
    control.send(http::Method::PATCH, &path, None, br#"{"secret":"brandnewsecret"}"#.to_vec()).await;
    server.register(&[("key", "one"), ("appid", &account.appid), ("secret", "brandnewsecret")]).await;
    let token = server.token("two").await;
    let new = server.get(&format!("/app/two/api/new?access_token={token}")).await.token();
    assert_eq!(platform.judges(&new).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_of_any_script_are_told_apart_byte_by_byte() {
    let wechat = FakeWechat::start().await;
    let (server, _database) = local(&wechat.url).await;
    for key in ["测试", "Test", "test", "test ", "a b+c%&=?#;", "📮"] {
        let answer = server.register(&required(key)).await;
        assert_eq!((&answer["key"], answer["api_key"].is_string()), (&json!(key), true), "{key:?} is a new one");
        let path = percent_encoding::utf8_percent_encode(key, percent_encoding::NON_ALPHANUMERIC).to_string();
        assert_eq!(server.get(&format!("/app/{path}")).await.json()["key"], key);
        assert_eq!(server.get(&format!("/app/{path}/api")).await.status, 200);
        assert_eq!(server.get(&format!("/admin/apps/{path}")).await.json()["key"], key);
    }
    server.get("/app/TEST/api").await.is_refusal(404, -10004);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_list_comes_in_pages() {
    let wechat = FakeWechat::start().await;
    let (server, _database) = local(&wechat.url).await;
    for number in 0..5 {
        server.register_cold(&format!("key {number}"), &[]).await;
    }
    let (mut seen, mut after) = (Vec::new(), String::new());
    loop {
        let page = server.get(&format!("/admin/apps?{}", encoded(&[("limit", "2"), ("after", &after)]))).await.json();
        seen.extend(page["apps"].as_array().unwrap().iter().map(|app| app["key"].as_str().unwrap().to_owned()));
        let Some(next) = page["next"].as_str() else { break };
        after = next.to_owned();
    }
    assert_eq!(seen, ["key 0", "key 1", "key 2", "key 3", "key 4"]);
    for limit in ["0", "501", "x"] {
        server.get(&format!("/admin/apps?limit={limit}")).await.is_refusal(400, -10003);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_expired_registration_is_gone_with_its_row_and_its_tokens() {
    let wechat = FakeWechat::start().await;
    let (server, _database) = local(&wechat.url).await;
    server.register_cold("test", &[("expires", "2")]).await;
    let token = server.token("test").await;
    eventually("it expires", async || server.get("/app/test/api").await.status == 404).await;
    server.get("/app/test").await.is_refusal(404, -10004);
    eventually("its row is removed", async || server.get("/admin/apps").await.json()["apps"] == json!([])).await;
    let answer = server.register(&required("test")).await;
    assert!(answer["api_key"].is_string(), "the name is free");
    eventually("its tokens are forgotten", async || server.token("test").await != token).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_credential_that_no_registration_needs_any_more_is_removed_when_it_is_due() {
    let wechat = FakeWechat::start().await;
    wechat.always("/cgi-bin/gettoken", Reply::Issue(5));
    let (server, database) = local(&wechat.url).await;
    let corp = |secret| [("key", "corp"), ("appid", "ww0123456789abcdef"), ("secret", secret), ("check", "false")];
    server.register(&corp("one")).await;
    server.get("/app/corp/qyapi").await.token();
    server.register(&corp("two")).await;
    assert_eq!(database.rows("credentials").await, 1);
    eventually("the old secret's token is gone", async || database.rows("credentials").await == 0).await;
    assert_eq!(wechat.all_calls(), 1, "nobody asks for it again");
    assert!(wechat.is_good(&server.get("/app/corp/qyapi").await.token()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn removing_the_last_key_of_an_account_forgets_its_tokens() {
    let wechat = FakeWechat::start().await;
    let (server, _database) = local(&wechat.url).await;
    server.register_cold("one", &[]).await;
    server.register_cold("two", &[]).await;
    let token = server.token("one").await;
    let remove = async |key: &str| server.send(http::Method::DELETE, &format!("/admin/apps/{key}"), None, vec![]).await;
    assert_eq!(remove("one").await.json(), json!({"success": true, "key": "one"}));
    server.get("/app/one/api").await.is_refusal(404, -10004);
    assert_eq!(server.token("two").await, token, "the other key keeps them");
    remove("two").await;
    remove("two").await.is_refusal(404, -10004);
    server.register_cold("one", &[]).await;
    assert_ne!(server.token("one").await, token, "forgotten at once");
    assert_eq!(wechat.calls(STABLE), 2);
}
