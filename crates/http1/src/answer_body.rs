//! The body of an answer, taken out of its framing (RFC 9112, 6 and 7).

use bytes::{Buf, Bytes, BytesMut};

use crate::Malformed;

/// The longest line with the size of a chunk, and the most of trailers, in bytes. Both hold nothing that is wanted.
const MOST_ASIDE: usize = 8 * 1024;

/// A body that is being read. It knows where it ends, and takes no byte of what follows.
#[derive(Debug)]
pub struct AnswerBody {
    state: State,
    keeps_alive: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// So many bytes are still to come: not 0.
    Length(u64),
    /// The size of a chunk is next.
    ChunkSize,
    /// So many bytes of a chunk are still to come: not 0.
    Chunk(u64),
    /// The line break behind a chunk is next.
    ChunkEnd,
    /// Lines behind the last chunk, of which so many bytes were seen; an empty one is the last.
    Trailers(usize),
    /// All that comes, to the end of the connection.
    Rest,
    /// It is whole.
    End,
}

/// What comes next of a body.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece {
    /// Bytes of it: not none.
    Bytes(Bytes),
    /// Nothing, before more arrives.
    Missing,
    /// It is whole.
    End,
}

impl AnswerBody {
    /// A body of so many bytes.
    pub(crate) fn of_length(bytes: u64, keeps_alive: bool) -> Self {
        Self { state: if bytes == 0 { State::End } else { State::Length(bytes) }, keeps_alive }
    }

    /// A body in chunks.
    pub(crate) fn chunked(keeps_alive: bool) -> Self {
        Self { state: State::ChunkSize, keeps_alive }
    }

    /// A body that the end of its connection ends.
    pub(crate) fn rest() -> Self {
        Self { state: State::Rest, keeps_alive: false }
    }

    /// Whether the connection can be used again after it.
    #[must_use]
    pub fn keeps_alive(&self) -> bool {
        self.keeps_alive
    }

    /// Whether all of it was read.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.state == State::End
    }

    /// Whether only the end of its connection ends it, so that half of it looks like the whole.
    #[must_use]
    pub fn ends_with_connection(&self) -> bool {
        self.state == State::Rest
    }

    /// How many bytes are still to come, if that is known.
    #[must_use]
    pub fn remaining(&self) -> Option<u64> {
        match self.state {
            State::End => Some(0),
            State::Length(left) => Some(left),
            _ => None,
        }
    }

    /// Takes what comes next off the front of `buffer`.
    ///
    /// # Errors
    /// [`Malformed::Chunk`]; nothing more can be read then.
    pub fn next(&mut self, buffer: &mut BytesMut) -> Result<Piece, Malformed> {
        loop {
            let piece = match self.state {
                State::End => return Ok(Piece::End),
                _ if buffer.is_empty() => return Ok(Piece::Missing),
                State::Rest => buffer.split().freeze(),
                State::Length(left) => {
                    let (piece, left) = taken(buffer, left);
                    self.state = if left == 0 { State::End } else { State::Length(left) };
                    piece
                }
                State::Chunk(left) => {
                    let (piece, left) = taken(buffer, left);
                    self.state = if left == 0 { State::ChunkEnd } else { State::Chunk(left) };
                    piece
                }
                State::ChunkSize | State::ChunkEnd | State::Trailers(_) => match self.framing(buffer)? {
                    Some(next) => {
                        self.state = next;
                        continue;
                    }
                    None => return Ok(Piece::Missing),
                },
            };
            return Ok(Piece::Bytes(piece));
        }
    }

    /// The connection has ended, and all that came was read.
    ///
    /// # Errors
    /// [`Malformed::Half`] when the body is not whole.
    pub fn connection_ended(&mut self) -> Result<(), Malformed> {
        match self.state {
            State::End | State::Rest => {
                self.state = State::End;
                Ok(())
            }
            _ => Err(Malformed::Half),
        }
    }

    /// Takes a line of the framing; `None`: it is not all there.
    fn framing(&self, buffer: &mut BytesMut) -> Result<Option<State>, Malformed> {
        let (length, next) = match self.state {
            State::ChunkSize => match line_end(buffer, 0)? {
                None => return Ok(None),
                Some(at) => match chunk_size(buffer.get(..at).unwrap_or_default())? {
                    0 => (at + 1, State::Trailers(0)),
                    size => (at + 1, State::Chunk(size)),
                },
            },
            State::ChunkEnd => match &**buffer {
                [b'\r', b'\n', ..] => (2, State::ChunkSize),
                [b'\r'] => return Ok(None),
                _ => return Err(Malformed::Chunk),
            },
            State::Trailers(seen) => match line_end(buffer, seen)? {
                None => return Ok(None),
                Some(at) if matches!(buffer.get(..at), Some([] | [b'\r'])) => (at + 1, State::End),
                Some(at) => (at + 1, State::Trailers(seen + at + 1)),
            },
            other => (0, other),
        };
        buffer.advance(length);
        Ok(Some(next))
    }
}

/// Where the line feed is, if it has come; `seen` bytes before it count for the limit.
fn line_end(buffer: &[u8], seen: usize) -> Result<Option<usize>, Malformed> {
    let end = buffer.iter().position(|byte| *byte == b'\n');
    if seen + end.unwrap_or(buffer.len()) < MOST_ASIDE { Ok(end) } else { Err(Malformed::Chunk) }
}

/// The size in a line before its line feed: hexadecimal digits, then perhaps an extension behind a semicolon, then the carriage
/// return. (httparse's own function takes a line without digits for a 0.)
fn chunk_size(line: &[u8]) -> Result<u64, Malformed> {
    let line = line.strip_suffix(b"\r").filter(|line| !line.contains(&b'\r')).ok_or(Malformed::Chunk)?;
    let size = line.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii_end();
    let digits = std::str::from_utf8(size).ok().filter(|size| size.bytes().all(|byte| byte.is_ascii_hexdigit()));
    digits.and_then(|digits| u64::from_str_radix(digits, 16).ok()).ok_or(Malformed::Chunk)
}

/// At most so many bytes of what is there, and how many are left then.
fn taken(buffer: &mut BytesMut, left: u64) -> (Bytes, u64) {
    let there = buffer.len();
    let length = usize::try_from(left).map_or(there, |left| left.min(there));
    let piece = buffer.split_to(length).freeze();
    let taken = u64::try_from(length).unwrap_or(left);
    (piece, left.saturating_sub(taken))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{CHUNK_END, LAST_CHUNK, chunk_begin};

    /// Reads bytes that come in pieces, then the end of the connection: the body, and what was not taken.
    fn read(mut body: AnswerBody, pieces: &[&[u8]]) -> Result<(Vec<u8>, Vec<u8>), Malformed> {
        let (mut buffer, mut whole) = (BytesMut::new(), Vec::new());
        for piece in pieces {
            buffer.extend_from_slice(piece);
            while let Piece::Bytes(bytes) = body.next(&mut buffer)? {
                assert!(!bytes.is_empty());
                whole.extend_from_slice(&bytes);
            }
        }
        body.connection_ended()?;
        Ok((whole, buffer.to_vec()))
    }

    fn chunked(bytes: &[u8]) -> Result<(Vec<u8>, Vec<u8>), Malformed> {
        let whole = read(AnswerBody::chunked(true), &[bytes]);
        let one_by_one: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(read(AnswerBody::chunked(true), &one_by_one), whole, "however it comes");
        whole
    }

    #[test]
    fn a_body_of_known_length_takes_no_more() {
        assert_eq!(
            read(AnswerBody::of_length(5, true), &[b"hel", b"lo, wor"]),
            Ok((b"hello".to_vec(), b", wor".to_vec()))
        );
        assert_eq!(read(AnswerBody::of_length(0, true), &[b"x"]), Ok((Vec::new(), b"x".to_vec())));
        assert_eq!(read(AnswerBody::of_length(6, true), &[b"hello"]), Err(Malformed::Half));
        assert_eq!(AnswerBody::of_length(6, true).remaining(), Some(6));
    }

    #[test]
    fn what_the_connection_ends_is_all_there_is() {
        assert_eq!(read(AnswerBody::rest(), &[b"a", b"b"]), Ok((b"ab".to_vec(), Vec::new())));
        assert_eq!(read(AnswerBody::rest(), &[]), Ok((Vec::new(), Vec::new())));
    }

    #[test]
    fn chunks_become_what_they_hold() {
        for (bytes, body, after) in [
            ("5\r\nhello\r\n0\r\n\r\n", "hello", ""),
            ("5\r\nhello\r\n3;name=value\r\n, w\r\n0\r\n\r\nHTTP/1.1", "hello, w", "HTTP/1.1"),
            ("0005\r\nhello\r\n000\r\n\r\n", "hello", ""),
            ("A\r\n0123456789\r\n0\r\nExpires: never\r\nX: y\r\n\r\n", "0123456789", ""),
            ("0\r\n\r\n", "", ""),
        ] {
            assert_eq!(chunked(bytes.as_bytes()), Ok((body.into(), after.into())), "{bytes:?}");
        }
    }

    #[test]
    fn what_is_no_chunk_is_an_error_and_half_a_body_too() {
        for bytes in [
            "x\r\n",
            "\r\n",
            ";x\r\n",
            "-5\r\nhello",
            "+5\r\nhello",
            "5 5\r\nhello",
            "5\nhello",
            "5;a\rb\r\nhello",
            "5\r\nhello0\r\n\r\n",
            "5\r\nhello\n0\r\n\r\n",
            "10000000000000000\r\n",
        ] {
            assert_eq!(chunked(bytes.as_bytes()), Err(Malformed::Chunk), "{bytes:?}");
        }
        for bytes in ["", "5", "5\r\nhell", "5\r\nhello\r\n", "5\r\nhello\r\n0\r\n", "5\r\nhello\r\n0\r\nX: y\r\n"] {
            assert_eq!(chunked(bytes.as_bytes()), Err(Malformed::Half), "{bytes:?}");
        }
    }

    #[test]
    fn what_is_beside_the_body_has_a_limit() {
        let aside = "x".repeat(MOST_ASIDE);
        assert_eq!(read(AnswerBody::chunked(true), &[b"5;", aside.as_bytes()]), Err(Malformed::Chunk));
        assert_eq!(read(AnswerBody::chunked(true), &[b"0\r\n", aside.as_bytes()]), Err(Malformed::Chunk));
        let lines = "x: y\r\n".repeat(MOST_ASIDE / 6 + 1);
        assert_eq!(chunked(format!("0\r\n{lines}\r\n").as_bytes()), Err(Malformed::Chunk));
    }

    proptest! {
        #[test]
        fn what_is_written_in_chunks_is_read_however_it_comes(
            chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 0..6),
            step in 1..30_usize,
            after in prop::collection::vec(any::<u8>(), 0..10),
        ) {
            let mut written = BytesMut::new();
            for chunk in &chunks {
                chunk_begin(&mut written, chunk.len());
                written.extend_from_slice(chunk);
                written.extend_from_slice(CHUNK_END);
            }
            written.extend_from_slice(LAST_CHUNK);
            written.extend_from_slice(&after);
            let pieces: Vec<&[u8]> = written.chunks(step).collect();
            prop_assert_eq!(read(AnswerBody::chunked(true), &pieces), Ok((chunks.concat(), after)));
        }
    }
}
