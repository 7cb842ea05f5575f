//! What a user did, and what a system did.
//!
//! Used by [`Message::is_from_user`](super::Message::is_from_user), which decides whether a late reply can still be sent
//! as a customer-service message. Source: the triggers in "sendCustomMessage" of the official account documents; for
//! WeCom, which knows no such limit, the events that a member causes.
//!
//! What must stay true: an event that is not listed is a system's: unknown events are passed on, but not answered late.

/// Events that a user causes. Upper and lower case do not matter: WeCom has `click` where official accounts have `CLICK`.
const USER_EVENTS: [&str; 16] = [
    "subscribe",
    "SCAN",
    "CLICK",
    "VIEW",
    "view_miniprogram",
    "scancode_push",
    "scancode_waitmsg",
    "pic_sysphoto",
    "pic_photo_or_album",
    "pic_weixin",
    "location_select",
    "user_enter_tempsession",
    "enter_agent",
    "taskcard_click",
    "template_card_event",
    "template_card_menu_event",
];

/// What devices send in the name of a user is no message of the user: `device_text`, `device_event`.
const DEVICE_PREFIX: &str = "device_";

pub(super) fn is_user_event(event: &str) -> bool {
    USER_EVENTS.iter().any(|known| known.eq_ignore_ascii_case(event))
}

pub(super) fn is_user_message(msg_type: &str) -> bool {
    !msg_type.is_empty() && !msg_type.starts_with(DEVICE_PREFIX)
}
