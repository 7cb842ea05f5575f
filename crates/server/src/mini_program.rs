//! `/app/KEY/login` and `/login/decrypt`: users of mini programs.

use std::sync::Arc;

use axum::extract::{Extension, State};
use axum::response::Response;
use engine::Engine;
use engine::apps::Registered;
use engine::mini_program::{Evidence, Known};
use http::{HeaderMap, Method};

use crate::answer::{Error, json_of};
use crate::parameters::Parameters;

/// `js_code`, and what the mini program sent with it: who it is. The session_key goes to who shows the api_key, also where no
/// api_key is asked for.
pub(crate) async fn login(
    State(engine): State<Arc<Engine>>,
    Extension(registered): Extension<Arc<Registered>>,
    method: Method,
    headers: HeaderMap,
    parameters: Parameters,
) -> Result<Response, Error> {
    if method == Method::HEAD {
        // Who only looks must not use the code up.
        return Err(Error::WrongMethod);
    }
    let missing = || Error::BadParameters("js_code is missing: it is what wx.login() gave the mini program".to_owned());
    let code = parameters.value("js_code").or(parameters.value("code")).ok_or_else(missing)?;
    let shows_key = engine.guard.shows_api_key(&registered, &headers, engine.clock.now());
    let evidence = evidence(&parameters);
    Ok(json_of(&engine.mini_program.look(&registered, Known::JsCode(code), &evidence, shows_key).await?))
}

/// `encryptedData` and `iv`, or `rawData` and `signature`, with one of `session`, `session_key`, `js_code`.
pub(crate) async fn decrypt(
    State(engine): State<Arc<Engine>>,
    Extension(registered): Extension<Arc<Registered>>,
    method: Method,
    headers: HeaderMap,
    parameters: Parameters,
) -> Result<Response, Error> {
    if method == Method::HEAD {
        return Err(Error::WrongMethod);
    }
    let evidence = evidence(&parameters);
    if evidence.is_empty() {
        return Err(Error::BadParameters(
            "give encryptedData and iv, or rawData and signature, as the mini program got them".to_owned(),
        ));
    }
    let known = [
        parameters.value("session").map(Known::Session),
        parameters.value("session_key").map(Known::SessionKey),
        parameters.value("js_code").map(Known::JsCode),
    ];
    let mut known = known.into_iter().flatten();
    let (Some(known), None) = (known.next(), known.next()) else {
        return Err(Error::BadParameters(
            "give one of session (as /login answered it), session_key, js_code: the key is in it".to_owned(),
        ));
    };
    let shows_key = engine.guard.shows_api_key(&registered, &headers, engine.clock.now());
    Ok(json_of(&engine.mini_program.look(&registered, known, &evidence, shows_key).await?))
}

fn evidence(parameters: &Parameters) -> Evidence<'_> {
    Evidence {
        raw_data: parameters.value("rawData"),
        signature: parameters.value("signature"),
        encrypted_data: parameters.value("encryptedData"),
        iv: parameters.value("iv"),
    }
}
