//! The scene of most tests of payment: the sandbox with a merchant, a server that knows it as `test`, a backend that is
//! told.

use std::sync::Arc;
use std::time::Duration;

use sandbox::{Account, AccountKind, KeyMode, Merchant, NewAccount, NewMerchant, Platform};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use super::backend::{Arrived, Backend};
use super::caller::{Answer, Caller, encoded};
use super::databases::Database;
use super::eventually;
use super::server::{Flags, Running, TurnedClock};

/// Where the backend is told of payments.
pub(crate) const PAID: &str = "/paid";

/// WeChat Pay's side: a sandbox with one account and one merchant. It stops when it is dropped.
pub(crate) struct Bank {
    pub(crate) url: String,
    /// With TLS, which client certificates need.
    pub(crate) tls_url: String,
    pub(crate) account: Account,
    pub(crate) merchant: Merchant,
    /// The phone's user.
    pub(crate) payer: String,
    platform: Platform,
    pub(crate) control: Caller,
    _stop: DropGuard,
}

impl Bank {
    pub(crate) async fn open(key_mode: KeyMode) -> Self {
        let bind = async || TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (listener, tls) = (bind().await, bind().await);
        let url = format!("http://{}", listener.local_addr().unwrap());
        let tls_url = format!("https://{}", tls.local_addr().unwrap());
        let (platform, stop) = (Platform::new(), CancellationToken::new());
        TaskTracker::new().spawn(platform.clone().serve_with_tls(listener, tls, stop.clone().cancelled_owned()));
        let account = platform.create_account(NewAccount::of(AccountKind::Official)).unwrap();
        let wish = NewMerchant { appids: vec![account.appid.clone()], key_mode, ..NewMerchant::default() };
        let merchant = platform.create_merchant(wish).unwrap();
        let control = Caller::of(&url);
        let users = control.get(&format!("/sandbox/accounts/{}/users", account.appid)).await.json();
        let payer = users["users"][0]["openid"].as_str().unwrap_or_else(|| panic!("{users}")).to_owned();
        Self { control, url, tls_url, account, merchant, payer, platform, _stop: stop.drop_guard() }
    }

    /// The authority of its certificates, in a file.
    pub(crate) fn ca_file(&self, database: &Database) -> String {
        let file = database.folder().join("ca.pem");
        std::fs::write(&file, self.platform.ca_pem()).unwrap();
        file.display().to_string()
    }

    pub(crate) fn file(&self, name: &str) -> String {
        let files = self.platform.merchant_files(&self.merchant.mch_id).unwrap();
        match name {
            "apiclient_key.pem" => files.private_key,
            "apiclient_cert.pem" => files.certificate,
            "pub_key.pem" => files.public_key,
            "platform_cert.pem" => files.platform_certificate,
            _ => panic!("{name}"),
        }
    }

    pub(crate) fn p12(&self) -> Vec<u8> {
        self.platform.merchant_files(&self.merchant.mch_id).unwrap().p12
    }

    /// What a registration is told of the merchant, for API v2.
    pub(crate) fn v2(&self) -> Vec<(&'static str, String)> {
        vec![("mch_id", self.merchant.mch_id.clone()), ("mch_key", self.merchant.v2_key.clone())]
    }

    /// For API v3, with platform certificates.
    pub(crate) fn v3(&self) -> Vec<(&'static str, String)> {
        vec![
            ("mch_id", self.merchant.mch_id.clone()),
            ("mch_serial", self.merchant.serial.clone()),
            ("mch_private_key", self.file("apiclient_key.pem")),
            ("apiv3_key", self.merchant.v3_key.clone()),
        ]
    }

    /// For API v3, with the public key as well.
    pub(crate) fn v3_public_key(&self) -> Vec<(&'static str, String)> {
        let mut pairs = self.v3();
        pairs.push(("pay_key_id", self.merchant.public_key_id.clone()));
        pairs.push(("pay_public_key", self.file("pub_key.pem")));
        pairs
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Value {
        let answer = self.control.post_json(path, body).await;
        assert!(answer.status < 300, "{path}: {}", answer.text());
        answer.json()
    }

    fn path(&self, rest: &str) -> String {
        format!("/sandbox/merchants/{}{rest}", self.merchant.mch_id)
    }

    /// Changes something about the merchant.
    pub(crate) async fn change(&self, body: &Value) {
        let body = body.to_string().into_bytes();
        let answer = self.control.send(reqwest::Method::PATCH, &self.path(""), Some("application/json"), body).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }

    /// The phone's user pays an order.
    pub(crate) async fn pay(&self, out_trade_no: &str) {
        self.post(&self.path(&format!("/orders/{out_trade_no}/pay")), &json!({})).await;
    }

    pub(crate) async fn order(&self, out_trade_no: &str) -> Value {
        self.control.get(&self.path(&format!("/orders/{out_trade_no}"))).await.json()
    }

    pub(crate) async fn orders(&self) -> Vec<Value> {
        self.control.get(&self.path("/orders")).await.json()["orders"].as_array().unwrap().clone()
    }

    pub(crate) async fn settle(&self, out_refund_no: &str, state: &str) {
        self.post(&self.path(&format!("/refunds/{out_refund_no}/settle")), &json!({"state": state})).await;
    }

    /// What was sent to the merchant, when nothing is under way any more.
    pub(crate) async fn notifications(&self) -> Vec<Value> {
        let answer = self.control.get("/sandbox/notifications?wait=true").await;
        answer.json()["notifications"].as_array().unwrap().clone()
    }

    pub(crate) async fn calls(&self, path: &str) -> u64 {
        let answer = self.control.get(&format!("/sandbox/calls/count?path={path}")).await;
        answer.json()["count"].as_u64().unwrap()
    }

    /// Something goes wrong at a path, so many times.
    pub(crate) async fn fault(&self, fault: &Value) {
        self.post("/sandbox/faults", fault).await;
    }
}

/// A bank, a server and a backend.
pub(crate) struct Shop {
    pub(crate) bank: Bank,
    pub(crate) server: Running,
    pub(crate) backend: Backend,
    pub(crate) database: Database,
    pub(crate) clock: Arc<TurnedClock>,
    pub(crate) api_key: String,
}

impl Shop {
    /// Paid to by API v2.
    pub(crate) async fn v2() -> Self {
        Self::with(KeyMode::Certificate, Bank::v2, |flags| flags).await
    }

    /// Paid to by API v3, with platform certificates.
    pub(crate) async fn v3() -> Self {
        Self::with(KeyMode::Certificate, Bank::v3, |flags| flags).await
    }

    /// Both, one after the other: what holds for one holds for the other.
    pub(crate) async fn both() -> [Self; 2] {
        [Self::v2().await, Self::v3().await]
    }

    /// WeChat Pay is reached over TLS, so that it can be shown the merchant's certificate.
    pub(crate) async fn over_tls(key_mode: KeyMode, merchant: fn(&Bank) -> Vec<(&'static str, String)>) -> Self {
        Self::opened(key_mode, merchant, |flags, bank, database| {
            flags.but("--pay-url", &bank.tls_url).and("--trust-cert", &bank.ca_file(database))
        })
        .await
    }

    pub(crate) async fn with(
        key_mode: KeyMode,
        merchant: fn(&Bank) -> Vec<(&'static str, String)>,
        flags: fn(Flags) -> Flags,
    ) -> Self {
        Self::opened(key_mode, merchant, |known, _, _| flags(known)).await
    }

    async fn opened(
        key_mode: KeyMode,
        merchant: fn(&Bank) -> Vec<(&'static str, String)>,
        flags: impl Fn(Flags, &Bank, &Database) -> Flags,
    ) -> Self {
        let (bank, backend, database) = (Bank::open(key_mode).await, Backend::start().await, Database::sqlite());
        let clock = Arc::new(TurnedClock::default());
        let flags = flags(Flags::new(&database, &bank.url), &bank, &database);
        let server = Running::start_by(&flags, Arc::clone(&clock)).await;
        let operator = server.caller.bearer(super::server::ADMIN);
        let api_key = register(&operator, "test", &bank, &merchant(&bank)).await;
        Self { bank, server, backend, database, clock, api_key }
    }

    /// Asks `/pay` for an order of 100 fen that the backend is told of, and what else is said.
    pub(crate) async fn order(&self, more: &[(&str, &str)]) -> Answer {
        self.ask("/pay", more).await
    }

    /// The same at another path.
    pub(crate) async fn ask(&self, path: &str, more: &[(&str, &str)]) -> Answer {
        let call = self.backend.at(PAID);
        let usual = [("name", "茶 & 点心"), ("fee", "100"), ("call", call.as_str())];
        let is_given = |name: &str| more.iter().any(|(known, _)| *known == name);
        let mut pairs: Vec<(&str, &str)> = usual.into_iter().filter(|(name, _)| !is_given(name)).collect();
        pairs.extend_from_slice(more);
        self.server.get(&format!("/app/test{path}?{}", encoded(&pairs))).await
    }

    /// Places an order and gives its number.
    pub(crate) async fn ordered(&self, more: &[(&str, &str)]) -> String {
        let answer = self.order(more).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let json = answer.json();
        json["out_trade_no"].as_str().unwrap_or_else(|| panic!("no order: {json}")).to_owned()
    }

    /// Places an order that is paid at once, and waits until the backend has been told of it.
    pub(crate) async fn paid(&self, more: &[(&str, &str)]) -> String {
        let number = self.ordered(more).await;
        self.bank.pay(&number).await;
        self.told(&number).await;
        number
    }

    /// What the backend was told of a payment: once, and in a form that it can trust.
    pub(crate) async fn told(&self, out_trade_no: &str) -> Value {
        eventually(&format!("the backend knows of {out_trade_no}"), async || !self.news(out_trade_no).is_empty()).await;
        self.news(out_trade_no).remove(0).json()
    }

    /// All that the backend was told of an order's payment.
    pub(crate) fn news(&self, out_trade_no: &str) -> Vec<Arrived> {
        self.all_news("TRANSACTION.SUCCESS", out_trade_no)
    }

    pub(crate) fn all_news(&self, event_type: &str, out_trade_no: &str) -> Vec<Arrived> {
        let arrived = self.backend.arrived(PAID).into_iter();
        let is_it = |json: &Value| json["out_trade_no"] == *out_trade_no && json["event_type"] == *event_type;
        arrived.filter(|arrived| is_it(&arrived.json())).collect()
    }

    /// An order as operators see it.
    pub(crate) async fn record(&self, out_trade_no: &str) -> Value {
        let answer = self.operator().get(&format!("/admin/orders/{out_trade_no}")).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()
    }

    pub(crate) async fn has_state(&self, out_trade_no: &str, state: &str) -> Value {
        let mut record = Value::Null;
        eventually(&format!("{out_trade_no} is {state}"), async || {
            record = self.record(out_trade_no).await;
            record["state"] == *state
        })
        .await;
        record
    }

    pub(crate) async fn refused_notices(&self) -> Vec<Value> {
        let answer = self.operator().get("/admin/pay/refused").await;
        answer.json()["refused"].as_array().unwrap().clone()
    }

    pub(crate) fn operator(&self) -> Caller {
        self.server.caller.bearer(super::server::ADMIN)
    }

    /// Time passes for the proxy.
    pub(crate) fn wait(&self, by: Duration) {
        self.clock.turn(by);
    }

    /// Time passes for everybody.
    pub(crate) async fn everybody_waits(&self, by: Duration) {
        self.clock.turn(by);
        self.bank.post("/sandbox/clock", &json!({"advance": by.as_secs()})).await;
    }
}

/// Registers an account with a merchant; gives the api_key.
pub(crate) async fn register(operator: &Caller, key: &str, bank: &Bank, merchant: &[(&'static str, String)]) -> String {
    let Account { appid, secret, .. } = &bank.account;
    let mut pairs = vec![("key", key), ("appid", appid.as_str()), ("secret", secret.as_str()), ("check", "false")];
    pairs.extend(merchant.iter().map(|(name, value)| (*name, value.as_str())));
    let answer = operator.post_form("/register", &pairs).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()["api_key"].as_str().unwrap_or_default().to_owned()
}

/// The kinds of an order's history, in their order.
pub(crate) fn history(record: &Value) -> Vec<String> {
    let events = record["history"].as_array().unwrap();
    events.iter().map(|event| event["what"].as_str().unwrap().to_owned()).collect()
}
