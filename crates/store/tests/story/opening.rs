//! Chapter one: nodes start.

use futures::future::join_all;
use sea_orm::{ActiveValue::Set, ConnectionTrait, EntityTrait};
use sea_orm_migration::seaql_migrations;
use secrecy::ExposeSecret;
use store::{DatabaseUrl, Keyring, Store, StoreError};

use crate::engines::{Fresh, NOW, app};

pub(crate) async fn several_nodes_start_at_once(fresh: &Fresh) {
    let nodes = join_all((0..6).map(|_| fresh.open())).await;
    for (number, node) in nodes.iter().enumerate() {
        assert!(node.insert_app(&app(&format!("node{number}"), "wx1")).await.unwrap());
    }
    assert_eq!(nodes[0].count_apps().await.unwrap(), 6);
    // And once more, when there is nothing left to do.
    fresh.open().await;
}

pub(crate) async fn another_master_key_is_refused_and_nothing_is_written(fresh: &Fresh) {
    let store = fresh.open().await;
    store.insert_app(&app("test", "wx1")).await.unwrap();
    store.close().await;
    let before = rows(fresh).await;

    let error = fresh.open_with(Keyring::generate([8; 32])).await.unwrap_err();
    assert!(matches!(error, StoreError::WrongMasterKey { .. }), "{error}");
    assert!(error.to_string().contains("--master-key"), "{error}");

    assert_eq!(rows(fresh).await, before);
    assert!(fresh.open().await.app("test").await.unwrap().is_some());
}

pub(crate) async fn two_new_keys_at_once_and_one_wins(fresh: &Fresh) {
    let opened = join_all((0..6).map(|node| fresh.open_with(Keyring::generate([node; 32])))).await;
    let refused = opened.iter().filter(|o| matches!(o, Err(StoreError::WrongMasterKey { .. }))).count();
    assert_eq!((opened.iter().filter(|o| o.is_ok()).count(), refused), (1, 5), "{opened:?}");
}

pub(crate) async fn keys_rotate(fresh: &Fresh) {
    let (old, new) = (Keyring::generate([1; 32]).to_file_text(), Keyring::generate([2; 32]).to_file_text());
    let store = fresh.open_with(Keyring::read(&old).unwrap()).await.unwrap();
    store.insert_app(&app("before", "wx1")).await.unwrap();

    let both = format!("{}{}", new.as_str(), old.as_str());
    let store = fresh.open_with(Keyring::read(&both).unwrap()).await.unwrap();
    store.insert_app(&app("after", "wx1")).await.unwrap();
    let before = store.app("before").await.unwrap().unwrap();
    assert_eq!(before.secrets.secret.expose_secret(), "plain-app-secret");
    assert!(store.update_app(&before).await.unwrap(), "which seals it under the new key");

    let store = fresh.open_with(Keyring::read(&new).unwrap()).await.unwrap();
    assert_eq!(store.apps(None, 10).await.unwrap().len(), 2);
    let store = fresh.open_with(Keyring::read(&old).unwrap()).await.unwrap();
    assert!(matches!(store.app("after").await, Err(StoreError::WrongMasterKey { .. })));
}

pub(crate) async fn a_newer_schema_is_left_alone(fresh: &Fresh) {
    fresh.open().await;
    let future = seaql_migrations::ActiveModel { version: Set("m9999_from_the_future".into()), applied_at: Set(0) };
    let beside = fresh.beside().await;
    seaql_migrations::Entity::insert(future).exec_without_returning(&beside).await.unwrap();
    let before = rows(fresh).await;

    let error = fresh.open_with(Keyring::generate([7; 32])).await.unwrap_err();
    assert_eq!(error, StoreError::NewerSchema { migration: "m9999_from_the_future".into() });
    assert_eq!(rows(fresh).await, before);
}

pub(crate) async fn what_is_wrong_with_a_server_is_said(fresh: &Fresh) {
    if fresh.is_sqlite() {
        return; // Its own test: sqlite_file.rs.
    }
    let error = async |text: &str| {
        let url = DatabaseUrl::parse(text).unwrap();
        Store::open(&url, Keyring::generate([7; 32]), NOW).await.unwrap_err().to_string()
    };
    let missing = error(&format!("{}_missing", fresh.text)).await;
    assert!(missing.contains("create the database first"), "{missing}");
    let (user, host) = fresh.text.rsplit_once('@').unwrap();
    let wrong = error(&format!("{user}s3cret@{host}")).await;
    assert!(wrong.contains("check user and password"), "{wrong}");
    assert!(!wrong.contains("s3cret"), "{wrong}");
}

pub(crate) async fn settings_and_health(fresh: &Fresh) {
    let store = fresh.open().await;
    store.ping().await.unwrap();
    store.check_writable(NOW).await.unwrap();
    store.check_writable(NOW).await.unwrap();

    assert_eq!(store.setting("admin_token_hash").await.unwrap(), None);
    let writers = (0..5).map(|node| {
        let store = store.clone();
        async move { store.insert_setting("admin_token_hash", &format!("🔑{node}")).await.unwrap() }
    });
    let won: Vec<bool> = join_all(writers).await;
    assert_eq!(won.iter().filter(|won| **won).count(), 1);
    let winner = won.iter().position(|won| *won).unwrap();
    assert_eq!(store.setting("admin_token_hash").await.unwrap(), Some(format!("🔑{winner}")));
    store.put_setting("admin_token_hash", "replaced").await.unwrap();
    assert_eq!(store.setting("admin_token_hash").await.unwrap().as_deref(), Some("replaced"));
    assert_eq!(store.setting("ADMIN_TOKEN_HASH").await.unwrap(), None);

    let long = "x".repeat(store::MAX_SETTING_NAME_BYTES + 1);
    assert!(matches!(store.put_setting(&long, "").await, Err(StoreError::TooLong { .. })));
    store.close().await;
    assert!(matches!(store.ping().await, Err(StoreError::Unavailable { .. })));
}

/// How many rows the tables have.
async fn rows(fresh: &Fresh) -> Vec<i64> {
    let beside = fresh.beside().await;
    let mut counts = Vec::new();
    for table in ["apps", "credentials", "changes", "master_keys", "server_settings", "seaql_migrations"] {
        let sql = format!("SELECT COUNT(*) AS n FROM {table}");
        let statement = sea_orm::Statement::from_string(beside.get_database_backend(), sql);
        counts.push(beside.query_one_raw(statement).await.unwrap().unwrap().try_get("", "n").unwrap());
    }
    counts
}
