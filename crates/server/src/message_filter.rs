//! Which messages are meant: the same parameters for `/admin/messages` and for `wechat-proxy message list`.

use engine::records::STATES;
use store::{MessageFilter, MessageId, Timestamp};

/// How many messages a page holds, unless `limit` says otherwise.
const PAGE: u64 = 50;

/// The most that a page holds.
const MAX_PAGE: u64 = 500;

/// A page of messages that is asked for.
pub(crate) struct MessagePage {
    pub(crate) filter: MessageFilter,
    pub(crate) after: Option<MessageId>,
    pub(crate) limit: u64,
}

impl MessagePage {
    /// Reads the parameters `key`, `appid`, `type`, `event`, `openid`, `state`, `since`, `until`, `after`, `limit`; `value`
    /// gives each, and `None` for one that is missing or empty.
    ///
    /// # Errors
    /// A sentence about the first that makes no sense.
    pub(crate) fn read(value: impl Fn(&str) -> Option<String>) -> Result<Self, String> {
        let state = match value("state") {
            None => None,
            Some(text) => Some(state(&text)?),
        };
        let filter = MessageFilter {
            app_key: value("key"),
            appid: value("appid"),
            msg_type: value("type"),
            event: value("event"),
            openid: value("openid"),
            state,
            since: value("since").map(|text| moment("since", &text)).transpose()?,
            until: value("until").map(|text| moment("until", &text)).transpose()?,
        };
        let after = value("after").map(|text| id(&text)).transpose()?;
        let limit = match value("limit").map(|text| text.parse()) {
            None => PAGE,
            Some(Ok(limit @ 1..=MAX_PAGE)) => limit,
            Some(_) => return Err(format!("limit is a number from 1 to {MAX_PAGE}")),
        };
        Ok(Self { filter, after, limit })
    }
}

/// Reads a message's id.
///
/// # Errors
/// A sentence.
pub(crate) fn id(text: &str) -> Result<MessageId, String> {
    text.parse().map_err(|error: store::NoMessageId| error.to_string())
}

fn state(text: &str) -> Result<store::MessageState, String> {
    let known = STATES.iter().find(|(name, _)| *name == text).map(|(_, state)| *state);
    known.ok_or_else(|| format!("state is one of {}", STATES.map(|(name, _)| name).join(", ")))
}

/// Reads Unix seconds.
///
/// # Errors
/// A sentence.
pub(crate) fn moment(name: &str, text: &str) -> Result<Timestamp, String> {
    let seconds: Result<i64, _> = text.parse();
    seconds.map(Timestamp::from_seconds).map_err(|_| format!("{name} is a number of Unix seconds"))
}
