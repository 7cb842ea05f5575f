//! Pages as text: templates with gaps, and what is filled into them.
//!
//! Used by all pages. A gap is filled with text, which is escaped, or with the HTML of another template; there is no
//! third way.

use http::header;

use crate::wire::Reply;

/// The frame of every page.
const FRAME: &str = include_str!("frame.html");
/// Nothing comes from elsewhere but pictures of people. Only the sandbox's own page may show these pages in a frame, so
/// that no foreign page gets somebody to click on 允许. Where forms lead to is not limited: browsers apply that to the
/// redirect as well.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; \
                      img-src 'self' http: https:; base-uri 'none'; \
                      frame-ancestors 'self' http://127.0.0.1:* http://localhost:*";

/// What fills a gap.
pub(super) enum Fill<'a> {
    /// Anything; it is escaped.
    Text(&'a str),
    /// A template that has been filled.
    Html(Html),
}

/// HTML that was made from a template.
pub(super) struct Html(String);

impl Html {
    /// Nothing.
    pub(super) fn none() -> Html {
        Html(String::new())
    }
}

/// Fills the gaps `{{name}}` of a template; what has no filling stays empty.
pub(super) fn fill(template: &str, fills: &[(&str, Fill<'_>)]) -> Html {
    let mut filled = String::with_capacity(template.len() * 2);
    let mut pieces = template.split("{{");
    filled.push_str(pieces.next().unwrap_or_default());
    for piece in pieces {
        let (name, rest) = piece.split_once("}}").unwrap_or(("", piece));
        match fills.iter().find(|(known, _)| *known == name) {
            Some((_, Fill::Text(text))) => escape(text, &mut filled),
            Some((_, Fill::Html(Html(html)))) => filled.push_str(html),
            None => {}
        }
        filled.push_str(rest);
    }
    Html(filled)
}

/// A whole page.
pub(super) fn page(title: &str, head: Html, body: Html) -> Reply {
    let fills = [("title", Fill::Text(title)), ("head", Fill::Html(head)), ("body", Fill::Html(body))];
    let Html(page) = fill(FRAME, &fills);
    Reply::page(200, "text/html; charset=utf-8", page)
        .with_header(header::CONTENT_SECURITY_POLICY, POLICY)
        .with_header(header::X_CONTENT_TYPE_OPTIONS, "nosniff")
        .with_header(header::REFERRER_POLICY, "same-origin")
        .with_header(header::CACHE_CONTROL, "no-store")
}

/// There is no such page.
pub(super) fn missing() -> Reply {
    Reply::page(404, "text/html", "<html><head><title>404 Not Found</title></head></html>")
}

/// The page is there, but not for this method.
pub(super) fn wrong_method() -> Reply {
    Reply::page(405, "text/html", "<html><head><title>405 Method Not Allowed</title></head></html>")
}

/// Puts a text where a page has text or an attribute in quotes.
fn escape(text: &str, into: &mut String) {
    for letter in text.chars() {
        match letter {
            '&' => into.push_str("&amp;"),
            '<' => into.push_str("&lt;"),
            '>' => into.push_str("&gt;"),
            '"' => into.push_str("&quot;"),
            '\'' => into.push_str("&#39;"),
            letter => into.push(letter),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_escaped_and_never_read_as_gaps() {
        let Html(filled) = fill(
            "<a title='{{a}}'>{{b}}{{none}}</a>",
            &[("a", Fill::Text("'\"{{b}}")), ("b", Fill::Text("</a><script>&😀"))],
        );
        assert_eq!(filled, "<a title='&#39;&quot;{{b}}'>&lt;/a&gt;&lt;script&gt;&amp;😀</a>");
        let Html(filled) = fill("{{a}} {{", &[("a", Fill::Html(Html("<b>".into())))]);
        assert_eq!(filled, "<b> ");
    }
}
