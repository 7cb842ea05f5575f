//! `/cgi-bin/token`, `/cgi-bin/stable_token` and WeCom's `/cgi-bin/gettoken`, for SDKs: they get a virtual token.
//!
//! No such call ever reaches WeChat: a token fetched there behind the proxy's back ends the one that all others use. Paths are
//! compared without regard to case, because nobody promises that case counts for WeChat.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::Request;
use axum::response::Response;
use bytes::Bytes;
use engine::Engine;
use engine::apps::Wanted;
use engine::consumers::{Consumer, UnknownConsumer};
use http::Method;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use wechat::api_path::ApiPath;
use wechat::calls::Host;

use crate::answer::{Error, json_bytes};
use crate::parameters::read;

/// The largest body of such a call, in bytes.
const MAX_BODY: usize = 16 * 1024;

/// How long SDKs are told that the token is good, in seconds.
const EXPIRES_IN: u64 = engine::consumers::virtual_token::LIFE.as_secs();

const CLASSIC: &str = "/cgi-bin/token";
const STABLE: &str = "/cgi-bin/stable_token";
const WECOM: &str = "/cgi-bin/gettoken";

/// Whether tokens are fetched at this path.
pub(crate) fn is_token_path(path: &ApiPath) -> bool {
    [CLASSIC, STABLE, WECOM].iter().any(|known| is(path, known))
}

fn is(path: &ApiPath, known: &str) -> bool {
    path.as_str().eq_ignore_ascii_case(known)
}

/// What is asked for.
struct Wish {
    grant_type: String,
    appid: String,
    secret: SecretString,
}

impl Wish {
    async fn read(path: &ApiPath, request: Request) -> Result<Self, Error> {
        let (parts, body) = request.into_parts();
        let mut pairs: Vec<(String, String)> =
            form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes()).into_owned().collect();
        // WeChat reads the body whatever its Content-Type says, and so do SDKs expect.
        let body = read(body, MAX_BODY).await?;
        match serde_json::from_slice(&body) {
            Ok(Value::Object(object)) => {
                let texts = object.into_iter().filter_map(|(name, value)| Some((name, value.as_str()?.to_owned())));
                pairs.extend(texts);
            }
            _ => pairs.extend(form_urlencoded::parse(&body).into_owned()),
        }
        if is(path, STABLE) && parts.method != Method::POST {
            return Err(refused(43002, "require POST method (wechat-proxy)"));
        }
        let mut take = |name: &str| {
            let place = pairs.iter().position(|(known, value)| known == name && !value.is_empty());
            place.map(|place| pairs.remove(place).1).unwrap_or_default()
        };
        let (appid, secret) = if is(path, WECOM) { ("corpid", "corpsecret") } else { ("appid", "secret") };
        Ok(Self { grant_type: take("grant_type"), appid: take(appid), secret: take(secret).into() })
    }

    fn check(&self, path: &ApiPath) -> Result<(), Error> {
        if is(path, WECOM) || self.grant_type == "client_credential" {
            return Ok(());
        }
        Err(refused(40002, "invalid grant_type (wechat-proxy: it is client_credential)"))
    }
}

fn refused(errcode: i64, errmsg: &str) -> Error {
    UnknownConsumer::refused(errcode, errmsg).into()
}

/// A token for who shows appid and secret.
///
/// # Errors
/// As WeChat refuses, and when the account has no token now.
pub(crate) async fn for_secret(
    engine: &Arc<Engine>,
    path: &ApiPath,
    client: IpAddr,
    request: Request,
) -> Result<Response, Error> {
    let wish = Wish::read(path, request).await?;
    wish.check(path)?;
    let host = if is(path, WECOM) { Host::Qyapi } else { Host::Api };
    let consumer = known_by_secret(engine, host, client, &wish.appid, &wish.secret).await?;
    issue(engine, &consumer, path, &wish.secret).await
}

/// Who has this appid and secret. Wrong ones are counted, so that nobody guesses.
///
/// # Errors
/// As WeChat refuses.
pub(crate) async fn known_by_secret(
    engine: &Engine,
    host: Host,
    client: IpAddr,
    appid: &str,
    secret: &SecretString,
) -> Result<Consumer, Error> {
    let now = engine.clock.now();
    let known = engine.consumers.by_secret(host, appid, secret).await;
    match known {
        Ok(consumer) => Ok(consumer),
        Err(error @ UnknownConsumer::Refused(_)) => {
            engine.guard.wrong_secret(client, now)?;
            Err(error.into())
        }
        Err(error) => Err(error.into()),
    }
}

/// A token for a consumer that is known already, below `/app/KEY`.
///
/// # Errors
/// When it names another account, or the account has no token now.
pub(crate) async fn for_consumer(
    engine: &Arc<Engine>,
    consumer: &Consumer,
    path: &ApiPath,
    request: Request,
) -> Result<Response, Error> {
    let wish = Wish::read(path, request).await?;
    if !wish.appid.is_empty() && wish.appid != consumer.registered.app.appid {
        return Err(refused(40013, "invalid appid (wechat-proxy: this registration is of another account)"));
    }
    let shown = consumer.registered.app.secrets.api_key.clone();
    issue(engine, consumer, path, &shown).await
}

/// As WeChat does, it refuses an account that has no token.
async fn issue(engine: &Engine, consumer: &Consumer, path: &ApiPath, shown: &SecretString) -> Result<Response, Error> {
    let is_wecom = consumer.host == Host::Qyapi;
    let wanted = if is_wecom { Wanted::WecomToken } else { Wanted::AccessToken };
    engine.credentials.valid(consumer.registered.slot(wanted, &engine.slots)).await?;
    let token = engine.consumers.token_for(consumer, shown)?;
    let token = token.expose_secret();
    let body = if is(path, WECOM) {
        json!({"errcode": 0, "errmsg": "ok", "access_token": token, "expires_in": EXPIRES_IN})
    } else {
        json!({"access_token": token, "expires_in": EXPIRES_IN})
    };
    Ok(json_bytes(Bytes::from(body.to_string())))
}
