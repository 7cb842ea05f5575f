//! Where browsers are sent to log in: WeChat's own form of each link, and values that must not get out of their place.

use proptest::prelude::*;
use wechat::Appid;
use wechat::login::{Lang, Scope, UserAgent, authorize_url, corp_sso_url, qrconnect_url};

const OPEN: &str = "https://open.weixin.qq.com";

fn appid() -> Appid {
    Appid::parse("wx1234567890abcdef").unwrap()
}

#[test]
fn the_links_are_those_of_the_documents() {
    let back = "https://api.example.cn/app/测试/auth?trip=a-b_c~d.e";
    let encoded = "https%3A%2F%2Fapi.example.cn%2Fapp%2F%E6%B5%8B%E8%AF%95%2Fauth%3Ftrip%3Da-b_c~d.e";
    for (scope, name) in [(Scope::Base, "snsapi_base"), (Scope::UserInfo, "snsapi_userinfo")] {
        assert_eq!(
            authorize_url(OPEN, &appid(), back, scope, "s1", None),
            format!(
                "https://open.weixin.qq.com/connect/oauth2/authorize?appid=wx1234567890abcdef&redirect_uri={encoded}\
                 &response_type=code&scope={name}&state=s1#wechat_redirect"
            )
        );
    }
    let corpid = Appid::parse("ww1").unwrap();
    for (scope, name) in [(Scope::CorpBase, "snsapi_base"), (Scope::CorpPrivate, "snsapi_privateinfo")] {
        assert_eq!(
            authorize_url(OPEN, &corpid, "https://a.cn/", scope, "", Some("1000002")),
            format!(
                "https://open.weixin.qq.com/connect/oauth2/authorize?appid=ww1&redirect_uri=https%3A%2F%2Fa.cn%2F\
                 &response_type=code&scope={name}&state=&agentid=1000002#wechat_redirect"
            )
        );
    }
    assert_eq!(
        qrconnect_url(OPEN, &appid(), back, "s 1"),
        format!(
            "https://open.weixin.qq.com/connect/qrconnect?appid=wx1234567890abcdef&redirect_uri={encoded}\
             &response_type=code&scope=snsapi_login&state=s%201#wechat_redirect"
        )
    );
    assert_eq!(
        corp_sso_url("https://login.work.weixin.qq.com", &corpid, "1000002", "https://a.cn/", "s1"),
        "https://login.work.weixin.qq.com/wwlogin/sso/login?login_type=CorpApp&appid=ww1&agentid=1000002\
         &redirect_uri=https%3A%2F%2Fa.cn%2F&state=s1"
    );
}

#[test]
fn a_slash_at_the_end_of_the_base_address_does_no_harm() {
    let local = "http://127.0.0.1:8081/";
    let link = authorize_url(local, &appid(), "https://a.cn/", Scope::Base, "", None);
    assert!(link.starts_with("http://127.0.0.1:8081/connect/oauth2/authorize?appid="), "{link}");
    let link = corp_sso_url(local, &appid(), "1", "https://a.cn/", "");
    assert!(link.starts_with("http://127.0.0.1:8081/wwlogin/sso/login?login_type="), "{link}");
}

#[test]
fn languages_have_wechats_names() {
    for (lang, name) in [(Lang::ZhCn, "zh_CN"), (Lang::ZhTw, "zh_TW"), (Lang::En, "en")] {
        assert_eq!((Lang::parse(name), lang.as_str(), lang.to_string().as_str()), (Some(lang), name, name));
    }
    for text in ["", "zh", "zh-CN", "ZH_CN", "en_US", "en&x=1"] {
        assert_eq!(Lang::parse(text), None, "{text}");
    }
    assert_eq!(Lang::default(), Lang::ZhCn);
}

#[test]
fn programs_are_told_by_what_they_say_of_themselves() {
    let wechat = "Mozilla/5.0 (Linux; Android 13; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/116.0.0.0 \
                  Mobile Safari/537.36 XWEB/1160065 MMWEBSDK/20230805 MicroMessenger/8.0.42.2460(0x28002A58) NetType/WIFI";
    let wecom = "Mozilla/5.0 (iPhone; CPU iPhone OS 16_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) \
                 Mobile/15E148 wxwork/4.1.0 MicroMessenger/7.0.1 Language/zh";
    let cases = [
        (wechat, UserAgent::Wechat),
        (wecom, UserAgent::Wecom),
        ("mozilla/5.0 micromessenger/8.0", UserAgent::Wechat),
        ("MicroMessenger Client", UserAgent::Wechat),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0", UserAgent::OtherBrowser),
        ("curl/8.5.0", UserAgent::Program),
        ("python-requests/2.32", UserAgent::Program),
        ("", UserAgent::Program),
        ("微信", UserAgent::Program),
    ];
    for (header, expected) in cases {
        assert_eq!(UserAgent::of(header), expected, "{header}");
    }
}

/// The parameters of a link as a server reads them, and that it goes to `path` at [`OPEN`].
fn parameters(link: &str, path: &str) -> Vec<(String, String)> {
    assert!(link.bytes().all(|b| b.is_ascii_graphic() && !b"\"'<>\\`".contains(&b)), "{link}");
    let query = link.strip_prefix(OPEN).and_then(|rest| rest.strip_prefix(path)).unwrap().strip_prefix('?').unwrap();
    form_urlencoded::parse(query.as_bytes()).into_owned().collect()
}

fn expected(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

proptest! {
    #[test]
    fn whatever_is_in_a_value_stays_in_it(back in ".*", state in ".*", agentid in ".*") {
        let link = authorize_url(OPEN, &appid(), &back, Scope::CorpPrivate, &state, Some(&agentid));
        let link = link.strip_suffix("#wechat_redirect").unwrap();
        let pairs = [
            ("appid", "wx1234567890abcdef"),
            ("redirect_uri", &back),
            ("response_type", "code"),
            ("scope", "snsapi_privateinfo"),
            ("state", &state),
            ("agentid", &agentid),
        ];
        prop_assert_eq!(parameters(link, "/connect/oauth2/authorize"), expected(&pairs));

        let link = qrconnect_url(OPEN, &appid(), &back, &state);
        let link = link.strip_suffix("#wechat_redirect").unwrap();
        let [appid_pair, back_pair, type_pair, _, state_pair, _] = pairs;
        let pairs = [appid_pair, back_pair, type_pair, ("scope", "snsapi_login"), state_pair];
        prop_assert_eq!(parameters(link, "/connect/qrconnect"), expected(&pairs));

        let link = corp_sso_url(OPEN, &appid(), &agentid, &back, &state);
        let pairs = [("login_type", "CorpApp"), appid_pair, ("agentid", &agentid), back_pair, state_pair];
        prop_assert_eq!(parameters(&link, "/wwlogin/sso/login"), expected(&pairs));
    }

    #[test]
    fn no_header_makes_it_panic(header in ".*") {
        let _ = UserAgent::of(&header);
    }
}
