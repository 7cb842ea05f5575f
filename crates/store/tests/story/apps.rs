//! Chapter two: teams register.

use std::time::Duration;

use futures::future::join_all;
use sea_orm::ConnectionTrait;
use secrecy::{ExposeSecret, SecretString};
use store::{App, MAX_KEY_BYTES, PayVersion, PreviousKey, Secrets, Settings, StoreError, TokenMode};

use crate::engines::{Fresh, NOW, app};

pub(crate) async fn keys_are_told_apart_byte_by_byte(fresh: &Fresh) {
    let store = fresh.open().await;
    let keys = [
        "test",
        "Test",
        "TEST",
        "test ",
        " test",
        "test\0",
        "tést",
        "te\u{301}st",
        "e",
        "é",
        "ß",
        "ss",
        "测试",
        "測試",
        "🐼",
        "🐻",
        "ａ",
        "a",
        "%",
        "_",
        "'",
        "\\",
        "\"",
    ];
    for key in keys {
        let mut one = app(key, "wx1");
        one.settings.mch_id = Some(key.into());
        assert!(store.insert_app(&one).await.unwrap(), "{key:?}");
        assert!(!store.insert_app(&one).await.unwrap(), "{key:?} again");
    }
    let longest = "🐼".repeat(MAX_KEY_BYTES / 4);
    assert!(store.insert_app(&app(&longest, "wx2")).await.unwrap());
    assert!(matches!(store.insert_app(&app(&format!("{longest}x"), "wx2")).await, Err(StoreError::TooLong { .. })));

    for key in keys {
        let one = store.app(key).await.unwrap().unwrap();
        assert_eq!((one.key.as_str(), one.settings.mch_id.as_deref()), (key, Some(key)));
    }
    assert!(store.app("tEST").await.unwrap().is_none());
    assert_eq!(store.count_apps().await.unwrap(), keys.len() as u64 + 1);

    let mut expected: Vec<&str> = keys.to_vec();
    expected.push(&longest);
    expected.sort_unstable();
    let (mut listed, mut after) = (Vec::new(), None);
    loop {
        let page = store.apps(after.as_deref(), 5).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.key.clone());
        listed.extend(page.into_iter().map(|one| one.key));
    }
    assert_eq!(listed, expected);

    assert!(store.remove_app("test ", NOW).await.unwrap().is_some());
    assert!(store.remove_app("test ", NOW).await.unwrap().is_none());
    assert!(store.app("test").await.unwrap().is_some());
    assert_eq!(store.apps_of("wx1").await.unwrap().len(), keys.len() - 1);
    assert_eq!(store.apps_of("WX1").await.unwrap().len(), 0);
}

pub(crate) async fn everything_comes_back_as_it_was_stored(fresh: &Fresh) {
    let store = fresh.open().await;
    let certificate = "MII证书🔐\n".repeat(5000);
    assert!(certificate.len() > 65_536);
    let hidden = |text: &str| Some(SecretString::from(text));
    let stored = App {
        settings: Settings {
            token_mode: TokenMode::Classic,
            mch_id: Some("1900000001".into()),
            server_ip: Some("::1".into()),
            mch_serial: Some("5F".into()),
            pay_key_id: Some("PUB_KEY_ID".into()),
            pay_public_key: Some(certificate.clone()),
            pay: Some(PayVersion::V2),
            call: vec!["/api".into(), "/日\0本".into()],
            allow: vec!["*.example.com".into()],
            msg_call: vec!["http://127.0.0.1/😀?a=1&b='\"\\".into()],
            pay_call: vec!["/paid".into(), "https://shop.example.com/付款".into()],
            web_appid: Some("wxweb".into()),
            agentid: Some("1000002".into()),
            verify: vec!["MP_verify_a.txt:a".into(), "WW_verify_b.txt:b:c".into()],
            tokens_revoked_at: Some(NOW.as_millis()),
        },
        secrets: Secrets {
            secret: SecretString::from("secret 🐼"),
            token: hidden("token"),
            aes: hidden("aes"),
            mch_key: hidden("mch key"),
            mch_private_key: hidden(&certificate),
            apiv3_key: hidden("v3"),
            mch_cert: hidden(&certificate),
            web_secret: hidden("web secret"),
            api_key: SecretString::from("api key"),
            previous_api_keys: vec![PreviousKey { key: SecretString::from("old"), good_until: NOW }],
        },
        secret_checked_at: Some(NOW + Duration::from_millis(1)),
        expires_at: Some(NOW + Duration::from_secs(1 << 33)),
        updated_at: NOW + Duration::from_millis(2),
        ..app("🐼", "wx1")
    };
    assert!(store.insert_app(&stored).await.unwrap());
    let read = store.app("🐼").await.unwrap().unwrap();
    assert_eq!(read.settings, stored.settings);
    assert_eq!(shown(&read.secrets), shown(&stored.secrets));
    assert_eq!(format!("{read:?}"), format!("{stored:?}"));
    assert!(!format!("{read:?}").contains("api key"));

    if let Some(path) = fresh.url.sqlite_path() {
        let mut bytes = std::fs::read(path).unwrap();
        bytes.extend(std::fs::read(path.with_extension("db-wal")).unwrap());
        for secret in ["secret 🐼", "证书🔐".repeat(2).as_str(), "mch key", "web secret", "api key"] {
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "{secret} is in the file");
        }
        assert!(bytes.windows(10).any(|window| window == b"1900000001"), "what is no secret is there");
    }
}

pub(crate) async fn the_second_of_two_updates_is_refused(fresh: &Fresh) {
    let (node_a, node_b) = (fresh.open().await, fresh.open().await);
    node_a.insert_app(&app("test", "wx1")).await.unwrap();
    let mut seen_by_a = node_a.app("test").await.unwrap().unwrap();
    let mut seen_by_b = node_b.app("test").await.unwrap().unwrap();
    seen_by_a.settings.mch_id = Some("a".into());
    seen_by_b.settings.server_ip = Some("b".into());
    assert!(node_a.update_app(&seen_by_a).await.unwrap());
    assert!(!node_b.update_app(&seen_by_b).await.unwrap());

    let mut again = node_b.app("test").await.unwrap().unwrap();
    assert_eq!(again.revision, 2);
    again.settings.server_ip = Some("b".into());
    assert!(node_b.update_app(&again).await.unwrap());
    let settings = node_a.app("test").await.unwrap().unwrap().settings;
    assert_eq!((settings.mch_id.as_deref(), settings.server_ip.as_deref()), (Some("a"), Some("b")));
    assert!(!node_b.update_app(&app("never stored", "wx1")).await.unwrap());

    // Twenty at once from two nodes: each counts once.
    let merges = (0..20).map(|number| {
        let store = if number % 2 == 0 { node_a.clone() } else { node_b.clone() };
        async move {
            loop {
                let mut seen = store.app("test").await.unwrap().unwrap();
                seen.settings.allow.push(number.to_string());
                if store.update_app(&seen).await.unwrap() {
                    break;
                }
            }
        }
    });
    join_all(merges).await;
    let last = node_a.app("test").await.unwrap().unwrap();
    assert_eq!((last.settings.allow.len(), last.revision), (20, 23));
}

pub(crate) async fn several_are_updated_all_or_none(fresh: &Fresh) {
    let store = fresh.open().await;
    for key in ["a", "b", "c"] {
        store.insert_app(&app(key, "wx1")).await.unwrap();
    }
    let mut apps = store.apps_of("wx1").await.unwrap();
    for one in &mut apps {
        one.settings.mch_id = Some("new".into());
    }
    assert!(store.update_app(&apps[2]).await.unwrap());
    assert!(!store.update_apps(&apps).await.unwrap(), "c has another revision by now");
    assert_eq!(store.app("a").await.unwrap().unwrap().settings.mch_id, None);
    apps[2].revision += 1;
    assert!(store.update_apps(&apps).await.unwrap());
    assert!(store.apps_of("wx1").await.unwrap().iter().all(|one| one.settings.mch_id.as_deref() == Some("new")));
}

pub(crate) async fn the_same_key_is_registered_once(fresh: &Fresh) {
    let nodes = [fresh.open().await, fresh.open().await];
    let tries = (0..20).map(|number| {
        let store = nodes[number % 2].clone();
        async move { store.insert_app(&app("test", &format!("wx{number}"))).await.unwrap() }
    });
    assert_eq!(join_all(tries).await.into_iter().filter(|won| *won).count(), 1);
}

pub(crate) async fn registrations_expire(fresh: &Fresh) {
    let store = fresh.open().await;
    for (key, seconds) in [("at once", Some(0)), ("soon", Some(10)), ("later", Some(20)), ("never", None)] {
        let expires_at = seconds.map(|seconds| NOW + Duration::from_secs(seconds));
        store.insert_app(&App { expires_at, ..app(key, "wx1") }).await.unwrap();
    }
    let removed = store.remove_expired_apps(NOW + Duration::from_secs(10)).await.unwrap();
    assert_eq!(removed.into_iter().map(|removed| removed.key).collect::<Vec<_>>(), ["at once", "soon"]);
    assert!(store.remove_expired_apps(NOW + Duration::from_secs(10)).await.unwrap().is_empty());
    assert_eq!(store.count_apps().await.unwrap(), 2);
}

pub(crate) async fn values_do_not_open_in_another_row(fresh: &Fresh) {
    let store = fresh.open().await;
    store.insert_app(&app("a", "wx1")).await.unwrap();
    store.insert_app(&app("b", "wx1")).await.unwrap();
    let beside = fresh.beside().await;
    let swap = if fresh.is_sqlite() || beside.get_database_backend() == sea_orm::DbBackend::Postgres {
        "UPDATE apps SET secrets = (SELECT secrets FROM apps WHERE revision = 1 ORDER BY key LIMIT 1)"
    } else {
        "UPDATE apps, (SELECT secrets FROM apps ORDER BY `key` LIMIT 1) AS first SET apps.secrets = first.secrets"
    };
    beside.execute_unprepared(swap).await.unwrap();
    assert!(store.app("a").await.unwrap().is_some());
    let error = store.app("b").await.unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
    assert!(error.to_string().contains("apps.secrets of \"b\""), "{error}");
}

fn shown(secrets: &Secrets) -> Vec<String> {
    let previous = secrets.previous_api_keys.first();
    let optional = [
        &secrets.token,
        &secrets.aes,
        &secrets.mch_key,
        &secrets.mch_private_key,
        &secrets.apiv3_key,
        &secrets.mch_cert,
        &secrets.web_secret,
    ];
    let all = [&secrets.secret, &secrets.api_key].into_iter().chain(optional.into_iter().flatten());
    let all = all.chain(previous.map(|previous| &previous.key));
    let mut shown: Vec<String> = all.map(|secret| secret.expose_secret().to_owned()).collect();
    shown.extend(previous.map(|previous| format!("{:?}", previous.good_until)));
    shown
}

pub(crate) async fn files_are_found_by_name_and_go_with_their_registration(fresh: &Fresh) {
    let store = fresh.open().await;
    let with = |key: &str, files: &[&str]| {
        let mut app = app(key, "wx1");
        app.settings.verify = files.iter().map(|file| (*file).to_owned()).collect();
        app
    };
    let file =
        async |name: &str| store.verify_file(name).await.unwrap().map(|content| String::from_utf8(content).unwrap());
    assert!(store.insert_app(&with("b", &["MP_verify_1.txt:one", "WW_verify_2.txt:two:2"])).await.unwrap());
    assert!(store.insert_app(&with("a", &["WW_verify_2.txt:of a"])).await.unwrap());
    assert_eq!(file("MP_verify_1.txt").await.as_deref(), Some("one"));
    assert_eq!(file("mp_verify_1.txt").await, None);
    assert_eq!(file("WW_verify_2.txt").await.as_deref(), Some("of a"));
    store.remove_app("a", NOW).await.unwrap();
    assert_eq!(file("WW_verify_2.txt").await.as_deref(), Some("two:2"));
    assert!(store.update_app(&with("b", &["MP_verify_3.txt:three"])).await.unwrap());
    assert_eq!(file("WW_verify_2.txt").await, None);
    assert_eq!(file("MP_verify_3.txt").await.as_deref(), Some("three"));
}
