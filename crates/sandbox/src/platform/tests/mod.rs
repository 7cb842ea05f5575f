//! The rules of the platform, told to it call by call with a clock that stands still.
//!
//! No sockets here: a [`Bench`] hands calls to the routes and reads the replies. What only shows over a connection (faults,
//! concurrency, the control API) is in `tests/platform.rs`.

mod quota;
mod tickets;
mod tokens;
mod wecom;

use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};

use super::routes;
use crate::account::{Account, AccountKind, NewAccount};
use crate::clock::{Clock, Time};
use crate::settings::Patch;
use crate::wire::Call;
use crate::world::World;

/// 2023-11-15 06:13:20 in China: 64,000 seconds before midnight.
const START: Time = Time::from_secs(1_700_000_000);
const TO_MIDNIGHT: u64 = 64_000;

/// A world to hand calls to.
struct Bench {
    world: World,
    client_ip: &'static str,
}

impl Bench {
    fn new() -> Bench {
        Bench { world: World::new(Clock::standing_at(START)), client_ip: "127.0.0.1" }
    }

    fn account(&mut self, kind: AccountKind) -> Account {
        self.world.create_account(NewAccount::of(kind)).expect("an account")
    }

    fn advance(&mut self, secs: u64) {
        self.world.clock.advance(secs);
    }

    fn patch(&mut self, account: &Account, patch: Value) {
        let patch: Patch = serde_json::from_value(patch).expect("a patch");
        self.world.patch_account(&account.appid, patch).expect("an account").expect("a patch that fits");
    }

    fn call(&mut self, method: Method, target: &str, body: &str) -> Value {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let body = Bytes::copy_from_slice(body.as_bytes());
        let call = Call::new(method, path, query, body, self.client_ip.parse().expect("an address"));
        let reply = routes::carry_out(&mut self.world, &call);
        assert_eq!(reply.status, 200, "WeChat answers errors with HTTP 200 too");
        serde_json::from_slice(&reply.body).expect("a JSON body")
    }

    fn get(&mut self, target: &str) -> Value {
        self.call(Method::GET, target, "")
    }

    fn post(&mut self, target: &str, body: &Value) -> Value {
        self.call(Method::POST, target, &body.to_string())
    }

    fn classic(&mut self, account: &Account) -> Value {
        let Account { appid, secret, .. } = account;
        self.get(&format!("/cgi-bin/token?grant_type=client_credential&appid={appid}&secret={secret}"))
    }

    fn stable(&mut self, account: &Account, force: bool) -> Value {
        let Account { appid, secret, .. } = account;
        self.post(
            "/cgi-bin/stable_token",
            &json!({ "grant_type": "client_credential", "appid": appid, "secret": secret, "force_refresh": force }),
        )
    }

    /// What an API says to a token: 0 when it is good.
    fn judge(&mut self, token: &str) -> i64 {
        errcode(&self.get(&format!("/cgi-bin/getcallbackip?access_token={token}")))
    }
}

fn errcode(answer: &Value) -> i64 {
    answer["errcode"].as_i64().unwrap_or(0)
}

fn token(answer: &Value) -> String {
    answer["access_token"].as_str().unwrap_or_else(|| panic!("no access_token in {answer}")).to_owned()
}

fn expires_in(answer: &Value) -> u64 {
    answer["expires_in"].as_u64().unwrap_or_else(|| panic!("no expires_in in {answer}"))
}
