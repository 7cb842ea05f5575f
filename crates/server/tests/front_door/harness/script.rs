//! The script of `/js/config` as a page gets it: what it configures `wx` with, and what it knows beside that.
//!
//! The signatures are computed anew from WeChat's document, with none of the product's code.

use serde_json::{Deserializer, Value};
use sha1::{Digest, Sha1};

use super::caller::Answer;
use super::wechat_pushes::now;

/// A script, taken apart.
#[derive(Debug)]
pub(crate) struct Script {
    /// The argument of `wx.config`; `None`: it asks again with the page's own address.
    pub(crate) config: Option<Value>,
    /// What it knows: where it came from, what was signed, where `wx` is.
    pub(crate) settings: Value,
}

impl Script {
    pub(crate) fn read(answer: &Answer) -> Self {
        let text = answer.text();
        assert_eq!((answer.status, answer.header("content-type")), (200, "text/javascript; charset=utf-8"), "{text}");
        assert_eq!((answer.header("cache-control"), answer.header("x-content-type-options")), ("no-store", "nosniff"));
        assert!(answer.header("vary").contains("Referer"), "{}", answer.header("vary"));
        // The product's own part ends here; what follows holds what came from outside, and must be JSON.
        let (_, call) = text.split_once("\n})(").unwrap_or_else(|| panic!("no script: {text}"));
        let (config, rest) = match call.strip_prefix("function () {\nwx.config(") {
            Some(config) => {
                let (config, rest) = json_at(config);
                (Some(config), rest.strip_prefix(");\n}, ").unwrap_or_else(|| panic!("behind the config: {rest}")))
            }
            None => (None, call.strip_prefix("null, ").unwrap_or_else(|| panic!("what it runs: {call}"))),
        };
        let (settings, rest) = json_at(rest);
        assert_eq!(rest, ");\n", "nothing else");
        assert!(!call.contains(['<', '\u{2028}', '\u{2029}']), "no end of the script for any reader: {call}");
        Self { config, settings }
    }

    /// What `wx.config` gets, and it must be there.
    pub(crate) fn signed(&self) -> &Value {
        self.config.as_ref().unwrap_or_else(|| panic!("nothing was signed: {:?}", self.settings))
    }
}

fn json_at(text: &str) -> (Value, &str) {
    let mut values = Deserializer::from_str(text).into_iter::<Value>();
    let value = values.next().unwrap().unwrap_or_else(|error| panic!("{error}: {text}"));
    (value, text.get(values.byte_offset()..).unwrap())
}

/// These fields were signed just now, with this ticket, for this page.
pub(crate) fn is_signed(fields: &Value, ticket: &str, page: &str) {
    let text = |name: &str| fields[name].as_str().unwrap_or_else(|| panic!("no {name} in {fields}"));
    let timestamp = fields["timestamp"].as_u64().unwrap_or_else(|| panic!("no timestamp in {fields}"));
    assert!(now().abs_diff(timestamp) < 60, "Unix seconds: {fields}");
    assert!(text("nonceStr").len() >= 16 && text("nonceStr").bytes().all(|b| b.is_ascii_alphanumeric()), "{fields}");
    let expected = signature(ticket, text("nonceStr"), timestamp, page);
    assert_eq!(text("signature"), expected, "for {page}: {fields}");
}

fn signature(ticket: &str, noncestr: &str, timestamp: u64, url: &str) -> String {
    let text = format!("jsapi_ticket={ticket}&noncestr={noncestr}&timestamp={timestamp}&url={url}");
    hex::encode(Sha1::digest(text))
}

/// The example of WeChat's document, so that the tests' own code is not believed blindly.
#[test]
fn the_harness_signs_pages_as_documented() {
    let ticket = "sM4AOVdWfPE4DxkXGEs8VMCPGGVi4C3VM0P37wVUCFvkVAy_90u5h9nbSlYy3-Sl-HhTdfl2fzFy1AOcHKP7qg";
    let signed = signature(ticket, "Wm3WZYTPz0wzccnW", 1_414_587_457, "http://mp.weixin.qq.com?params=value");
    assert_eq!(signed, "0f9de62fce790f9a083d5c99e95740ceb90c27ed");
}
