//! QR codes: texts as pictures, for pages and APIs, and pictures as texts, for the phone's scanner.
//!
//! Used by the platform and by the control API; `reader` reads.

mod reader;

use qrcode::QrCode;
use qrcode::render::svg;

pub(crate) use reader::read;

/// Longest text, in bytes.
const LONGEST_TEXT: usize = 1_024;
/// Pixels of one module of a PNG, and modules of white around the code (ISO/IEC 18004 wants 4).
const MODULE: usize = 8;
const QUIET: usize = 4;

/// A text as an SVG picture; `None` when it is too long.
pub(crate) fn svg(text: &str) -> Option<String> {
    Some(code(text)?.render::<svg::Color<'_>>().min_dimensions(240, 240).build())
}

/// A text as a PNG picture; `None` when it is too long.
pub(crate) fn png(text: &str) -> Option<Vec<u8>> {
    let code = code(text)?;
    let modules = code.width();
    let dark = code.to_colors();
    let edge = (modules + 2 * QUIET) * MODULE;
    let module = |at: usize| (at / MODULE).checked_sub(QUIET).filter(|at| *at < modules);
    let pixel = |x: usize, y: usize| {
        let (x, y) = (module(x)?, module(y)?);
        dark.get(y * modules + x).filter(|colour| **colour == qrcode::Color::Dark)
    };
    let pixels: Vec<u8> =
        (0..edge * edge).map(|at| if pixel(at % edge, at / edge).is_some() { 0 } else { 255 }).collect();
    let mut file = Vec::new();
    let size = u32::try_from(edge).ok()?;
    let mut encoder = png::Encoder::new(&mut file, size, size);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header().ok()?;
    writer.write_image_data(&pixels).ok()?;
    writer.finish().ok()?;
    Some(file)
}

fn code(text: &str) -> Option<QrCode> {
    if text.len() > LONGEST_TEXT { None } else { QrCode::new(text).ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_becomes_a_picture_unless_it_is_too_long() {
        assert!(svg("http://weixin.qq.com/q/1").is_some_and(|text| text.contains("<svg")));
        assert!(svg(&"x".repeat(1_025)).is_none());
        assert!(png(&"x".repeat(1_025)).is_none());
    }

    #[test]
    fn what_was_drawn_is_read() {
        for text in [
            "weixin://wxpay/bizpayurl?pr=1",
            "http://127.0.0.1:8081/connect/confirm?uuid=abc",
            "测试😀",
            &"x".repeat(700),
        ] {
            assert_eq!(read(&png(text).unwrap()).as_deref(), Ok(text));
        }
    }
}
