//! Reads QR codes as a phone does: from pixels.

use super::caller::Answer;

/// `dark(x, y)` of a square picture.
fn scanned(size: usize, dark: impl Fn(usize, usize) -> bool) -> String {
    let mut picture = rqrr::PreparedImage::prepare_from_greyscale(size, size, |x, y| if dark(x, y) { 0 } else { 255 });
    let grids = picture.detect_grids();
    assert_eq!(grids.len(), 1, "one code in the picture");
    grids[0].decode().unwrap().1
}

/// The width of a picture and the text of the code in it.
pub(crate) fn scanned_png(answer: &Answer) -> (u32, String) {
    assert_eq!((answer.status, answer.header("content-type")), (200, "image/png"), "{}", answer.text());
    let mut decoder = png::Decoder::new(std::io::Cursor::new(answer.body.clone()));
    decoder.set_transformations(png::Transformations::normalize_to_color8());
    let mut reader = decoder.read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let frame = reader.next_frame(&mut pixels).unwrap();
    let size = usize::try_from(frame.width).unwrap();
    (frame.width, scanned(size, |x, y| pixels[y * size + x] < 128))
}

/// Draws the path of a picture, four pixels a module.
pub(crate) fn scanned_svg(svg: &str) -> String {
    let (_, view_box) = svg.split_once("viewBox=\"0 0 ").unwrap();
    let modules: usize = view_box.split_whitespace().next().unwrap().parse().unwrap();
    let (_, path) = svg.rsplit_once("<path d=\"").unwrap();
    let dark: std::collections::HashSet<(usize, usize)> = path
        .split('M')
        .filter_map(|square| square.split_once("h1v1h-1z"))
        .map(|(at, _)| at.split_once(' ').unwrap())
        .map(|(x, y)| (x.parse().unwrap(), y.parse().unwrap()))
        .collect();
    scanned(modules * 4, |x, y| dark.contains(&(x / 4, y / 4)))
}
