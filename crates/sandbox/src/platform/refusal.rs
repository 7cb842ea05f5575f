//! WeChat's errors: code, text, and the tail that names the request.
//!
//! The texts are those of the error code pages of the official account docs and of the WeCom docs. The two houses end
//! them differently: `… rid: 5fa26c60-1a0ebdd5-32fd1cd0` here, hint, caller's address and a link there.

use std::borrow::Cow;
use std::net::IpAddr;

use super::wording;
use crate::chance;
use crate::clock::Time;
use crate::usage::Exhausted;
use crate::wire::Reply;

/// Whose manner of speaking an answer has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum House {
    /// Official accounts and mini programs.
    Official,
    Wecom,
}

/// Why a call is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) errcode: i64,
    text: Cow<'static, str>,
    house: House,
}

impl Refusal {
    /// An error of the APIs of official accounts and mini programs, with its usual text.
    pub(crate) fn official(errcode: i64) -> Refusal {
        Refusal { errcode, text: wording::official(errcode).into(), house: House::Official }
    }

    /// An error of WeCom's APIs, with its usual text.
    pub(crate) fn wecom(errcode: i64) -> Refusal {
        Refusal { errcode, text: wording::wecom(errcode).into(), house: House::Wecom }
    }

    /// An error in the manner of a house, with its usual text.
    pub(crate) fn of(house: House, errcode: i64) -> Refusal {
        match house {
            House::Official => Refusal::official(errcode),
            House::Wecom => Refusal::wecom(errcode),
        }
    }

    /// The same error, in words that say more.
    pub(crate) fn saying(self, text: String) -> Refusal {
        Refusal { text: text.into(), ..self }
    }

    /// The caller's address is not on the account's list.
    pub(crate) fn address(client_ip: IpAddr) -> Refusal {
        let as_v6 = match client_ip {
            IpAddr::V4(address) => address.to_ipv6_mapped(),
            IpAddr::V6(address) => address,
        };
        let text = format!("invalid ip {client_ip} ipv6 {as_v6}, not in whitelist");
        Refusal { errcode: 40164, text: text.into(), house: House::Official }
    }

    /// A quota is used up.
    pub(crate) fn exhausted(house: House, path: &str, exhausted: Exhausted) -> Refusal {
        match (house, exhausted) {
            (House::Wecom, _) => Refusal::wecom(45009),
            (House::Official, Exhausted::Minute) => Refusal::official(45011),
            (House::Official, _) if path == "/cgi-bin/token" => {
                let text = "reach max api daily quota limit, could get access_token by getStableAccessToken, more \
                            details at https://mmbizurl.cn/s/JtxxFh33r";
                Refusal { errcode: 45009, text: text.into(), house }
            }
            (House::Official, _) => Refusal::official(45009),
        }
    }

    /// The reply, HTTP 200 as ever.
    pub(crate) fn reply(&self, now: Time, client_ip: IpAddr) -> Reply {
        let Refusal { errcode, text, house } = self;
        match house {
            House::Official => {
                let rid = chance::rid(now);
                Reply::refusal(*errcode, &format!("{text} rid: {rid}"), Some(rid))
            }
            House::Wecom => {
                let hint = chance::hint(now);
                let more = format!("https://open.work.weixin.qq.com/devtool/query?e={errcode}");
                let text = format!("{text}, hint: [{hint}], from ip: {client_ip}, more info at {more}");
                Reply::refusal(*errcode, &text, None)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time::from_secs(0x5fa2_6c60);

    fn errmsg(refusal: &Refusal, client_ip: &str) -> String {
        let reply = refusal.reply(NOW, client_ip.parse().unwrap());
        let value: serde_json::Value = serde_json::from_slice(&reply.body).unwrap();
        assert_eq!(value["errcode"], refusal.errcode);
        assert_eq!(reply.status, 200);
        value["errmsg"].as_str().unwrap().to_owned()
    }

    #[test]
    fn official_errors_end_with_the_request_id() {
        let text = errmsg(&Refusal::official(40013), "127.0.0.1");
        assert!(text.starts_with("invalid appid rid: 5fa26c60-"), "{text}");
        let text = errmsg(&Refusal::address("120.244.112.8".parse().unwrap()), "120.244.112.8");
        assert!(
            text.starts_with("invalid ip 120.244.112.8 ipv6 ::ffff:120.244.112.8, not in whitelist rid: "),
            "{text}"
        );
    }

    #[test]
    fn wecom_errors_end_with_hint_address_and_link() {
        let text = errmsg(&Refusal::wecom(40014), "1.2.3.4");
        assert!(text.starts_with("invalid access_token, hint: [1604480"), "{text}");
        assert!(
            text.ends_with("], from ip: 1.2.3.4, more info at https://open.work.weixin.qq.com/devtool/query?e=40014"),
            "{text}"
        );
    }
}
