//! An answer of HTTP/1.1 reads in one way however it arrives, takes nothing of what follows it, and half of it is never the whole.
#![no_main]

use bytes::BytesMut;
use http::{HeaderMap, Method, StatusCode};
use http1::{AnswerHead, MOST_HEADERS, Malformed, Piece};
use libfuzzer_sys::fuzz_target;

type Answer = (StatusCode, HeaderMap, Option<u64>, Vec<u8>, bool);

/// Reads an answer that arrives in steps of so many bytes: the answer, and what was not taken.
fn read(method: &Method, bytes: &[u8], step: usize) -> Result<(Answer, Vec<u8>), Malformed> {
    let (mut buffer, mut steps) = (BytesMut::new(), bytes.chunks(step));
    let (head, mut body) = loop {
        if let Some(answer) = AnswerHead::read(&mut buffer, method, |_| true)? {
            break answer;
        }
        buffer.extend_from_slice(steps.next().ok_or(Malformed::Half)?);
    };
    assert!(head.status.as_u16() >= 200 && head.headers.len() <= MOST_HEADERS);
    let mut whole = Vec::new();
    loop {
        match body.next(&mut buffer)? {
            Piece::Bytes(piece) => {
                assert!(!piece.is_empty());
                whole.extend_from_slice(&piece);
            }
            Piece::End => break,
            Piece::Missing => match steps.next() {
                Some(step) => buffer.extend_from_slice(step),
                None => {
                    body.connection_ended()?;
                    break;
                }
            },
        }
    }
    assert!(body.is_over());
    steps.for_each(|step| buffer.extend_from_slice(step));
    let answer = (head.status, head.headers, head.content_length, whole, body.keeps_alive());
    Ok((answer, buffer.to_vec()))
}

fuzz_target!(|data: &[u8]| {
    let Some((choice, bytes)) = data.split_first() else { return };
    let method = if choice & 1 == 0 { Method::GET } else { Method::HEAD };
    let step = usize::from(choice >> 1) + 1;
    let in_steps = read(&method, bytes, step);
    assert_eq!(in_steps, read(&method, bytes, bytes.len().max(1)));
    let Ok(((status, headers, length, body, keeps_alive), rest)) = in_steps else { return };
    assert!(bytes.ends_with(&rest));
    if !keeps_alive {
        return;
    }

    // What may be followed by another answer does not change with what follows.
    let taken = &bytes[..bytes.len() - rest.len()];
    let followed = [taken, b"HTTP/1.1 500 Other\r\n\r\n"].concat();
    let (again, _) = read(&method, &followed, step).unwrap();
    assert_eq!(again, (status, headers, length, body, keeps_alive));
    // And nothing less is enough.
    if let Some((_, less)) = taken.split_last() {
        assert!(read(&method, less, step).is_err());
    }
});
