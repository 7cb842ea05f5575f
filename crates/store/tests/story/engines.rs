//! The databases that the story runs on, a fresh one for each chapter.

use std::path::PathBuf;
use std::sync::Mutex;

use sea_orm::{ConnectionTrait, Database, DatabaseConnection};
use secrecy::SecretString;
use store::{App, DatabaseUrl, Keyring, Secrets, Settings, Store, Timestamp};

pub(crate) const NOW: Timestamp = Timestamp::from_seconds(1_700_000_000);

pub(crate) enum Engine {
    Sqlite(tempfile::TempDir),
    /// A server, and the databases that were created there.
    Server {
        base: String,
        admin: &'static str,
        created: Mutex<Vec<String>>,
    },
}

impl Engine {
    pub(crate) fn sqlite() -> Self {
        Self::Sqlite(tempfile::tempdir().unwrap())
    }

    /// The server that `variable` names; `admin` is a database that exists there.
    pub(crate) fn server(variable: &str, admin: &'static str) -> Option<Self> {
        match std::env::var(variable) {
            Ok(base) => {
                let base = base.trim_end_matches('/').to_owned();
                Some(Self::Server { base, admin, created: Mutex::default() })
            }
            Err(_) if std::env::var("WECHAT_PROXY_TEST_ALL").is_ok_and(|value| value == "1") => {
                panic!("{variable} is not set, and WECHAT_PROXY_TEST_ALL=1 wants every database: use scripts/test")
            }
            Err(_) => {
                eprintln!(
                    "\n*** SKIPPED: {variable} is not set, so this database was NOT tested. Use scripts/test. ***\n"
                );
                None
            }
        }
    }

    /// A database that nobody has used.
    pub(crate) async fn fresh(&self) -> Fresh {
        let name = unique_name();
        let text = match self {
            Self::Sqlite(dir) => format!("sqlite://{}/{name}.db", dir.path().display()),
            Self::Server { base, created, .. } => {
                self.admin().await.execute_unprepared(&format!("CREATE DATABASE {name}")).await.unwrap();
                created.lock().unwrap().push(name.clone());
                format!("{base}/{name}")
            }
        };
        Fresh { url: DatabaseUrl::parse(&text).unwrap(), text }
    }

    pub(crate) async fn clean(&self) {
        let Self::Server { created, .. } = self else { return };
        let admin = self.admin().await;
        let created = std::mem::take(&mut *created.lock().unwrap());
        for name in created {
            // Connections that are just being closed may still be in the way; the server is thrown away anyhow.
            let _ = admin.execute_unprepared(&format!("DROP DATABASE {name}")).await;
        }
    }

    async fn admin(&self) -> DatabaseConnection {
        let Self::Server { base, admin, .. } = self else { unreachable!("SQLite has no server") };
        Database::connect(format!("{base}/{admin}")).await.unwrap()
    }
}

fn unique_name() -> String {
    static COUNT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let count = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let random = PathBuf::from(tempfile::tempdir().unwrap().path().file_name().unwrap());
    let random: String = random.to_str().unwrap().to_lowercase().chars().filter(char::is_ascii_alphanumeric).collect();
    format!("story_{random}_{count}")
}

/// A fresh database.
pub(crate) struct Fresh {
    pub(crate) url: DatabaseUrl,
    pub(crate) text: String,
}

impl Fresh {
    /// Opens it as a node with the usual master key would.
    pub(crate) async fn open(&self) -> Store {
        self.open_with(Keyring::generate([7; 32])).await.unwrap()
    }

    pub(crate) async fn open_with(&self, ring: Keyring) -> Result<Store, store::StoreError> {
        Store::open(&self.url, ring, NOW).await
    }

    /// A connection beside the store, to look at its tables and to disturb them.
    pub(crate) async fn beside(&self) -> DatabaseConnection {
        Database::connect(self.text.clone()).await.unwrap()
    }

    pub(crate) fn is_sqlite(&self) -> bool {
        self.url.sqlite_path().is_some()
    }
}

/// A registration with nothing special about it.
pub(crate) fn app(key: &str, appid: &str) -> App {
    App {
        key: key.into(),
        appid: appid.into(),
        settings: Settings::default(),
        secrets: secrets("plain-app-secret"),
        secret_checked_at: None,
        expires_at: None,
        created_at: NOW,
        updated_at: NOW,
        revision: 1,
    }
}

pub(crate) fn secrets(secret: &str) -> Secrets {
    Secrets {
        secret: SecretString::from(secret),
        token: None,
        aes: None,
        mch_key: None,
        mch_private_key: None,
        apiv3_key: None,
        mch_cert: None,
        web_secret: None,
        api_key: SecretString::from("plain-api-key"),
        previous_api_keys: Vec::new(),
    }
}
