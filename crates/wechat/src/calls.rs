//! The API calls that the proxy makes on its own: what to send, and how to read the answer.
//!
//! Sources: `getAccessToken`, `getStableAccessToken`, `getTicket` of the official account documents; `gettoken` of
//! the WeCom documents. A [`Call`] carries secrets in its query or body, so its `Debug` shows neither.

mod refusal;

use std::fmt;

use secrecy::{ExposeSecret, SecretSlice, SecretString};
use serde_json::{Map, Value, json};

use crate::Appid;
use crate::errcode::{ApiError, Errcode};

pub use refusal::read_errcode;

/// Longest access_token or ticket that is accepted, in bytes (the documents ask to reserve 512).
pub const MAX_CREDENTIAL_LENGTH: usize = 2048;

/// Longest `errmsg` that is kept, in characters: it is stored, logged and answered.
const MAX_ERRMSG_LENGTH: usize = 500;

/// Which of WeChat's hosts a call goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Host {
    /// `https://api.weixin.qq.com`: official accounts and mini programs.
    Api,
    /// `https://qyapi.weixin.qq.com`: WeCom.
    Qyapi,
}

/// One request to WeChat: `POST` with a JSON body when there is a body, else `GET`.
pub struct Call {
    /// The host it goes to.
    pub host: Host,
    /// The path, e.g. `/cgi-bin/token`: safe to log.
    pub path: &'static str,
    query: SecretString,
    body: Option<SecretSlice<u8>>,
}

impl Call {
    /// `GET /cgi-bin/token`: a new classic access_token; the previous one dies within five minutes.
    #[must_use]
    pub fn classic_token(appid: &Appid, secret: &SecretString) -> Self {
        let query =
            [("grant_type", "client_credential"), ("appid", appid.as_str()), ("secret", secret.expose_secret())];
        Self::get(Host::Api, "/cgi-bin/token", &query)
    }

    /// `POST /cgi-bin/stable_token`: the current stable access_token, or with `force_refresh` a new one
    /// (at most 20 times a day, 30 seconds apart).
    #[must_use]
    pub fn stable_token(appid: &Appid, secret: &SecretString, force_refresh: bool) -> Self {
        let body = json!({
            "grant_type": "client_credential",
            "appid": appid.as_str(),
            "secret": secret.expose_secret(),
            "force_refresh": force_refresh,
        });
        Self {
            host: Host::Api,
            path: "/cgi-bin/stable_token",
            query: SecretString::default(),
            body: Some(body.to_string().into_bytes().into()),
        }
    }

    /// `GET /cgi-bin/gettoken` of WeCom: the access_token of one agent, told by its own secret.
    #[must_use]
    pub fn wecom_token(corpid: &Appid, corpsecret: &SecretString) -> Self {
        let query = [("corpid", corpid.as_str()), ("corpsecret", corpsecret.expose_secret())];
        Self::get(Host::Qyapi, "/cgi-bin/gettoken", &query)
    }

    /// `GET /cgi-bin/ticket/getticket`: the ticket for JSSDK or for card signatures.
    #[must_use]
    pub fn ticket(kind: TicketKind, access_token: &SecretString) -> Self {
        let query = [("access_token", access_token.expose_secret()), ("type", kind.as_str())];
        Self::get(Host::Api, "/cgi-bin/ticket/getticket", &query)
    }

    /// WeCom's `GET /cgi-bin/get_jsapi_ticket`: the corporation's ticket, for `wx.config`; shared by all its apps.
    #[must_use]
    pub fn corp_jsapi_ticket(access_token: &SecretString) -> Self {
        Self::get(Host::Qyapi, "/cgi-bin/get_jsapi_ticket", &[("access_token", access_token.expose_secret())])
    }

    /// WeCom's `GET /cgi-bin/ticket/get?type=agent_config`: the ticket of one app, for `wx.agentConfig`.
    #[must_use]
    pub fn agent_ticket(access_token: &SecretString) -> Self {
        let query = [("access_token", access_token.expose_secret()), ("type", "agent_config")];
        Self::get(Host::Qyapi, "/cgi-bin/ticket/get", &query)
    }

    /// `POST /cgi-bin/message/custom/send`: a customer-service message, made by
    /// [`Reply::as_customer_service`](crate::reply::Reply::as_customer_service).
    #[must_use]
    pub fn custom_send(access_token: &str, body: &[u8]) -> Self {
        Self::post(Host::Api, "/cgi-bin/message/custom/send", access_token, body)
    }

    /// WeCom's `POST /cgi-bin/message/send`: a message of an app, made by
    /// [`Reply::as_wecom`](crate::reply::Reply::as_wecom).
    #[must_use]
    pub fn wecom_send(access_token: &str, body: &[u8]) -> Self {
        Self::post(Host::Qyapi, "/cgi-bin/message/send", access_token, body)
    }

    pub(crate) fn post(host: Host, path: &'static str, access_token: &str, body: &[u8]) -> Self {
        let call = Self::get(host, path, &[("access_token", access_token)]);
        Self { body: Some(body.to_vec().into()), ..call }
    }

    pub(crate) fn get(host: Host, path: &'static str, query: &[(&str, &str)]) -> Self {
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
        Self { host, path, query: query.into(), body: None }
    }

    /// The query, percent-encoded, without `?`; empty when there is none. Holds secrets.
    #[must_use]
    pub fn query(&self) -> &str {
        self.query.expose_secret()
    }

    /// The JSON body of a `POST`; `None` means `GET`. Holds secrets.
    #[must_use]
    pub fn body(&self) -> Option<&[u8]> {
        self.body.as_ref().map(ExposeSecret::expose_secret)
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").field("host", &self.host).field("path", &self.path).finish_non_exhaustive()
    }
}

/// The `type` of a ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TicketKind {
    /// `jsapi_ticket`, for `wx.config`.
    Jsapi,
    /// `api_ticket`, for card signatures.
    WxCard,
}

impl TicketKind {
    /// The value of the `type` parameter.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Jsapi => "jsapi",
            Self::WxCard => "wx_card",
        }
    }
}

/// An access_token or ticket as WeChat just gave it out.
#[derive(Debug, Clone)]
pub struct Issued {
    /// The token or ticket itself.
    pub value: SecretString,
    /// For how many seconds from now it is good; 0 in its last second (WeCom gives the same token until its end).
    pub expires_in: u32,
}

/// Why an answer gave no token or ticket.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    /// WeChat refused.
    #[error(transparent)]
    Refused(#[from] ApiError),
    /// The body is no JSON object, or lacks what the document promises: a relay, a captive portal, half an answer.
    #[error("the answer is not what WeChat's documents promise: {0}")]
    Malformed(&'static str),
}

/// Reads the answer of [`Call::classic_token`], [`Call::stable_token`] or [`Call::wecom_token`].
/// The Content-Type is not looked at: WeChat's own is not reliable.
///
/// # Errors
/// [`AnswerError`], which never holds a part of a token.
pub fn read_access_token(body: &[u8]) -> Result<Issued, AnswerError> {
    issued(&successful_object(body)?, "access_token", is_credential)
}

/// Reads the answer of [`Call::ticket`], [`Call::corp_jsapi_ticket`] or [`Call::agent_ticket`].
///
/// # Errors
/// [`AnswerError`], which never holds a part of a ticket.
pub fn read_ticket(body: &[u8]) -> Result<Issued, AnswerError> {
    issued(&successful_object(body)?, "ticket", is_ticket)
}

/// Reads the answer of [`Call::custom_send`] or [`Call::wecom_send`]: `errcode` 0 means sent.
///
/// # Errors
/// [`AnswerError`]; [`Errcode::advice`] says what to do about a refusal.
pub fn read_sent(body: &[u8]) -> Result<(), AnswerError> {
    match successful_object(body)?.get("errcode") {
        Some(_) => Ok(()),
        None => Err(AnswerError::Malformed("it has no errcode")),
    }
}

/// The answer as a JSON object, if WeChat did not refuse. Of a member that is there twice the last one counts.
pub(crate) fn successful_object(body: &[u8]) -> Result<Map<String, Value>, AnswerError> {
    let Ok(Value::Object(object)) = serde_json::from_slice(body) else {
        return Err(AnswerError::Malformed("it is no JSON object"));
    };
    let errcode = match object.get("errcode") {
        None => 0,
        Some(code) => code.as_i64().ok_or(AnswerError::Malformed("errcode is no integer"))?,
    };
    match refusal_of(errcode, object.get("errmsg").unwrap_or(&Value::Null)) {
        Some(refusal) => Err(refusal.into()),
        None => Ok(object),
    }
}

/// What an `errcode` and its `errmsg` refuse: nothing if the code is 0. A text of any other type counts as none.
fn refusal_of(errcode: i64, errmsg: &Value) -> Option<ApiError> {
    let errmsg = errmsg.as_str().unwrap_or_default().chars().take(MAX_ERRMSG_LENGTH);
    (errcode != 0).then(|| ApiError { errcode: Errcode(errcode), errmsg: errmsg.collect() })
}

fn issued(object: &Map<String, Value>, field: &'static str, is_good: fn(&str) -> bool) -> Result<Issued, AnswerError> {
    let value = object.get(field).and_then(Value::as_str).filter(|value| is_good(value));
    let value = value.ok_or(AnswerError::Malformed("it has no usable access_token or ticket"))?;
    let expires_in = object.get("expires_in").and_then(Value::as_u64).and_then(|seconds| u32::try_from(seconds).ok());
    match expires_in {
        Some(expires_in) => Ok(Issued { value: value.into(), expires_in }),
        None => Err(AnswerError::Malformed("expires_in is no number of seconds")),
    }
}

/// Whether this can be a token: printable ASCII, because it travels in URLs and is put between JSON quotes.
pub(crate) fn is_credential(value: &str) -> bool {
    is_ticket(value) && !value.contains(' ')
}

/// Whether this can be a ticket: as a token, but a space may be in it, because the documents' own example of a card ticket
/// ends with one, and it is never put into a URL.
fn is_ticket(value: &str) -> bool {
    let plain = |b: u8| (b.is_ascii_graphic() || b == b' ') && b != b'"' && b != b'\\';
    !value.trim().is_empty() && value.len() <= MAX_CREDENTIAL_LENGTH && value.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn appid() -> Appid {
        Appid::parse("wx1234567890abcdef").unwrap()
    }

    #[test]
    fn a_classic_call_is_what_the_document_shows() {
        let call = Call::classic_token(&appid(), &"s&cret".into());
        assert_eq!(call.path, "/cgi-bin/token");
        assert_eq!(call.query(), "grant_type=client_credential&appid=wx1234567890abcdef&secret=s%26cret");
        assert!(call.body().is_none());
    }

    #[test]
    fn a_stable_call_posts_json() {
        let call = Call::stable_token(&appid(), &"s\"cret".into(), true);
        let body: Value = serde_json::from_slice(call.body().unwrap()).unwrap();
        let expected = json!({"grant_type":"client_credential","appid":"wx1234567890abcdef","secret":"s\"cret","force_refresh":true});
        assert_eq!(body, expected);
        assert_eq!(call.query(), "");
    }

    #[test]
    fn messages_are_posted_with_the_token_in_the_query() {
        let call = Call::custom_send("25_x&y", br#"{"touser":"o"}"#);
        assert_eq!((call.host, call.path), (Host::Api, "/cgi-bin/message/custom/send"));
        assert_eq!((call.query(), call.body()), ("access_token=25_x%26y", Some(br#"{"touser":"o"}"#.as_slice())));
        let call = Call::wecom_send("t", b"{}");
        assert_eq!((call.host, call.path, call.query()), (Host::Qyapi, "/cgi-bin/message/send", "access_token=t"));
    }

    #[test]
    fn a_message_was_sent_only_if_wechat_says_so() {
        assert_eq!(read_sent(br#"{"errcode":0,"errmsg":"ok"}"#), Ok(()));
        assert!(matches!(read_sent(b"{}"), Err(AnswerError::Malformed(_))));
        let refused = read_sent(br#"{"errcode":45015,"errmsg":"response out of time limit"}"#).unwrap_err();
        assert!(matches!(refused, AnswerError::Refused(error) if error.errcode == Errcode(45015)));
    }

    #[test]
    fn debug_output_holds_no_secret() {
        let calls = [
            Call::classic_token(&appid(), &"HUSH".into()),
            Call::stable_token(&appid(), &"HUSH".into(), false),
            Call::wecom_token(&appid(), &"HUSH".into()),
            Call::ticket(TicketKind::Jsapi, &"HUSH".into()),
            Call::custom_send("HUSH", b"HUSH"),
        ];
        let issued = read_access_token(br#"{"access_token":"HUSH","expires_in":7200}"#).unwrap();
        assert!(!format!("{calls:?}{issued:?}").contains("HUSH"));
    }

    #[test]
    fn answers_with_and_without_errcode_are_read() {
        let plain = read_access_token(br#"{"access_token":"25_x","expires_in":345}"#).unwrap();
        assert_eq!((plain.value.expose_secret(), plain.expires_in), ("25_x", 345));
        let wecom = br#"{"errcode":0,"errmsg":"ok","access_token":"a","expires_in":7200}"#;
        assert_eq!(read_access_token(wecom).unwrap().value.expose_secret(), "a");
        let ticket = br#"{"errcode":0,"errmsg":"ok","ticket":"bxLd-8-","expires_in":7200}"#;
        assert_eq!(read_ticket(ticket).unwrap().value.expose_secret(), "bxLd-8-");
    }

    #[test]
    fn a_refusal_keeps_code_and_text() {
        let error = read_access_token(br#"{"errcode":40013,"errmsg":"invalid appid rid: 1-2-3"}"#).unwrap_err();
        let refused = ApiError { errcode: Errcode::INVALID_APPID, errmsg: "invalid appid rid: 1-2-3".into() };
        assert_eq!(error, AnswerError::Refused(refused));
    }

    #[test]
    fn a_ticket_is_taken_to_its_last_space() {
        let ticket =
            read_ticket(br#"{"errcode":0,"ticket":"ojZ8YtyVyr30HheH3CM73y7h4jJE ","expires_in":7200}"#).unwrap();
        assert_eq!(ticket.value.expose_secret(), "ojZ8YtyVyr30HheH3CM73y7h4jJE ");
        assert!(read_ticket(br#"{"errcode":0,"ticket":" ","expires_in":7200}"#).is_err());
    }

    #[test]
    fn what_is_no_answer_is_never_taken_for_a_token() {
        let bodies: [&[u8]; 11] = [
            b"",
            b"<html>502 Bad Gateway</html>",
            b"[]",
            b"{}",
            br#"{"access_token":"","expires_in":7200}"#,
            br#"{"access_token":"a"}"#,
            br#"{"access_token":"a","expires_in":"x"}"#,
            br#"{"access_token":"a","expires_in":-5}"#,
            br#"{"access_token":"a b","expires_in":7200}"#,
            br#"{"access_token":"a\u0001b","expires_in":7200}"#,
            br#"{"access_token":"25_x","expires_"#,
        ];
        for body in bodies {
            assert!(matches!(read_access_token(body), Err(AnswerError::Malformed(_))), "{body:?}");
        }
    }

    proptest! {
        #[test]
        fn any_secret_survives_the_query(secret in ".*") {
            let call = Call::wecom_token(&appid(), &secret.clone().into());
            let pairs: Vec<_> = form_urlencoded::parse(call.query().as_bytes()).into_owned().collect();
            prop_assert_eq!(&pairs[1], &("corpsecret".to_owned(), secret));
        }

        #[test]
        fn no_bytes_make_the_reader_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read_access_token(&body);
            let _ = read_ticket(&body);
        }
    }
}
