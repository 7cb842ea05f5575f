//! HTTP/1.1 as a client writes and reads it (RFC 9112): pure functions of bytes, used by calls that pass through to WeChat.
//!
//! | file | what |
//! |---|---|
//! | `request_head` | the head of a request, and the framing of a body whose length is not known |
//! | `answer_head` | the head of an answer: what it says, and how its body is framed |
//! | `answer_body` | the body of an answer, taken out of its framing |
//!
//! Why this and not hyper's client: such a call costs about as much as it takes to pass its bytes on, and a request
//! and an answer as objects, with a channel and a state machine between them, were more than a third of that. httparse, hyper's own
//! parser, reads the heads here as well; tests ask hyper about the same bytes.
//!
//! What must stay true: where a body ends is never guessed. What two readers could measure in two ways is an error, or the last
//! thing on its connection.

mod answer_body;
mod answer_head;
mod request_head;

pub use self::answer_body::{AnswerBody, Piece};
pub use self::answer_head::{AnswerHead, MOST_HEADERS, MOST_IN_HEAD};
pub use self::request_head::{BodyLength, CHUNK_END, LAST_CHUNK, NotATarget, RequestHead, chunk_begin};

/// Why bytes are no answer, or not a whole one. The texts hold nothing of the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// The head breaks HTTP's grammar.
    #[error("the head of the answer is no HTTP/1.1")]
    Head,
    /// It has no end within the limits.
    #[error("the head of the answer has more than {} KiB or {MOST_HEADERS} headers", MOST_IN_HEAD / 1024)]
    LargeHead,
    /// 101, which no request of ours asks for.
    #[error("the answer wants to speak another protocol, which nobody asked for")]
    OtherProtocol,
    /// `Content-Length` is no number, or several that differ.
    #[error("the answer does not tell one length of its body")]
    Length,
    /// `Transfer-Encoding` besides `chunked`, or in HTTP/1.0.
    #[error("the body of the answer comes in a Transfer-Encoding besides chunked")]
    Coding,
    /// A chunk without a size, or without its end.
    #[error("a chunk of the answer's body is malformed")]
    Chunk,
    /// The connection ended before the answer did.
    #[error("the connection ended before the answer was whole")]
    Half,
}
