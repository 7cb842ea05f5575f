//! The head of a request, written straight into a buffer.

use bytes::{BufMut, BytesMut};
use http::{HeaderName, HeaderValue, Method};

/// What stands behind the bytes of a chunk.
pub const CHUNK_END: &[u8] = b"\r\n";

/// What ends a body in chunks: a chunk of no bytes, and no trailers.
pub const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// What is known of the length of a request's body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyLength {
    /// So many bytes.
    Known(u64),
    /// It goes in chunks ([`chunk_begin`], the bytes, [`CHUNK_END`]; at the end [`LAST_CHUNK`]).
    Unknown,
}

/// The target cannot stand in a request line: it is empty, or a byte of it is a space or a control character.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the address holds a space or a control character; percent-encode it")]
pub struct NotATarget;

/// A head that is being written: request line, `Host`, then [`RequestHead::header`]s, and at last [`RequestHead::end`].
///
/// Names and values come as types that hold no line break, and the target is checked, so nothing in a request can
/// begin another one.
#[derive(Debug)]
pub struct RequestHead<'a> {
    buffer: &'a mut BytesMut,
    has_body_by_nature: bool,
}

impl<'a> RequestHead<'a> {
    /// Begins a head: `write_target` appends the target, in origin form (RFC 9112, 3.2.1).
    ///
    /// # Errors
    /// [`NotATarget`]; the buffer then is as it was.
    pub fn begin(
        buffer: &'a mut BytesMut,
        method: &Method,
        host: &HeaderValue,
        write_target: impl FnOnce(&mut BytesMut),
    ) -> Result<Self, NotATarget> {
        let start = buffer.len();
        buffer.put_slice(method.as_str().as_bytes());
        buffer.put_u8(b' ');
        let target = buffer.len();
        write_target(buffer);
        if !buffer.get(target..).is_some_and(is_target) {
            buffer.truncate(start);
            return Err(NotATarget);
        }
        buffer.put_slice(b" HTTP/1.1\r\nhost: ");
        buffer.put_slice(host.as_bytes());
        buffer.put_slice(b"\r\n");
        let has_body_by_nature = matches!(*method, Method::POST | Method::PUT | Method::PATCH);
        Ok(Self { buffer, has_body_by_nature })
    }

    /// Adds a header. The framing (`Host`, `Content-Length`, `Transfer-Encoding`, `Connection`) is not the caller's to add.
    pub fn header(&mut self, name: &HeaderName, value: &HeaderValue) {
        self.buffer.put_slice(name.as_str().as_bytes());
        self.buffer.put_slice(b": ");
        self.buffer.put_slice(value.as_bytes());
        self.buffer.put_slice(b"\r\n");
    }

    /// Ends the head with the framing of its body. `Content-Length: 0` is said where a method usually has a body (RFC 9110,
    /// 8.6).
    pub fn end(self, length: BodyLength) {
        match length {
            BodyLength::Known(0) if !self.has_body_by_nature => {}
            BodyLength::Known(bytes) => {
                self.buffer.put_slice(b"content-length: ");
                put_number::<10>(self.buffer, bytes);
                self.buffer.put_slice(b"\r\n");
            }
            BodyLength::Unknown => self.buffer.put_slice(b"transfer-encoding: chunked\r\n"),
        }
        self.buffer.put_slice(b"\r\n");
    }
}

/// All of it is looked at, without an end before the end: so many bytes can be looked at together.
fn is_target(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().fold(true, |is_good, byte| is_good & (*byte > b' ') & (*byte != 0x7F))
}

/// Writes what stands before the bytes of a chunk; `length` is not 0, which would end the body.
pub fn chunk_begin(buffer: &mut BytesMut, length: usize) {
    put_number::<16>(buffer, u64::try_from(length).unwrap_or(u64::MAX));
    buffer.put_slice(b"\r\n");
}

fn put_number<const BASE: u64>(buffer: &mut BytesMut, number: u64) {
    if number >= BASE {
        put_number::<BASE>(buffer, number / BASE);
    }
    let digit = u8::try_from(number % BASE).unwrap_or_default();
    buffer.put_u8(if digit < 10 { b'0' + digit } else { b'a' + digit - 10 });
}

#[cfg(test)]
mod tests {
    use http::header::{ACCEPT, CONTENT_TYPE};
    use proptest::prelude::*;

    use super::*;

    const HOST: HeaderValue = HeaderValue::from_static("api.weixin.qq.com");

    fn written(method: &Method, target: &str, length: BodyLength) -> Result<String, NotATarget> {
        let mut buffer = BytesMut::new();
        let mut head = RequestHead::begin(&mut buffer, method, &HOST, |buffer| buffer.put_slice(target.as_bytes()))?;
        head.header(&ACCEPT, &HeaderValue::from_static("*/*"));
        head.header(&CONTENT_TYPE, &HeaderValue::from_static("application/json"));
        head.end(length);
        Ok(String::from_utf8(buffer.to_vec()).unwrap())
    }

    #[test]
    fn a_head_is_a_line_for_each_thing() {
        assert_eq!(
            written(&Method::GET, "/a?b=c", BodyLength::Known(0)).unwrap(),
            "GET /a?b=c HTTP/1.1\r\nhost: api.weixin.qq.com\r\naccept: */*\r\ncontent-type: application/json\r\n\r\n"
        );
    }

    #[test]
    fn the_framing_follows_from_the_body_and_the_method() {
        let framing = |method, length| {
            let head = written(method, "/", length).unwrap();
            head.split_once("json\r\n").unwrap().1.trim_end().to_owned()
        };
        assert_eq!(framing(&Method::GET, BodyLength::Known(5)), "content-length: 5");
        assert_eq!(framing(&Method::POST, BodyLength::Known(0)), "content-length: 0");
        assert_eq!(framing(&Method::DELETE, BodyLength::Known(0)), "");
        assert_eq!(framing(&Method::POST, BodyLength::Known(104_857_600)), "content-length: 104857600");
        assert_eq!(framing(&Method::POST, BodyLength::Unknown), "transfer-encoding: chunked");
    }

    #[test]
    fn what_would_end_the_request_line_is_no_target() {
        for target in ["", "/a b", "/a\r\nx: y", "/\u{7f}", "/\t", "/\0"] {
            assert_eq!(written(&Method::GET, target, BodyLength::Known(0)), Err(NotATarget), "{target:?}");
        }
        let mut buffer = BytesMut::from("before");
        assert!(RequestHead::begin(&mut buffer, &Method::GET, &HOST, |buffer| buffer.put_slice(b"/ ")).is_err());
        assert_eq!(buffer, "before");
    }

    proptest! {
        #[test]
        fn httparse_reads_what_is_written(
            target in "/[!-~]{0,40}",
            value in "[!-~]([ -~]{0,20}[!-~])?",
            length in any::<u64>(),
            chunk in 1..1_usize << 59,
        ) {
            let mut buffer = BytesMut::new();
            let mut head =
                RequestHead::begin(&mut buffer, &Method::PUT, &HOST, |buffer| buffer.put_slice(target.as_bytes())).unwrap();
            head.header(&ACCEPT, &HeaderValue::from_str(&value).unwrap());
            head.end(BodyLength::Known(length));
            let mut headers = [httparse::EMPTY_HEADER; 8];
            let mut request = httparse::Request::new(&mut headers);
            prop_assert_eq!(request.parse(&buffer), Ok(httparse::Status::Complete(buffer.len())));
            prop_assert_eq!((request.method, request.path), (Some("PUT"), Some(&*target)));
            let headers: Vec<_> = request.headers.iter().map(|header| (header.name, header.value.to_vec())).collect();
            let expected = [("host", HOST.as_bytes().to_vec()), ("accept", value.into_bytes()),
                ("content-length", length.to_string().into_bytes())];
            prop_assert_eq!(&headers[..], &expected[..]);

            let mut begin = BytesMut::new();
            chunk_begin(&mut begin, chunk);
            let read = httparse::parse_chunk_size(&begin);
            prop_assert_eq!(read, Ok(httparse::Status::Complete((begin.len(), chunk as u64))));
        }
    }
}
