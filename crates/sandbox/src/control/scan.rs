//! `/sandbox/scan`: the phone's scanner, for pictures that are sent and for those that stand at an address.
//!
//! Only addresses of this machine, and hosts under which the sandbox itself may be reached, are fetched: the sandbox is
//! no way to look into somebody's network. Pictures are read in threads of their own, since some take for ever: such a
//! thread is left behind, and neither the caller nor the end of the sandbox waits for it.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use bytes::Bytes;
use http::HeaderMap;
use reqwest::Url;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::{Semaphore, oneshot};

use super::ControlError;
use super::input::Params;
use crate::platform::Platform;
use crate::qrcode;

/// How long the server of a picture may take, and how long reading one may.
const LIMIT: Duration = Duration::from_secs(10);
/// Pictures that are being read, at most; with those that were left behind.
static READERS: Semaphore = Semaphore::const_new(4);

/// Where a picture is.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    url: String,
}

/// The text of the QR code in the body, a PNG.
pub(super) async fn read(picture: Bytes) -> Result<Json<Value>, ControlError> {
    text_of(picture).await
}

/// The text of the QR code in the PNG at an address.
pub(super) async fn fetch(
    State(platform): State<Platform>,
    headers: HeaderMap,
    Params(wanted): Params<Wanted>,
) -> Result<Json<Value>, ControlError> {
    // It is a GET, so that the check of everything that changes something does not see it; an image tag of a foreign
    // page could ask for it.
    if headers.get("sec-fetch-site").is_some_and(|site| site == "cross-site") {
        return Err(ControlError::bad_request("a web page of another site may not have addresses scanned"));
    }
    let url = Url::parse(&wanted.url).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    let url = url.ok_or_else(|| ControlError::bad_request("url is a whole address of http or https"))?;
    if !platform.may_fetch(&url) {
        return Err(ControlError::bad_request(format!(
            "the sandbox fetches pictures from this machine only, not from {}; send the picture itself with POST",
            url.host_str().unwrap_or_default()
        )));
    }
    let fetched = tokio::time::timeout(LIMIT, platform.pusher().fetch(url)).await;
    match fetched {
        Ok(Ok(picture)) => text_of(picture).await,
        Ok(Err(reason)) => Err(ControlError::bad_request(format!("the picture cannot be fetched: {reason}"))),
        Err(_) => Err(ControlError::bad_request(format!("no picture within {} s", LIMIT.as_secs()))),
    }
}

async fn text_of(picture: Bytes) -> Result<Json<Value>, ControlError> {
    let busy =
        || ControlError::bad_request("too many pictures are being read; try again later, or start the sandbox anew");
    let reader = READERS.try_acquire().map_err(|_| busy())?;
    let (said, heard) = oneshot::channel();
    let read = move || {
        let _reader = reader;
        // Whoever waited may have gone.
        drop(said.send(qrcode::read(&picture)));
    };
    std::thread::Builder::new().name("qr-reader".into()).spawn(read).map_err(|_| busy())?;
    let text = match tokio::time::timeout(LIMIT, heard).await {
        Ok(Ok(read)) => read,
        Ok(Err(_)) => Err("the picture cannot be read; send another one".into()),
        Err(_) => Err(format!("the picture was not read within {} s; cut it closer to the QR code", LIMIT.as_secs())),
    };
    text.map(|text| Json(json!({ "text": text }))).map_err(ControlError::bad_request)
}
