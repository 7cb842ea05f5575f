//! One request and its answer on a connection: bytes out, bytes in, and a limit on every wait.
//!
//! A call drives its connection itself, without a task or a channel between them: a small call is one write and one read. What
//! must stay true: what is sent goes on while an answer is read, and an answer is read while something is sent, so that
//! neither side waits for the other; no wait for WeChat is longer than [`STALL`]. (A caller that takes nothing of an answer is
//! waited for, and cut off, by the server.)

mod outgoing;

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::Method;
use http1::{AnswerBody, AnswerHead, Malformed, Piece};
use hyper_rustls::MaybeHttpsStream;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};
use tokio_util::io::poll_read_buf;

use self::outgoing::Outgoing;
use super::headers;
use super::request_body::{CallerBroke, SentBody};

/// How long nothing may move: no byte of a caller's body, no head of an answer, no byte of its body. WeChat's slow APIs
/// (pictures that are looked at, drafts that are published) take seconds; its SDKs wait 5 to 60.
pub(super) const STALL: Duration = Duration::from_secs(30);

/// How long a request may take that moves all the while, up to the head of its answer: 100 MiB at 30 KB/s.
const LONGEST: Duration = Duration::from_secs(3600);

/// Room for what comes, in bytes: for a head with a small body, and for a large body.
const SMALL_ROOM: usize = 8 * 1024;
const LARGE_ROOM: usize = 64 * 1024;

/// Why an exchange did not come to its end.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    /// The caller's body ended before it was whole, or nothing more of it came.
    #[error(transparent)]
    Caller(#[from] CallerBroke),
    /// Nothing moved for too long.
    #[error("nothing moved for {} s", STALL.as_secs())]
    Stalled,
    /// The network.
    #[error(transparent)]
    Network(#[from] io::Error),
    /// What came is no answer.
    #[error(transparent)]
    Malformed(#[from] Malformed),
}

type Stream = TokioIo<MaybeHttpsStream<TokioIo<TcpStream>>>;

/// A connection, and the exchange that is under way on it.
pub(super) struct Connection {
    stream: Stream,
    /// What came and was not read yet.
    came: BytesMut,
    outgoing: Outgoing,
    /// Why sending stopped; what had been answered before is still read.
    not_sent: Option<Broken>,
    /// How much came in this exchange, in bytes.
    received: usize,
    watch: Watch,
}

/// Ends waits that are too long. One timer serves all exchanges of a connection: it is set anew only when it goes off, not with
/// each request.
struct Watch {
    timer: Pin<Box<Sleep>>,
    /// Since when nothing has moved while something was waited for.
    waiting_since: Option<Instant>,
    /// When the request that is under way was first waited for.
    asked_at: Option<Instant>,
}

impl Connection {
    /// A connection that nothing was sent on.
    pub(super) fn new(stream: MaybeHttpsStream<TokioIo<TcpStream>>) -> Self {
        let timer = Box::pin(tokio::time::sleep(STALL));
        Self {
            stream: TokioIo::new(stream),
            came: BytesMut::new(),
            outgoing: Outgoing::nothing(),
            not_sent: None,
            received: 0,
            watch: Watch { timer, waiting_since: None, asked_at: None },
        }
    }

    /// Begins an exchange that sends this body; its head is to be written into the buffer.
    pub(super) fn begin(&mut self, body: SentBody) -> &mut BytesMut {
        self.watch.waiting_since = None;
        self.watch.asked_at = None;
        self.received = 0;
        self.outgoing.begin(body)
    }

    /// The head of the answer, and its body, which is still to come.
    pub(super) fn poll_head(
        &mut self,
        context: &mut Context<'_>,
        method: &Method,
    ) -> Poll<Result<(AnswerHead, AnswerBody), Broken>> {
        loop {
            if let Some(answer) = AnswerHead::read(&mut self.came, method, headers::goes_to_caller)? {
                return Poll::Ready(Ok(answer));
            }
            match ready!(self.poll_more(context, SMALL_ROOM, Some(LONGEST))) {
                Ok(0) => return Poll::Ready(Err(self.not_sent.take().unwrap_or(Malformed::Half.into()))),
                Ok(_) => {}
                Err(Broken::Stalled) if self.outgoing.waits_for_caller() => {
                    return Poll::Ready(Err(CallerBroke.into()));
                }
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    /// The next piece of the answer's body; `None` at its end.
    pub(super) fn poll_piece(
        &mut self,
        context: &mut Context<'_>,
        body: &mut AnswerBody,
    ) -> Poll<Result<Option<Bytes>, Broken>> {
        loop {
            match body.next(&mut self.came)? {
                Piece::Bytes(bytes) => return Poll::Ready(Ok(Some(bytes))),
                Piece::End => return Poll::Ready(Ok(None)),
                Piece::Missing => {}
            }
            let is_large = match body.remaining() {
                Some(left) => left > SMALL_ROOM as u64,
                None => self.received > SMALL_ROOM,
            };
            let room = if is_large { LARGE_ROOM } else { SMALL_ROOM };
            if ready!(self.poll_more(context, room, None))? == 0 {
                body.connection_ended()?;
                return Poll::Ready(Ok(None));
            }
        }
    }

    /// Whether another exchange can follow one that is over, as far as can be known without waiting: all was sent, nothing came that
    /// nobody asked for, and the other side has left it open.
    pub(super) fn is_quiet(&mut self, context: &mut Context<'_>) -> bool {
        let mut byte = [0; 1];
        self.is_done() && Pin::new(&mut self.stream).poll_read(context, &mut ReadBuf::new(&mut byte)).is_pending()
    }

    /// Lets go of what an exchange needed and an idle connection does not: the request's body, the room for a large answer or a
    /// large head.
    pub(super) fn rest(&mut self) {
        self.outgoing.rest();
        if self.received > SMALL_ROOM {
            self.came = BytesMut::new();
        }
    }

    /// Whether all was sent, and all that came was read.
    pub(super) fn is_done(&self) -> bool {
        self.outgoing.is_sent() && self.not_sent.is_none() && self.came.is_empty()
    }

    /// Reads more, and sends meanwhile what is still to be sent; 0 at the end of the connection.
    fn poll_more(
        &mut self,
        context: &mut Context<'_>,
        room: usize,
        longest: Option<Duration>,
    ) -> Poll<Result<usize, Broken>> {
        match self.poll_send(context) {
            Poll::Ready(Err(Broken::Caller(broke))) => return Poll::Ready(Err(broke.into())),
            // An answer may have come before: that the request is too large, and nothing more is read of it.
            Poll::Ready(Err(error)) => self.not_sent = Some(error),
            Poll::Ready(Ok(())) | Poll::Pending => {}
        }
        if self.came.capacity() - self.came.len() < room / 8 {
            self.came.reserve(room);
        }
        match poll_read_buf(Pin::new(&mut self.stream), context, &mut self.came) {
            Poll::Ready(Ok(length)) => {
                self.watch.has_moved();
                self.received = self.received.saturating_add(length);
                Poll::Ready(Ok(length))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(self.not_sent.take().unwrap_or(error.into()))),
            Poll::Pending => {
                ready!(self.watch.poll(context, longest));
                Poll::Ready(Err(Broken::Stalled))
            }
        }
    }

    fn poll_send(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        while !self.outgoing.is_sent() && self.not_sent.is_none() {
            ready!(self.outgoing.poll_step(Pin::new(&mut self.stream), context))?;
            self.watch.has_moved();
        }
        Poll::Ready(Ok(()))
    }
}

impl Watch {
    fn has_moved(&mut self) {
        self.waiting_since = None;
    }

    /// Ready when the wait is over: nothing has moved for [`STALL`], or the request takes longer than `longest`.
    fn poll(&mut self, context: &mut Context<'_>, longest: Option<Duration>) -> Poll<()> {
        let since = *self.waiting_since.get_or_insert_with(Instant::now);
        let asked_at = *self.asked_at.get_or_insert(since);
        loop {
            ready!(self.timer.as_mut().poll(context));
            let now = Instant::now();
            let end = since + STALL;
            if now >= end || longest.is_some_and(|longest| now >= asked_at + longest) {
                return Poll::Ready(());
            }
            self.timer.as_mut().reset(end);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use bytes::BufMut;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio::time::advance;

    use super::*;

    const ASKED: &[u8] = b"GET / HTTP/1.1\r\n\r\n";
    const ANSWERED: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";

    async fn connected() -> (Connection, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (here, there) = tokio::join!(TcpStream::connect(listener.local_addr().unwrap()), listener.accept());
        (Connection::new(MaybeHttpsStream::Http(TokioIo::new(here.unwrap()))), there.unwrap().0)
    }

    async fn head(connection: &mut Connection) -> Result<(AnswerHead, AnswerBody), Broken> {
        poll_fn(|context| connection.poll_head(context, &Method::GET)).await
    }

    async fn piece(connection: &mut Connection, body: &mut AnswerBody) -> Result<Option<Bytes>, Broken> {
        poll_fn(|context| connection.poll_piece(context, body)).await
    }

    /// Asks, and gets an answer.
    async fn exchange(connection: &mut Connection, there: &mut TcpStream) -> Bytes {
        connection.begin(SentBody::default()).put_slice(ASKED);
        let answering = async {
            there.read_exact(&mut [0; ASKED.len()]).await.unwrap();
            there.write_all(ANSWERED).await.unwrap();
        };
        let ((), answer) = tokio::join!(answering, head(connection));
        let (_, mut body) = answer.unwrap();
        piece(connection, &mut body).await.unwrap().unwrap()
    }

    #[tokio::test]
    async fn a_connection_serves_one_exchange_after_the_other() {
        let (mut connection, mut there) = connected().await;
        for _ in 0..3 {
            assert_eq!(exchange(&mut connection, &mut there).await, "{}");
            let is_quiet = poll_fn(|context| Poll::Ready(connection.is_quiet(context))).await;
            assert!(is_quiet && connection.is_done());
        }
        drop(there);
        let noticed = async {
            while poll_fn(|context| Poll::Ready(connection.is_quiet(context))).await {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(STALL, noticed).await.unwrap();
    }

    /// The clock jumps to the next timer when nothing else is to be done.
    #[tokio::test(start_paused = true)]
    async fn a_silent_answer_is_given_up_after_the_limit_however_old_the_timer_is() {
        let (mut connection, _there) = connected().await;
        for idle in [0, 1, 29, 31, 7200] {
            advance(Duration::from_secs(idle)).await;
            connection.begin(SentBody::default()).put_slice(ASKED);
            let asked_at = Instant::now();
            assert!(matches!(head(&mut connection).await, Err(Broken::Stalled)));
            let waited = asked_at.elapsed();
            assert!(waited >= STALL && waited < STALL + Duration::from_secs(1), "{idle}: {waited:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_of_which_nothing_more_comes_is_the_callers_fault() {
        let (mut connection, _there) = connected().await;
        connection.begin(SentBody::never_ending()).put_slice(ASKED);
        assert!(matches!(head(&mut connection).await, Err(Broken::Caller(_))));
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_whose_reader_is_slow_is_not_given_up() {
        let (mut connection, mut there) = connected().await;
        connection.begin(SentBody::default()).put_slice(ASKED);
        there.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab").await.unwrap();
        let (_, mut body) = head(&mut connection).await.unwrap();
        assert_eq!(piece(&mut connection, &mut body).await.unwrap().unwrap(), "ab");
        // Nobody asks for more for an hour; then the rest is waited for as long as ever.
        advance(Duration::from_secs(3600)).await;
        let asked_at = Instant::now();
        assert!(matches!(piece(&mut connection, &mut body).await, Err(Broken::Stalled)));
        assert!(asked_at.elapsed() >= STALL);
    }
}
