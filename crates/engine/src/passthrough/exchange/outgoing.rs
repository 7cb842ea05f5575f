//! A request on its way out: its head, then its body in pieces, framed by a length or as chunks.
//!
//! What must stay true: a body that is not as long as it was announced is never ended as if it were whole, and what is pending is
//! woken by the connection or by the caller's body.

use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use http1::{CHUNK_END, LAST_CHUNK, chunk_begin};
use tokio::io::AsyncWrite;
use tokio_util::io::poll_write_buf;

use super::Broken;
use crate::passthrough::request_body::{CallerBroke, SentBody};

/// The largest room for a head that an idle connection keeps, in bytes.
const LARGE_HEAD: usize = 8 * 1024;

/// What is being sent.
pub(super) struct Outgoing {
    /// The head, and what frames the pieces of the body.
    framing: BytesMut,
    /// The piece of the body behind it, and what stands behind that.
    piece: Bytes,
    piece_end: &'static [u8],
    body: SentBody,
    /// How much of the body is still to come; `None`: it goes in chunks.
    left: Option<u64>,
    is_all_taken: bool,
    is_flushed: bool,
}

impl Outgoing {
    /// Nothing, and all of it is sent.
    pub(super) fn nothing() -> Self {
        Self {
            framing: BytesMut::new(),
            piece: Bytes::new(),
            piece_end: b"",
            body: SentBody::default(),
            left: Some(0),
            is_all_taken: true,
            is_flushed: true,
        }
    }

    /// Begins with a request that has this body; its head is to be written into the buffer.
    pub(super) fn begin(&mut self, body: SentBody) -> &mut BytesMut {
        let mut framing = std::mem::take(&mut self.framing);
        framing.clear();
        let left = body.length();
        *self = Self { framing, body, left, is_all_taken: false, is_flushed: false, ..Self::nothing() };
        &mut self.framing
    }

    /// Lets go of what an idle connection does not need.
    pub(super) fn rest(&mut self) {
        self.body = SentBody::default();
        if self.framing.capacity() > LARGE_HEAD {
            self.framing = BytesMut::new();
        }
    }

    /// Sends something more; pending while neither the connection takes anything nor the caller brings it.
    pub(super) fn poll_step(
        &mut self,
        mut stream: Pin<&mut impl AsyncWrite>,
        context: &mut Context<'_>,
    ) -> Poll<Result<(), Broken>> {
        self.load(context)?;
        if !self.has_written_all() {
            let length = ready!(self.poll_write(stream, context))?;
            let is_stuck = length == 0;
            return Poll::Ready(if is_stuck { Err(io::Error::from(ErrorKind::WriteZero).into()) } else { Ok(()) });
        }
        // Also while the caller is waited for: TLS may still hold something.
        let flushed = stream.as_mut().poll_flush(context)?;
        if !self.is_all_taken {
            return Poll::Pending;
        }
        ready!(flushed);
        self.is_flushed = true;
        Poll::Ready(Ok(()))
    }

    /// Takes the next piece of the body, when the one before is written.
    fn load(&mut self, context: &mut Context<'_>) -> Result<(), CallerBroke> {
        if self.is_all_taken || self.piece.has_remaining() || self.piece_end.has_remaining() {
            return Ok(());
        }
        let Poll::Ready(piece) = self.body.poll_piece(context) else { return Ok(()) };
        match (piece.transpose()?, &mut self.left) {
            (Some(piece), None) => {
                chunk_begin(&mut self.framing, piece.len());
                (self.piece, self.piece_end) = (piece, CHUNK_END);
            }
            (Some(piece), Some(left)) => {
                // Longer than announced, it would be read as the next request.
                let length = u64::try_from(piece.len()).map_err(|_| CallerBroke)?;
                *left = left.checked_sub(length).ok_or(CallerBroke)?;
                self.piece = piece;
            }
            (None, Some(1..)) => return Err(CallerBroke),
            (None, left) => {
                if left.is_none() {
                    self.framing.extend_from_slice(LAST_CHUNK);
                }
                self.is_all_taken = true;
            }
        }
        // A whole body is in hand, and its end as well: what is to be sent with it is sent at once.
        if self.left == Some(0) && self.body.is_taken() {
            self.is_all_taken = true;
        }
        Ok(())
    }

    /// Whether all was sent.
    pub(super) fn is_sent(&self) -> bool {
        self.is_flushed
    }

    /// Whether all that there is was sent, and the caller has not brought the rest.
    pub(super) fn waits_for_caller(&self) -> bool {
        !self.is_all_taken && self.has_written_all()
    }

    fn has_written_all(&self) -> bool {
        !self.framing.has_remaining() && !self.piece.has_remaining() && !self.piece_end.has_remaining()
    }

    fn poll_write(&mut self, stream: Pin<&mut impl AsyncWrite>, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if !self.piece.has_remaining() && !self.piece_end.has_remaining() {
            let length = ready!(stream.poll_write(context, &self.framing))?;
            self.framing.advance(length);
            return Poll::Ready(Ok(length));
        }
        let mut all = (&mut self.framing).chain(&mut self.piece).chain(&mut self.piece_end);
        poll_write_buf(stream, context, &mut all)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::time::Duration;

    use bytes::BufMut;

    use super::*;

    /// Takes so many bytes at a time, and no more for now after each.
    struct Narrow {
        step: usize,
        is_full: bool,
        taken: Vec<u8>,
    }

    impl AsyncWrite for Narrow {
        fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
            self.is_full = !self.is_full;
            if self.is_full {
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            let length = bytes.len().min(self.step);
            self.taken.extend_from_slice(&bytes[..length]);
            Poll::Ready(Ok(length))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    /// What is sent of a body that comes in these pieces, at so many bytes at a time.
    async fn sent(pieces: &'static [&'static str], length: Option<u64>, step: usize) -> Result<String, Broken> {
        let (mut outgoing, mut narrow) = (Outgoing::nothing(), Narrow { step, is_full: false, taken: Vec::new() });
        outgoing.begin(SentBody::streaming(pieces)).put_slice(b"HEAD\r\n\r\n");
        outgoing.left = length;
        let sending = poll_fn(|context| {
            while !outgoing.is_sent() {
                ready!(outgoing.poll_step(Pin::new(&mut narrow), context))?;
            }
            Poll::Ready(Ok::<(), Broken>(()))
        });
        // Who waits for what nobody will bring is told by the limit.
        tokio::time::timeout(Duration::from_secs(10), sending).await.unwrap()?;
        Ok(String::from_utf8(narrow.taken).unwrap())
    }

    #[tokio::test]
    async fn a_body_is_framed_the_same_however_little_is_taken_of_it() {
        for step in 1..20 {
            let chunks = sent(&["hello", "", ", wor", "ld"], None, step).await.unwrap();
            assert_eq!(chunks, "HEAD\r\n\r\n5\r\nhello\r\n5\r\n, wor\r\n2\r\nld\r\n0\r\n\r\n", "{step}");
            assert_eq!(sent(&["", "hello", ""], Some(5), step).await.unwrap(), "HEAD\r\n\r\nhello", "{step}");
            assert_eq!(sent(&[], None, step).await.unwrap(), "HEAD\r\n\r\n0\r\n\r\n", "{step}");
        }
    }

    #[tokio::test]
    async fn a_body_that_is_not_as_long_as_announced_is_none() {
        assert!(sent(&["hell"], Some(5), 100).await.is_err());
        assert!(sent(&["hello", "!"], Some(5), 100).await.is_err());
        assert!(sent(&["hello!"], Some(5), 100).await.is_err());
    }
}
