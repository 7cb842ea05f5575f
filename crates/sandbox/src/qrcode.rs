//! QR codes as pictures, for `/cgi-bin/showqrcode` and the page.

use qrcode::QrCode;
use qrcode::render::svg;

/// Longest text, in bytes.
const LONGEST_TEXT: usize = 1_024;

/// A text as an SVG picture; `None` when it is too long.
pub(crate) fn svg(text: &str) -> Option<String> {
    if text.len() > LONGEST_TEXT {
        return None;
    }
    let code = QrCode::new(text).ok()?;
    Some(code.render::<svg::Color<'_>>().min_dimensions(240, 240).build())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_becomes_a_picture_unless_it_is_too_long() {
        assert!(svg("http://weixin.qq.com/q/1").is_some_and(|text| text.contains("<svg")));
        assert!(svg(&"x".repeat(1_025)).is_none());
    }
}
