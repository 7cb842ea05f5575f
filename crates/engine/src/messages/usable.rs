//! A backend's answer as a reply that WeChat can be given.

use bytes::Bytes;
use store::Timestamp;
use wechat::reply::Reply;

use super::Callback;
use crate::backends::Taken;

/// A reply that can be given to WeChat.
#[derive(Debug, Clone)]
pub struct Usable {
    /// In the message's own format, not encrypted.
    pub bytes: Bytes,
    /// What it says; `None`: it is passed on as it came.
    pub reply: Option<Reply>,
}

impl Usable {
    /// Reads what a backend answered; `None`: nothing to say.
    ///
    /// # Errors
    /// Why it cannot be used, for the log and the records.
    pub fn read(callback: &Callback, taken: &Taken, now: Timestamp) -> Result<Option<Self>, String> {
        if callback.request.notice {
            return Ok(None);
        }
        if taken.too_long {
            return Err("the answer is longer than any reply".to_owned());
        }
        let Some(push) = &callback.push else {
            // Perhaps encrypted: the backend knows the form.
            let says_nothing = matches!(taken.body.trim_ascii(), b"" | b"success");
            return Ok((!says_nothing).then(|| Self { bytes: taken.body.clone(), reply: None }));
        };
        let reply = Reply::read(&taken.body, taken.content_type.as_deref(), push).map_err(|error| error.to_string())?;
        Ok(reply.map(|reply| {
            let seconds = u64::try_from(now.as_seconds()).unwrap_or(0);
            Self { bytes: reply.render(push, seconds).into(), reply: Some(reply) }
        }))
    }

    /// One that was stored.
    #[must_use]
    pub fn stored(callback: &Callback, bytes: &[u8]) -> Self {
        let push = callback.push.as_ref();
        let reply = push.and_then(|push| Reply::read(bytes, None, push).ok().flatten());
        Self { bytes: Bytes::copy_from_slice(bytes), reply }
    }

    /// The kind of the reply, for records.
    #[must_use]
    pub fn kind(&self) -> String {
        self.reply.as_ref().map_or("as it came", Reply::msg_type).to_owned()
    }
}
