//! Chapter fifteen: a database that an older version left is upgraded, and keeps what it holds.

use sea_orm::ConnectionTrait;
use secrecy::{ExposeSecret, SecretString};
use store::{ApiUse, NewValue, Store, fingerprint};

use crate::engines::{Fresh, NOW, app};

/// Takes away what the fifth migration added, `whole` or all but the column.
async fn before_the_fifth(fresh: &Fresh, whole: bool) {
    let beside = fresh.beside().await;
    let mut statements = vec!["DROP TABLE api_usage", "DELETE FROM seaql_migrations WHERE version LIKE 'm0005%'"];
    if whole {
        // SQLite wants the index gone first; MySQL names the table, and lets the index go with its only column.
        if beside.get_database_backend() != sea_orm::DbBackend::MySql {
            statements.push("DROP INDEX credentials_fingerprint");
        }
        statements.push("ALTER TABLE credentials DROP COLUMN fingerprint");
    }
    // The settings of a registration, as the version before wrote them.
    statements.push(r"UPDATE apps SET settings = '{}'");
    for statement in statements {
        beside.execute_unprepared(statement).await.unwrap();
    }
}

async fn with_a_token(fresh: &Fresh) -> Store {
    let store = fresh.open().await;
    store.insert_app(&app("test", "wx1")).await.unwrap();
    renew(&store, 0, "before").await;
    store
}

async fn renew(store: &Store, version: i64, text: &str) {
    assert!(store.claim_credential("token:wx1", "wx1", "a", version, NOW, NOW).await.unwrap());
    let value = SecretString::from(text);
    let new = NewValue { value, issued_at: NOW, expires_at: NOW, refresh_at: NOW, forced_at: None };
    assert!(store.complete_credential("token:wx1", "a", &new).await.unwrap());
}

/// All that the fifth migration is for works, and what was there is there.
async fn is_upgraded(store: &Store) {
    let credential = store.credential("token:wx1").await.unwrap().unwrap();
    assert_eq!(credential.value.unwrap().expose_secret(), "before");
    assert_eq!(store.app("test").await.unwrap().unwrap().settings.tokens_revoked_at, None);
    let found = async |text: &str| store.credential_with_fingerprint(fingerprint(&text.into())).await.unwrap();
    renew(store, credential.version, "after").await;
    assert_eq!((found("before").await, found("after").await.as_deref()), (None, Some("token:wx1")));

    let used = ApiUse { day: 1, key: "test".into(), api: "/a".into(), calls: 1, refused: 0 };
    store.add_api_usage(std::slice::from_ref(&used)).await.unwrap();
    assert_eq!(store.api_usage(1, 1, Some("test"), 9).await.unwrap(), [used]);
}

pub(crate) async fn a_database_from_before_the_counts_of_calls_is_upgraded(fresh: &Fresh) {
    with_a_token(fresh).await.close().await;
    before_the_fifth(fresh, true).await;
    // Several nodes of the new version at once.
    let (here, there, _) = futures::join!(fresh.open(), fresh.open(), fresh.open());
    let found = there.credential_with_fingerprint(fingerprint(&"before".into())).await.unwrap();
    assert_eq!(found, None, "the version before wrote no fingerprint");
    is_upgraded(&here).await;
}

pub(crate) async fn an_upgrade_that_ended_half_way_is_finished(fresh: &Fresh) {
    with_a_token(fresh).await.close().await;
    before_the_fifth(fresh, false).await;
    is_upgraded(&fresh.open().await).await;
}
