//! The calls of a login: from a `code` to a user.

use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::Lang;
use crate::Appid;
use crate::calls::{Call, Host};

impl Call {
    /// `GET /sns/oauth2/access_token`: a code for a web access_token and the openid; each code works once, for 5 minutes (of
    /// QR logins: 10). Also for website applications. Read by [`read_exchange`](super::read_exchange).
    #[must_use]
    pub fn code_exchange(appid: &Appid, secret: &SecretString, code: &str) -> Self {
        let query = [
            ("appid", appid.as_str()),
            ("secret", secret.expose_secret()),
            ("code", code),
            ("grant_type", "authorization_code"),
        ];
        Self::get(Host::Api, "/sns/oauth2/access_token", &query)
    }

    /// `GET /sns/userinfo`: the profile of a visitor who agreed; `web_token` is that of the exchange, not the account's.
    /// Read by [`read_profile`](super::read_profile).
    #[must_use]
    pub fn user_profile(web_token: &SecretString, openid: &str, lang: Lang) -> Self {
        Self::get(Host::Api, "/sns/userinfo", &user_query(web_token, openid, lang))
    }

    /// `GET /cgi-bin/user/info`: whether this user follows the account, since when, and the unionid; with the account's
    /// access_token. Read by [`read_profile`](super::read_profile).
    #[must_use]
    pub fn follower(access_token: &SecretString, openid: &str, lang: Lang) -> Self {
        Self::get(Host::Api, "/cgi-bin/user/info", &user_query(access_token, openid, lang))
    }

    /// WeCom's `GET /cgi-bin/auth/getuserinfo`: which member a code stands for. Read by
    /// [`read_member`](super::read_member).
    #[must_use]
    pub fn corp_member(access_token: &SecretString, code: &str) -> Self {
        let query = [("access_token", access_token.expose_secret()), ("code", code)];
        Self::get(Host::Qyapi, "/cgi-bin/auth/getuserinfo", &query)
    }

    /// WeCom's `POST /cgi-bin/auth/getuserdetail`: what the member agreed to show; the ticket is that of
    /// [`Call::corp_member`], good for 30 minutes. Read by [`read_profile`](super::read_profile).
    #[must_use]
    pub fn corp_member_detail(access_token: &SecretString, user_ticket: &SecretString) -> Self {
        let body = json!({ "user_ticket": user_ticket.expose_secret() }).to_string();
        Self::post(Host::Qyapi, "/cgi-bin/auth/getuserdetail", access_token.expose_secret(), body.as_bytes())
    }
}

fn user_query<'a>(access_token: &'a SecretString, openid: &'a str, lang: Lang) -> [(&'static str, &'a str); 3] {
    [("access_token", access_token.expose_secret()), ("openid", openid), ("lang", lang.as_str())]
}
