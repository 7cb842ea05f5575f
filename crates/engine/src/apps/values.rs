//! The values of the parameters of `/register`, one by one: a text goes in, a value or a sentence about it comes out.
//!
//! The sentence continues the name of the parameter and never holds the value. What must stay true: what WeChat's
//! consoles give out is accepted as it is copied.

use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use secrecy::SecretString;
use store::{PayVersion, TokenMode};
use wechat::Appid;
use wechat::envelope::EncodingAesKey;
use wechat::pay::credentials::{Apiv3Key, MchKey, MerchantSerial, PrivateKey, PublicKey, WrongCredential};

use super::allowed_host::AllowedHost;
use super::parameters::{ListField, PlainField, SecretField};
use super::scope::Scope;

/// Longest certificate or private key, in bytes.
const MAX_PEM: usize = 64 * 1024;

/// Longest `expires`, in seconds: ten years.
const MAX_EXPIRES: u64 = 10 * 366 * 24 * 3600;

pub(super) fn boolean(text: &str) -> Result<bool, String> {
    match text {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => Err("is true or false".to_owned()),
    }
}

pub(super) fn token_mode(text: &str) -> Result<TokenMode, String> {
    match text {
        "stable" => Ok(TokenMode::Stable),
        "classic" => Ok(TokenMode::Classic),
        _ => Err("is 'stable' (cgi-bin/stable_token, the default) or 'classic' (cgi-bin/token)".to_owned()),
    }
}

pub(super) fn pay_version(text: &str) -> Result<PayVersion, String> {
    match text {
        "v2" => Ok(PayVersion::V2),
        "v3" => Ok(PayVersion::V3),
        _ => Err("is 'v2' or 'v3'; leave it out to use v3 whenever its keys are registered".to_owned()),
    }
}

pub(super) fn expires(text: &str) -> Result<Duration, String> {
    match text.parse::<u64>() {
        Ok(seconds @ 1..=MAX_EXPIRES) => Ok(Duration::from_secs(seconds)),
        _ => {
            Err("is a whole number of seconds from 1 to ten years; give it empty for a registration that stays".into())
        }
    }
}

pub(super) fn app_secret(text: &str) -> Result<SecretString, String> {
    if text.len() > 256 || !is_printable(text) {
        return Err("is at most 256 printable characters; copy it again from the account's console".to_owned());
    }
    Ok(text.into())
}

pub(super) fn plain_value(field: PlainField, text: &str) -> Result<String, String> {
    match field {
        PlainField::MchId if text.len() > 32 || !text.bytes().all(|b| b.is_ascii_alphanumeric()) => {
            Err("is the merchant's number, like 1900000109".to_owned())
        }
        PlainField::ServerIp if IpAddr::from_str(text).is_err() => {
            Err("is the IP address that WeChat Pay is told as the caller's".to_owned())
        }
        PlainField::MchSerial => {
            MerchantSerial::parse(text).map(|serial| serial.as_str().to_owned()).map_err(|error| told(&error))
        }
        PlainField::PayKeyId if text.len() > 128 || !is_printable(text) => {
            Err("is the id of WeChat Pay's public key, like PUB_KEY_ID_…".to_owned())
        }
        PlainField::PayPublicKey if text.len() > MAX_PEM => Err("is longer than a key can be".to_owned()),
        PlainField::PayPublicKey => PublicKey::parse(text).map(|key| key.to_pem()).map_err(|error| told(&error)),
        PlainField::WebAppid if Appid::parse(text).is_err() => {
            Err("is the appid of a website application of the open platform, like wx0123456789abcdef".to_owned())
        }
        PlainField::Agentid if text.len() > 20 || !text.bytes().all(|b| b.is_ascii_digit()) => {
            Err("is the AgentId of the WeCom app, a number like 1000002".to_owned())
        }
        _ => Ok(text.to_owned()),
    }
}

pub(super) fn secret_value(field: SecretField, text: &str) -> Result<SecretString, String> {
    let wrong = match field {
        SecretField::Token if text.len() > 64 || !is_printable(text) => {
            "is the Token of the message settings, at most 64 printable characters".to_owned()
        }
        SecretField::Aes if EncodingAesKey::parse(text).is_err() => {
            "is the EncodingAESKey of the message settings: 43 letters and digits".to_owned()
        }
        SecretField::WebSecret if app_secret(text).is_err() => {
            "is the AppSecret of the website application, at most 256 printable characters".to_owned()
        }
        SecretField::MchPrivateKey | SecretField::MchCert if text.len() > MAX_PEM => {
            "is longer than a key or certificate can be".to_owned()
        }
        SecretField::MchKey => match MchKey::parse(text) {
            Ok(_) => return Ok(text.into()),
            Err(error) => told(&error),
        },
        SecretField::Apiv3Key => match Apiv3Key::parse(text) {
            Ok(_) => return Ok(text.into()),
            Err(error) => told(&error),
        },
        // Stored in one form, however it was pasted.
        SecretField::MchPrivateKey => match PrivateKey::parse(text) {
            Ok(key) => return Ok(key.to_pem()),
            Err(error) => told(&error),
        },
        // The password of a p12 file is the mch_id, which may be registered already: looked at with all the rest.
        SecretField::Token | SecretField::Aes | SecretField::WebSecret | SecretField::MchCert => return Ok(text.into()),
    };
    Err(wrong)
}

/// The text continues the name of the parameter: "mch_private_key: this is …, but … belongs here".
fn told(error: &WrongCredential) -> String {
    format!("cannot be used: {error}")
}

pub(super) fn list_value(field: ListField, text: &str) -> Result<String, String> {
    match field {
        ListField::Call => Scope::parse(text).map(|scope| scope.as_str().to_owned()).map_err(str::to_owned),
        ListField::Allow => AllowedHost::parse(text).map(|host| host.to_string()).map_err(str::to_owned),
        ListField::MsgCall | ListField::PayCall => backend_url(text),
        ListField::Verify => verify_file(text),
    }
}

fn backend_url(text: &str) -> Result<String, String> {
    let wrong = "is an http:// or https:// URL, or a path on this server's own address that starts with '/'";
    if text.len() > 2048 || text.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(wrong.to_owned());
    }
    if text.starts_with('/') && !text.starts_with("//") {
        return Ok(text.to_owned());
    }
    match url::Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.host().is_some() => Ok(text.to_owned()),
        _ => Err(wrong.to_owned()),
    }
}

/// `NAME:CONTENT`. WeChat's files are named `MP_verify_….txt` and `WW_verify_….txt`, those of mini programs by chance.
fn verify_file(text: &str) -> Result<String, String> {
    const WRONG: &str = "is NAME:CONTENT of a file that WeChat wants to find at the root of a domain, like \
                         MP_verify_AbCdEf123456.txt:AbCdEf123456";
    let (name, content) = text.split_once(':').ok_or(WRONG)?;
    let stem = name.strip_suffix(".txt").ok_or(WRONG)?;
    let plain = stem.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
    if stem.is_empty() || name.len() > 100 || !plain || content.is_empty() || content.len() > 4096 {
        return Err(WRONG.to_owned());
    }
    Ok(text.to_owned())
}

fn is_printable(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_graphic())
}
