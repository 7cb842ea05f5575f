//! QR codes of texts, as PNG or SVG, of a given size.

use qrcode::types::Color;
use qrcode::{EcLevel, QrCode};

/// The size when none is given, in pixels.
const DEFAULT_SIZE: u32 = 256;

/// The smallest size, in pixels.
const MIN_SIZE: u32 = 32;

/// The largest size, in pixels: 512 KiB of memory while drawing.
const MAX_SIZE: u32 = 2048;

/// The light border that scanners need, in modules (ISO/IEC 18004).
const QUIET: u32 = 4;

/// The file format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// Exactly `size` pixels wide and high.
    Png,
    /// Scales without loss; `size` is its width and height in the page.
    Svg,
}

impl Format {
    /// For the `Content-Type` header.
    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::Png => "image/png",
            Self::Svg => "image/svg+xml",
        }
    }
}

/// Reads the `size` parameter, in pixels.
///
/// # Errors
/// A sentence that says what a size is.
pub(crate) fn size(text: Option<&str>) -> Result<u32, String> {
    match text.map(str::parse) {
        None => Ok(DEFAULT_SIZE),
        Some(Ok(size)) if (MIN_SIZE..=MAX_SIZE).contains(&size) => Ok(size),
        Some(_) => Err(format!("size is a number of pixels from {MIN_SIZE} to {MAX_SIZE}")),
    }
}

/// Draws `text`.
///
/// # Errors
/// A sentence, when the text is too long for a QR code or for this size.
pub(crate) fn draw(text: &str, size: u32, format: Format) -> Result<Vec<u8>, String> {
    let code = QrCode::with_error_correction_level(text, EcLevel::M)
        .map_err(|_| "path is too long for a QR code: at most 2331 bytes".to_owned())?;
    let grid = Grid::of(&code)?;
    match format {
        Format::Png => png(&grid, size),
        Format::Svg => Ok(svg(&grid, size).into_bytes()),
    }
}

/// The modules of a code without its border.
struct Grid {
    width: u32,
    dark: Vec<bool>,
}

impl Grid {
    fn of(code: &QrCode) -> Result<Self, String> {
        let width = u32::try_from(code.width()).map_err(|_| "path is too long for a QR code".to_owned())?;
        Ok(Self { width, dark: code.to_colors().into_iter().map(|color| color == Color::Dark).collect() })
    }

    fn is_dark(&self, x: u32, y: u32) -> bool {
        let inside = x < self.width && y < self.width;
        let index = usize::try_from(y * self.width + x).ok().filter(|_| inside);
        index.and_then(|index| self.dark.get(index)).copied().unwrap_or(false)
    }
}

fn png(grid: &Grid, size: u32) -> Result<Vec<u8>, String> {
    let modules = grid.width + 2 * QUIET;
    let scale = size / modules;
    if scale == 0 {
        return Err(format!("size is too small for this text: at least {modules} pixels"));
    }
    // What the modules don't fill becomes more border, so that every module has the same size.
    let border = (size - scale * grid.width) / 2;
    let module = |pixel: u32| pixel.checked_sub(border).map(|inside| inside / scale);
    // One bit a pixel, the first in the highest bit, 1 is white.
    let row = |y: u32| -> Vec<u8> {
        let dark = |x: u32| matches!((module(x), module(y)), (Some(x), Some(y)) if grid.is_dark(x, y));
        let byte = |first: u32| (first..first + 8).fold(0, |byte, x| byte << 1 | u8::from(!dark(x)));
        (0..size).step_by(8).map(byte).collect()
    };
    // Drawn once for all rows of one module: drawing each would hold up other requests for ten milliseconds.
    let mut current = row(0);
    let mut pixels = Vec::new();
    for y in 0..size {
        if y > 0 && module(y) != module(y - 1) {
            current = row(y);
        }
        pixels.extend_from_slice(&current);
    }
    encode(&pixels, size).map_err(|_| "the image could not be made".to_owned())
}

fn encode(pixels: &[u8], size: u32) -> Result<Vec<u8>, png::EncodingError> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, size, size);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::One);
    encoder.write_header()?.write_image_data(pixels)?;
    Ok(file)
}

fn svg(grid: &Grid, size: u32) -> String {
    use std::fmt::Write;
    let modules = grid.width + 2 * QUIET;
    let mut path = String::new();
    for y in 0..grid.width {
        for x in (0..grid.width).filter(|x| grid.is_dark(*x, y)) {
            let _ = write!(path, "M{} {}h1v1h-1z", x + QUIET, y + QUIET);
        }
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{size}\" height=\"{size}\" \
         viewBox=\"0 0 {modules} {modules}\" shape-rendering=\"crispEdges\">\
         <path fill=\"#fff\" d=\"M0 0h{modules}v{modules}H0z\"/><path d=\"{path}\"/></svg>"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_png_has_the_size_that_was_asked_for() {
        for size in [64, 100, 256, 2048] {
            let image = draw("weixin://wxpay/bizpayurl?pr=abc", size, Format::Png).unwrap();
            let reader = png::Decoder::new(std::io::Cursor::new(image)).read_info().unwrap();
            assert_eq!((reader.info().width, reader.info().height), (size, size));
        }
    }

    #[test]
    fn sizes_and_texts_that_do_not_fit_are_refused() {
        assert!(size(Some("31")).is_err() && size(Some("2049")).is_err() && size(Some("big")).is_err());
        assert!(draw(&"x".repeat(3000), 2048, Format::Png).unwrap_err().contains("too long"));
        assert!(draw(&"x".repeat(1000), 64, Format::Png).unwrap_err().contains("too small"));
        assert!(draw(&"x".repeat(1000), 64, Format::Svg).is_ok());
    }
}
