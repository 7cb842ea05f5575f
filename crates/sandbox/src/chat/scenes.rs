//! QR codes with a scene: what `/cgi-bin/qrcode/create` makes and the phone scans.
//!
//! Source: "Generating QR codes with parameters" of the official account docs: a scene is a number or a text of at most
//! 64 characters, a temporary code lives at most 30 days, for 60 s when nothing is said.

use std::collections::VecDeque;

use serde::Serialize;
use serde_json::Value;

use crate::chance;
use crate::clock::Time;

/// Codes of one account at most; the oldest go first.
const MOST: usize = 1_000;
/// Seconds that a temporary code lives, when nothing is said and at most.
const USUAL_SECS: u64 = 60;
const LONGEST_SECS: u64 = 30 * 86_400;
/// The largest number of a permanent code.
const LARGEST_PERMANENT: u64 = 100_000;
/// Characters of a scene at most.
const LONGEST_SCENE: usize = 64;

/// One QR code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Scene {
    pub(crate) scene: String,
    pub(crate) ticket: String,
    /// What the picture says.
    pub(crate) url: String,
    pub(crate) created: Time,
    /// Absent: never.
    pub(crate) expires: Option<Time>,
}

/// The codes of one account.
#[derive(Debug, Default)]
pub(crate) struct Scenes {
    codes: VecDeque<Scene>,
}

impl Scenes {
    /// Makes a code from the body of a call.
    ///
    /// # Errors
    /// The errcode: 40052 for the name of the action, 40053 for what belongs to it.
    pub(crate) fn create(&mut self, body: &Value, now: Time) -> Result<Scene, i64> {
        let action = body.get("action_name").and_then(Value::as_str).unwrap_or_default();
        let scene = scene_of(body, action)?;
        let expires = if action.starts_with("QR_LIMIT") {
            None
        } else {
            let secs = body.get("expire_seconds").and_then(Value::as_u64).unwrap_or(USUAL_SECS);
            Some(now.plus_secs(secs.clamp(1, LONGEST_SECS)))
        };
        Ok(self.keep(scene, expires, now))
    }

    /// The code of a scene, made when there is none: what the phone scans without anybody having asked for it.
    pub(crate) fn of_scene(&mut self, scene: &str, now: Time) -> Scene {
        let known = self.find(scene, now).cloned();
        known.unwrap_or_else(|| self.keep(scene.to_owned(), None, now))
    }

    /// A code that still works, by its ticket, its URL or its scene.
    pub(crate) fn find(&self, name: &str, now: Time) -> Option<&Scene> {
        let named = |code: &&Scene| code.ticket == name || code.url == name || code.scene == name;
        self.codes.iter().rev().find(|code| named(code) && code.expires.is_none_or(|end| end > now))
    }

    /// The codes that still work, latest first.
    pub(crate) fn working(&self, now: Time) -> impl Iterator<Item = &Scene> {
        self.codes.iter().rev().filter(move |code| code.expires.is_none_or(|end| end > now))
    }

    fn keep(&mut self, scene: String, expires: Option<Time>, now: Time) -> Scene {
        if self.codes.len() >= MOST {
            self.codes.pop_front();
        }
        let url = format!("http://weixin.qq.com/q/{}", chance::qr_tail());
        let code = Scene { scene, ticket: chance::qr_ticket(), url, created: now, expires };
        self.codes.push_back(code.clone());
        code
    }
}

fn scene_of(body: &Value, action: &str) -> Result<String, i64> {
    let info = body.pointer("/action_info/scene");
    let number = info.and_then(|info| info.get("scene_id")).and_then(Value::as_u64);
    let text = info.and_then(|info| info.get("scene_str")).and_then(Value::as_str);
    let fits = |text: &&str| (1..=LONGEST_SCENE).contains(&text.chars().count());
    let scene = match action {
        "QR_SCENE" => {
            number.filter(|number| (1..=u64::from(u32::MAX)).contains(number)).map(|number| number.to_string())
        }
        "QR_LIMIT_SCENE" => {
            number.filter(|number| (1..=LARGEST_PERMANENT).contains(number)).map(|number| number.to_string())
        }
        "QR_STR_SCENE" | "QR_LIMIT_STR_SCENE" => text.filter(fits).map(ToOwned::to_owned),
        _ => return Err(40052),
    };
    scene.ok_or(40053)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: Time = Time::from_secs(1_700_000_000);

    #[test]
    fn codes_are_made_found_and_end() {
        let mut scenes = Scenes::default();
        let scene = |id: Value| json!({ "scene": id });
        let body =
            json!({ "action_name": "QR_SCENE", "action_info": scene(json!({ "scene_id": 7 })), "expire_seconds": 90 });
        let code = scenes.create(&body, NOW).unwrap();
        assert_eq!((code.scene.as_str(), code.expires), ("7", Some(NOW.plus_secs(90))));
        assert_eq!(scenes.find(&code.ticket, NOW), Some(&code));
        assert_eq!(scenes.find(&code.url, NOW), Some(&code));
        assert!(scenes.find("7", NOW.plus_secs(90)).is_none());
        let body = json!({ "action_name": "QR_LIMIT_STR_SCENE", "action_info": scene(json!({ "scene_str": "shop" })) });
        assert_eq!(scenes.create(&body, NOW).unwrap().expires, None);
        assert_eq!(scenes.of_scene("shop", NOW).scene, "shop");
        assert_eq!(scenes.working(NOW).count(), 2);
        for (body, code) in [
            (json!({}), 40052),
            (json!({ "action_name": "QR_SCENE", "action_info": scene(json!({ "scene_str": "a" })) }), 40053),
            (json!({ "action_name": "QR_STR_SCENE", "action_info": scene(json!({ "scene_str": "" })) }), 40053),
            (json!({ "action_name": "QR_LIMIT_SCENE", "action_info": scene(json!({ "scene_id": 100_001 })) }), 40053),
        ] {
            assert_eq!(scenes.create(&body, NOW).err(), Some(code));
        }
    }
}
