//! Asking WeChat who came back with a code.
//!
//! What must stay true: a code is shown to WeChat once; web access_tokens and user_tickets stay here.

use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use serde_json::Map;
use wechat::calls::{AnswerError, Call};
use wechat::errcode::ErrorClass;
use wechat::login::{Exchanged, Lang, read_exchange, read_member, read_profile};
use wechat::{Appid, Errcode};

use super::Login;
use super::ask::Door;
use super::problem::LoginProblem;
use super::round_trip::RoundTrip;
use super::visitor::Visitor;
use crate::apps::{Registered, Wanted};
use crate::credential_error::CredentialError;
use crate::credentials::CallError;
use crate::upstream::AskError;

/// What is known of a follower is an extra: the visitor does not wait longer for it.
const FOLLOWER_PATIENCE: Duration = Duration::from_secs(3);

/// An account that may not ask about its followers is not asked again for so long.
const WITHOUT_RIGHT: Duration = Duration::from_secs(3600);

/// The members of `/cgi-bin/user/info` that are passed on. The others are the account's own notes about its followers (remark,
/// groups, tags); they do not belong into the visitor's browser.
const FOLLOWER_MEMBERS: [&str; 4] = ["subscribe", "subscribe_time", "subscribe_scene", "unionid"];

impl Login {
    /// Who came back with this code.
    pub(super) async fn visitor(
        &self,
        registered: &Arc<Registered>,
        door: Door,
        trip: &RoundTrip,
        code: &str,
    ) -> Result<Visitor, LoginProblem> {
        if door.is_corp() { self.member(registered, code).await } else { self.user(registered, door, trip, code).await }
    }

    async fn user(
        &self,
        registered: &Arc<Registered>,
        door: Door,
        trip: &RoundTrip,
        code: &str,
    ) -> Result<Visitor, LoginProblem> {
        let (appid, secret) = identity(registered, trip.website).ok_or(LoginProblem::Altered)?;
        let call = Call::code_exchange(&appid, secret, code);
        let exchanged = self.0.upstream.ask(&call, read_exchange).await.map_err(problem)?;
        let lang = trip.lang().unwrap_or_default();
        let mut visitor = Visitor::new();
        if door == Door::AccountInfo {
            visitor.take(self.profile(&exchanged, lang).await?);
        } else if !trip.website && !exchanged.is_snapshot_user {
            visitor.take(self.follower(registered, &exchanged.openid, lang).await);
        }
        if let Some(unionid) = exchanged.unionid {
            visitor.set("unionid", unionid);
        }
        if exchanged.is_snapshot_user {
            visitor.set("is_snapshotuser", 1);
        }
        visitor.set("openid", exchanged.openid);
        visitor.set("appid", appid.as_str());
        Ok(visitor)
    }

    async fn profile(&self, exchanged: &Exchanged, lang: Lang) -> Result<Map<String, serde_json::Value>, LoginProblem> {
        let call = Call::user_profile(&exchanged.access_token, &exchanged.openid, lang);
        let profile = self.0.upstream.ask(&call, read_profile).await.map_err(problem)?;
        // Somebody else's profile under this visitor's openid must not happen, whatever relay stands in between.
        if profile.get("openid").is_some_and(|openid| openid.as_str() != Some(&exchanged.openid)) {
            return Err(LoginProblem::Unreachable("WeChat answered with the profile of somebody else".to_owned()));
        }
        Ok(profile)
    }

    /// What the account knows of a visitor; nothing, when it may not ask or WeChat does not answer.
    async fn follower(&self, registered: &Registered, openid: &str, lang: Lang) -> Map<String, serde_json::Value> {
        let now = self.0.clock.now();
        if !registered.may_ask_about_followers(now) {
            return Map::new();
        }
        let slot = registered.slot(Wanted::AccessToken, &self.0.slots);
        let call = self.0.credentials.call(slot, |token| Call::follower(token, openid, lang), read_profile);
        let mut known = match tokio::time::timeout(FOLLOWER_PATIENCE, call).await {
            Ok(Ok(known)) => known,
            Ok(Err(error)) => {
                self.without_follower(registered, &error);
                return Map::new();
            }
            Err(_) => return Map::new(),
        };
        if known.get("openid").is_some_and(|known| known.as_str() != Some(openid)) {
            return Map::new();
        }
        known.retain(|name, _| FOLLOWER_MEMBERS.contains(&name.as_str()));
        known
    }

    fn without_follower(&self, registered: &Registered, error: &CallError) {
        let key = &registered.app.key;
        tracing::info!(key, %error, "a login goes without unionid and subscription: cgi-bin/user/info gave none");
        // Any other refusal may be about this visitor alone.
        if matches!(error, CallError::Refused(error) if error.errcode == Errcode::API_UNAUTHORIZED) {
            registered.ask_about_no_followers(self.0.clock.now() + WITHOUT_RIGHT);
        }
    }

    async fn member(&self, registered: &Registered, code: &str) -> Result<Visitor, LoginProblem> {
        let slot = registered.slot(Wanted::WecomToken, &self.0.slots);
        let call = self.0.credentials.call(slot, |token| Call::corp_member(token, code), read_member);
        let member = call.await.map_err(call_problem)?;
        let mut visitor = Visitor::new();
        if let Some(user_ticket) = &member.user_ticket {
            let make = |token: &SecretString| Call::corp_member_detail(token, user_ticket);
            let detail = self.0.credentials.call(slot, make, read_profile).await.map_err(call_problem)?;
            if detail.get("userid").is_some_and(|userid| userid.as_str() != member.userid.as_deref()) {
                return Err(LoginProblem::Unreachable("WeCom answered with the profile of somebody else".to_owned()));
            }
            visitor.take(detail);
        }
        let ids = [("userid", member.userid), ("openid", member.openid), ("external_userid", member.external_userid)];
        for (name, id) in ids {
            if let Some(id) = id {
                visitor.set(name, id);
            }
        }
        if let Some(agentid) = &registered.app.settings.agentid {
            visitor.set("agentid", agentid.as_str());
        }
        visitor.set("appid", registered.appid.as_str());
        Ok(visitor)
    }
}

/// The appid and secret that a code belongs to.
pub(super) fn identity(registered: &Registered, website: bool) -> Option<(Appid, &SecretString)> {
    let app = &registered.app;
    if !website {
        return Some((registered.appid.clone(), &app.secrets.secret));
    }
    let appid = Appid::parse(app.settings.web_appid.as_deref()?).ok()?;
    Some((appid, app.secrets.web_secret.as_ref()?))
}

fn problem(error: AskError) -> LoginProblem {
    match error {
        AskError::Answer(AnswerError::Refused(error)) if error.errcode.class() != ErrorClass::Transient => {
            LoginProblem::of_refusal(error)
        }
        other => LoginProblem::Unreachable(other.to_string()),
    }
}

fn call_problem(error: CallError) -> LoginProblem {
    match error {
        CallError::Refused(error) | CallError::NoToken(CredentialError::Refused { error, .. })
            if error.errcode.class() != ErrorClass::Transient =>
        {
            LoginProblem::of_refusal(error)
        }
        other => LoginProblem::Unreachable(other.to_string()),
    }
}
