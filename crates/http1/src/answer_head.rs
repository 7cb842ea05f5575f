//! The head of an answer: what it says, and how its body is framed (RFC 9112, 4 to 6.3).

use bytes::{Buf, BytesMut};
use http::header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use httparse::{EMPTY_HEADER, Status};

use crate::{AnswerBody, Malformed};

/// The most headers of an answer, as many as hyper takes.
pub const MOST_HEADERS: usize = 100;

/// The largest head, in bytes.
pub const MOST_IN_HEAD: usize = 64 * 1024;

/// The head of a final answer. What is about the connection is not among its headers.
#[derive(Debug)]
pub struct AnswerHead {
    /// Its status: 200 or more.
    pub status: StatusCode,
    /// Those of its headers that were wanted, in their order.
    pub headers: HeaderMap,
    /// What its `Content-Length` says, also where no body follows (an answer to HEAD), in bytes.
    pub content_length: Option<u64>,
}

/// What the headers say of the connection and of the body.
#[derive(Debug, Default)]
struct About {
    length: Option<u64>,
    is_chunked: bool,
    says_close: bool,
    says_keep_alive: bool,
    /// Headers that are for this connection only.
    named: Vec<HeaderName>,
}

impl AnswerHead {
    /// Takes the head of the final answer to a request of this method off the front of `buffer`, and gives it with the body,
    /// which is still to be read; `None` before it is all there. Answers before it (`100 Continue`, `103 Early Hints`) are passed
    /// over. `wanted` says which headers are kept; `Content-Length`, `Transfer-Encoding`, `Connection` and those that the last one
    /// names never are.
    ///
    /// # Errors
    /// [`Malformed`]; nothing on the connection can be believed then.
    pub fn read(
        buffer: &mut BytesMut,
        method: &Method,
        wanted: impl Fn(&HeaderName) -> bool,
    ) -> Result<Option<(Self, AnswerBody)>, Malformed> {
        while !buffer.is_empty() {
            let Some((length, head, body)) = parsed(buffer, method, &wanted)? else {
                return if buffer.len() < MOST_IN_HEAD { Ok(None) } else { Err(Malformed::LargeHead) };
            };
            buffer.advance(length);
            if head.status == StatusCode::SWITCHING_PROTOCOLS {
                return Err(Malformed::OtherProtocol);
            }
            if !head.status.is_informational() {
                return Ok(Some((head, body)));
            }
        }
        Ok(None)
    }
}

type Parsed = Option<(usize, AnswerHead, AnswerBody)>;

fn parsed(bytes: &[u8], method: &Method, wanted: impl Fn(&HeaderName) -> bool) -> Result<Parsed, Malformed> {
    // Room for all that an answer may have is seldom used, and costs something to make.
    match parsed_in(&mut [EMPTY_HEADER; 24], bytes, method, &wanted) {
        Err(Malformed::LargeHead) => parsed_in(&mut [EMPTY_HEADER; MOST_HEADERS], bytes, method, &wanted),
        parsed => parsed,
    }
}

fn parsed_in<'b>(
    room: &mut [httparse::Header<'b>],
    bytes: &'b [u8],
    method: &Method,
    wanted: impl Fn(&HeaderName) -> bool,
) -> Result<Parsed, Malformed> {
    let mut answer = httparse::Response::new(room);
    let length = match answer.parse(bytes) {
        Ok(Status::Complete(length)) => length,
        Ok(Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => return Err(Malformed::LargeHead),
        Err(_) => return Err(Malformed::Head),
    };
    let status = answer.code.and_then(|code| StatusCode::from_u16(code).ok()).ok_or(Malformed::Head)?;
    let mut headers = HeaderMap::with_capacity(answer.headers.len());
    let mut about = About::default();
    for header in answer.headers.iter() {
        let name = HeaderName::from_bytes(header.name.as_bytes()).map_err(|_| Malformed::Head)?;
        match name {
            CONTENT_LENGTH => about.length(header.value)?,
            TRANSFER_ENCODING => about.coding(header.value)?,
            CONNECTION => about.connection(header.value),
            name if wanted(&name) => {
                headers.append(name, HeaderValue::from_bytes(header.value).map_err(|_| Malformed::Head)?);
            }
            _ => {}
        }
    }
    for name in &about.named {
        headers.remove(name);
    }
    let is_http_11 = answer.version == Some(1);
    if about.is_chunked && !is_http_11 {
        return Err(Malformed::Coding);
    }
    let body = about.body(status, method, about.keeps_alive(is_http_11));
    Ok(Some((length, AnswerHead { status, headers, content_length: about.length }, body)))
}

impl About {
    /// Several are one if they say the same (RFC 9112, 6.3).
    fn length(&mut self, value: &[u8]) -> Result<(), Malformed> {
        for one in value.split(|byte| *byte == b',') {
            let digits =
                std::str::from_utf8(one.trim_ascii()).ok().filter(|one| one.bytes().all(|b| b.is_ascii_digit()));
            let length = digits.and_then(|digits| digits.parse().ok()).ok_or(Malformed::Length)?;
            if self.length.replace(length).is_some_and(|before| before != length) {
                return Err(Malformed::Length);
            }
        }
        Ok(())
    }

    fn coding(&mut self, value: &[u8]) -> Result<(), Malformed> {
        if self.is_chunked || !value.trim_ascii().eq_ignore_ascii_case(b"chunked") {
            return Err(Malformed::Coding);
        }
        self.is_chunked = true;
        Ok(())
    }

    fn connection(&mut self, value: &[u8]) {
        for name in value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
            if name.eq_ignore_ascii_case(b"close") {
                self.says_close = true;
            } else if name.eq_ignore_ascii_case(b"keep-alive") {
                self.says_keep_alive = true;
            } else {
                self.named.extend(HeaderName::from_bytes(name).ok());
            }
        }
    }

    /// RFC 9112, 9.3. Two lengths of one body are what an answer hidden in another looks like: nothing is read after it.
    fn keeps_alive(&self, is_http_11: bool) -> bool {
        let is_measured_twice = self.is_chunked && self.length.is_some();
        !self.says_close && (is_http_11 || self.says_keep_alive) && !is_measured_twice
    }

    /// RFC 9112, 6.3. Where a body is announced and none may follow, somebody on the way may send it all the same: nothing is
    /// read after that either.
    fn body(&self, status: StatusCode, method: &Method, keeps_alive: bool) -> AnswerBody {
        let has_none = status.is_informational() || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        let is_announced = self.is_chunked || self.length.is_some_and(|length| length > 0);
        match self.length {
            _ if has_none || *method == Method::HEAD => AnswerBody::of_length(0, keeps_alive && !is_announced),
            _ if self.is_chunked => AnswerBody::chunked(keeps_alive),
            Some(bytes) => AnswerBody::of_length(bytes, keeps_alive),
            None => AnswerBody::rest(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &str) -> Result<(AnswerHead, AnswerBody, String), Malformed> {
        read_of(&Method::GET, bytes)
    }

    /// The head, and what was not taken; the same however it comes.
    fn read_of(method: &Method, bytes: &str) -> Result<(AnswerHead, AnswerBody, String), Malformed> {
        let mut slowly = BytesMut::new();
        let mut result = Ok(None);
        for byte in bytes.bytes() {
            slowly.extend_from_slice(&[byte]);
            if let Ok(None) = result {
                result = AnswerHead::read(&mut slowly, method, |_| true);
            }
        }
        let mut at_once = BytesMut::from(bytes);
        let whole = AnswerHead::read(&mut at_once, method, |_| true);
        assert_eq!(format!("{result:?}"), format!("{whole:?}"));
        assert!(whole.is_err() || slowly == at_once);
        let (head, body) = whole?.ok_or(Malformed::Half)?;
        Ok((head, body, String::from_utf8(at_once.to_vec()).unwrap()))
    }

    fn body_of(head: &str) -> (Option<u64>, bool, bool) {
        let (_, body, _) = read(head).unwrap();
        (body.remaining(), body.ends_with_connection(), body.keeps_alive())
    }

    #[test]
    fn a_head_says_status_and_headers_and_what_follows_stays() {
        let (head, _, rest) =
            read("HTTP/1.1 200 OK\r\nDate: today\r\nX-A: 1\r\nx-a: 2\r\nContent-Length: 2\r\n\r\n{}HTTP").unwrap();
        assert_eq!((head.status, head.content_length, &*rest), (StatusCode::OK, Some(2), "{}HTTP"));
        let headers: Vec<_> = head.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        assert_eq!(headers, [("date", &b"today"[..]), ("x-a", b"1"), ("x-a", b"2")]);
    }

    #[test]
    fn only_wanted_headers_are_kept_and_none_of_the_connection() {
        let bytes =
            "HTTP/1.1 200 OK\r\nConnection: close, X-Mine\r\nX-Mine: 1\r\nSet-Cookie: a=b\r\nDate: today\r\n\r\n";
        let wanted = |name: &HeaderName| name != "set-cookie";
        let (head, body) = AnswerHead::read(&mut BytesMut::from(bytes), &Method::GET, wanted).unwrap().unwrap();
        assert_eq!(head.headers.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["date"]);
        assert!(!body.keeps_alive());
    }

    #[test]
    fn answers_before_the_final_one_are_passed_over() {
        let hints = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n";
        let (head, _, rest) = read(&format!("{hints}HTTP/1.1 201 Created\r\n\r\n")).unwrap();
        assert_eq!((head.status.as_u16(), head.headers.len(), &*rest), (201, 0, ""));
        assert_eq!(
            read("HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n").unwrap_err(),
            Malformed::OtherProtocol
        );
    }

    #[test]
    fn where_the_body_ends_follows_rfc_9112() {
        let ok = "HTTP/1.1 200 OK\r\n";
        assert_eq!(body_of(&format!("{ok}Content-Length: 5\r\n\r\n")), (Some(5), false, true));
        assert_eq!(body_of(&format!("{ok}Content-Length: 5, 5\r\ncontent-length: 5\r\n\r\n")), (Some(5), false, true));
        assert_eq!(body_of(&format!("{ok}Content-Length: 0\r\n\r\n")), (Some(0), false, true));
        assert_eq!(body_of(&format!("{ok}Transfer-Encoding: Chunked\r\n\r\n")), (None, false, true));
        assert_eq!(body_of(&format!("{ok}\r\n")), (None, true, false), "to the end of the connection");
        assert_eq!(body_of(&format!("{ok}Connection: Close\r\nContent-Length: 5\r\n\r\n")), (Some(5), false, false));
        let twice = format!("{ok}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n");
        assert_eq!(body_of(&twice), (None, false, false), "the last on its connection");
        assert_eq!(body_of("HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n"), (Some(5), false, false));
        assert_eq!(
            body_of("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\n"),
            (Some(5), false, true)
        );
        assert_eq!(body_of("HTTP/1.1 204 No Content\r\n\r\n"), (Some(0), false, true));
        assert_eq!(body_of("HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n"), (Some(0), false, false));
        assert_eq!(body_of("HTTP/1.1 304 Not Modified\r\n\r\n"), (Some(0), false, true));
        let (head, body, _) = read_of(&Method::HEAD, &format!("{ok}Content-Length: 5\r\n\r\n")).unwrap();
        assert_eq!((body.is_over(), head.content_length, body.keeps_alive()), (true, Some(5), false));
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        let refused = |headers: &str| read(&format!("HTTP/1.1 200 OK\r\n{headers}\r\n\r\n")).unwrap_err();
        for length in ["5, 6", "+5", "-5", "5 5", "0x5", "", "5,", "18446744073709551616"] {
            assert_eq!(refused(&format!("Content-Length: {length}")), Malformed::Length, "{length:?}");
        }
        assert_eq!(refused("Content-Length: 5\r\nContent-Length: 6"), Malformed::Length);
        for coding in ["gzip", "gzip, chunked", "chunked, chunked", "identity", ""] {
            assert_eq!(refused(&format!("Transfer-Encoding: {coding}")), Malformed::Coding, "{coding:?}");
        }
        assert_eq!(refused("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"), Malformed::Coding);
        let old = read("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        assert_eq!(old.unwrap_err(), Malformed::Coding);
        for head in
            ["HTTP/1.1 200 OK\r\nNo colon\r\n\r\n", "HTTP/1.1 200 OK\r\nA : b\r\n\r\n", "HTTP/1.1 2000 OK\r\n\r\n"]
        {
            assert_eq!(read(head).unwrap_err(), Malformed::Head, "{head:?}");
        }
        assert_eq!(read("HTTP/1.1 200 OK\r\nA: b\r\n folded\r\n\r\n").unwrap_err(), Malformed::Head);
        assert_eq!(read("SSH-2.0-OpenSSH_9.2\r\n").unwrap_err(), Malformed::Head);
    }

    #[test]
    fn a_head_has_limits() {
        let (most, _, _) = read(&format!("HTTP/1.1 200 OK\r\n{}\r\n", "A: b\r\n".repeat(MOST_HEADERS))).unwrap();
        assert_eq!(most.headers.len(), MOST_HEADERS);
        let many = "A: b\r\n".repeat(MOST_HEADERS + 1);
        let many =
            AnswerHead::read(&mut BytesMut::from(&*format!("HTTP/1.1 200 OK\r\n{many}\r\n")), &Method::GET, |_| true);
        assert_eq!(many.unwrap_err(), Malformed::LargeHead);
        let long = format!("HTTP/1.1 200 OK\r\nA: {}", "b".repeat(MOST_IN_HEAD));
        let long = AnswerHead::read(&mut BytesMut::from(&*long), &Method::GET, |_| true);
        assert_eq!(long.unwrap_err(), Malformed::LargeHead);
    }
}
