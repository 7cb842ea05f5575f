//! Where the database is.
//!
//! Parsed once, at the start; shown without password and parameters ever after.

use std::fmt;
use std::path::{Path, PathBuf};

use percent_encoding::percent_decode_str;
use secrecy::SecretString;
use url::Url;

use crate::StoreError;

/// A database URL that one of the drivers understands. `Debug` and `Display` leave out the password.
#[derive(Clone)]
pub struct DatabaseUrl {
    pub(crate) target: Target,
    shown: String,
}

#[derive(Clone)]
pub(crate) enum Target {
    SqliteFile(PathBuf),
    /// For tests: one connection, gone with the [`crate::Store`].
    SqliteMemory,
    Postgres(SecretString),
    /// MySQL and MariaDB.
    Mysql(SecretString),
}

const FORMS: &str =
    "write sqlite://FILE, postgres://USER:PASSWORD@HOST/DATABASE or mysql://USER:PASSWORD@HOST/DATABASE";

impl DatabaseUrl {
    /// Takes `sqlite://FILE` (`sqlite:///` for a path from the root, `sqlite://:memory:` for a test),
    /// `postgres://USER:PASSWORD@HOST:PORT/DATABASE`, `mysql://…` or `mariadb://…`; special characters
    /// percent-encoded.
    ///
    /// # Errors
    /// [`StoreError::BadUrl`], with the forms that are understood.
    pub fn parse(text: &str) -> Result<Self, StoreError> {
        if let Some(rest) = text.strip_prefix("sqlite:") {
            return sqlite(rest.strip_prefix("//").unwrap_or(rest));
        }
        // What the parser says about a broken URL could quote it, so its words stay here.
        let url = Url::parse(text).map_err(|_| StoreError::BadUrl(FORMS.into()))?;
        let target = match url.scheme() {
            "postgres" | "postgresql" => Target::Postgres(text.into()),
            "mysql" => Target::Mysql(text.into()),
            "mariadb" => Target::Mysql(text.replacen("mariadb", "mysql", 1).into()),
            other => return Err(StoreError::BadUrl(format!("{other}: is no database that is known here; {FORMS}"))),
        };
        if url.host_str().is_none_or(str::is_empty) {
            return Err(StoreError::BadUrl(format!("the host is missing; {FORMS}")));
        }
        if url.path().trim_matches('/').is_empty() {
            return Err(StoreError::BadUrl(format!("the name of the database is missing; {FORMS}")));
        }
        Ok(Self { target, shown: without_secrets(url) })
    }

    /// The file of a SQLite database; `None` for other databases.
    #[must_use]
    pub fn sqlite_path(&self) -> Option<&Path> {
        match &self.target {
            Target::SqliteFile(path) => Some(path),
            _ => None,
        }
    }

    /// True when several nodes can use it at once: PostgreSQL, MySQL, MariaDB.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        matches!(self.target, Target::Postgres(_) | Target::Mysql(_))
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn sqlite(name: &str) -> Result<DatabaseUrl, StoreError> {
    let shown = format!("sqlite://{name}");
    if name == ":memory:" {
        return Ok(DatabaseUrl { target: Target::SqliteMemory, shown });
    }
    if name.contains('?') {
        return Err(StoreError::BadUrl("sqlite:// takes no parameters; write a ? in a file's name as %3F".into()));
    }
    let name = percent_decode_str(name)
        .decode_utf8()
        .map_err(|_| StoreError::BadUrl("the file name is not UTF-8 after percent-decoding".into()))?;
    if name.is_empty() || name.contains('\0') {
        return Err(StoreError::BadUrl("the file name is missing: write sqlite://FILE".into()));
    }
    Ok(DatabaseUrl { target: Target::SqliteFile(PathBuf::from(name.as_ref())), shown })
}

fn without_secrets(mut url: Url) -> String {
    // Both refuse only URLs without a host.
    let _ = url.set_password(None);
    url.set_query(None);
    url.set_fragment(None);
    url.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_file() {
        let path = |text: &str| DatabaseUrl::parse(text).unwrap().sqlite_path().map(Path::to_path_buf);
        assert_eq!(path("sqlite://wechat-proxy.db"), Some("wechat-proxy.db".into()));
        assert_eq!(path("sqlite:wechat-proxy.db"), Some("wechat-proxy.db".into()));
        assert_eq!(path("sqlite:///var/lib/x/测试 1.db"), Some("/var/lib/x/测试 1.db".into()));
        assert_eq!(path("sqlite://a%20b%3F.db"), Some("a b?.db".into()));
        assert_eq!(path("sqlite://:memory:"), None);
        assert_eq!(path("postgres://u@h/d"), None);
    }

    #[test]
    fn never_shows_the_password() {
        for text in [
            "postgres://user:s3cret@db.example:5432/proxy?password=s3cret",
            "mysql://user:s3cret@db.example/proxy#s3cret",
            "mariadb://user:s3cret@db.example/proxy",
        ] {
            let url = DatabaseUrl::parse(text).unwrap();
            assert!(url.is_shared());
            assert!(!format!("{url} {url:?}").contains("s3cret"), "{url}");
            assert!(url.to_string().contains("user@db.example"), "{url}");
        }
    }

    #[test]
    fn says_what_is_wrong_without_quoting_it() {
        for text in [
            "",
            "wechat.db",
            "sqlite://",
            "sqlite://x.db?mode=ro",
            "redis://u:s3cret@h/0",
            "postgres://u:s3cret@host",
            "mysql:///s3cret",
            "postgres://u:s3cret@[/x",
        ] {
            let error = DatabaseUrl::parse(text).unwrap_err();
            assert!(matches!(error, StoreError::BadUrl(_)), "{text}: {error}");
            assert!(!error.to_string().contains("s3cret"), "{error}");
        }
    }
}
