//! WeChat's answer on its way to the caller: a small one is read whole, because its errcode counts; a larger one, which is no
//! error of WeChat's, streams as it comes.
//!
//! What must stay true: half an answer is never passed on as a whole one. A small one that breaks becomes an error of ours;
//! one that streams breaks the caller's connection as well.

use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING};
use http::response::Parts;
use http::{HeaderMap, HeaderValue, StatusCode};
use hyper::body::{Body, Frame, SizeHint};
use serde::de::IgnoredAny;
use tokio::time::{Instant, Sleep};
use wechat::ApiError;
use wechat::calls::read_errcode;
use wechat::errcode::ErrorClass;

use super::client::Received;
use super::progress::STALL;
use crate::upstream::UpstreamError;

/// The longest answer that is looked into, in bytes. WeChat's errors have some hundred.
const LOOKED_INTO: usize = 8 * 1024;

/// Why an answer that only the end of its connection ends is refused: half of it would look whole. WeChat always tells the length.
const NO_LENGTH: &str = "the answer has neither a length nor chunks, so its end is not certain";

/// What WeChat answered.
pub(super) struct Answer {
    /// Status and headers, as they came.
    pub(super) parts: Parts,
    /// The body.
    pub(super) body: AnswerBody,
    /// WeChat's error, if it is one.
    pub(super) error: Option<ApiError>,
}

impl Answer {
    /// Reads as much as has to be looked into.
    ///
    /// # Errors
    /// When a small answer breaks before it is whole.
    pub(super) async fn read(parts: Parts, mut incoming: Received) -> Result<Self, UpstreamError> {
        let uncertain = |what: &str, incoming: &Received| {
            Err(UpstreamError::Broken { host: incoming.host().name.clone(), reason: what.to_owned() })
        };
        if parts.status == StatusCode::SWITCHING_PROTOCOLS {
            return uncertain("it wants to speak something else, which nobody asked for", &incoming);
        }
        let streamed = |first: Bytes, rest: Received| AnswerBody(Kind::Streaming(Streaming::new(first, rest)));
        let ends_with_connection = ends_with_connection(&parts.headers) && !incoming.is_end_stream();
        if incoming.size_hint().lower() > LOOKED_INTO as u64 {
            return Ok(Self { parts, body: streamed(Bytes::new(), incoming), error: None });
        }
        let mut whole = Bytes::new();
        while let Some(chunk) = incoming.chunk().await? {
            whole = joined(whole, chunk);
            if whole.len() > LOOKED_INTO && ends_with_connection {
                return uncertain(NO_LENGTH, &incoming);
            }
            if whole.len() > LOOKED_INTO {
                return Ok(Self { parts, body: streamed(whole, incoming), error: None });
            }
        }
        if ends_with_connection && !whole.is_empty() && !is_whole_json(&whole) {
            return uncertain(NO_LENGTH, &incoming);
        }
        let error = read_errcode(&whole);
        Ok(Self { parts, body: AnswerBody(Kind::Whole(whole)), error })
    }

    /// Whether WeChat calls the token dead.
    pub(super) fn tells_dead_token(&self) -> bool {
        self.error.as_ref().is_some_and(|error| error.errcode.class() == ErrorClass::TokenDead)
    }

    /// The type of the body.
    pub(super) fn content_type(&self) -> Option<&HeaderValue> {
        self.parts.headers.get(CONTENT_TYPE)
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

/// Neither a length nor chunks tell where such an answer ends.
fn ends_with_connection(headers: &HeaderMap) -> bool {
    !headers.contains_key(CONTENT_LENGTH) && !headers.contains_key(TRANSFER_ENCODING)
}

fn is_whole_json(body: &[u8]) -> bool {
    serde_json::from_slice::<IgnoredAny>(body).is_ok()
}

type BoxError = Box<dyn Error + Send + Sync>;

/// The body of an answer.
pub struct AnswerBody(Kind);

enum Kind {
    Whole(Bytes),
    Streaming(Box<Streaming>),
}

struct Streaming {
    first: Bytes,
    rest: Received,
    /// Runs while WeChat is waited for.
    stall: Option<Pin<Box<Sleep>>>,
}

/// WeChat sent nothing more for [`STALL`].
#[derive(Debug, thiserror::Error)]
#[error("WeChat's answer stood still for {} s", STALL.as_secs())]
struct StoodStill;

impl AnswerBody {
    /// A body that is there.
    #[must_use]
    pub fn whole(bytes: Bytes) -> Self {
        Self(Kind::Whole(bytes))
    }

    /// All of it, if it is there.
    pub(super) fn bytes(&self) -> Option<Bytes> {
        match &self.0 {
            Kind::Whole(whole) => Some(whole.clone()),
            Kind::Streaming(_) => None,
        }
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match &mut self.0 {
            Kind::Whole(whole) if whole.is_empty() => Poll::Ready(None),
            Kind::Whole(whole) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(whole))))),
            Kind::Streaming(streaming) => streaming.poll(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Whole(whole) => whole.is_empty(),
            Kind::Streaming(streaming) => streaming.first.is_empty() && streaming.rest.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Whole(whole) => SizeHint::with_exact(whole.len() as u64),
            Kind::Streaming(streaming) => streaming.size_hint(),
        }
    }
}

impl Streaming {
    fn new(first: Bytes, rest: Received) -> Box<Self> {
        Box::new(Self { first, rest, stall: None })
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if !self.first.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut self.first)))));
        }
        match Pin::new(&mut self.rest).poll_frame(context) {
            Poll::Ready(polled) => {
                self.stall = None;
                Poll::Ready(polled.map(|frame| {
                    frame.map_err(|error| {
                        tracing::warn!(%error, "WeChat's answer broke in its middle, and with it the caller's connection");
                        error.into()
                    })
                }))
            }
            Poll::Pending => {
                let stall =
                    self.stall.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(Instant::now() + STALL)));
                let over = stall.as_mut().poll(context);
                over.map(|()| {
                    tracing::warn!("WeChat's answer stood still, so the caller's connection is closed");
                    Some(Err(StoodStill.into()))
                })
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        let first = u64::try_from(self.first.len()).unwrap_or(u64::MAX);
        match self.rest.size_hint().exact() {
            Some(rest) => SizeHint::with_exact(first.saturating_add(rest)),
            None => SizeHint::default(),
        }
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
