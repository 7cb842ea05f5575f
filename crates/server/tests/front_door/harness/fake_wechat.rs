//! A WeChat that does as it is told, over real HTTP: for what the sandbox, which keeps WeChat's rules, cannot say.
//!
//! It counts what arrives by path. Untold, it gives out a new token or ticket on each call, and in a login a visitor
//! whose ids follow from the code. It answers byte by byte itself, so that it can break off wherever a test wants it.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use super::{eventually, within};

/// The path of stable tokens, the product's default.
pub(crate) const STABLE: &str = "/cgi-bin/stable_token";
/// The path of classic tokens.
pub(crate) const CLASSIC: &str = "/cgi-bin/token";
/// The path of tickets.
pub(crate) const TICKET: &str = "/cgi-bin/ticket/getticket";
/// The paths of WeCom's tickets: of the corporation, and of the app.
pub(crate) const CORP_TICKET: &str = "/cgi-bin/get_jsapi_ticket";
pub(crate) const AGENT_TICKET: &str = "/cgi-bin/ticket/get";
/// The path that takes a code.
pub(crate) const EXCHANGE: &str = "/sns/oauth2/access_token";
/// The path of profiles, with the token of the exchange.
pub(crate) const PROFILE: &str = "/sns/userinfo";
/// The path of what an account knows of a user.
pub(crate) const FOLLOWER: &str = "/cgi-bin/user/info";
/// The paths of WeCom: who brought this code, and what he agreed to show.
pub(crate) const MEMBER: &str = "/cgi-bin/auth/getuserinfo";
pub(crate) const MEMBER_DETAIL: &str = "/cgi-bin/auth/getuserdetail";
/// What stands in all that no browser may ever see.
pub(crate) const HUSH: &str = "HUSH";

/// One answer.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    /// A new token (or ticket) that lives so many seconds.
    Issue(u64),
    /// HTTP 200 with this JSON.
    Json(Value),
    /// Any status with any body.
    Http(u16, &'static str),
    /// HTTP 200 with this type and body.
    Page(&'static str, &'static str),
    /// Closes the connection without a byte.
    Drop,
    /// Promises the whole answer and closes in its middle.
    Half,
    /// Says the first half of the answer as if it were all.
    Cut,
    /// Never answers.
    Hang,
    /// These bytes, and the end of the connection.
    Raw(String),
}

impl Reply {
    /// WeChat's refusal.
    pub(crate) fn errcode(errcode: i64, errmsg: &str) -> Self {
        Self::Json(json!({"errcode": errcode, "errmsg": errmsg}))
    }
}

/// A call as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Arrived {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
    /// Lines of the head, names in lower case.
    headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Arrived {
    /// The first header of this name; `None` when there is none.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The first parameter of this name, decoded; empty when there is none.
    pub(crate) fn parameter(&self, name: &str) -> String {
        let mut pairs = form_urlencoded::parse(self.query.as_bytes());
        pairs.find(|(known, _)| known == name).map(|(_, value)| value.into_owned()).unwrap_or_default()
    }
}

#[derive(Default)]
struct State {
    arrived: Vec<Arrived>,
    next: HashMap<String, VecDeque<Reply>>,
    always: HashMap<String, Reply>,
    /// What was given out, and when it ends.
    issued: HashMap<String, Instant>,
}

/// The running fake. It stops when it is dropped.
pub(crate) struct FakeWechat {
    pub(crate) url: String,
    shared: Arc<Shared>,
    _stop: DropGuard,
}

struct Shared {
    state: Mutex<State>,
    closed: watch::Sender<bool>,
    /// Connections that ended with a [`Reply::Raw`].
    ended: watch::Sender<usize>,
}

impl FakeWechat {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            closed: watch::Sender::new(false),
            ended: watch::Sender::new(0),
        });
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let (serving, stopped) = (Arc::clone(&shared), stop.clone());
        tasks.clone().spawn(async move {
            while let Some(Ok((stream, _))) = stopped.run_until_cancelled(listener.accept()).await {
                let (serving, stopped) = (Arc::clone(&serving), stopped.clone());
                tasks.spawn(async move { stopped.run_until_cancelled(serving.connection(stream)).await });
            }
        });
        Self { url, shared, _stop: stop.drop_guard() }
    }

    /// The next call of this path gets this answer; several are given in their order.
    pub(crate) fn next(&self, path: &str, reply: Reply) {
        self.shared.state.lock().unwrap().next.entry(path.to_owned()).or_default().push_back(reply);
    }

    /// Every call of this path gets this answer from now on.
    pub(crate) fn always(&self, path: &str, reply: Reply) {
        self.shared.state.lock().unwrap().always.insert(path.to_owned(), reply);
    }

    /// Calls wait from now on until the door is opened; they are counted when they arrive.
    pub(crate) fn close_the_door(&self) {
        self.shared.closed.send_replace(true);
    }

    pub(crate) fn open_the_door(&self) {
        self.shared.closed.send_replace(false);
    }

    /// How many calls of this path arrived.
    pub(crate) fn calls(&self, path: &str) -> usize {
        self.arrived(path).len()
    }

    /// The calls of this path in their order.
    pub(crate) fn arrived(&self, path: &str) -> Vec<Arrived> {
        let state = self.shared.state.lock().unwrap();
        state.arrived.iter().filter(|call| call.path == path).cloned().collect()
    }

    /// How many calls arrived in all.
    pub(crate) fn all_calls(&self) -> usize {
        self.shared.state.lock().unwrap().arrived.len()
    }

    pub(crate) async fn has_received(&self, path: &str, calls: usize) {
        eventually(&format!("{calls} calls of {path}"), async || self.calls(path) >= calls).await;
    }

    /// Waits until so many connections ended with a [`Reply::Raw`].
    pub(crate) async fn has_ended(&self, connections: usize) {
        let mut ended = self.shared.ended.subscribe();
        within("the end of connections", ended.wait_for(|ended| *ended >= connections)).await.unwrap();
    }

    /// Whether this token or ticket was given out here and is not over.
    pub(crate) fn is_good(&self, token: &str) -> bool {
        self.shared.state.lock().unwrap().issued.get(token).is_some_and(|end| Instant::now() < *end)
    }
}

impl Shared {
    async fn connection(&self, stream: TcpStream) {
        let mut stream = BufReader::new(stream);
        while let Some(call) = read_call(&mut stream).await {
            let reply = self.receive(call.clone());
            let mut closed = self.closed.subscribe();
            let _ = closed.wait_for(|closed| !closed).await;
            if !self.answer(&mut stream, &call, reply).await {
                return;
            }
        }
    }

    fn receive(&self, call: Arrived) -> Reply {
        let mut state = self.state.lock().unwrap();
        let next = state.next.get_mut(&call.path).and_then(VecDeque::pop_front);
        let reply = next.or_else(|| state.always.get(&call.path).cloned()).unwrap_or_else(|| untold(&call));
        state.arrived.push(call);
        reply
    }

    /// False: the connection ends with this.
    async fn answer(&self, stream: &mut BufReader<TcpStream>, call: &Arrived, reply: Reply) -> bool {
        let json = "application/json; encoding=utf-8";
        let (head, body) = match reply {
            Reply::Issue(seconds) => http(200, json, &self.issue(call, seconds).to_string()),
            Reply::Json(value) => http(200, json, &value.to_string()),
            Reply::Http(status, body) => http(status, "text/html", body),
            Reply::Page(content_type, body) => http(200, content_type, body),
            Reply::Cut => {
                let whole = self.issue(call, 7200).to_string();
                http(200, json, whole.get(..whole.len() / 2).unwrap())
            }
            Reply::Half => {
                let (head, body) = http(200, json, &self.issue(call, 7200).to_string());
                (head, body.get(..body.len() / 2).unwrap().to_owned())
            }
            Reply::Drop => return false,
            Reply::Raw(bytes) => {
                let _ = stream.get_mut().write_all(bytes.as_bytes()).await;
                let _ = stream.get_mut().shutdown().await;
                self.ended.send_modify(|ended| *ended += 1);
                return false;
            }
            Reply::Hang => std::future::pending().await,
        };
        let sent = stream.get_mut().write_all(format!("{head}{body}").as_bytes()).await;
        sent.is_ok() && head.contains(&format!("content-length: {}\r\n", body.len()))
    }

    fn issue(&self, call: &Arrived, seconds: u64) -> Value {
        let mut state = self.state.lock().unwrap();
        let is_ticket = [TICKET, CORP_TICKET, AGENT_TICKET].contains(&call.path.as_str());
        let kind = if is_ticket { "ticket" } else { "access_token" };
        let value = format!("{}_FAKE{kind}_{}", 80 + state.issued.len(), "x".repeat(100));
        state.issued.insert(value.clone(), Instant::now() + Duration::from_secs(seconds));
        json!({"errcode": 0, "errmsg": "ok", kind: value, "expires_in": seconds})
    }
}

/// The answers to the calls of a login as WeChat's documents show them, for whoever the code says; else a token.
fn untold(call: &Arrived) -> Reply {
    let (code, openid) = (call.parameter("code"), call.parameter("openid"));
    Reply::Json(match call.path.as_str() {
        EXCHANGE => json!({
            "access_token": format!("{HUSH}-web-{code}"), "expires_in": 7200,
            "refresh_token": format!("{HUSH}-refresh"), "openid": format!("o-{code}"), "scope": "snsapi_base",
        }),
        PROFILE => json!({
            "openid": openid, "nickname": format!("名字 of {openid}"), "sex": 0, "language": "", "city": "",
            "province": "", "country": "", "headimgurl": "https://thirdwx.qlogo.cn/mmopen/vi_32/x/132", "privilege": [],
            "unionid": format!("u-{openid}"),
        }),
        FOLLOWER => json!({
            "subscribe": 1, "openid": openid, "language": "zh_CN", "subscribe_time": 1_382_694_957,
            "unionid": format!("u-{openid}"), "remark": "a bad payer", "groupid": 0, "tagid_list": [128, 2],
            "subscribe_scene": "ADD_SCENE_QR_CODE", "qr_scene": 98765, "qr_scene_str": "",
        }),
        MEMBER => json!({
            "errcode": 0, "errmsg": "ok", "userid": format!("member-{code}"), "user_ticket": format!("{HUSH}-ticket"),
        }),
        MEMBER_DETAIL => json!({
            "errcode": 0, "errmsg": "ok", "userid": "member-CODE", "gender": "1",
            "avatar": "http://shp.qpic.cn/bizmp/x/0",
            "qr_code": "https://open.work.weixin.qq.com/wwopen/userQRCode?vcode=v&a=b",
            "mobile": "13800000000", "email": "zhangsan@gzdev.com", "biz_mail": "", "address": "广州市海珠区",
        }),
        _ => return Reply::Issue(7200),
    })
}

fn http(status: u16, content_type: &str, body: &str) -> (String, String) {
    let length = body.len();
    let head = format!("HTTP/1.1 {status} Told\r\ncontent-type: {content_type}\r\ncontent-length: {length}\r\n\r\n");
    (head, body.to_owned())
}

async fn read_call(stream: &mut BufReader<TcpStream>) -> Option<Arrived> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let (request, headers) = lines.split_first()?;
    let mut words = request.split(' ');
    let (method, target) = (words.next()?, words.next()?);
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let pair =
        |line: &String| line.split_once(':').map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()));
    let headers: Vec<_> = headers.iter().filter_map(pair).collect();
    let length = headers.iter().find(|(name, _)| name == "content-length").and_then(|(_, value)| value.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).await.ok()?;
    let (method, path, query) = (method.to_owned(), path.to_owned(), query.to_owned());
    Some(Arrived { method, path, query, headers, body: String::from_utf8(body).ok()? })
}
