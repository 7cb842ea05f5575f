//! The events of subscription messages, whose two forms differ in more than their syntax.
//!
//! In XML a wrapper holds the `List` elements: `<SubscribeMsgPopupEvent><List>…</List></SubscribeMsgPopupEvent>`. In JSON
//! the wrapper is gone, `List` is a member of the top object, and every number is a string, `CreateTime` included. Source: the
//! pairs of samples in "subscribeMessage" of the official account documents.
//!
//! What must stay true: what the samples do not show (a wrapper with text or attributes) is left as it is.

use crate::document::{Element, Text};

/// The member that moves.
const LIST: &str = "List";

/// The wrapper of an event's `List`.
fn wrapper(root: &Element<'_>) -> Option<&'static str> {
    match root.child_text("Event")? {
        "subscribe_msg_popup_event" => Some("SubscribeMsgPopupEvent"),
        "subscribe_msg_change_event" => Some("SubscribeMsgChangeEvent"),
        "subscribe_msg_sent_event" => Some("SubscribeMsgSentEvent"),
        _ => None,
    }
}

/// On the way to JSON: takes what the wrapper holds out of it. True for these events: all their numbers are strings.
pub(super) fn unwrap(root: &mut Element<'_>) -> bool {
    let Some(name) = wrapper(root) else { return false };
    let is_wrapper = |child: &Element<'_>| {
        child.name == name && child.attributes.is_empty() && child.text == Text::Empty && !child.children.is_empty()
    };
    let mut children = Vec::with_capacity(root.children.len());
    for child in std::mem::take(&mut root.children) {
        if is_wrapper(&child) {
            children.extend(child.children);
        } else {
            children.push(child);
        }
    }
    root.children = children;
    true
}

/// On the way to XML: puts the list into its wrapper, and makes `CreateTime` a number again.
pub(super) fn wrap(root: &mut Element<'_>) {
    let Some(name) = wrapper(root) else { return };
    let (list, mut children): (Vec<_>, Vec<_>) =
        std::mem::take(&mut root.children).into_iter().partition(|child| child.name == LIST);
    if !list.is_empty() {
        children.push(Element::with(name, list));
    }
    for child in children.iter_mut().filter(|child| child.name == "CreateTime") {
        if let Text::Quoted(time) = &child.text
            && time.parse::<u64>().is_ok_and(|seconds| seconds.to_string() == *time)
        {
            child.text = Text::Bare(time.clone());
        }
    }
    root.children = children;
}
