//! Somebody who sends HTTP requests, and the answers that come back.

use base64::Engine as _;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{TOO_LONG, within};

/// Somebody who sends HTTP requests to one address, with the same headers each time.
#[derive(Clone)]
pub(crate) struct Caller {
    base: String,
    client: reqwest::Client,
    headers: HeaderMap,
}

#[expect(clippy::disallowed_methods, reason = "a test's client is not the product's; it has a limit of its own")]
fn client() -> reqwest::ClientBuilder {
    // Fails when another test of this process was first.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    reqwest::Client::builder().timeout(TOO_LONG).redirect(reqwest::redirect::Policy::none()).no_proxy()
}

impl Caller {
    pub(crate) fn of(base: &str) -> Self {
        Self::by(base, client().tls_certs_only([]))
    }

    /// Two that speak HTTPS, one HTTP/1.1 and one HTTP/2, and trust this certificate (PEM) alone.
    pub(crate) fn trusting(base: &str, certificate: &[u8]) -> [Self; 2] {
        let trusting = || client().tls_certs_only([reqwest::Certificate::from_pem(certificate).unwrap()]);
        [Self::by(base, trusting().http1_only()), Self::by(base, trusting())]
    }

    fn by(base: &str, client: reqwest::ClientBuilder) -> Self {
        let base = base.trim_end_matches('/').to_owned();
        Self { base, client: client.build().unwrap(), headers: HeaderMap::new() }
    }

    /// The same caller with one more header.
    pub(crate) fn with(&self, name: &'static str, value: &str) -> Self {
        let mut caller = self.clone();
        caller.headers.insert(HeaderName::from_static(name), HeaderValue::from_bytes(value.as_bytes()).unwrap());
        caller
    }

    pub(crate) fn bearer(&self, secret: &str) -> Self {
        self.with("authorization", &format!("Bearer {secret}"))
    }

    pub(crate) fn basic(&self, user: &str, password: &str) -> Self {
        let pair = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
        self.with("authorization", &format!("Basic {pair}"))
    }

    pub(crate) async fn get(&self, target: &str) -> Answer {
        self.send(Method::GET, target, None, Vec::new()).await
    }

    pub(crate) async fn post_form(&self, target: &str, pairs: &[(&str, &str)]) -> Answer {
        self.send(Method::POST, target, Some("application/x-www-form-urlencoded"), encoded(pairs).into_bytes()).await
    }

    pub(crate) async fn post_json(&self, target: &str, body: &Value) -> Answer {
        self.send(Method::POST, target, Some("application/json"), body.to_string().into_bytes()).await
    }

    pub(crate) async fn send(&self, method: Method, target: &str, body_type: Option<&str>, body: Vec<u8>) -> Answer {
        let sent = self.try_send(method.clone(), target, body_type, body).await;
        sent.unwrap_or_else(|error| panic!("{method} {target}: no answer: {error:?}"))
    }

    pub(crate) async fn try_get(&self, target: &str) -> Result<Answer, reqwest::Error> {
        self.try_send(Method::GET, target, None, Vec::new()).await
    }

    /// These bytes on a connection of their own, and all that comes back until it ends.
    pub(crate) async fn raw(&self, request: &str) -> String {
        let mut stream = self.connect().await;
        // The other side may end it before it has all of a request that it refuses.
        let _ = stream.write_all(request.as_bytes()).await;
        let mut answer = Vec::new();
        let _ = within("an answer in bytes", stream.read_to_end(&mut answer)).await;
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// These bytes, and then the connection ends.
    pub(crate) async fn raw_half(&self, request: &str) {
        let mut stream = self.connect().await;
        stream.write_all(request.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = Vec::new();
        let _ = within("the end of the connection", stream.read_to_end(&mut answer)).await;
    }

    /// A path as it is, dots and all, and the JSON that comes back.
    pub(crate) async fn raw_get(&self, target: &str) -> Value {
        let answer = self.raw(&format!("GET {target} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n")).await;
        let (_, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
        serde_json::from_str(body).unwrap_or_else(|_| panic!("no JSON: {answer}"))
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.base.trim_start_matches("http://")).await.unwrap()
    }

    pub(crate) async fn try_send(
        &self,
        method: Method,
        target: &str,
        body_type: Option<&str>,
        body: Vec<u8>,
    ) -> Result<Answer, reqwest::Error> {
        let mut request = self.client.request(method, format!("{}{target}", self.base)).headers(self.headers.clone());
        if let Some(body_type) = body_type {
            request = request.header(CONTENT_TYPE, body_type);
        }
        let response = request.body(body).send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Ok(Answer { status, headers, body: response.bytes().await?.to_vec() })
    }
}

/// A query or form: `key=test&appid=…`.
pub(crate) fn encoded(pairs: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

/// What came back.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {} {}", self.status, self.text()))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    /// The `errcode` of a refusal; 0 when there is none.
    pub(crate) fn errcode(&self) -> i64 {
        self.json()["errcode"].as_i64().unwrap_or(0)
    }

    pub(crate) fn errmsg(&self) -> String {
        self.json()["errmsg"].as_str().unwrap_or_default().to_owned()
    }

    /// The token, and nothing else will do.
    pub(crate) fn token(&self) -> String {
        self.field("access_token")
    }

    /// The ticket, and nothing else will do.
    pub(crate) fn ticket(&self) -> String {
        self.field("ticket")
    }

    pub(crate) fn expires_in(&self) -> i64 {
        self.json()["expires_in"].as_i64().unwrap_or_else(|| panic!("no expires_in: {}", self.text()))
    }

    fn field(&self, name: &str) -> String {
        assert_eq!(self.status, 200, "{}", self.text());
        let json = self.json();
        json[name].as_str().unwrap_or_else(|| panic!("no {name}: {json}")).to_owned()
    }

    /// An error of the proxy's own: this HTTP status, this code, and a text that says something.
    pub(crate) fn is_refusal(&self, status: u16, errcode: i64) -> Self {
        assert_eq!((self.status, self.errcode()), (status, errcode), "{}", self.text());
        assert!(self.errmsg().len() > 20, "an error says what to do: {}", self.text());
        self.clone()
    }
}
