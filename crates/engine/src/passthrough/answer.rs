//! WeChat's answer on its way to the caller: a small one is read whole, because its errcode counts; a larger one, which is no
//! error of WeChat's, streams as it comes.
//!
//! What must stay true: half an answer is never passed on as a whole one. A small one that breaks becomes an error of ours;
//! one that streams breaks the caller's connection as well.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http::HeaderValue;
use http::header::CONTENT_TYPE;
use http1::AnswerHead;
use hyper::body::{Body, Frame, SizeHint};
use serde::de::IgnoredAny;
use wechat::ApiError;
use wechat::calls::read_errcode;
use wechat::errcode::ErrorClass;

use super::api_host::Received;
use crate::upstream::UpstreamError;

/// The longest answer that is looked into, in bytes. WeChat's errors have some hundred.
const LOOKED_INTO: usize = 8 * 1024;

/// Why an answer that only the end of its connection ends is refused: half of it would look whole. WeChat always tells the length.
const NO_LENGTH: &str = "the answer has neither a length nor chunks, so its end is not certain";

/// What WeChat answered.
pub(super) struct Answer {
    /// Its head, with the headers that go to the caller.
    pub(super) head: AnswerHead,
    /// The body.
    pub(super) body: PassedBody,
    /// WeChat's error, if it is one.
    pub(super) error: Option<ApiError>,
}

impl Answer {
    /// Reads as much as has to be looked into.
    ///
    /// # Errors
    /// When a small answer breaks before it is whole.
    pub(super) async fn read(head: AnswerHead, mut incoming: Received) -> Result<Self, UpstreamError> {
        let ends_with_connection = incoming.ends_with_connection();
        if incoming.remaining().is_some_and(|bytes| bytes > LOOKED_INTO as u64) {
            return Ok(Self { head, body: PassedBody::streaming(Bytes::new(), incoming), error: None });
        }
        let mut whole = Bytes::new();
        while let Some(piece) = incoming.piece().await? {
            whole = joined(whole, piece);
            if whole.len() > LOOKED_INTO && ends_with_connection {
                return Err(incoming.doubted(NO_LENGTH));
            }
            if whole.len() > LOOKED_INTO {
                return Ok(Self { head, body: PassedBody::streaming(whole, incoming), error: None });
            }
        }
        if ends_with_connection && !whole.is_empty() && !is_whole_json(&whole) {
            return Err(incoming.doubted(NO_LENGTH));
        }
        let error = read_errcode(&whole);
        Ok(Self { head, body: PassedBody::whole(whole), error })
    }

    /// Whether WeChat calls the token dead.
    pub(super) fn tells_dead_token(&self) -> bool {
        self.error.as_ref().is_some_and(|error| error.errcode.class() == ErrorClass::TokenDead)
    }

    /// The type of the body.
    pub(super) fn content_type(&self) -> Option<&HeaderValue> {
        self.head.headers.get(CONTENT_TYPE)
    }
}

/// What comes in one piece, as nearly all does, is not copied.
fn joined(before: Bytes, chunk: Bytes) -> Bytes {
    if before.is_empty() {
        return chunk;
    }
    let mut both = BytesMut::from(before);
    both.extend_from_slice(&chunk);
    both.freeze()
}

fn is_whole_json(body: &[u8]) -> bool {
    serde_json::from_slice::<IgnoredAny>(body).is_ok()
}

/// The body of an answer on its way to the caller.
pub struct PassedBody(Kind);

enum Kind {
    Whole(Bytes),
    Streaming(Box<Streaming>),
}

struct Streaming {
    first: Bytes,
    rest: Received,
}

impl PassedBody {
    /// A body that is there.
    #[must_use]
    pub fn whole(bytes: Bytes) -> Self {
        Self(Kind::Whole(bytes))
    }

    fn streaming(first: Bytes, rest: Received) -> Self {
        Self(Kind::Streaming(Box::new(Streaming { first, rest })))
    }

    /// All of it, if it is there.
    pub(super) fn bytes(&self) -> Option<Bytes> {
        match &self.0 {
            Kind::Whole(whole) => Some(whole.clone()),
            Kind::Streaming(_) => None,
        }
    }
}

impl Body for PassedBody {
    type Data = Bytes;
    type Error = UpstreamError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, UpstreamError>>> {
        match &mut self.0 {
            Kind::Whole(whole) if whole.is_empty() => Poll::Ready(None),
            Kind::Whole(whole) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(whole))))),
            Kind::Streaming(streaming) => streaming.poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Whole(whole) => whole.is_empty(),
            Kind::Streaming(streaming) => streaming.remaining() == Some(0),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Whole(whole) => SizeHint::with_exact(whole.len() as u64),
            Kind::Streaming(streaming) => streaming.remaining().map_or_else(SizeHint::default, SizeHint::with_exact),
        }
    }
}

impl Streaming {
    fn poll_frame(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, UpstreamError>>> {
        if !self.first.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut self.first)))));
        }
        let piece = ready!(self.rest.poll_piece(context)).inspect_err(|error| {
            tracing::warn!(%error, "WeChat's answer broke in its middle, and with it the caller's connection");
        });
        Poll::Ready(piece.map(|piece| piece.map(Frame::data)).transpose())
    }

    fn remaining(&self) -> Option<u64> {
        let first = u64::try_from(self.first.len()).ok()?;
        self.rest.remaining()?.checked_add(first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_a_json_answer_is_told_from_a_whole_one() {
        for whole in [r#"{"errcode":0}"#, "[1]", " {} "] {
            assert!(is_whole_json(whole.as_bytes()), "{whole}");
        }
        for cut in [r#"{"errcode":0"#, "{", r#"{"a":"b"#, "[1,", "", "plain"] {
            assert!(!is_whole_json(cut.as_bytes()), "{cut}");
        }
    }
}
