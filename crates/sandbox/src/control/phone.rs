//! `/sandbox/phone`: what the phone on the page is, and what its user says when a page asks for consent.

use axum::Json;
use axum::extract::State;

use super::input::Body;
use crate::phone::{PhonePatch, PhoneView};
use crate::platform::Platform;
use crate::shared_world::Event;

pub(super) async fn read(State(platform): State<Platform>) -> Json<PhoneView> {
    Json(platform.world().phone.view())
}

pub(super) async fn change(State(platform): State<Platform>, Body(patch): Body<PhonePatch>) -> Json<PhoneView> {
    let view = {
        let phone = &mut platform.world().phone;
        phone.apply(patch);
        phone.view()
    };
    platform.tell(Event::Change("phone"));
    Json(view)
}
