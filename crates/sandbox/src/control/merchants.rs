//! `/sandbox/merchants`: make, look at, change and delete merchants of WeChat Pay; their files; where TLS is.

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use serde::Serialize;
use serde_json::{Value, json};

use super::ControlError;
use super::input::Body;
use crate::merchant::{Merchant, MerchantError, MerchantHolder, MerchantPatch, MerchantSettings, NewMerchant};
use crate::platform::Platform;
use crate::shared_world::Event;
use crate::world::World;

/// A merchant as the control API shows it.
#[derive(Serialize)]
pub(super) struct MerchantView {
    #[serde(flatten)]
    merchant: Merchant,
    settings: MerchantSettings,
    /// How many there are.
    orders: usize,
    refunds: usize,
}

impl MerchantView {
    pub(super) fn of(world: &World, holder: &MerchantHolder) -> MerchantView {
        MerchantView {
            merchant: holder.card(),
            settings: holder.settings.clone(),
            orders: world.merchants.orders_of(&holder.mch_id).count(),
            refunds: world.merchants.refunds_of(&holder.mch_id).len(),
        }
    }
}

pub(super) async fn list(State(platform): State<Platform>) -> Json<Value> {
    let world = platform.world();
    let merchants: Vec<_> =
        world.merchants.in_order().into_iter().map(|holder| MerchantView::of(&world, holder)).collect();
    Json(json!({ "merchants": merchants }))
}

pub(super) async fn create(
    State(platform): State<Platform>,
    Body(wish): Body<NewMerchant>,
) -> Result<(StatusCode, Json<Merchant>), ControlError> {
    let merchant = platform.create_merchant(wish).map_err(|error| match error {
        MerchantError::Taken(_) => ControlError::conflict(error.to_string()),
        _ => ControlError::bad_request(error.to_string()),
    })?;
    Ok((StatusCode::CREATED, Json(merchant)))
}

pub(super) async fn read(
    State(platform): State<Platform>,
    Path(mch_id): Path<String>,
) -> Result<Json<MerchantView>, ControlError> {
    shown(&platform, &mch_id)
}

pub(super) async fn change(
    State(platform): State<Platform>,
    Path(mch_id): Path<String>,
    Body(patch): Body<MerchantPatch>,
) -> Result<Json<MerchantView>, ControlError> {
    {
        let mut world = platform.world();
        let holder = world.merchants.get_mut(&mch_id).ok_or_else(|| unknown(&mch_id))?;
        holder.change(patch).map_err(ControlError::bad_request)?;
    }
    platform.tell(Event::Change("merchants"));
    shown(&platform, &mch_id)
}

pub(super) async fn delete(
    State(platform): State<Platform>,
    Path(mch_id): Path<String>,
) -> Result<Json<Value>, ControlError> {
    if !platform.world().merchants.remove(&mch_id) {
        return Err(unknown(&mch_id));
    }
    platform.tell(Event::Change("merchants"));
    Ok(Json(json!({ "deleted": mch_id })))
}

/// `apiclient_cert.pem`, `apiclient_key.pem`, `apiclient_cert.p12`, `pub_key.pem`, `platform_cert.pem`.
pub(super) async fn file(
    State(platform): State<Platform>,
    Path((mch_id, file)): Path<(String, String)>,
) -> Result<Response, ControlError> {
    let files = platform.merchant_files(&mch_id).ok_or_else(|| unknown(&mch_id))?;
    let (content_type, content) = match file.as_str() {
        "apiclient_cert.pem" => (PEM, files.certificate.into_bytes()),
        "apiclient_key.pem" => (PEM, files.private_key.into_bytes()),
        "apiclient_cert.p12" => ("application/x-pkcs12", files.p12),
        "pub_key.pem" => (PEM, files.public_key.into_bytes()),
        "platform_cert.pem" => (PEM, files.platform_certificate.into_bytes()),
        _ => {
            return Err(ControlError::not_found(
                "the files are apiclient_cert.pem, apiclient_key.pem, apiclient_cert.p12, pub_key.pem, platform_cert.pem",
            ));
        }
    };
    Ok(([(header::CONTENT_TYPE, content_type)], content).into_response())
}

const PEM: &str = "application/x-pem-file";

/// The certificate of the authority that all certificates of the sandbox come from.
pub(super) async fn ca(State(platform): State<Platform>) -> Response {
    ([(header::CONTENT_TYPE, PEM)], platform.ca_pem()).into_response()
}

/// Where the sandbox listens with TLS.
pub(super) async fn tls(State(platform): State<Platform>) -> Json<Value> {
    let url = platform.world().addresses.tls.map(|address| format!("https://{address}"));
    Json(json!({ "url": url, "ca": "/sandbox/ca.pem" }))
}

/// There is no such merchant.
pub(super) fn unknown(mch_id: &str) -> ControlError {
    ControlError::not_found(format!(
        "there is no merchant {mch_id:?}; GET /sandbox/merchants lists those that there are"
    ))
}

fn shown(platform: &Platform, mch_id: &str) -> Result<Json<MerchantView>, ControlError> {
    let world = platform.world();
    let holder = world.merchants.get(mch_id).ok_or_else(|| unknown(mch_id))?;
    Ok(Json(MerchantView::of(&world, holder)))
}
