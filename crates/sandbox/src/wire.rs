//! One API call as it came in, and one reply as it goes out.
//!
//! Bytes and values without sockets: the listener makes a [`Call`], the platform's handlers make a [`Reply`], and
//! everything between can be tested without a network.

use std::net::IpAddr;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use serde_json::Value;

/// The longest request body, in bytes, to WeChat's APIs and to the control API.
pub(crate) const LONGEST_BODY: usize = 1024 * 1024;
/// The same for files: WeCom's, the largest, have 20 MiB, and a form around them.
const LONGEST_UPLOAD: usize = 21 * 1024 * 1024;
const UPLOADS: [&str; 3] = ["/cgi-bin/media/upload", "/cgi-bin/media/uploadimg", "/cgi-bin/material/add_material"];

/// The longest request body of a path of WeChat's, in bytes.
pub(crate) fn longest_body(path: &str) -> usize {
    if UPLOADS.contains(&path) { LONGEST_UPLOAD } else { LONGEST_BODY }
}

/// What `/cgi-bin/…` answers with (unconfirmed; clients are told not to look at it).
const API_CONTENT_TYPE: &str = "application/json; encoding=utf-8";

/// One API call as it came in.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) path: String,
    /// The query as it came, without the question mark.
    pub(crate) raw_query: String,
    query: Vec<(String, String)>,
    pub(crate) body: Bytes,
    pub(crate) client_ip: IpAddr,
    headers: HeaderMap,
    transport: Transport,
}

/// How a call came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Transport {
    #[default]
    Plain,
    /// With TLS; the client's certificate, if it has shown one, as DER.
    Tls(Option<Bytes>),
}

impl Call {
    pub(crate) fn new(method: Method, path: &str, raw_query: &str, body: Bytes, client_ip: IpAddr) -> Call {
        Call {
            method,
            path: path.to_owned(),
            raw_query: raw_query.to_owned(),
            query: form_urlencoded::parse(raw_query.as_bytes()).into_owned().collect(),
            body,
            client_ip: client_ip.to_canonical(),
            headers: HeaderMap::new(),
            transport: Transport::Plain,
        }
    }

    /// The same call, and how it came.
    pub(crate) fn over(self, transport: Transport) -> Call {
        Call { transport, ..self }
    }

    pub(crate) fn is_over_tls(&self) -> bool {
        self.transport != Transport::Plain
    }

    /// The certificate that the client has shown, as DER.
    pub(crate) fn client_certificate(&self) -> Option<&[u8]> {
        match &self.transport {
            Transport::Tls(Some(der)) => Some(der),
            Transport::Tls(None) | Transport::Plain => None,
        }
    }

    /// The same call with the headers that it came with.
    pub(crate) fn with_headers(self, headers: HeaderMap) -> Call {
        Call { headers, ..self }
    }

    /// A header that is text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// How the caller reached the sandbox, as `http://127.0.0.1:8081`.
    pub(crate) fn origin(&self) -> String {
        let scheme = if self.is_over_tls() { "https" } else { "http" };
        format!("{scheme}://{}", self.header("host").unwrap_or("localhost"))
    }

    /// The parameters of the query, in their order.
    pub(crate) fn params(&self) -> &[(String, String)] {
        &self.query
    }

    /// A field of a form in the body that is there and not empty.
    pub(crate) fn field(&self, name: &str) -> Option<String> {
        let mut fields = form_urlencoded::parse(&self.body);
        fields.find(|(known, value)| known == name && !value.is_empty()).map(|(_, value)| value.into_owned())
    }

    /// A query parameter that is there and not empty.
    pub(crate) fn param(&self, name: &str) -> Option<&str> {
        let (_, value) = self.query.iter().find(|(known, _)| known == name)?;
        (!value.is_empty()).then_some(value.as_str())
    }

    /// The path with its query.
    pub(crate) fn target(&self) -> String {
        if self.raw_query.is_empty() { self.path.clone() } else { format!("{}?{}", self.path, self.raw_query) }
    }

    /// The body, when it is a JSON object.
    pub(crate) fn json(&self) -> Option<Value> {
        serde_json::from_slice::<Value>(&self.body).ok().filter(Value::is_object)
    }
}

/// One reply as it goes out.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) content_type: &'static str,
    /// Further headers.
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    pub(crate) body: Bytes,
    /// WeChat's code; 0 for success, `None` where the reply has no such thing.
    pub(crate) errcode: Option<i64>,
    /// The id of the request, when the reply names it.
    pub(crate) rid: Option<String>,
    /// What happened, in a few words, where status and code do not say it.
    pub(crate) note: Option<String>,
}

impl Reply {
    /// Success, HTTP 200.
    pub(crate) fn success(value: &Value) -> Reply {
        Reply::json(value, 0, None)
    }

    /// Success with nothing to tell.
    pub(crate) fn done() -> Reply {
        Reply::success(&serde_json::json!({ "errcode": 0, "errmsg": "ok" }))
    }

    /// WeChat's errors, HTTP 200 as well.
    pub(crate) fn refusal(errcode: i64, errmsg: &str, rid: Option<String>) -> Reply {
        Reply::json(&serde_json::json!({ "errcode": errcode, "errmsg": errmsg }), errcode, rid)
    }

    /// Something that is not WeChat's API talking: a page of a gateway.
    pub(crate) fn page(status: u16, content_type: &'static str, body: impl Into<Bytes>) -> Reply {
        Reply { status, content_type, headers: Vec::new(), body: body.into(), errcode: None, rid: None, note: None }
    }

    /// Leads a browser elsewhere. What cannot stand in a header leads nowhere.
    pub(crate) fn redirect(to: &str) -> Reply {
        let reply = Reply::page(302, "text/html; charset=utf-8", "");
        let location = HeaderValue::from_str(to).unwrap_or(HeaderValue::from_static("/"));
        Reply { headers: vec![(header::LOCATION, location)], ..reply }.with_header(header::CACHE_CONTROL, "no-store")
    }

    /// The same reply with one more header.
    pub(crate) fn with_header(mut self, name: HeaderName, value: &'static str) -> Reply {
        self.headers.push((name, HeaderValue::from_static(value)));
        self
    }

    /// The same reply, and what happened in a few words.
    pub(crate) fn with_note(self, note: impl Into<String>) -> Reply {
        Reply { note: Some(note.into()), ..self }
    }

    fn json(value: &Value, errcode: i64, rid: Option<String>) -> Reply {
        let page = Reply::page(200, API_CONTENT_TYPE, value.to_string());
        Reply { errcode: Some(errcode), rid, ..page }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_decoded_and_empty_ones_count_as_absent() {
        let call = Call::new(
            Method::GET,
            "/cgi-bin/token",
            "appid=wx%31&secret=&secret=x&a+b=%E6%B5%8B",
            Bytes::new(),
            "::ffff:192.0.2.1".parse().unwrap(),
        );
        assert_eq!(call.param("appid"), Some("wx1"));
        assert_eq!(call.param("secret"), None);
        assert_eq!(call.param("a b"), Some("测"));
        assert_eq!(call.client_ip.to_string(), "192.0.2.1");
    }
}
