//! A login on several nodes: begun on one, ended on another, once in all.

use serde_json::Value;
use url::Url;

use crate::harness::browser::{Browser, Led, WECHAT};
use crate::harness::caller::Answer;
use crate::harness::databases::Database;
use crate::harness::fake_wechat::{EXCHANGE, FakeWechat};
use crate::harness::html::Page;
use crate::harness::login_scene::{CALL, KEY, link, plain_link, verified};
use crate::harness::server::{Flags, Running};

/// Two nodes behind one address.
struct Nodes {
    one: Running,
    two: Running,
    wechat: FakeWechat,
    api_key: String,
    visitor: Browser,
    _database: Database,
}

async fn nodes(database: Database) -> Nodes {
    let wechat = FakeWechat::start().await;
    let flags = Flags::new(&database, &wechat.url).and("--public-url", "https://wx.example.com");
    let flags = flags.and("--admin-token", "the-admin-token-of-the-tests");
    let (one, two) = (Running::start(&flags).await, Running::start(&flags).await);
    let api_key = one.bearer("the-admin-token-of-the-tests").register_cold(KEY, &[("allow", "*.example.com")]).await;
    let visitor = Browser::new(&one, WECHAT);
    Nodes { one, two, wechat, api_key, visitor, _database: database }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_that_began_on_one_node_ends_on_the_other_on_postgresql() {
    if let Some(database) = Database::postgres().await {
        one_begins_the_other_ends(nodes(database).await).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_that_began_on_one_node_ends_on_the_other_on_mariadb() {
    if let Some(database) = Database::mariadb().await {
        one_begins_the_other_ends(nodes(database).await).await;
    }
}

async fn one_begins_the_other_ends(nodes: Nodes) {
    let at_two = nodes.visitor.at(&nodes.two);
    // Begun on each, ended on the other, reloaded on the first: the same address for the visitor.
    for (begins, ends) in [(&nodes.visitor, &at_two), (&at_two, &nodes.visitor)] {
        let led = Led::read(&begins.open(&plain_link("/auth/info")).await);
        let page = Page::read(&ends.open(&led.back("CODE")).await);
        assert_eq!(page.status, 200, "{}", page.html);
        let members = verified(&page.form().body, &nodes.api_key);
        assert_eq!(members["openid"], "o-CODE");
        let calls = nodes.wechat.calls(EXCHANGE);
        for browser in [begins, ends] {
            let page = Page::read(&browser.open(&led.back("CODE")).await);
            assert_eq!((page.status, page.heading()), (400, "这次登录已经用过"));
        }
        assert_eq!(nodes.wechat.calls(EXCHANGE), calls);
    }
    both_at_once(&nodes, &at_two).await;
    one_ticket(&nodes, &at_two).await;
}

async fn both_at_once(nodes: &Nodes, at_two: &Browser) {
    for _ in 0..10 {
        let led = Led::read(&nodes.visitor.open(&plain_link("/auth")).await);
        let (calls, [first, second]) = (nodes.wechat.calls(EXCHANGE), [led.back("A"), led.back("B")]);
        let opened =
            [nodes.visitor.open(&first), at_two.open(&second), nodes.visitor.open(&second), at_two.open(&first)];
        let pages: Vec<Page> = futures::future::join_all(opened).await.iter().map(Page::read).collect();
        let statuses: Vec<u16> = pages.iter().map(|page| page.status).collect();
        assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
        assert_eq!(statuses.iter().filter(|status| **status == 400).count(), 3, "{statuses:?}");
        assert_eq!(nodes.wechat.calls(EXCHANGE), calls + 1);
    }
}

async fn one_ticket(nodes: &Nodes, at_two: &Browser) {
    let (one, two) = (nodes.one.bearer(&nodes.api_key), nodes.two.bearer(&nodes.api_key));
    for _ in 0..10 {
        let led = Led::read(&nodes.visitor.open(&link("/auth", &[("call", CALL), ("via", "ticket")])).await);
        let answer = at_two.open(&led.back("CODE")).await;
        let location = Url::parse(answer.header("location")).unwrap();
        let target = format!("/app/{KEY}/auth/user?{}", location.query().unwrap());
        let (ones, twos) = tokio::join!(one.at_once(3, &target), two.at_once(3, &target));
        let answers: Vec<&Answer> = ones.iter().chain(&twos).collect();
        let told: Vec<Value> =
            answers.iter().filter(|answer| answer.status == 200).map(|answer| answer.json()).collect();
        assert_eq!(told.len(), 1, "{answers:?}");
        assert_eq!(told[0]["openid"], "o-CODE");
        assert!(answers.iter().all(|answer| matches!(answer.status, 200 | 404)), "{answers:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_and_a_new_master_key_in_the_middle_of_a_login_disturb_nobody() {
    let (wechat, database) = (FakeWechat::start().await, Database::sqlite());
    let flags = Flags::new(&database, &wechat.url);
    let before = Running::start(&flags).await;
    let api_key = before.register_cold(KEY, &[]).await;
    let visitor = Browser::new(&before, WECHAT);
    let led = Led::read(&visitor.open(&plain_link("/auth")).await);
    let by_ticket = Led::read(&visitor.open(&link("/auth", &[("call", CALL), ("via", "ticket")])).await);
    let location = visitor.open(&by_ticket.back("CODE")).await.header("location").to_owned();
    let used = Led::read(&visitor.open(&plain_link("/auth")).await);
    visitor.open(&used.back("CODE")).await;
    before.stop().await;
    let old = std::fs::read_to_string(database.master_key()).unwrap();
    std::fs::write(database.master_key(), format!("MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\n{old}")).unwrap();

    let after = Running::start(&flags).await;
    let visitor = visitor.at(&after);
    let page = Page::read(&visitor.open(&led.back("CODE")).await);
    assert_eq!(verified(&page.form().body, &api_key)["openid"], "o-CODE");
    let query = location.split_once('?').unwrap().1;
    assert_eq!(after.get(&format!("/app/{KEY}/auth/user?{query}")).await.json()["openid"], "o-CODE");
    for used in [led, used] {
        assert_eq!(Page::read(&visitor.open(&used.back("CODE")).await).heading(), "这次登录已经用过");
    }
    let led = Led::read(&visitor.open(&plain_link("/auth")).await);
    assert_eq!(Page::read(&visitor.open(&led.back("CODE")).await).status, 200);
}
