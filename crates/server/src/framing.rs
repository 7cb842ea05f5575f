//! Requests whose body two readers would measure in two ways: with both Content-Length and Transfer-Encoding (RFC 9112, 6.3:
//! a reverse proxy in front may have taken one, we the other, and what one calls a body is the other's next request).
//!
//! hyper drops the length without a word and closes the connection afterwards, which is safe; but who sent it should hear why.
//! So the heads of requests are looked at on their way in, but for those that a client sends before it has the answer to the one
//! before. What must stay true: no byte is changed or held back.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::open_connections::State;

/// Longer heads are refused by hyper.
const MOST: usize = 64 * 1024;

/// A connection whose heads are looked at.
pub(crate) struct Watched<S> {
    stream: S,
    state: Arc<State>,
    /// The head so far, when it comes in pieces.
    begun: Vec<u8>,
}

impl<S> Watched<S> {
    pub(crate) fn new(stream: S, state: Arc<State>) -> Self {
        Self { stream, state, begun: Vec::new() }
    }

    fn look(&mut self, bytes: &[u8]) {
        // While a request is under way these are the bytes of its body.
        if self.state.is_under_way() {
            self.begun.clear();
            return;
        }
        if self.begun.is_empty() && ends_head(bytes) {
            self.judge(bytes);
            return;
        }
        self.begun.extend_from_slice(bytes);
        if ends_head(&self.begun) || self.begun.len() > MOST {
            let head = std::mem::take(&mut self.begun);
            self.judge(&head);
        }
    }

    fn judge(&self, head: &[u8]) {
        if is_measured_twice(head) {
            self.state.note_measured_twice();
        }
    }
}

fn ends_head(bytes: &[u8]) -> bool {
    // Nearly always the head is all there is.
    bytes.ends_with(b"\r\n\r\n") || bytes.windows(4).any(|window| window == b"\r\n\r\n")
}

/// Whether a head has both headers.
fn is_measured_twice(head: &[u8]) -> bool {
    let (mut length, mut encoding) = (false, false);
    for line in head.split(|byte| *byte == b'\n') {
        match line.first() {
            None | Some(b'\r') => break,
            Some(b'c' | b'C') => length |= is_named(line, b"content-length"),
            Some(b't' | b'T') => encoding |= is_named(line, b"transfer-encoding"),
            Some(_) => {}
        }
    }
    length && encoding
}

fn is_named(line: &[u8], name: &[u8]) -> bool {
    let is_name = line.get(..name.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(name));
    is_name && line.get(name.len()) == Some(&b':')
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        if let Some(new) = buffer.filled().get(before..).filter(|new| !new.is_empty()) {
            self.look(new);
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_headers_in_a_head_are_noticed_and_a_body_is_no_head() {
        let request = |headers: &str| format!("POST / HTTP/1.1\r\n{headers}\r\n");
        for twice in [
            "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
            "transfer-encoding:chunked\r\nhost: a\r\nCONTENT-LENGTH: 5\r\n",
        ] {
            assert!(is_measured_twice(request(twice).as_bytes()), "{twice}");
        }
        for once in [
            "content-length: 5\r\n",
            "transfer-encoding: chunked\r\n",
            "content-length: 5\r\nx-transfer-encoding: chunked\r\n",
            "content-length: 5\r\n\r\ntransfer-encoding: chunked\r\n",
        ] {
            assert!(!is_measured_twice(request(once).as_bytes()), "{once}");
        }
    }
}
