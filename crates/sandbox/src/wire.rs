//! One API call as it came in, and one reply as it goes out.
//!
//! Bytes and values without sockets: the listener makes a [`Call`], the platform's handlers make a [`Reply`], and
//! everything between can be tested without a network.

use std::net::IpAddr;

use bytes::Bytes;
use http::Method;
use serde_json::Value;

/// The longest request body, in bytes, to WeChat's APIs and to the control API.
pub(crate) const LONGEST_BODY: usize = 1024 * 1024;
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
        }
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
    pub(crate) body: Bytes,
    /// WeChat's code; 0 for success, `None` where the reply has no such thing.
    pub(crate) errcode: Option<i64>,
    /// The id of the request, when the reply names it.
    pub(crate) rid: Option<String>,
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
        Reply { status, content_type, body: body.into(), errcode: None, rid: None }
    }

    fn json(value: &Value, errcode: i64, rid: Option<String>) -> Reply {
        let body = Bytes::from(value.to_string());
        Reply { status: 200, content_type: API_CONTENT_TYPE, body, errcode: Some(errcode), rid }
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
