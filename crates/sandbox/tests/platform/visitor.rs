//! A visitor of somebody's web page, who opens login links without a browser and follows redirects by hand.

use form_urlencoded::Serializer;
use sandbox::Account;
use serde_json::{Value, json};

use crate::client::{Answer, Sandbox};

/// Where a login leads back to, when a test does not care.
pub(crate) const SITE: &str = "http://site.example/back?x=1";

/// Where a redirect led.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Led {
    /// The address before the parameters that were added.
    pub(crate) place: String,
    pub(crate) code: Option<String>,
    pub(crate) state: Option<String>,
}

impl Led {
    pub(crate) fn code(self) -> String {
        self.code.expect("a code")
    }
}

/// A link to the login page, with parameters in WeChat's order.
pub(crate) fn link(appid: &str, redirect_uri: &str, scope: &str, more: &str) -> String {
    let pairs = [("appid", appid), ("redirect_uri", redirect_uri), ("response_type", "code"), ("scope", scope)];
    format!("/connect/oauth2/authorize?{}{more}", query(&pairs))
}

pub(crate) fn query(pairs: &[(&str, &str)]) -> String {
    Serializer::new(String::new()).extend_pairs(pairs).finish()
}

/// Where an answer leads.
pub(crate) fn led(answer: &Answer) -> Led {
    assert_eq!(answer.status, 302, "{}", answer.body);
    let location = answer.header("location").expect("a location");
    let begin = location.find("code=").or_else(|| location.find("state=")).expect("a parameter that was added");
    let (place, added) = location.split_at(begin);
    let field = |name: &str| {
        form_urlencoded::parse(added.as_bytes()).find(|(known, _)| known == name).map(|(_, value)| value.into_owned())
    };
    Led { place: place.trim_end_matches(['?', '&']).to_owned(), code: field("code"), state: field("state") }
}

/// The value of an attribute that follows a mark in a page.
pub(crate) fn after<'a>(page: &'a str, mark: &str) -> &'a str {
    let (_, rest) = page.split_once(mark).unwrap_or_else(|| panic!("no {mark} in {page}"));
    rest.split('"').next().expect("a value")
}

impl Sandbox {
    /// Opens a page with these headers.
    pub(crate) async fn open(&self, target: &str, headers: &[&str]) -> Answer {
        let mut connection = self.connect().await;
        connection.send("GET", target, headers, "").await;
        connection.answer().await.expect("an answer")
    }

    /// Sends the form of a page that asks.
    pub(crate) async fn decide(&self, ticket: &str, decision: &str, identity: &str) -> Answer {
        let form = query(&[("ticket", ticket), ("decision", decision), ("identity", identity)]);
        self.send("POST", "/connect/oauth2/decide", &form).await
    }

    pub(crate) async fn set_phone(&self, patch: &Value) -> Value {
        let answer = self.control("PATCH", "/sandbox/phone", patch).await;
        answer.ok();
        answer.json()
    }

    pub(crate) async fn set_account(&self, appid: &str, patch: &Value) {
        self.control("PATCH", &format!("/sandbox/accounts/{appid}"), patch).await.ok();
    }

    pub(crate) async fn set_user(&self, appid: &str, openid: &str, patch: &Value) -> Value {
        let answer = self.control("PATCH", &format!("/sandbox/accounts/{appid}/users/{openid}"), patch).await;
        answer.ok();
        answer.json()
    }

    /// The openid of the phone's user.
    pub(crate) async fn phone_of(&self, appid: &str) -> String {
        let account = self.get(&format!("/sandbox/accounts/{appid}")).await;
        account["phone"].as_str().expect("an openid").to_owned()
    }

    /// A code for a scope, allowed at once.
    pub(crate) async fn code(&self, account: &Account, scope: &str) -> String {
        self.set_phone(&json!({ "consent": "allow" })).await;
        led(&self.open(&link(&account.appid, SITE, scope, "&state=s"), &[]).await).code()
    }

    /// What a code gives.
    pub(crate) async fn exchange(&self, account: &Account, code: &str) -> Value {
        self.get(&exchange_target(account, code)).await
    }

    /// What `/sns/userinfo` says to the answer of an exchange.
    pub(crate) async fn profile(&self, granted: &Value) -> Value {
        let (token, openid) = (granted["access_token"].as_str(), granted["openid"].as_str());
        let pairs = [("access_token", token.expect("a token")), ("openid", openid.expect("an openid"))];
        self.get(&format!("/sns/userinfo?{}&lang=zh_CN", query(&pairs))).await
    }
}

pub(crate) fn exchange_target(account: &Account, code: &str) -> String {
    let pairs = [("appid", account.appid.as_str()), ("secret", &account.secret), ("code", code)];
    format!("/sns/oauth2/access_token?{}&grant_type=authorization_code", query(&pairs))
}
