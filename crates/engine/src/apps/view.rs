//! A registration as it may be shown to people: everything but the secrets, which appear as `********`.

use secrecy::SecretString;
use serde::Serialize;
use serde::ser::Serializer;
use store::{App, PayVersion, Timestamp, TokenMode};

/// What stands in place of a secret.
pub const MASK: &str = "********";

/// A registration without its secrets. A parameter that is not registered is left out.
#[derive(Debug, Serialize)]
pub struct View<'a> {
    key: &'a str,
    appid: &'a str,
    secret: Masked,
    api_key: Masked,
    /// Unix seconds until which the api_key before the last rotation stays good.
    #[serde(skip_serializing_if = "Option::is_none")]
    previous_api_key_until: Option<i64>,
    token_mode: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<Masked>,
    #[serde(skip_serializing_if = "Option::is_none")]
    aes: Option<Masked>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mch_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mch_key: Option<Masked>,
    #[serde(skip_serializing_if = "Option::is_none")]
    server_ip: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mch_serial: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mch_private_key: Option<Masked>,
    #[serde(skip_serializing_if = "Option::is_none")]
    apiv3_key: Option<Masked>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pay_key_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pay_public_key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mch_cert: Option<Masked>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pay: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    web_appid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    web_secret: Option<Masked>,
    #[serde(skip_serializing_if = "Option::is_none")]
    agentid: Option<&'a str>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    verify: &'a [String],
    call: &'a [String],
    allow: &'a [String],
    msg_call: &'a [String],
    pay_call: &'a [String],
    /// What becomes of WeChat's messages.
    callbacks: &'static str,
    /// Seconds until the registration deletes itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<i64>,
    /// Unix seconds of the last time that WeChat confirmed appid and secret; null: never asked (`check=false`).
    checked_at: Option<i64>,
    created_at: i64,
    updated_at: i64,
}

#[derive(Debug)]
struct Masked;

impl Serialize for Masked {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(MASK)
    }
}

impl<'a> View<'a> {
    /// The registration as it may be shown at `now`.
    #[must_use]
    pub fn of(app: &'a App, now: Timestamp) -> Self {
        let App { settings, secrets, .. } = app;
        let masked = |secret: &Option<SecretString>| secret.as_ref().map(|_| Masked);
        let previous = secrets.previous_api_keys.last().filter(|previous| now < previous.good_until);
        Self {
            key: &app.key,
            appid: &app.appid,
            secret: Masked,
            api_key: Masked,
            previous_api_key_until: previous.map(|previous| previous.good_until.as_seconds()),
            token_mode: match settings.token_mode {
                TokenMode::Stable => "stable",
                TokenMode::Classic => "classic",
            },
            token: masked(&secrets.token),
            aes: masked(&secrets.aes),
            mch_id: settings.mch_id.as_deref(),
            mch_key: masked(&secrets.mch_key),
            server_ip: settings.server_ip.as_deref(),
            mch_serial: settings.mch_serial.as_deref(),
            mch_private_key: masked(&secrets.mch_private_key),
            apiv3_key: masked(&secrets.apiv3_key),
            pay_key_id: settings.pay_key_id.as_deref(),
            pay_public_key: settings.pay_public_key.as_deref(),
            mch_cert: masked(&secrets.mch_cert),
            pay: settings.pay.map(|version| match version {
                PayVersion::V2 => "v2",
                PayVersion::V3 => "v3",
            }),
            web_appid: settings.web_appid.as_deref(),
            web_secret: masked(&secrets.web_secret),
            agentid: settings.agentid.as_deref(),
            verify: &settings.verify,
            call: &settings.call,
            allow: &settings.allow,
            msg_call: &settings.msg_call,
            pay_call: &settings.pay_call,
            callbacks: match (&secrets.token, &secrets.aes) {
                (None, _) => "not verified: no token is registered, so WeChat's messages pass on as they come",
                (Some(_), None) => "verified; encrypted ones pass on as they come, because no aes is registered",
                (Some(_), Some(_)) => "verified and decrypted; plain ones are refused, because aes is registered",
            },
            expires: app.expires_at.map(|end| (end.as_millis() - now.as_millis()) / 1000),
            checked_at: app.secret_checked_at.map(Timestamp::as_seconds),
            created_at: app.created_at.as_seconds(),
            updated_at: app.updated_at.as_seconds(),
        }
    }
}
