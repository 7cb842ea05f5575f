//! Media of an account, temporary and permanent: pictures that the page can show, everything else by its id alone.
//!
//! Filled by `/cgi-bin/media/upload`, by the control API and by users who send pictures. A picture is served only if its
//! bytes say that it is one, so that nothing that came in as media is ever run by a browser. Source: "Temporary media"
//! of the official account docs: kept for 3 days.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::chance;
use crate::clock::Time;

/// Seconds for which media are kept.
const KEPT_SECS: u64 = 3 * 86_400;
/// Media of one account at most, temporary ones and permanent ones; the oldest go first. WeChat keeps 100,000 permanent
/// pictures.
const MOST: usize = 100;
/// And all their bytes.
const MOST_BYTES: usize = 64 * 1024 * 1024;
/// A picture for a user who sends one without saying which: 160 × 160, hills.
static PLACEHOLDER: &[u8] = include_bytes!("placeholder.png");

/// One medium.
#[derive(Clone, Debug)]
pub(crate) struct Medium {
    pub(crate) id: String,
    /// `image`, `voice`, `video` or `thumb`, and for permanent ones `article`.
    pub(crate) kind: String,
    pub(crate) bytes: Bytes,
    pub(crate) since: Time,
}

impl Medium {
    /// The content type, if the bytes are those of a picture.
    pub(crate) fn picture_type(&self) -> Option<&'static str> {
        picture_type(&self.bytes)
    }
}

/// The content type of a picture, by its first bytes.
pub(crate) fn picture_type(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, ..] => Some("image/png"),
        [0xff, 0xd8, 0xff, ..] => Some("image/jpeg"),
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some("image/gif"),
        [b'B', b'M', ..] => Some("image/bmp"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some("image/webp"),
        _ => None,
    }
}

/// The media of one account.
#[derive(Debug, Default)]
pub(crate) struct Media {
    kept: VecDeque<Medium>,
    materials: VecDeque<Medium>,
}

impl Media {
    /// Keeps bytes and gives their id.
    pub(crate) fn keep(&mut self, kind: &str, bytes: Bytes, now: Time) -> String {
        keep(&mut self.kept, kind, bytes, now)
    }

    /// Keeps bytes without an end and gives their id.
    pub(crate) fn keep_for_good(&mut self, kind: &str, bytes: Bytes, now: Time) -> String {
        keep(&mut self.materials, kind, bytes, now)
    }

    /// Keeps something in place of what a user would have sent.
    pub(crate) fn keep_placeholder(&mut self, kind: &str, now: Time) -> String {
        let bytes = if matches!(kind, "image" | "thumb") { Bytes::from_static(PLACEHOLDER) } else { Bytes::new() };
        self.keep(kind, bytes, now)
    }

    /// What an id stands for, while it is kept.
    pub(crate) fn find(&self, id: &str, now: Time) -> Option<&Medium> {
        let temporary = self.kept.iter().find(|medium| medium.id == id && medium.since.plus_secs(KEPT_SECS) > now);
        temporary.or_else(|| self.material(id))
    }

    /// A permanent medium.
    pub(crate) fn material(&self, id: &str) -> Option<&Medium> {
        self.materials.iter().find(|medium| medium.id == id)
    }

    /// All permanent media.
    pub(crate) fn materials(&self) -> impl Iterator<Item = &Medium> {
        self.materials.iter()
    }

    /// Forgets a permanent medium; says whether it was there.
    pub(crate) fn forget_material(&mut self, id: &str) -> bool {
        let before = self.materials.len();
        self.materials.retain(|medium| medium.id != id);
        self.materials.len() < before
    }
}

fn keep(media: &mut VecDeque<Medium>, kind: &str, bytes: Bytes, now: Time) -> String {
    let held = |media: &VecDeque<Medium>| media.iter().map(|medium| medium.bytes.len()).sum::<usize>();
    while !media.is_empty() && (media.len() >= MOST || held(media) + bytes.len() > MOST_BYTES) {
        media.pop_front();
    }
    let id = chance::media_id();
    media.push_back(Medium { id: id.clone(), kind: kind.to_owned(), bytes, since: now });
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time::from_secs(1_700_000_000);

    #[test]
    fn media_are_kept_for_three_days_and_not_without_end() {
        let mut media = Media::default();
        let first = media.keep_placeholder("image", NOW);
        assert_eq!(media.find(&first, NOW).and_then(Medium::picture_type), Some("image/png"));
        assert!(media.find(&first, NOW.plus_secs(KEPT_SECS)).is_none());
        for _ in 0..MOST {
            media.keep("voice", Bytes::new(), NOW);
        }
        assert!(media.find(&first, NOW).is_none());
    }

    #[test]
    fn only_pictures_are_pictures() {
        for (bytes, kind) in [
            (&b"\x89PNG\r\n\x1a\n"[..], Some("image/png")),
            (b"\xff\xd8\xff\xe0", Some("image/jpeg")),
            (b"GIF89a", Some("image/gif")),
            (b"RIFF\0\0\0\0WEBP", Some("image/webp")),
            (b"<svg onload=alert(1)>", None),
            (b"<html>", None),
            (b"", None),
        ] {
            assert_eq!(picture_type(bytes), kind);
        }
    }
}
