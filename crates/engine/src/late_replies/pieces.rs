//! A reply as the calls that send it to a user.

use serde::{Deserialize, Serialize};
use wechat::reply::Reply;

use crate::messages::Callback;

/// Bodies of calls, in their order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Pieces {
    /// It is the message's answer, which no try of WeChat came for; not a reply that came beside or after the answer.
    pub is_answer: bool,
    /// For `cgi-bin/message/send` of WeCom, not `cgi-bin/message/custom/send`.
    pub wecom: bool,
    /// JSON texts.
    pub bodies: Vec<String>,
}

/// What became of a late reply.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Outcome {
    /// WeChat's code, if it refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub errcode: Option<i64>,
    /// What happened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// What the code means and what to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
}

impl Outcome {
    pub(super) fn unsendable(reason: String) -> Self {
        Self { text: Some(reason), ..Self::default() }
    }
}

impl Pieces {
    /// The calls that send this reply to whoever sent the message.
    pub(super) fn of(callback: &Callback, reply: Option<&Reply>, is_answer: bool) -> Result<Self, String> {
        const SEALED: &str = "the message is passed on as it came (no token or no aes is registered), so its reply can \
                              only be given to WeChat itself";
        let (Some(push), Some(reply)) = (&callback.push, reply) else { return Err(SEALED.to_owned()) };
        if !push.is_from_user() {
            return Err("it is no reply to a user's message, so nobody can be sent it".to_owned());
        }
        let user = push.from_user_name().ok_or("the message names no sender")?;
        let bodies = match push.agent_id() {
            Some(agent) => reply.as_wecom(user, agent),
            None => reply.as_customer_service(user),
        };
        let bodies = bodies.map_err(|error| error.to_string())?;
        let bodies: Result<Vec<String>, _> = bodies.into_iter().map(String::from_utf8).collect();
        let bodies = bodies.map_err(|_| "the reply is no UTF-8")?;
        Ok(Self { is_answer, wecom: push.is_wecom(), bodies })
    }
}
