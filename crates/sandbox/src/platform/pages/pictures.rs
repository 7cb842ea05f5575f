//! Pictures of people, as the host thirdwx.qlogo.cn has them: `/mmopen/vi_32/UNIONID/132`.
//!
//! Drawn from the unionid alone, so that everybody has a picture of their own without a network. The real ones are
//! JPEG; here it is an SVG, which every browser shows as well.

use http::header;
use sha1::{Digest as _, Sha1};

use super::html;
use crate::platform::desk::Desk;
use crate::wire::Reply;

/// What the last part of the path may say: pixels of the edge, 0 for 640.
const SIZES: [(&str, u16); 5] = [("0", 640), ("46", 46), ("64", 64), ("96", 96), ("132", 132)];
/// Backgrounds.
const COLOURS: [&str; 8] = ["#5b8ff9", "#61c9a8", "#f6903d", "#9270ca", "#ff9d4d", "#269a99", "#ff99c3", "#7585a2"];

/// `GET /mmopen/vi_32/UNIONID/132`.
pub(super) fn draw(desk: &mut Desk<'_>) -> Reply {
    let rest = desk.call.path.strip_prefix(desk.path).unwrap_or_default();
    let Some((who, size)) = rest.split_once('/') else { return html::missing() };
    let Some((_, edge)) = SIZES.iter().find(|(name, _)| *name == size) else { return html::missing() };
    let number = Sha1::digest(who).iter().fold(0_usize, |sum, byte| sum.wrapping_add(usize::from(*byte)));
    let colour = COLOURS.get(number % COLOURS.len()).copied().unwrap_or("#888");
    let svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{edge}\" height=\"{edge}\" viewBox=\"0 0 132 132\">\
         <rect width=\"132\" height=\"132\" fill=\"{colour}\"/><circle cx=\"66\" cy=\"52\" r=\"24\" fill=\"#fff\"/>\
         <path d=\"M18 132c0-30 21-48 48-48s48 18 48 48z\" fill=\"#fff\"/></svg>"
    );
    Reply::page(200, "image/svg+xml", svg)
        .with_header(header::CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox")
        .with_header(header::X_CONTENT_TYPE_OPTIONS, "nosniff")
        .with_header(header::CACHE_CONTROL, "max-age=86400")
}
