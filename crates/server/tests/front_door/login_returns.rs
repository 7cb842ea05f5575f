//! The way back from WeChat in the wrong hands, changed, late, or again: nobody becomes somebody else.

use std::time::Duration;

use crate::harness::browser::{Browser, Led, WECHAT};
use crate::harness::eventually;
use crate::harness::fake_wechat::{EXCHANGE, Reply};
use crate::harness::html::Page;
use crate::harness::login_scene::{CALL, LoginScene, link, plain_link};

/// Headings in Chinese and English.
const OTHER_BROWSER: [&str; 2] = ["请在同一个浏览器里登录", "Another browser than before"];
const ALTERED: [&str; 2] = ["登录链接不完整", "The login came back altered"];
const EXPIRED: [&str; 2] = ["登录超时", "That took too long"];
const SPENT: [&str; 2] = ["这次登录已经用过", "This login was used before"];
const DENIED: [&str; 2] = ["你取消了登录", "You did not log in"];

/// The page that this way back ends on, in both languages; WeChat is not asked.
async fn ends_on(scene: &LoginScene, browser: &Browser, target: &str, headings: [&str; 2]) -> Page {
    let calls = scene.wechat.calls(EXCHANGE);
    let english = Page::read(&browser.with("accept-language", "en").open(target).await);
    assert_eq!((english.status, english.heading()), (400, headings[1]), "{target}");
    assert_eq!(scene.wechat.calls(EXCHANGE), calls, "WeChat was asked: {target}");
    let page = Page::read(&browser.open(target).await);
    assert_eq!((page.status, page.heading(), page.lang().as_str()), (400, headings[0], "zh-CN"), "{target}");
    assert!(!page.goes_on_by_itself(), "a person decides what to do about it");
    assert_eq!(scene.wechat.calls(EXCHANGE), calls, "WeChat was asked: {target}");
    page
}

/// The page tells `call`, and its link leads to a login that works.
async fn can_be_mended(scene: &LoginScene, page: &Page) {
    assert_eq!(page.form().action, CALL);
    let told = scene.failure_in(page);
    assert_eq!((&told["error"], &told["state"]), (&"invalid_request".into(), &"s\"1".into()));
    assert_eq!(told["origin"], "https://shop.example.com");
    assert!(told["error_description"].as_str().unwrap().len() > 20 && !told.contains_key("openid"), "{told:?}");
    can_begin_anew(scene, page).await;
}

/// The page tells `call` nothing, because somebody else may have chosen it; its link leads to a login that works.
async fn stays_here(scene: &LoginScene, page: &Page) {
    assert!(!page.has_form(), "{}", page.html);
    can_begin_anew(scene, page).await;
}

/// The only link leads to a login that works, with the same state.
async fn can_begin_anew(scene: &LoginScene, page: &Page) {
    let [again] = &page.links()[..] else { panic!("one link: {}", page.html) };
    let visitor = scene.visitor_of(again, "again").await;
    assert_eq!((&visitor["openid"], &visitor["state"]), (&"o-again".into(), &"s\"1".into()));
}

fn usual_link() -> String {
    link("/auth", &[("call", CALL), ("state", "s\"1")])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_ends_only_in_the_browser_where_it_began() {
    let scene = LoginScene::public(&[("allow", "shop.example.com")]).await;
    // Somebody begins a login, agrees, and sends the way back to a victim.
    let led = scene.begin(&usual_link()).await;
    let victim = scene.another_visitor();
    let page = ends_on(&scene, &victim, &led.back("ATTACKER"), OTHER_BROWSER).await;
    stays_here(&scene, &page).await;
    victim.open(&plain_link("/auth")).await;
    ends_on(&scene, &victim, &led.back("ATTACKER"), OTHER_BROWSER).await;
    // The name of the cookie can be guessed, its value cannot; and under another name it proves nothing, because other
    // sites below the same domain could have set it.
    let (name, id) = (format!("__Host-wechat-proxy-login-{}", led.cookie_id()), led.cookie_id());
    let value = scene.visitor.cookies()[&name].clone();
    let with = |cookie: &str| Browser::new(&scene.server, WECHAT).with("cookie", cookie);
    for cookie in [
        format!("{name}="),
        format!("{name}=AAAAAAAAAAAAAAAAAAAAAA"),
        format!("{name}=\"{value}\""),
        format!("{name}={value}A"),
        format!("{name}={}", value.to_lowercase()),
        format!("wechat-proxy-login-{id}={value}"),
        format!("__Host-wechat-proxy-login-00000000={value}"),
        format!("__Host-wechat-proxy-login={value}"),
    ] {
        ends_on(&scene, &with(&cookie), &led.back("ATTACKER"), OTHER_BROWSER).await;
    }
    // It has not been used up by all this.
    let page = Page::read(&scene.visitor.open(&led.back("CODE")).await);
    assert_eq!(scene.verified(&page.form().body)["openid"], "o-CODE");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_way_back_that_was_changed_is_none() {
    let scene = LoginScene::local(&[]).await;
    scene.operator.register_cold("other", &[]).await;
    let led = scene.begin(&usual_link()).await;
    let trip = led.trip();
    let mut changed = vec![
        String::new(),
        "x".to_owned(),
        "=".to_owned(),
        "A".repeat(20_000),
        trip.get(1..).unwrap().to_owned(),
        format!("{trip}A"),
    ];
    // Every part of it: version, key, salt, what is sealed, the tag.
    for at in (0..trip.len()).step_by(trip.len() / 40).chain([trip.len() - 2]) {
        let to = if trip.as_bytes()[at] == b'A' { "B" } else { "A" };
        let mut one = trip.clone();
        one.replace_range(at..=at, to);
        changed.push(one);
    }
    for trip in &changed {
        let page = ends_on(&scene, &scene.visitor, &led.with_trip(trip).back("CODE"), ALTERED).await;
        assert!(page.links().is_empty() && !page.has_form(), "nothing of it is believed: {}", page.html);
    }
    // The trip of another registration, and of another path of the same.
    for other in ["/app/other/auth", "/app/test/auth/info", "/app/test/qyauth"] {
        let target = led.back("CODE").replace("/app/test/auth?", &format!("{other}?"));
        let page = ends_on(&scene, &scene.visitor, &target, ALTERED).await;
        assert!(page.links().is_empty() && !page.has_form());
    }
    // WeChat's part: state missing, changed, of another login; parameters twice.
    let other = scene.begin(&usual_link()).await;
    for parameters in [
        "code=CODE".to_owned(),
        "code=CODE&state=".to_owned(),
        format!("code=CODE&state={}", other.state),
        format!("code=CODE&state={}", led.state.to_uppercase()),
        format!("code=CODE&state={}&state={}", other.state, led.state),
        format!("code={}&state={}", "x".repeat(513), led.state),
    ] {
        let page = ends_on(&scene, &scene.visitor, &led.back_with(&parameters), ALTERED).await;
        stays_here(&scene, &page).await;
    }
    let refused = Page::read(&scene.visitor.open(&led.back_with("code=%ff&state=x")).await);
    assert_eq!(refused.status, 400);
    // Untouched, it is still good.
    assert_eq!(Page::read(&scene.visitor.open(&led.back("CODE")).await).status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_minutes_are_enough_and_more_are_too_many() {
    let scene = LoginScene::local(&[]).await;
    let (early, late) = (scene.begin(&usual_link()).await, scene.begin(&usual_link()).await);
    scene.clock.turn(Duration::from_secs(290));
    assert_eq!(Page::read(&scene.visitor.open(&early.back("CODE")).await).status, 200);
    scene.clock.turn(Duration::from_secs(11));
    let page = ends_on(&scene, &scene.visitor, &late.back("CODE"), EXPIRED).await;
    can_be_mended(&scene, &page).await;
    // What was used before its time was over is not good again after it.
    ends_on(&scene, &scene.visitor, &early.back("CODE"), EXPIRED).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_way_back_is_good_once_however_often_it_is_opened() {
    let scene = LoginScene::local(&[]).await;
    let led = scene.begin(&usual_link()).await;
    assert_eq!(Page::read(&scene.visitor.open(&led.back("CODE")).await).status, 200);
    // Reloaded; and by Back, with another code.
    for code in ["CODE", "OTHER"] {
        let page = ends_on(&scene, &scene.visitor, &led.back(code), SPENT).await;
        can_be_mended(&scene, &page).await;
    }
    // A browser that asks twice at once.
    for _ in 0..5 {
        let (led, calls) = (scene.begin(&usual_link()).await, scene.wechat.calls(EXCHANGE));
        let targets: Vec<String> = (0..8).map(|number| led.back(&format!("C{number}"))).collect();
        let answers = futures::future::join_all(targets.iter().map(|target| scene.visitor.open(target))).await;
        let pages: Vec<Page> = answers.iter().map(Page::read).collect();
        let (good, spent): (Vec<_>, Vec<_>) = pages.iter().partition(|page| page.status == 200);
        assert_eq!((good.len(), scene.wechat.calls(EXCHANGE) - calls), (1, 1), "one goes to WeChat");
        assert!(spent.iter().all(|page| page.heading() == SPENT[0]));
    }
    // Who only looks uses nothing up.
    let (led, calls) = (scene.begin(&usual_link()).await, scene.wechat.calls(EXCHANGE));
    let looked = scene.visitor.head(&led.back("CODE")).await;
    assert_eq!((looked.status, looked.body.len(), scene.wechat.calls(EXCHANGE)), (200, 0, calls));
    assert_eq!(Page::read(&scene.visitor.open(&led.back("CODE")).await).status, 200);
    // Two logins of one browser do not disturb each other.
    let (one, two) = (scene.begin(&usual_link()).await, scene.begin(&usual_link()).await);
    for (led, code) in [(two, "two"), (one, "one")] {
        let page = Page::read(&scene.visitor.open(&led.back(code)).await);
        assert_eq!(scene.verified(&page.form().body)["openid"], format!("o-{code}"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_says_no_is_asked_again_or_goes_back() {
    let scene = LoginScene::local(&[]).await;
    for (language, heading) in [("zh-CN", DENIED[0]), ("en", DENIED[1])] {
        let led = scene.begin(&usual_link()).await;
        let parameters = [format!("state={}", led.state), format!("code=&state={}", led.state)];
        for parameters in parameters {
            let visitor = scene.visitor.with("accept-language", language);
            let page = Page::read(&visitor.open(&led.back_with(&parameters)).await);
            assert_eq!((page.status, page.heading()), (200, heading));
            assert!(page.goes_on_by_itself(), "the site decides what to do without a login");
            let told = scene.failure_in(&page);
            assert_eq!((&told["error"], &told["state"]), (&"access_denied".into(), &"s\"1".into()));
            assert_eq!(scene.visitor_of(&page.links()[0], "again").await["openid"], "o-again");
        }
        // WeChat's page is still open behind it: agreeing after all is good.
        assert_eq!(Page::read(&scene.visitor.open(&led.back("CODE")).await).status, 200);
    }
    // Who has not begun it says no for nobody.
    let led = Led::read(&scene.another_visitor().open(&usual_link()).await);
    ends_on(&scene, &scene.visitor, &led.refused(), OTHER_BROWSER).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_asks_again_while_wechat_is_being_asked_gets_the_same_end() {
    let scene = LoginScene::local(&[]).await;
    eventually("the second request comes in time", async || {
        let (led, calls) = (scene.begin(&usual_link()).await, scene.wechat.calls(EXCHANGE));
        let (target, other) = (led.back("CODE"), led.back("OTHER"));
        scene.wechat.close_the_door();
        // The first connection breaks; the login does not.
        tokio::select! {
            answer = scene.visitor.open(&target) => panic!("nobody can have answered: {}", answer.text()),
            () = scene.wechat.has_received(EXCHANGE, calls + 1) => {}
        }
        let open = async {
            // Another code never joins; when this is answered, the others have most likely come.
            let page = Page::read(&scene.visitor.open(&other).await);
            assert_eq!((page.status, page.heading()), (400, SPENT[0]));
            scene.wechat.open_the_door();
        };
        let (second, third, ()) = tokio::join!(scene.visitor.open(&target), scene.visitor.open(&target), open);
        assert_eq!(scene.wechat.calls(EXCHANGE), calls + 1, "the code is shown once");
        let pages = [Page::read(&second), Page::read(&third)];
        let came_late = pages.iter().any(|page| page.status == 400);
        if !came_late {
            assert_eq!(pages[0].form().body, pages[1].form().body, "to the letter: a backend counts it once");
            assert_eq!(scene.verified(&pages[0].form().body)["openid"], "o-CODE");
        }
        ends_on(&scene, &scene.visitor, &target, SPENT).await;
        !came_late
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_brings_bad_codes_on_and_on_has_to_wait_and_other_failures_are_not_counted() {
    let scene = LoginScene::public(&[("allow", "shop.example.com")]).await;
    let from = |address: &str| scene.another_visitor().with("x-forwarded-for", address);
    let led = scene.begin(&usual_link()).await;
    for number in 0..700 {
        let trip = if number % 2 == 0 { led.with_trip("x") } else { led.clone() };
        assert_eq!(from("203.0.113.9").open(&trip.back("CODE")).await.status, 400);
    }
    // Many people share an address.
    scene.wechat.always(EXCHANGE, Reply::errcode(40029, "invalid code"));
    let bad = async |address: &str| {
        let visitor = from(address);
        let led = Led::read(&visitor.open(&usual_link()).await);
        visitor.open(&led.back("CODE")).await
    };
    for _ in 0..600 {
        assert_eq!(bad("203.0.113.9").await.status, 400);
    }
    let refused = bad("203.0.113.9").await;
    assert_eq!((refused.status, Page::read(&refused).heading()), (429, "现在不能登录"));
    assert!((1..=60).contains(&refused.header("retry-after").parse::<u32>().unwrap()));
    assert_eq!(scene.wechat.calls(EXCHANGE), 600);
    assert_eq!(bad("203.0.113.10").await.status, 400, "others are heard");
    scene.clock.turn(Duration::from_secs(61));
    assert_eq!(bad("203.0.113.9").await.status, 400);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_is_no_longer_allowed_gets_nobody() {
    let scene = LoginScene::public(&[("allow", "shop.example.com")]).await;
    let led = scene.begin(&usual_link()).await;
    scene.operator.register_cold("test", &[("allow", "other.example.com")]).await;
    let page = Page::read(&scene.visitor.open(&led.back("CODE")).await);
    assert_eq!((page.status, page.heading()), (403, "不能返回这个网站"));
    assert!(!page.has_form() && scene.wechat.calls(EXCHANGE) == 0, "{}", page.html);
}
