//! A caller's body on its way to WeChat: kept whole when it is small, so that the request can be repeated; else streamed as
//! it comes.
//!
//! What must stay true: however many callers there are, what is kept is bounded ([`Keeping`]), and a body that ends in
//! its middle never reaches WeChat as a whole one.

use std::error::Error;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::Body;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

/// The largest body that is kept, in bytes. Larger ones stream, and are not repeated.
pub const MOST_KEPT: usize = 1024 * 1024;

/// All that is kept at once, in KiB. When it is used up, small bodies stream as well.
const ALL_KEPT_KIB: usize = 64 * 1024;

/// How long a small body may take to arrive; one that is slower streams.
const MOST_COLLECTING: Duration = Duration::from_secs(5);

type BoxError = Box<dyn Error + Send + Sync>;

/// The caller's connection ended in the middle of its body, or nothing more came.
#[derive(Debug, thiserror::Error)]
#[error("the request's body ended before it was whole, or nothing more of it came")]
pub struct CallerBroke;

/// The room for bodies that are kept.
#[derive(Clone)]
pub(super) struct Keeping(Arc<Semaphore>);

impl Default for Keeping {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(ALL_KEPT_KIB)))
    }
}

impl Keeping {
    /// Makes `room` large enough for so many bytes; false when there is not so much now.
    fn widen(&self, room: &mut Option<OwnedSemaphorePermit>, bytes: usize) -> bool {
        let held = room.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let Ok(more) = u32::try_from(bytes.div_ceil(1024).saturating_sub(held)) else { return false };
        let Ok(more) = Arc::clone(&self.0).try_acquire_many_owned(more) else { return false };
        match room {
            Some(room) => room.merge(more),
            None => *room = Some(more),
        }
        true
    }
}

/// A caller's body.
pub struct RequestBody(Taken);

enum Taken {
    /// All of it; the room that it takes is given back when it is dropped.
    Whole(Bytes, Option<OwnedSemaphorePermit>),
    /// What is there, and what still comes.
    Streaming(Streaming),
}

/// What is there of a body, and what still comes.
pub(super) struct Streaming {
    first: Bytes,
    /// The room that it takes, until it is handed on.
    room: Option<OwnedSemaphorePermit>,
    rest: UnsyncBoxBody<Bytes, BoxError>,
    tells_end: bool,
}

impl RequestBody {
    /// No body.
    #[must_use]
    pub fn empty() -> Self {
        Self(Taken::Whole(Bytes::new(), None))
    }

    /// Takes a body: all of it when it is small and there is room, else its beginning.
    /// `tells_end`: the body says when it is over, as in HTTP/2; there, no more frames alone do not mean that it is whole.
    pub(super) async fn take<B>(mut body: B, keeping: &Keeping, tells_end: bool) -> Result<Self, CallerBroke>
    where
        B: Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<BoxError>,
    {
        if body.is_end_stream() {
            return Ok(Self::empty());
        }
        let expected = body.size_hint().lower();
        if expected > MOST_KEPT as u64 {
            return Ok(Self::streaming(Bytes::new(), None, body, tells_end));
        }
        let (mut whole, mut room) = (BytesMut::new(), None);
        let end = Instant::now() + MOST_COLLECTING;
        // Room is taken for what has come, not for what is announced: who announces much and sends nothing takes none.
        while let Ok(frame) = tokio::time::timeout_at(end, body.frame()).await {
            let Some(frame) = frame else {
                check_end(&body, tells_end)?;
                return Ok(Self(Taken::Whole(whole.freeze(), room)));
            };
            let Ok(chunk) = frame.map_err(|_| CallerBroke)?.into_data() else { continue };
            whole.extend_from_slice(&chunk);
            if whole.len() > MOST_KEPT || !keeping.widen(&mut room, whole.len()) {
                break;
            }
        }
        Ok(Self::streaming(whole.freeze(), room, body, tells_end))
    }

    fn streaming<B>(first: Bytes, room: Option<OwnedSemaphorePermit>, body: B, tells_end: bool) -> Self
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let rest = body.map_err(Into::into).boxed_unsync();
        Self(Taken::Streaming(Streaming { first, room, rest, tells_end }))
    }

    /// What is sent, and, when the request can be repeated, the same once more.
    pub(super) fn send(self) -> (SentBody, Option<Self>) {
        match self.0 {
            Taken::Whole(bytes, room) => (SentBody::Whole(bytes.clone()), Some(Self(Taken::Whole(bytes, room)))),
            Taken::Streaming(streaming) => (SentBody::Streaming(streaming), None),
        }
    }
}

/// A body on its way to WeChat.
pub(super) enum SentBody {
    /// What is left of one that is there; nothing at its end.
    Whole(Bytes),
    /// One that still comes.
    Streaming(Streaming),
}

impl Default for SentBody {
    fn default() -> Self {
        Self::Whole(Bytes::new())
    }
}

impl SentBody {
    /// Its length in bytes, if it is known: that of a streamed one as the caller announced it, because WeChat's upload APIs
    /// want to know it.
    pub(super) fn length(&self) -> Option<u64> {
        match self {
            Self::Whole(bytes) => u64::try_from(bytes.len()).ok(),
            Self::Streaming(streaming) => streaming.length(),
        }
    }

    /// Whether it is at its end for certain.
    pub(super) fn is_taken(&self) -> bool {
        matches!(self, Self::Whole(bytes) if bytes.is_empty())
    }

    /// The next piece; `None` at the end.
    pub(super) fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, CallerBroke>>> {
        match self {
            Self::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Self::Whole(bytes) => Poll::Ready(Some(Ok(std::mem::take(bytes)))),
            Self::Streaming(streaming) => streaming.poll_piece(context),
        }
    }
}

impl Streaming {
    fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, CallerBroke>>> {
        if !self.first.is_empty() {
            self.room = None;
            return Poll::Ready(Some(Ok(std::mem::take(&mut self.first))));
        }
        loop {
            match ready!(Pin::new(&mut self.rest).poll_frame(context)) {
                None => return Poll::Ready(check_end(&self.rest, self.tells_end).err().map(Err)),
                Some(Err(_)) => return Poll::Ready(Some(Err(CallerBroke))),
                Some(Ok(frame)) => {
                    // Trailers are of the caller's connection; a piece of nothing would look like the end.
                    if let Some(piece) = frame.into_data().ok().filter(|piece| !piece.is_empty()) {
                        return Poll::Ready(Some(Ok(piece)));
                    }
                }
            }
        }
    }

    fn length(&self) -> Option<u64> {
        let first = u64::try_from(self.first.len()).ok()?;
        self.rest.size_hint().exact()?.checked_add(first)
    }
}

/// Nothing more comes of a body: is it whole? hyper gives no error when an HTTP/2 stream is reset with NO_ERROR in its middle
/// (RFC 9113, 8.1, which a server may do to a client, and not the other way round).
fn check_end(body: &impl Body, tells_end: bool) -> Result<(), CallerBroke> {
    let is_short = body.size_hint().lower() > 0 || (tells_end && !body.is_end_stream());
    if is_short { Err(CallerBroke) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use http_body_util::StreamBody;
    use hyper::body::{Frame, SizeHint};

    use super::*;

    /// Pieces, of which some bytes are missing, and perhaps the word that it was all.
    struct Told {
        pieces: VecDeque<&'static str>,
        missing: u64,
        says_end: bool,
    }

    impl Told {
        fn new(pieces: &[&'static str], missing: u64, says_end: bool) -> Self {
            Self { pieces: pieces.iter().copied().collect(), missing, says_end }
        }
    }

    impl Body for Told {
        type Data = Bytes;
        type Error = BoxError;

        fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
            let piece = self.pieces.pop_front();
            Poll::Ready(piece.map(|piece| Ok(Frame::data(Bytes::from_static(piece.as_bytes())))))
        }

        fn is_end_stream(&self) -> bool {
            self.says_end && self.pieces.is_empty()
        }

        fn size_hint(&self) -> SizeHint {
            let mut hint = SizeHint::new();
            hint.set_lower(self.missing);
            hint
        }
    }

    impl SentBody {
        /// One that comes in these pieces.
        pub(in crate::passthrough) fn streaming(pieces: &[&'static str]) -> Self {
            let RequestBody(Taken::Streaming(streaming)) =
                RequestBody::streaming(Bytes::new(), None, Told::new(pieces, 0, false), false)
            else {
                panic!("it streams");
            };
            Self::Streaming(streaming)
        }

        /// One of which nothing more comes.
        pub(in crate::passthrough) fn never_ending() -> Self {
            let silent = StreamBody::new(futures::stream::pending::<Result<Frame<Bytes>, BoxError>>());
            let rest = silent.boxed_unsync();
            Self::Streaming(Streaming { first: Bytes::new(), room: None, rest, tells_end: false })
        }
    }

    async fn collected(mut body: SentBody) -> Result<Vec<u8>, CallerBroke> {
        let mut whole = Vec::new();
        while let Some(piece) = std::future::poll_fn(|context| body.poll_piece(context)).await {
            whole.extend_from_slice(&piece?);
        }
        Ok(whole)
    }

    #[tokio::test]
    async fn half_a_body_is_never_the_whole_whoever_stops_in_its_middle() {
        let large: &'static str = "x".repeat(MOST_KEPT + 1).leak();
        for pieces in [&["half"][..], &[large, "half"]] {
            for (missing, says_end, tells_end, is_whole) in [
                (0, false, false, true),
                (0, true, true, true),
                (0, false, true, false),
                (3, false, false, false),
                (3, true, true, false),
            ] {
                let told = Told::new(pieces, missing, says_end);
                let whole = match RequestBody::take(told, &Keeping::default(), tells_end).await {
                    Ok(body) => collected(body.send().0).await,
                    Err(broke) => Err(broke),
                };
                assert_eq!(whole.is_ok(), is_whole, "{missing} {says_end} {tells_end}");
            }
        }
    }
}
