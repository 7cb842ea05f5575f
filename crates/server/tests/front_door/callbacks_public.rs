//! Callbacks on a public server: WeChat's signature is all that is needed, but only allowed hosts are called.

use crate::harness::backend::{Backend, Does};
use crate::harness::caller::{Caller, encoded};
use crate::harness::databases::Database;
use crate::harness::fake_wechat::FakeWechat;
use crate::harness::server::{ADMIN, Flags, Running};
use crate::harness::wechat_pushes::{Push, Pusher, TOKEN, callback_url, now, signature, text};

/// A public server whose public URL is that of a backend, so that what is allowed without being named can be called.
struct Public {
    own: Backend,
    other: Backend,
    server: Running,
    operator: Caller,
    _around: (FakeWechat, Database),
}

impl Public {
    async fn start() -> Self {
        let (own, other) = (Backend::start().await, Backend::start().await);
        let (wechat, database) = (FakeWechat::start().await, Database::sqlite());
        let server = Running::start(&Flags::new(&database, &wechat.url).public().but("--public-url", &own.url)).await;
        let operator = server.bearer(ADMIN);
        operator.register_cold("test", &[("token", TOKEN)]).await;
        Self { own, other, server, operator, _around: (wechat, database) }
    }

    async fn bring(&self, calls: &[&str]) -> crate::harness::caller::Answer {
        push().to(&self.server, &callback_url("/app/test/msg", calls)).await
    }

    fn port_of_other(&self) -> &str {
        self.other.url.rsplit(':').next().unwrap()
    }
}

fn push() -> Push {
    Pusher::plain().push(&text("hi"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wechat_needs_no_key_but_its_signature() {
    let public = Public::start().await;
    public.own.always("/hook", Does::text("hi"));
    let answer = public.bring(&["/hook"]).await;
    assert!(answer.text().contains("<![CDATA[hi]]>"), "{}", answer.text());
    assert_eq!(public.own.calls("/hook"), 1);
    let url = callback_url("/app/test/msg/json", &["/hook"]);
    push().with("signature", &"0".repeat(40)).to(&public.server, &url).await.is_refusal(403, -10020);
    // Nor does a good key stand in for it.
    let push = push().without("signature");
    push.to(&public.operator, &url).await.is_refusal(403, -10020);
    assert_eq!(public.own.calls("/hook"), 1);

    let (at, nonce) = (now().to_string(), "1");
    let check =
        [("timestamp", &*at), ("nonce", nonce), ("echostr", "42"), ("signature", &signature(&[TOKEN, &at, nonce]))];
    let answer = public.server.get(&format!("{url}&{}", encoded(&check))).await;
    assert_eq!((answer.status, answer.text().as_str()), (200, "42"));

    public.server.get("/admin/messages").await.is_refusal(401, -10009);
    let id = public.own.only("/hook").header("webhook-id").to_owned();
    for target in [format!("/admin/messages/{id}"), "/admin/messages/msg_x".to_owned()] {
        public.server.get(&target).await.is_refusal(401, -10009);
    }
    public.server.post_form(&format!("/admin/messages/{id}/replay"), &[]).await.is_refusal(401, -10009);
    assert_eq!(public.operator.messages(&[]).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_allowed_hosts_are_called() {
    let public = Public::start().await;
    let port = public.port_of_other().to_owned();
    let own_port = public.own.url.rsplit(':').next().unwrap();
    let refused = [
        public.other.at("/x?password=HUSH"),
        format!("http://localhost:{own_port}/x"),
        format!("http://127.0.0.1:{own_port}@127.0.0.1:{port}/x"),
        format!("http://[::ffff:127.0.0.1]:{own_port}/x"),
        "http://169.254.169.254/latest/meta-data".to_owned(),
        "http://10.0.0.1/".to_owned(),
    ];
    for call in &refused {
        for calls in [&[call.as_str()][..], &["/hook", call]] {
            let refusal = public.bring(calls).await.is_refusal(403, -10023);
            let errmsg = refusal.errmsg();
            assert!(errmsg.contains("allow=") && !errmsg.contains("HUSH"), "{errmsg}");
        }
        // Also where whoever enters the URL sees it.
        let (at, nonce) = (now().to_string(), "1");
        let check =
            [("timestamp", &*at), ("nonce", nonce), ("echostr", "42"), ("signature", &signature(&[TOKEN, &at, nonce]))];
        let url = format!("{}&{}", callback_url("/app/test/msg", &[call]), encoded(&check));
        public.server.get(&url).await.is_refusal(403, -10023);
    }
    assert_eq!(public.own.all_calls() + public.other.all_calls(), 0);
    assert!(public.operator.messages(&[]).await.is_empty());

    // A relative path, and the public URL's own host.
    assert_eq!(public.bring(&["/relative?a=1", &public.own.at("/whole")]).await.status, 200);
    assert_eq!((public.own.calls("/relative"), public.own.calls("/whole")), (1, 1));
    // Allowed with its port, then all ports, then no more.
    public.operator.register_cold("test", &[("allow", &format!("127.0.0.1:{port}")), ("allow", "*.example.com")]).await;
    assert_eq!(public.bring(&[&public.other.at("/allowed")]).await.status, 200);
    public.bring(&["http://127.0.0.1:1/"]).await.is_refusal(403, -10023);
    public.bring(&["http://example.com/"]).await.is_refusal(403, -10023);
    public.operator.register_cold("test", &[("allow", "127.0.0.1")]).await;
    assert_eq!(public.bring(&[&public.other.at("/allowed")]).await.status, 200);
    public.operator.register_cold("test", &[("allow", "")]).await;
    public.bring(&[&public.other.at("/allowed")]).await.is_refusal(403, -10023);
    assert_eq!(public.other.calls("/allowed"), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn registered_backends_are_called_when_none_is_named_and_need_no_allowance() {
    let public = Public::start().await;
    public.bring(&[]).await.is_refusal(400, -10022);
    let calls =
        [("msg_call", &*public.other.at("/one")), ("msg_call", "/two"), ("msg_call", &public.other.at("/three"))];
    public.operator.register_cold("test", &calls).await;
    public.own.always("/two", Does::text("two"));
    public.other.always("/three", Does::text("three"));
    let answer = public.bring(&[]).await;
    assert!(answer.text().contains("<![CDATA[two]]>"), "in their order: {}", answer.text());
    assert_eq!([public.other.calls("/one"), public.own.calls("/two"), public.other.calls("/three")], [1, 1, 1]);
    // What the request names is called instead, and must be allowed.
    assert_eq!(public.bring(&["/named"]).await.text(), "success");
    public.bring(&[&public.other.at("/one")]).await.is_refusal(403, -10023);
    assert_eq!([public.other.calls("/one"), public.own.calls("/two"), public.own.calls("/named")], [1, 1, 1]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registration_may_be_kept_from_callbacks() {
    let public = Public::start().await;
    public.operator.register_cold("test", &[("call", "/api")]).await;
    public.bring(&["/hook"]).await.is_refusal(403, -10011);
    let url = callback_url("/app/test/msg/json", &["/hook"]);
    push().to(&public.server, &url).await.is_refusal(403, -10011);
    public.operator.register_cold("test", &[("call", "/msg/json")]).await;
    public.bring(&["/hook"]).await.is_refusal(403, -10011);
    assert_eq!(push().to(&public.server, &url).await.status, 200);
    public.operator.register_cold("test", &[("call", "/msg")]).await;
    assert_eq!(public.bring(&["/hook"]).await.status, 200);
    assert_eq!(push().to(&public.server, &url).await.status, 200);
    assert_eq!(public.own.calls("/hook"), 3);
}
