//! The page to look at: static files, embedded.
//!
//! It lives by the control API alone (`/sandbox/state`, `/sandbox/events` and the calls that change something), so
//! everything that it shows or does, a script can too. No framework, nothing from elsewhere, and a Content-Security-Policy
//! that allows nothing else; only the frames of the phone's browser hold pages of others, each with its own origin.
//! The script that such pages load is not among these files: the platform serves it, at the paths of WeChat's.

use axum::Router;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use http::header;

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      img-src 'self' data:; frame-src http: https:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

/// The files of the page: path, content type, content.
const FILES: [(&str, &str, &str); 29] = [
    ("/", HTML, include_str!("page/index.html")),
    ("/sandbox/page/style.css", CSS, include_str!("page/style.css")),
    ("/sandbox/page/main.js", JS, include_str!("page/main.js")),
    ("/sandbox/page/texts.js", JS, include_str!("page/texts.js")),
    ("/sandbox/page/dom.js", JS, include_str!("page/dom.js")),
    ("/sandbox/page/accounts.js", JS, include_str!("page/accounts.js")),
    ("/sandbox/page/calls.js", JS, include_str!("page/calls.js")),
    ("/sandbox/page/dialogs.js", JS, include_str!("page/dialogs.js")),
    ("/sandbox/page/phone.css", CSS, include_str!("page/phone.css")),
    ("/sandbox/page/bubbles.css", CSS, include_str!("page/bubbles.css")),
    ("/sandbox/page/browser.css", CSS, include_str!("page/browser.css")),
    ("/sandbox/page/pay.css", CSS, include_str!("page/pay.css")),
    ("/sandbox/page/phone.js", JS, include_str!("page/phone.js")),
    ("/sandbox/page/composer.js", JS, include_str!("page/composer.js")),
    ("/sandbox/page/bubbles.js", JS, include_str!("page/bubbles.js")),
    ("/sandbox/page/sheets.js", JS, include_str!("page/sheets.js")),
    ("/sandbox/page/traffic.js", JS, include_str!("page/traffic.js")),
    ("/sandbox/page/browser.js", JS, include_str!("page/browser.js")),
    ("/sandbox/page/browser_menu.js", JS, include_str!("page/browser_menu.js")),
    ("/sandbox/page/scanner.js", JS, include_str!("page/scanner.js")),
    ("/sandbox/page/sheet.js", JS, include_str!("page/sheet.js")),
    ("/sandbox/page/icons.js", JS, include_str!("page/icons.js")),
    ("/sandbox/page/phone_texts.js", JS, include_str!("page/phone_texts.js")),
    ("/sandbox/page/pay.js", JS, include_str!("page/pay.js")),
    ("/sandbox/page/payments.js", JS, include_str!("page/payments.js")),
    ("/sandbox/page/payment_rows.js", JS, include_str!("page/payment_rows.js")),
    ("/sandbox/page/merchants.js", JS, include_str!("page/merchants.js")),
    ("/sandbox/page/pay_texts.js", JS, include_str!("page/pay_texts.js")),
    ("/sandbox/page/icon.svg", SVG, include_str!("page/icon.svg")),
];

/// The page, and the ways that lead to it.
pub(crate) fn router() -> Router {
    let to_page = get(|| async { Redirect::to("/") });
    let mut router = Router::new().route("/sandbox", to_page.clone()).route("/sandbox/", to_page);
    for (path, content_type, content) in FILES {
        router = router.route(path, get(move || async move { file(content_type, content) }));
    }
    router
}

fn file(content_type: &'static str, content: &'static str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, content_type),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-cache"),
    ];
    (headers, content).into_response()
}
