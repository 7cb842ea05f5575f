//! What may be wrong, asked and told one by one: `wechat-proxy check`.
//!
//! Each question becomes a [`Finding`] in the reader's language that says what was seen and what to do about it.
//! What must stay true: checking changes nothing that a person would miss; a token that is fetched on the way is kept.

mod merchants;

use std::time::Duration;

use store::{App, Store, TokenMode};
use wechat::calls::Host;
use wechat::{Appid, Errcode};

use crate::apps::Wanted;
use crate::credential_error::CredentialError;
use crate::engine::Engine;
use crate::slot::SlotId;
use crate::upstream::host_name;

/// The language of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// 中文
    Chinese,
    /// English
    English,
}

/// How a question was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grade {
    /// As it should be.
    Good,
    /// Works, but look at it.
    Warning,
    /// Does not work.
    Bad,
}

/// One answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How it is.
    pub grade: Grade,
    /// What was seen.
    pub seen: String,
    /// What to do, unless it is good.
    pub advice: Option<String>,
}

/// A server whose clock is off by more than this signs and checks with wrong times (WeChat and the Standard Webhooks
/// both allow five minutes), in seconds.
const MOST_SKEW: u64 = 60;

/// So many registrations are checked at most: each asks WeChat once.
const MOST_APPS: u64 = 500;

struct Words(Language);

impl Words {
    fn pick(&self, chinese: String, english: String) -> String {
        match self.0 {
            Language::Chinese => chinese,
            Language::English => english,
        }
    }

    fn good(&self, chinese: String, english: String) -> Finding {
        Finding { grade: Grade::Good, seen: self.pick(chinese, english), advice: None }
    }

    fn not_good(&self, grade: Grade, seen: (String, String), advice: (String, String)) -> Finding {
        let seen = self.pick(seen.0, seen.1);
        Finding { grade, seen, advice: Some(self.pick(advice.0, advice.1)) }
    }
}

/// Asks everything; findings come in the order in which they should be mended.
pub async fn run(engine: &Engine, language: Language) -> Vec<Finding> {
    let words = Words(language);
    let mut findings = vec![database(&engine.store, engine, &words).await];
    for host in [Host::Api, Host::Qyapi] {
        findings.extend(upstream(engine, host, &words).await);
    }
    match engine.registrar.list(None, MOST_APPS).await {
        Ok(apps) if apps.is_empty() => findings.push(words.not_good(
            Grade::Warning,
            ("还没有登记任何账号".into(), "no account is registered yet".into()),
            (
                "打开 /register?key=名字&appid=…&secret=… 或运行 wechat-proxy app add".into(),
                "open /register?key=NAME&appid=…&secret=… or run wechat-proxy app add".into(),
            ),
        )),
        Ok(apps) => {
            for app in &apps {
                findings.push(account(engine, app, &words).await);
                findings.extend(merchants::findings(engine, app, &words).await);
            }
        }
        Err(error) => findings.push(words.not_good(
            Grade::Bad,
            (format!("读不出登记: {error}"), format!("the registrations cannot be read: {error}")),
            ("先修好数据库".into(), "mend the database first".into()),
        )),
    }
    findings
}

async fn database(store: &Store, engine: &Engine, words: &Words) -> Finding {
    match store.check_writable(engine.clock.now()).await {
        Ok(()) => words.good("数据库可写, 表结构是最新的".into(), "the database is writable and migrated".into()),
        Err(error) => words.not_good(
            Grade::Bad,
            (format!("数据库不可写: {error}"), format!("the database is not writable: {error}")),
            (
                "检查 --database 的地址, 文件权限和磁盘空间".into(),
                "look at the address in --database, at file permissions and disk space".into(),
            ),
        ),
    }
}

async fn upstream(engine: &Engine, host: Host, words: &Words) -> Vec<Finding> {
    let base = engine.upstream.base(host);
    let shown = format!("{}://{}", base.scheme(), host_name(base));
    match engine.upstream.probe(host).await {
        Err(error) => vec![words.not_good(
            Grade::Bad,
            (format!("连不上 {shown}: {error}"), format!("{shown} cannot be reached: {error}")),
            (
                "检查 DNS, 防火墙和出口网络; 需要中转时用 --api-url / --qyapi-url".into(),
                "look at DNS, firewall and routing; a relay is named with --api-url / --qyapi-url".into(),
            ),
        )],
        Ok(date) => {
            let reached = words.good(format!("能连上 {shown}"), format!("{shown} can be reached"));
            let skew = date.and_then(|date| skew_seconds(&date, engine));
            std::iter::once(reached).chain(skew.and_then(|skew| clock(skew, words))).collect()
        }
    }
}

fn clock(skew: u64, words: &Words) -> Option<Finding> {
    (skew > MOST_SKEW).then(|| {
        words.not_good(
            Grade::Bad,
            (format!("本机时钟与微信相差 {skew} 秒"), format!("this machine's clock is {skew} s off WeChat's")),
            (
                "打开时间同步 (chrony 或 systemd-timesyncd)".into(),
                "switch on time synchronisation (chrony or systemd-timesyncd)".into(),
            ),
        )
    })
}

fn skew_seconds(date: &str, engine: &Engine) -> Option<u64> {
    let theirs = httpdate::parse_http_date(date).ok()?.duration_since(std::time::UNIX_EPOCH).ok()?;
    let ours = Duration::from_millis(u64::try_from(engine.clock.now().as_millis()).ok()?);
    Some(ours.abs_diff(theirs).as_secs())
}

async fn account(engine: &Engine, app: &App, words: &Words) -> Finding {
    let name = format!("{} ({})", app.key, app.appid);
    match ask_about(engine, app).await {
        Ok(()) => words.good(format!("{name}: appid 和 secret 正确"), format!("{name}: appid and secret are good")),
        Err(CredentialError::Refused { error, .. }) => {
            let seen = format!("{name}: errcode {} {}", error.errcode, error.errmsg);
            words.not_good(Grade::Bad, (seen.clone(), seen), refusal_advice(&error))
        }
        Err(error) => words.not_good(
            Grade::Bad,
            (format!("{name}: 没能向微信核实: {error}"), format!("{name}: could not be confirmed: {error}")),
            ("稍后再试".into(), "try again later".into()),
        ),
    }
}

/// A question with `stable_token` disturbs nobody; a classic token is only fetched when there is no good one.
async fn ask_about(engine: &Engine, app: &App) -> Result<(), CredentialError> {
    let Ok(appid) = Appid::parse(&app.appid) else { return Ok(()) };
    let wecom = SlotId::wecom(&appid, &app.secrets.secret);
    let is_wecom = appid.is_surely_wecom()
        || engine.slots.known(&wecom).is_some()
        || engine.store.credential(&wecom.to_string()).await?.is_some();
    if is_wecom {
        return engine.credentials.prove(wecom, &app.secrets.secret).await;
    }
    if app.settings.token_mode == TokenMode::Stable {
        return engine.credentials.prove(SlotId::new(TokenMode::Stable.into(), &appid), &app.secrets.secret).await;
    }
    let Some(registered) = engine.directory.find(&app.key, engine.clock.now()).await? else { return Ok(()) };
    engine.credentials.valid(registered.slot(Wanted::AccessToken, &engine.slots)).await.map(|_| ())
}

fn refusal_advice(error: &wechat::ApiError) -> (String, String) {
    if let Some(address) = error.refused_address() {
        return (
            format!("在账号后台的 IP 白名单里加上 {address}"),
            format!("add {address} to the IP allow list in the account's console"),
        );
    }
    let chinese = match error.errcode {
        Errcode::INVALID_APPID => "核对 appid, 区分大小写",
        Errcode::INVALID_SECRET | Errcode::INVALID_CREDENTIAL => "secret 不对或已重置: 从账号后台重新复制并登记",
        Errcode::DAILY_QUOTA => "当日额度用完, 零点重置",
        _ => "按微信文档的全局返回码处理",
    };
    let english = error.errcode.advice().unwrap_or("see WeChat's page of global return codes");
    (chinese.to_owned(), english.to_owned())
}
