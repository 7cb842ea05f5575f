//! Long texts in pieces that WeChat takes.
//!
//! Used for customer-service messages and messages of WeCom apps, whose texts are bounded in bytes. What must stay true:
//! the pieces are not longer than asked, and together they are the text.

/// How a link begins and ends in a text.
const LINK: &str = "<a ";
const LINK_END: &str = "</a>";

/// A break is "near the end" of a piece within its last quarter.
const NEAR: usize = 4;

/// Divides `text` into pieces of at most `max_bytes` bytes (at least 4, which the longest character has), between
/// characters: after a line break or else a space when one is near the end of the piece, and not inside a link when it can be helped.
#[must_use]
pub fn split_text(text: &str, max_bytes: usize) -> Vec<&str> {
    let max_bytes = max_bytes.max(char::MAX.len_utf8());
    let mut pieces = Vec::new();
    let mut rest = text;
    while rest.len() > max_bytes {
        let Some((piece, behind)) = rest.split_at_checked(cut(rest, max_bytes)) else { break };
        pieces.push(piece);
        rest = behind;
    }
    pieces.push(rest);
    pieces
}

/// Where the first piece of `text` ends, after at least one character; `text` is longer than `max_bytes`.
fn cut(text: &str, max_bytes: usize) -> usize {
    let end = text.floor_char_boundary(max_bytes);
    let head = text.get(..end).unwrap_or(text);
    let near = end - end / NEAR;
    let after = |separator: char| head.rfind(separator).map(|at| at + 1).filter(|at| *at > near);
    let candidates = [after('\n'), after(' '), Some(end)];
    if let Some(best) = candidates.into_iter().flatten().find(|at| link_around(text, *at).is_none()) {
        return best;
    }
    link_around(text, end).filter(|start| *start > 0).unwrap_or(end)
}

/// Where the link begins that a cut at `at` would divide.
fn link_around(text: &str, at: usize) -> Option<usize> {
    let start = text.get(..at)?.rfind(LINK)?;
    let inside = text.get(start..at)?;
    if inside.contains(LINK_END) { None } else { Some(start) }
}
