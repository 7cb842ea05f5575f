//! Temporary media: `/cgi-bin/media/upload` and `/cgi-bin/media/get`, as far as messages need them.
//!
//! Source: "Temporary media" of the official account docs and of the WeCom docs. Types, sizes and, for pictures, the first
//! bytes are checked; the length of voices and videos is not.

use bytes::Bytes;
use memchr::memmem;
use serde_json::json;

use super::desk::{Answer, Desk};
use super::refusal::{House, Refusal};
use crate::chat::picture_type;
use crate::wire::Reply;

const TYPES: [&str; 5] = ["image", "voice", "video", "thumb", "file"];

/// `POST /cgi-bin/media/upload?access_token=T&type=image`, a form with the file in its part `media`.
pub(crate) fn upload(desk: &mut Desk<'_>) -> Answer {
    let caller = desk.caller()?;
    let refused = |code: i64| Refusal::of(caller.house, code);
    let kind = desk.call.param("type").filter(|kind| TYPES.contains(kind)).ok_or_else(|| refused(40004))?.to_owned();
    let file = file(&desk.call.body).ok_or_else(|| refused(41005))?;
    check(caller.house, &kind, &file)?;
    desk.admit(&caller)?;
    let now = desk.now;
    let id = desk.holder(&caller)?.media.keep(&kind, file, now);
    let name = if kind == "thumb" { "thumb_media_id" } else { "media_id" };
    Ok(Reply::success(&json!({ "type": kind, name: id, "created_at": now.secs() })))
}

/// Whether a file may be one of this type: its size ("Global return codes" of both docs), and what a picture begins with.
pub(super) fn check(house: House, kind: &str, file: &[u8]) -> Result<(), Refusal> {
    const MIB: usize = 1024 * 1024;
    let (most, too_large) = match kind {
        "thumb" => (64 * 1024, 40012),
        "voice" => (2 * MIB, 40010),
        "video" => (10 * MIB, 40011),
        "file" => (20 * MIB, 40006),
        _ => (10 * MIB, 40009),
    };
    if file.is_empty() {
        return Err(Refusal::of(house, 44001));
    }
    if file.len() > most {
        return Err(Refusal::of(house, if house == House::Wecom { 40006 } else { too_large }));
    }
    if matches!(kind, "image" | "thumb") && picture_type(file).is_none() {
        return Err(Refusal::of(house, 40005));
    }
    Ok(())
}

/// `GET /cgi-bin/media/get?access_token=T&media_id=M`: the bytes.
pub(crate) fn read(desk: &mut Desk<'_>) -> Answer {
    let caller = desk.caller()?;
    desk.admit(&caller)?;
    let now = desk.now;
    let id = desk.call.param("media_id").unwrap_or_default().to_owned();
    let unknown = Refusal::of(caller.house, 40007);
    let medium = desk.holder(&caller)?.media.find(&id, now).ok_or(unknown)?;
    let kind = medium.picture_type().unwrap_or("application/octet-stream");
    Ok(Reply::page(200, kind, medium.bytes.clone()))
}

/// The file of a form (RFC 7578): the part with a file name, or named `media`. The boundary stands in its first line.
pub(super) fn file(form: &Bytes) -> Option<Bytes> {
    let first_line = find(form, b"\r\n", 0)?;
    let boundary = form.get(..first_line).filter(|line| line.len() > 2 && line.starts_with(b"--"))?;
    let end_mark = [b"\r\n", boundary].concat();
    let mut at = first_line + 2;
    loop {
        let head_end = find(form, b"\r\n\r\n", at)?;
        let head = String::from_utf8_lossy(form.get(at..head_end)?).to_ascii_lowercase();
        let begin = head_end + 4;
        let end = find(form, &end_mark, begin)?;
        if head.contains("filename") || head.contains("name=\"media\"") {
            return Some(form.slice(begin..end));
        }
        at = end + end_mark.len() + 2;
    }
}

fn find(bytes: &[u8], mark: &[u8], from: usize) -> Option<usize> {
    memmem::find(bytes.get(from..)?, mark).map(|at| at + from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(form: &str) -> Option<String> {
        file(&Bytes::copy_from_slice(form.as_bytes())).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    #[test]
    fn the_file_of_a_form_is_found() {
        let part = "--b\r\nContent-Disposition: form-data; name=\"media\"; filename=\"a.png\"\r\n\r\n";
        assert_eq!(taken(&format!("{part}data\r\n--b--\r\n")).as_deref(), Some("data"));
        assert_eq!(taken(&format!("{part}\r\n--b--\r\n")).as_deref(), Some(""), "an empty file");
        let other = "--b\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\n1\r\n";
        assert_eq!(taken(&format!("{other}{part}da\r\nta\r\n--b--")).as_deref(), Some("da\r\nta"));
        for form in ["", "x", "--b\r\n", "--b\r\n\r\n", "\r\n\r\n\r\n"] {
            assert_eq!(taken(form), None, "{form:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn foreign_bytes_never_panic(form in "(--b|\r\n|filename|x|-){0,30}") {
            taken(&form);
        }
    }
}
