//! `via=ticket`: the browser brings a ticket, and the team's server asks for the visitor, once.

use std::time::Duration;

use http::Method;
use serde_json::{Map, Value};
use url::Url;

use crate::harness::caller::Answer;
use crate::harness::html::Page;
use crate::harness::login_scene::{CALL, LoginScene, link, verified};

/// The ticket in an answer that leads the browser on.
fn ticket_in(answer: &Answer) -> String {
    assert_eq!((answer.status, answer.body.len()), (302, 0), "{}", answer.text());
    assert_eq!(answer.header("cache-control"), "no-store");
    let url = Url::parse(answer.header("location")).unwrap();
    let found: Vec<_> = url.query_pairs().filter(|(name, _)| name == "ticket").collect();
    assert_eq!(found.len(), 1, "{url}");
    found[0].1.clone().into_owned()
}

fn ticket_link(call: &str) -> String {
    link("/auth/info", &[("call", call), ("via", "ticket"), ("state", "s&1")])
}

fn target(key: &str, ticket: &str) -> String {
    format!("/app/{key}/auth/user?ticket={ticket}")
}

/// The body is the same as by way of the browser, but for the line break that forms add.
fn visitor_in(answer: &Answer, api_key: &str) -> Map<String, Value> {
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("content-type"), "application/json; charset=utf-8");
    assert_eq!(answer.header("cache-control"), "no-store");
    verified(&format!("{}\r\n", answer.text()), api_key)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ticket_stands_for_its_visitor_once() {
    let scene = LoginScene::local(&[]).await;
    let own = format!("{}/page", scene.server.url);
    for (call, start, end) in [
        (CALL, "https://shop.example.com/login?ticket=", ""),
        ("https://shop.example.com/?a=%22%26&b=", "https://shop.example.com/?a=%22%26&b=&ticket=", ""),
        ("/page", &format!("{own}?ticket="), ""),
        ("https://shop.example.com/?a=1#/route", "https://shop.example.com/?a=1&ticket=", "#/route"),
        // What a link cannot have is not passed on as if it came from here.
        ("https://shop.example.com/?ticket=x&a=1&state=y&error=z", "https://shop.example.com/?a=1&ticket=", ""),
    ] {
        let answer = scene.log_in(&ticket_link(call), "CODE").await;
        let ticket = ticket_in(&answer);
        let location = answer.header("location");
        assert_eq!(location, format!("{start}{ticket}&state=s%261{end}"));
        assert!(ticket.len() >= 43, "256 random bits: {ticket}");
        let head = scene.server.send(Method::HEAD, &target("test", &ticket), None, Vec::new()).await;
        assert_eq!(head.status, 405, "who only looks uses nothing up");
        let answer = scene.server.get(&target("test", &ticket)).await;
        let members = visitor_in(&answer, &scene.api_key);
        assert_eq!((&members["openid"], &members["state"]), (&"o-CODE".into(), &"s&1".into()));
        assert!(members["nickname"].is_string());
        scene.server.get(&target("test", &ticket)).await.is_refusal(404, -10027);
    }
    // Posted, as a form or as JSON.
    let ticket = ticket_in(&scene.log_in(&ticket_link(CALL), "A").await);
    let posted = scene.server.post_form("/app/test/auth/user", &[("ticket", &ticket)]).await;
    assert_eq!(visitor_in(&posted, &scene.api_key)["openid"], "o-A");
    scene.server.get("/app/test/auth/user").await.is_refusal(400, -10003);
    for unknown in ["x", "%00", &"x".repeat(5000), &ticket] {
        scene.server.get(&target("test", unknown)).await.is_refusal(404, -10027);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_who_ask_at_once_one_learns_who_it_is() {
    let scene = LoginScene::local(&[]).await;
    for round in 0..5 {
        let ticket = ticket_in(&scene.log_in(&ticket_link(CALL), &format!("{round}")).await);
        let answers = scene.server.at_once(20, &target("test", &ticket)).await;
        let (told, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 200);
        assert_eq!(told.len(), 1, "{answers:?}");
        assert_eq!(visitor_in(told[0], &scene.api_key)["openid"], format!("o-{round}"));
        for answer in refused {
            answer.is_refusal(404, -10027);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ticket_is_for_its_own_team_and_ends_after_five_minutes() {
    let scene = LoginScene::public(&[("allow", "shop.example.com")]).await;
    let other = scene.operator.register_cold("other", &[]).await;
    let (team, others) = (scene.server.bearer(&scene.api_key), scene.server.bearer(&other));
    let ticket = ticket_in(&scene.log_in(&ticket_link(CALL), "CODE").await);
    scene.server.get(&target("test", &ticket)).await.is_refusal(401, -10010);
    others.get(&target("test", &ticket)).await.is_refusal(401, -10010);
    others.get(&target("other", &ticket)).await.is_refusal(404, -10027);
    scene
        .visitor
        .with("origin", "https://shop.example.com")
        .caller
        .get(&target("test", &ticket))
        .await
        .is_refusal(401, -10010);
    // Those who may not ask have not used it up.
    assert_eq!(visitor_in(&team.get(&target("test", &ticket)).await, &scene.api_key)["openid"], "o-CODE");

    let [early, late] = [
        ticket_in(&scene.log_in(&ticket_link(CALL), "1").await),
        ticket_in(&scene.log_in(&ticket_link(CALL), "2").await),
    ];
    scene.clock.turn(Duration::from_secs(290));
    let basic = scene.server.basic("test", &scene.api_key);
    assert_eq!(visitor_in(&basic.get(&target("test", &early)).await, &scene.api_key)["openid"], "o-1");
    scene.clock.turn(Duration::from_secs(11));
    team.get(&target("test", &late)).await.is_refusal(404, -10027);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_says_no_comes_to_the_page_with_an_error_and_no_ticket() {
    let scene = LoginScene::local(&[]).await;
    for (call, start) in
        [(CALL, "https://shop.example.com/login?"), ("https://shop.example.com/?a=1", "https://shop.example.com/?a=1&")]
    {
        let led = scene.begin(&ticket_link(call)).await;
        let answer = scene.visitor.open(&led.refused()).await;
        assert_eq!(answer.status, 302, "{}", answer.text());
        let location = answer.header("location");
        assert!(location.starts_with(&format!("{start}error=access_denied&error_description=")), "{location}");
        assert!(location.ends_with("&state=s%261"), "{location}");
    }
    // A failure that the visitor can do something about is a page, with the same as a link.
    let led = scene.begin(&ticket_link(CALL)).await;
    scene.visitor.open(&led.back("CODE")).await;
    let page = Page::read(&scene.visitor.open(&led.back("CODE")).await);
    assert!(page.status == 400 && !page.has_form() && !page.goes_on_by_itself(), "{}", page.html);
    let [again, back] = &page.links()[..] else { panic!("two links: {}", page.html) };
    assert!(back.starts_with(&format!("{CALL}?error=invalid_request&")) && back.ends_with("&state=s%261"), "{back}");
    let ticket = ticket_in(&scene.log_in(again, "again").await);
    let visitor = visitor_in(&scene.server.get(&target("test", &ticket)).await, &scene.api_key);
    assert_eq!((&visitor["openid"], &visitor["state"]), (&"o-again".into(), &"s&1".into()));
}
