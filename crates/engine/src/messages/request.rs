//! How a message came and where it goes.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use store::Timestamp;

/// How often WeChat sends a message that gets no answer (message push, section on the 5 seconds).
pub const TRIES: u8 = 3;

/// The longest `late=`, in seconds.
pub const MAX_LATE: u32 = 3600;

/// Parameters of this product in a callback's query; all others belong to WeChat (or the team) and travel on.
const OURS: [&str; 3] = ["call", "patience", "late"];

/// Parameters that only make sense for an encrypted body.
const OF_ENCRYPTION: [&str; 2] = ["encrypt_type", "msg_signature"];

/// How a message came and where it goes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Request {
    /// Backends get JSON (`/msg/json`).
    pub json: bool,
    /// The body is passed on as it came, with the parameters of its encryption: nothing here can or may open it.
    pub as_is: bool,
    /// The proxy itself tells something (a payment): the URL is called as it stands, and nobody waits for what it answers.
    pub notice: bool,
    /// Its `Content-Type`, where it is passed on as it came.
    pub content_type: Option<String>,
    /// WeChat's parameters, decoded, in their order.
    pub query: Vec<(String, String)>,
    /// The backends' URLs, in the order in which their replies count.
    pub calls: Arc<[String]>,
    /// With which of WeChat's tries the waiting ends (`patience`).
    pub tries: u8,
    /// How long after its arrival a reply is still sent to the user, in seconds (`late`).
    pub late: u32,
}

impl Request {
    /// What of a callback's query goes to the backends: everything that is not ours, and of what concerns encryption
    /// nothing when the body was decrypted, or a plain-mode SDK would try to decrypt it again.
    #[must_use]
    pub fn passed_on(query: &[(String, String)], decrypted: bool) -> Vec<(String, String)> {
        let ours = |name: &str| OURS.contains(&name) || (decrypted && OF_ENCRYPTION.contains(&name));
        query.iter().filter(|(name, _)| !ours(name) && name != "appid").cloned().collect()
    }

    /// The URL of a backend with WeChat's parameters and the appid behind its own. The signature stays WeChat's.
    #[must_use]
    pub fn url(&self, call: &str, appid: &str) -> String {
        if self.notice {
            return call.to_owned();
        }
        let mut url = String::with_capacity(call.len() + 256);
        url.push_str(call);
        url.push(if call.contains('?') { '&' } else { '?' });
        let query = form_urlencoded::Serializer::for_suffix(url, call.len() + 1);
        let mut query = query;
        query.extend_pairs(&self.query).append_pair("appid", appid).finish()
    }

    /// When the last of WeChat's tries must have come, if it comes at all.
    #[must_use]
    pub fn last_try_by(&self, received_at: Timestamp) -> Timestamp {
        received_at + Duration::from_secs(5) * u32::from(self.tries.saturating_sub(1)) + Duration::from_secs(2)
    }

    /// Until when a reply is sent to the user.
    #[must_use]
    pub fn late_until(&self, received_at: Timestamp) -> Timestamp {
        received_at + Duration::from_secs(u64::from(self.late))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(query: &str) -> Vec<(String, String)> {
        form_urlencoded::parse(query.as_bytes()).into_owned().collect()
    }

    #[test]
    fn what_is_wechats_travels_on_and_what_is_ours_does_not() {
        let query = pairs("call=http%3A%2F%2Fa%2F&signature=s&openid=o&encrypt_type=aes&msg_signature=m&x=1&late=9");
        let request = Request { query: Request::passed_on(&query, true), ..Request::default() };
        assert_eq!(request.url("http://a/?k=v", "wx1"), "http://a/?k=v&signature=s&openid=o&x=1&appid=wx1");
        let request = Request { query: Request::passed_on(&query, false), ..Request::default() };
        let all = "http://a/?signature=s&openid=o&encrypt_type=aes&msg_signature=m&x=1&appid=wx1";
        assert_eq!(request.url("http://a/", "wx1"), all);
    }
}
