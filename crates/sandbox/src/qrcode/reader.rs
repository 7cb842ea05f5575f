//! Reads the QR code in a picture, for the phone's scanner.
//!
//! A picture comes from anywhere: its size is bounded before it is unpacked. How long the search takes is not: a picture
//! full of what looks like corners of codes takes for ever, so whoever calls this has to be able to leave it behind.

use std::io::Cursor;

use rqrr::PreparedImage;

/// Pixels of a picture that is read, along one edge.
const LONGEST_EDGE: u32 = 4_096;
/// Pixels of white that are put around a picture: codes are often cut out without any.
const MARGIN: usize = 16;

/// The text of the QR code in a PNG picture.
///
/// # Errors
/// What is wrong with the picture and what to do.
pub(crate) fn read(file: &[u8]) -> Result<String, String> {
    let picture = Picture::unpack(file)?;
    // As it is, then larger, since small codes have modules of a pixel or two, then light on dark.
    let tries = [(1, false), (3, false), (1, true), (3, true)];
    let fits = |scale: usize| picture.width.max(picture.height) * scale <= LONGEST_EDGE as usize;
    let text =
        tries.into_iter().filter(|(scale, _)| fits(*scale)).find_map(|(scale, inverted)| picture.look(scale, inverted));
    text.ok_or_else(|| {
        "there is no QR code in the picture, or it is not sharp enough; cut the picture closer to it".into()
    })
}

/// A picture in shades of grey.
struct Picture {
    width: usize,
    height: usize,
    grey: Vec<u8>,
}

impl Picture {
    fn unpack(file: &[u8]) -> Result<Picture, String> {
        let wrong = |error: png::DecodingError| format!("the picture cannot be read: {error}; send a PNG");
        let limits = png::Limits { bytes: 128 * 1024 * 1024 };
        let mut decoder = png::Decoder::new_with_limits(Cursor::new(file), limits);
        decoder.set_transformations(png::Transformations::normalize_to_color8());
        let info = decoder.read_header_info().map_err(wrong)?;
        if info.width > LONGEST_EDGE || info.height > LONGEST_EDGE {
            return Err(format!("the picture is too large; an edge has at most {LONGEST_EDGE} pixels"));
        }
        let mut reader = decoder.read_info().map_err(wrong)?;
        let size = reader.output_buffer_size().ok_or("the picture is too large")?;
        let mut pixels = vec![0; size];
        let frame = reader.next_frame(&mut pixels).map_err(wrong)?;
        pixels.truncate(frame.buffer_size());
        let grey = pixels.chunks_exact(frame.color_type.samples()).map(grey).collect();
        Ok(Picture { width: frame.width as usize, height: frame.height as usize, grey })
    }

    fn look(&self, scale: usize, inverted: bool) -> Option<String> {
        let shade = |x: usize, y: usize| {
            let inside = x.checked_sub(MARGIN).zip(y.checked_sub(MARGIN)).map(|(x, y)| (x / scale, y / scale));
            let (x, y) = inside.filter(|(x, _)| *x < self.width)?;
            self.grey.get(y * self.width + x).map(|shade| if inverted { 255 - shade } else { *shade })
        };
        let (width, height) = (self.width * scale + 2 * MARGIN, self.height * scale + 2 * MARGIN);
        let mut image = PreparedImage::prepare_from_greyscale(width, height, |x, y| shade(x, y).unwrap_or(255));
        image.detect_grids().into_iter().find_map(|grid| grid.decode().ok()).map(|(_, text)| text)
    }
}

/// The shade of a pixel on white paper, from its samples: grey or red, green and blue, each with or without opacity.
fn grey(samples: &[u8]) -> u8 {
    let (shade, opacity) = match *samples {
        [grey] => (u32::from(grey), 255),
        [grey, opacity] => (u32::from(grey), u32::from(opacity)),
        [red, green, blue] => (luma(red, green, blue), 255),
        [red, green, blue, opacity] => (luma(red, green, blue), u32::from(opacity)),
        _ => (255, 255),
    };
    u8::try_from((shade * opacity + 255 * (255 - opacity)) / 255).unwrap_or(255)
}

fn luma(red: u8, green: u8, blue: u8) -> u32 {
    (u32::from(red) * 299 + u32::from(green) * 587 + u32::from(blue) * 114) / 1000
}

#[cfg(test)]
mod tests {
    use super::super::code;
    use super::*;

    /// A code as small as can be, without white around it, light on dark and half transparent.
    #[test]
    fn small_dark_and_transparent_codes_are_read() {
        let code = code("http://a.example/").unwrap();
        let pixels: Vec<u8> = code
            .to_colors()
            .iter()
            .flat_map(|colour| if *colour == qrcode::Color::Dark { [255, 255, 255, 0] } else { [0, 0, 0, 255] })
            .collect();
        let (mut file, size) = (Vec::new(), u32::try_from(code.width()).unwrap());
        let mut encoder = png::Encoder::new(&mut file, size, size);
        encoder.set_color(png::ColorType::Rgba);
        encoder.write_header().unwrap().write_image_data(&pixels).unwrap();
        assert_eq!(read(&file).as_deref(), Ok("http://a.example/"));
    }

    #[test]
    fn what_is_no_code_is_named() {
        assert!(read(b"").unwrap_err().contains("PNG"));
        assert!(read(b"\x89PNG\r\n\x1a\nx").unwrap_err().contains("PNG"));
        let mut blank = Vec::new();
        let mut encoder = png::Encoder::new(&mut blank, 40, 40);
        encoder.set_color(png::ColorType::Grayscale);
        encoder.write_header().unwrap().write_image_data(&[255; 1600]).unwrap();
        assert!(read(&blank).unwrap_err().contains("no QR code"));
        let mut large = Vec::new();
        png::Encoder::new(&mut large, 5_000, 1).write_header().unwrap().write_image_data(&[0; 5_000]).unwrap();
        assert!(read(&large).unwrap_err().contains("too large"));
    }
}
