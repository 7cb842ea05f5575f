//! Databases: a SQLite file, or a new database on a test server whose URL is in the environment (`scripts/test`).

use std::path::PathBuf;

use sea_orm::{ConnectionTrait, Database as Connection, Statement};
use tempfile::TempDir;
use url::Url;

/// A database that nobody has used, and the master key beside it.
pub(crate) struct Database {
    pub(crate) url: String,
    folder: TempDir,
}

impl Database {
    pub(crate) fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("proxy.db").display());
        Self { url, folder }
    }

    pub(crate) async fn postgres() -> Option<Self> {
        Self::on_server("WECHAT_PROXY_TEST_POSTGRES", "postgres").await
    }

    pub(crate) async fn mariadb() -> Option<Self> {
        Self::on_server("WECHAT_PROXY_TEST_MYSQL", "mysql").await
    }

    /// On the server that `variable` names; `existing` is a database that is there already.
    async fn on_server(variable: &str, existing: &str) -> Option<Self> {
        let Ok(base) = std::env::var(variable) else {
            let all = std::env::var("WECHAT_PROXY_TEST_ALL").is_ok_and(|value| value == "1");
            assert!(!all, "{variable} is not set, and WECHAT_PROXY_TEST_ALL=1 wants every database: use scripts/test");
            eprintln!("\n*** SKIPPED: {variable} is not set, so this database was NOT tested. Use scripts/test. ***\n");
            return None;
        };
        let folder = tempfile::Builder::new().prefix("front_door_").rand_bytes(12).tempdir().unwrap();
        let name = folder.path().file_name().unwrap().to_str().unwrap().to_lowercase();
        let base = base.trim_end_matches('/');
        let admin = Connection::connect(format!("{base}/{existing}")).await.unwrap();
        admin.execute_unprepared(&format!("CREATE DATABASE {name}")).await.unwrap();
        admin.close().await.unwrap();
        let database = Self { url: format!("{base}/{name}"), folder };
        std::fs::write(database.master_key(), "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\n").unwrap();
        Some(database)
    }

    /// The file of the master key; for SQLite the server makes it.
    pub(crate) fn master_key(&self) -> PathBuf {
        self.folder.path().join("master.key")
    }

    /// Where the files are (SQLite), and room for others.
    pub(crate) fn folder(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    /// Host and port of the server.
    pub(crate) fn address(&self) -> String {
        let url = Url::parse(&self.url).unwrap();
        format!("{}:{}", url.host_str().unwrap(), url.port().unwrap())
    }

    /// The same database by another way.
    pub(crate) fn url_by(&self, port: u16) -> String {
        let mut url = Url::parse(&self.url).unwrap();
        url.set_port(Some(port)).unwrap();
        url.to_string()
    }

    /// How many rows a table has.
    pub(crate) async fn rows(&self, table: &str) -> i64 {
        let beside = Connection::connect(&self.url).await.unwrap();
        let sql = Statement::from_string(beside.get_database_backend(), format!("SELECT COUNT(*) FROM {table}"));
        let counted = beside.query_one_raw(sql).await.unwrap().unwrap().try_get_by_index(0).unwrap();
        beside.close().await.unwrap();
        counted
    }

    /// All bytes of a SQLite database: the file and those beside it.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut files: Vec<_> = std::fs::read_dir(self.folder.path()).unwrap().map(|entry| entry.unwrap()).collect();
        files.sort_by_key(std::fs::DirEntry::path);
        let database = files.iter().filter(|file| file.file_name().to_string_lossy().starts_with("proxy.db"));
        database.flat_map(|file| std::fs::read(file.path()).unwrap()).collect()
    }
}
