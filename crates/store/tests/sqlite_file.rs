//! What happens to a database that is a file: where it is, who may read it, and what is in its way.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::time::Duration;

use sea_orm::{ConnectionTrait, Database, TransactionTrait};
use store::{DatabaseUrl, Keyring, Store, StoreError, Timestamp};

const NOW: Timestamp = Timestamp::from_seconds(1_700_000_000);

async fn open(path: &Path) -> Result<Store, StoreError> {
    let url = DatabaseUrl::parse(&format!("sqlite://{}", path.display())).unwrap();
    Store::open(&url, Keyring::generate([7; 32]), NOW).await
}

#[cfg(unix)]
#[tokio::test]
async fn only_its_owner_can_read_it() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir.path().join("a.db")).await.unwrap();
    store.check_writable(NOW).await.unwrap();
    let mut names = Vec::new();
    for entry in std::fs::read_dir(dir.path()).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{:?}", entry.file_name());
        names.push(entry.file_name().into_string().unwrap());
    }
    names.sort();
    assert_eq!(names, ["a.db", "a.db-shm", "a.db-wal"]);
    store.close().await;
    assert!(!dir.path().join("a.db-wal").exists(), "closing leaves one file");
}

#[tokio::test]
async fn its_name_may_hold_anything() {
    let dir = tempfile::tempdir().unwrap();
    open(&dir.path().join("a b%3F%23测试 %25.db")).await.unwrap();
    assert!(dir.path().join("a b?#测试 %.db").exists());
}

#[tokio::test]
async fn another_file_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("notes.txt");
    let text = "Not a database, but long enough to have a header of a hundred bytes. ".repeat(20);
    std::fs::write(&path, &text).unwrap();
    let error = open(&path).await.unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
}

#[tokio::test]
async fn a_missing_folder_is_named() {
    let dir = tempfile::tempdir().unwrap();
    for path in [dir.path().join("missing/a.db"), dir.path().to_path_buf()] {
        let error = open(&path).await.unwrap_err();
        assert!(matches!(error, StoreError::Unavailable { .. }), "{error}");
    }
    let error = open(&dir.path().join("missing/a.db")).await.unwrap_err();
    assert!(error.to_string().contains("missing/a.db"), "{error}");
}

#[tokio::test]
async fn a_write_waits_for_another_process() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.db");
    let store = open(&path).await.unwrap();
    let beside = Database::connect(format!("sqlite://{}", path.display())).await.unwrap();
    let transaction = beside.begin().await.unwrap();
    transaction.execute_unprepared("DELETE FROM server_settings").await.unwrap();

    let write = store.put_setting("name", "value");
    let release = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert!(store.setting("name").await.unwrap().is_none(), "readers wait for nobody");
        transaction.commit().await.unwrap();
    };
    let (written, ()) = tokio::join!(write, release);
    written.unwrap();
    assert!(store.setting("name").await.unwrap().is_some());
}

/// SQLite does not wait where a new file is switched to the write-ahead log: without the repetition one round in twenty
/// failed.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nodes_that_create_it_at_once_all_start() {
    let dir = tempfile::tempdir().unwrap();
    for round in 0..10 {
        let path = dir.path().join(format!("{round}.db"));
        let opened = futures::future::join_all((0..6).map(|_| open(&path))).await;
        for store in opened {
            store.unwrap().close().await;
        }
    }
}

#[tokio::test]
async fn a_process_that_is_killed_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir.path().join("a.db")).await.unwrap();
    store.put_setting("name", "value").await.unwrap();
    // What a killed process leaves: the files as they are now, the log not yet merged.
    let left = tempfile::tempdir().unwrap();
    for name in ["a.db", "a.db-wal"] {
        std::fs::copy(dir.path().join(name), left.path().join(name)).unwrap();
    }
    let again = open(&left.path().join("a.db")).await.unwrap();
    assert_eq!(again.setting("name").await.unwrap().as_deref(), Some("value"));
}

#[tokio::test]
async fn a_test_may_keep_it_in_memory() {
    let url = DatabaseUrl::parse("sqlite://:memory:").unwrap();
    let one = Store::open(&url, Keyring::generate([7; 32]), NOW).await.unwrap();
    let other = Store::open(&url, Keyring::generate([8; 32]), NOW).await.unwrap();
    one.put_setting("name", "value").await.unwrap();
    assert_eq!(one.setting("name").await.unwrap().as_deref(), Some("value"));
    assert_eq!(other.setting("name").await.unwrap(), None);
}

#[cfg(unix)]
#[tokio::test]
async fn a_read_only_file_or_folder_is_said() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.db");
    open(&path).await.unwrap().close().await;
    let set = |file: u32, folder: u32| {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(file)).unwrap();
        std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(folder)).unwrap();
    };
    set(0o400, 0o700);
    if std::fs::OpenOptions::new().write(true).open(&path).is_ok() {
        return; // root writes everywhere
    }
    for (file, folder) in [(0o400, 0o700), (0o600, 0o500), (0o400, 0o500)] {
        set(file, folder);
        let error = open(&path).await.unwrap_err();
        assert!(error.to_string().contains("writable for this user"), "{file:o} {folder:o}: {error}");
    }
    set(0o600, 0o700);
    for beside in ["a.db-wal", "a.db-shm"] {
        let _ = std::fs::set_permissions(dir.path().join(beside), std::fs::Permissions::from_mode(0o600));
    }
    open(&path).await.unwrap();
}
