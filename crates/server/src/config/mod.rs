//! The configuration: texts from four layers become one [`Config`] that cannot be wrong, or a list of all problems.
//!
//! * [`layers`]: where the texts come from;
//! * [`master_key`]: reading or making the file with the master key.

pub mod layers;
pub mod master_key;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use engine::guard::Mode;
use engine::records::SHORTEST_RETENTION;
use engine::upstream::{Hosts, Roots};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use secrecy::SecretString;
use store::DatabaseUrl;
use url::Url;

use self::layers::{Layers, Problem};
use crate::cli::Options;
use crate::tls::{self, TlsFiles};

/// The exit code for a wrong configuration (`EX_USAGE` of sysexits.h).
pub const EXIT_CODE: u8 = 64;

/// WeChat Pay's own hosts: when no connection to the first comes about, the second is asked.
const PAY_HOST: &str = "api.mch.weixin.qq.com";
const PAY_BACKUP: &str = "https://api2.mch.weixin.qq.com";

/// The longest retention, in seconds: a hundred years.
const LONGEST_RETENTION: u64 = 100 * 366 * 24 * 3600;

/// A configuration without contradictions.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where to listen.
    pub listen: SocketAddr,
    /// The address that the world uses.
    pub public_url: Option<Url>,
    /// Who is let in, which follows from the two above and `--open`.
    pub mode: Mode,
    /// Where things are remembered.
    pub database: DatabaseUrl,
    /// The admin token, when it was given.
    pub admin_token: Option<SecretString>,
    /// The file with the master key.
    pub master_key: PathBuf,
    /// Certificate chain and private key.
    pub tls: Option<TlsFiles>,
    /// WeChat's hosts.
    pub hosts: Hosts,
    /// Authorities that may vouch for those hosts and for backends, besides the public ones.
    pub trusted: Vec<CertificateDer<'static>>,
    /// How long messages and their records are kept.
    pub retention: Duration,
    /// How to log; `None`: by where the log goes.
    pub log: Option<LogFormat>,
}

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines: one JSON object a line.
    Json,
}

impl Config {
    /// Reads the configuration.
    ///
    /// # Errors
    /// All problems, in the order of the options.
    pub fn read(options: &Options, environment: &dyn Fn(&str) -> Option<String>) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let layers = Layers::collect(options, environment, &mut problems);
        let mut reader = Reader { layers: &layers, problems: &mut problems };
        let listen = reader.listen();
        let public_url = reader.public_url();
        let open = reader.flag("open");
        let mode = listen.and_then(|listen| reader.mode(listen, open));
        let database = reader.database();
        let master_key = database.as_ref().and_then(|database| reader.master_key(database));
        let admin_token = layers.value("admin-token").map(SecretString::from);
        let tls = reader.tls();
        let hosts = reader.hosts();
        let trusted = reader.trusted();
        let retention = reader.retention();
        let log = reader.log();
        match (listen, mode, database, master_key, hosts) {
            (Some(listen), Some(mode), Some(database), Some(master_key), Some(hosts)) if problems.is_empty() => {
                Ok(Self {
                    listen,
                    public_url,
                    mode,
                    database,
                    admin_token,
                    master_key,
                    tls,
                    hosts,
                    trusted,
                    retention,
                    log,
                })
            }
            _ => Err(problems),
        }
    }
}

struct Reader<'a> {
    layers: &'a Layers,
    problems: &'a mut Vec<Problem>,
}

impl Reader<'_> {
    fn problem(&mut self, name: &str, what: &str) {
        self.problems.push(Problem(format!("{}: {what}", self.layers.place(name))));
    }

    fn listen(&mut self) -> Option<SocketAddr> {
        let text = self.layers.value("listen").unwrap_or_default().replacen("localhost:", "127.0.0.1:", 1);
        let address = text.parse().ok();
        if address.is_none() {
            self.problem("listen", "is an address and a port, like 127.0.0.1:8080, 0.0.0.0:80 or [::1]:8080");
        }
        address
    }

    fn flag(&mut self, name: &str) -> bool {
        match self.layers.value(name) {
            Some("true" | "1") => true,
            None | Some("false" | "0") => false,
            Some(_) => {
                self.problem(name, "is true or false");
                false
            }
        }
    }

    /// A base URL: scheme, host and perhaps a path.
    fn base_url(&mut self, name: &str) -> Option<Url> {
        let text = self.layers.value(name)?;
        let url = Url::parse(text).ok().filter(|url| {
            matches!(url.scheme(), "http" | "https")
                && url.host().is_some()
                && url.query().is_none()
                && url.fragment().is_none()
                && url.username().is_empty()
                && url.password().is_none()
        });
        if url.is_none() {
            self.problem(name, "is a URL like https://wx.example.com, without query, fragment, user and password");
        }
        url
    }

    /// Paths of this server begin at the root: WeChat compares them, cookies and files that prove a domain hang on it.
    fn public_url(&mut self) -> Option<Url> {
        let url = self.base_url("public-url")?;
        if url.path() == "/" {
            return Some(url);
        }
        self.problem(
            "public-url",
            "is an address without a path, like https://wx.example.com: give it a host of its own",
        );
        None
    }

    fn mode(&mut self, listen: SocketAddr, open: bool) -> Option<Mode> {
        let has_public_url = self.layers.value("public-url").is_some();
        match (listen.ip().is_loopback(), has_public_url, open) {
            (true, false, _) => Some(Mode::Local),
            (_, _, true) => Some(Mode::Open),
            (_, true, false) => Some(Mode::Public),
            (false, false, false) => {
                self.problem(
                    "listen",
                    "is reachable from other machines, so say how: --public-url https://the.address.of.this.server \
                     (callers then need keys), or --open for a network that is trusted as a whole",
                );
                None
            }
        }
    }

    fn database(&mut self) -> Option<DatabaseUrl> {
        match DatabaseUrl::parse(self.layers.value("database").unwrap_or_default()) {
            Ok(url) => {
                let folder = url.sqlite_path().and_then(Path::parent).filter(|folder| !folder.as_os_str().is_empty());
                if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
                    self.problem("database", &format!("the folder {} does not exist; make it first", folder.display()));
                }
                Some(url)
            }
            Err(error) => {
                self.problem("database", &error.to_string());
                None
            }
        }
    }

    fn master_key(&mut self, database: &DatabaseUrl) -> Option<PathBuf> {
        if let Some(file) = self.layers.value("master-key") {
            return Some(file.into());
        }
        if let Some(database) = database.sqlite_path() {
            return Some(database.with_file_name("wechat-proxy.key"));
        }
        self.problem(
            "master-key",
            "is needed with a shared database, the same file on every node; make it once with: \
             (umask 077; head -c 32 /dev/urandom | base64 > wechat-proxy.key)",
        );
        None
    }

    fn tls(&mut self) -> Option<TlsFiles> {
        match (self.layers.value("tls-cert"), self.layers.value("tls-key")) {
            (Some(cert), Some(key)) => {
                let files = TlsFiles { cert: cert.into(), key: key.into() };
                if let Err(error) = tls::acceptor(&files) {
                    self.problems.push(Problem(error.to_string()));
                }
                Some(files)
            }
            (None, None) => None,
            (Some(_), None) => {
                self.problem("tls-cert", "needs --tls-key beside it");
                None
            }
            (None, Some(_)) => {
                self.problem("tls-key", "needs --tls-cert beside it");
                None
            }
        }
    }

    fn hosts(&mut self) -> Option<Hosts> {
        let mut host = |name| {
            if self.layers.value(name).is_none() {
                self.problem(name, "must not be empty");
            }
            self.base_url(name)
        };
        let (api, open, pay, qyapi) = (host("api-url"), host("open-url"), host("pay-url"), host("qyapi-url"));
        let pay_backup = self.base_url("pay-backup-url").or_else(|| {
            // A stand-in for WeChat Pay is never replaced by the real one.
            let is_wechats = pay.as_ref().is_some_and(|pay| pay.host_str() == Some(PAY_HOST));
            Url::parse(PAY_BACKUP).ok().filter(|_| is_wechats)
        });
        Some(Hosts { api: api?, open: open?, pay: pay?, pay_backup, qyapi: qyapi? })
    }

    fn trusted(&mut self) -> Vec<CertificateDer<'static>> {
        let Some(file) = self.layers.value("trust-cert") else { return Vec::new() };
        let read = CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let reason = match read {
            Ok(certificates) if certificates.is_empty() => "it holds no certificate in PEM".to_owned(),
            Ok(certificates) => match Roots::with(&certificates) {
                Ok(_) => return certificates,
                Err(error) => error.to_string(),
            },
            Err(error) => error.to_string(),
        };
        self.problem("trust-cert", &format!("{file}: {reason}"));
        Vec::new()
    }

    fn retention(&mut self) -> Duration {
        let text = self.layers.value("retention").unwrap_or_default();
        let retention = duration(text).filter(|retention| *retention >= SHORTEST_RETENTION);
        if retention.is_none() {
            self.problem("retention", "is a time of at least 1 hour, like 7d, 36h or 90m");
        }
        retention.unwrap_or(SHORTEST_RETENTION)
    }

    fn log(&mut self) -> Option<LogFormat> {
        match self.layers.value("log") {
            None => None,
            Some("text") => Some(LogFormat::Text),
            Some("json") => Some(LogFormat::Json),
            Some(_) => {
                self.problem("log", "is text or json");
                None
            }
        }
    }
}

/// A number and its unit: `d`, `h`, `m` or `s`.
fn duration(text: &str) -> Option<Duration> {
    let (number, seconds) = match text.trim().char_indices().next_back()? {
        (end, 'd') => (text.get(..end)?, 24 * 3600),
        (end, 'h') => (text.get(..end)?, 3600),
        (end, 'm') => (text.get(..end)?, 60),
        (end, 's') => (text.get(..end)?, 1),
        _ => return None,
    };
    let number: u64 = number.trim().parse().ok()?;
    number.checked_mul(seconds).filter(|seconds| *seconds <= LONGEST_RETENTION).map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(options: &Options, environment: &[(&str, &str)]) -> Result<Config, Vec<String>> {
        let environment: Vec<(String, String)> =
            environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let lookup = |name: &str| environment.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
        Config::read(options, &lookup).map_err(|problems| problems.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn the_defaults_are_a_local_server_on_sqlite() {
        let config = read(&Options::default(), &[]).unwrap();
        assert_eq!(config.listen.to_string(), "127.0.0.1:8080");
        assert_eq!(config.mode, Mode::Local);
        assert_eq!(config.master_key, PathBuf::from("wechat-proxy.key"));
        assert_eq!(config.hosts.api.as_str(), "https://api.weixin.qq.com/");
    }

    #[test]
    fn a_flag_beats_the_environment_which_beats_the_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&file, "listen = '127.0.0.1:1'\napi_url = 'http://file'\nlog = 'json'\n").unwrap();
        let options =
            Options { config: Some(file.path().to_owned()), listen: Some("127.0.0.1:3".into()), ..Options::default() };
        let config = read(&options, &[("WECHAT_PROXY_LISTEN", "127.0.0.1:2"), ("WECHAT_PROXY_API_URL", "http://env")]);
        let config = config.unwrap();
        assert_eq!(config.listen.port(), 3);
        assert_eq!(config.hosts.api.as_str(), "http://env/");
        assert_eq!(config.log, Some(LogFormat::Json));
    }

    #[test]
    fn all_problems_are_told_at_once_with_their_place() {
        let options = Options { listen: Some("nowhere".into()), tls_cert: Some("c.pem".into()), ..Options::default() };
        let problems = read(&options, &[("WECHAT_PROXY_LOG", "xml"), ("WECHAT_PROXY_DATABASE", "redis://x")]);
        let problems = problems.unwrap_err();
        assert_eq!(problems.len(), 4, "{problems:?}");
        assert!(problems[0].starts_with("--listen"));
        assert!(problems.iter().any(|problem| problem.starts_with("WECHAT_PROXY_LOG")));
    }

    #[test]
    fn an_address_that_others_reach_needs_a_word_about_it() {
        let listen = |public_url: Option<&str>, open| Options {
            listen: Some("0.0.0.0:8080".into()),
            public_url: public_url.map(str::to_owned),
            open,
            ..Options::default()
        };
        assert!(read(&listen(None, false), &[]).unwrap_err()[0].contains("--public-url"));
        assert_eq!(read(&listen(Some("https://wx.example.com"), false), &[]).unwrap().mode, Mode::Public);
        assert_eq!(read(&listen(None, true), &[]).unwrap().mode, Mode::Open);
    }

    #[test]
    fn unknown_options_and_bad_toml_in_the_file_are_told_without_values() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let options = Options { config: Some(file.path().to_owned()), ..Options::default() };
        std::fs::write(&file, "lisen = '127.0.0.1:1'\n").unwrap();
        assert!(read(&options, &[]).unwrap_err()[0].contains("there is no option 'lisen'"));
        std::fs::write(&file, "\nadmin-token = 'HUSH\n").unwrap();
        let problem = read(&options, &[]).unwrap_err().remove(0);
        assert!(problem.contains("line 2") && !problem.contains("HUSH"), "{problem}");
    }

    #[test]
    fn a_certificate_that_cannot_be_used_is_a_problem_of_the_configuration() {
        let key = tempfile::NamedTempFile::new().unwrap();
        let nothing = Some(key.path().display().to_string());
        let options = Options { tls_cert: Some("missing.pem".into()), tls_key: nothing.clone(), ..Options::default() };
        assert!(read(&options, &[]).unwrap_err()[0].contains("missing.pem"));
        let options = Options { tls_cert: nothing.clone(), tls_key: nothing, ..Options::default() };
        assert!(read(&options, &[]).unwrap_err()[0].contains("no certificate in PEM"));
    }

    #[test]
    fn records_are_kept_for_a_time_with_a_unit() {
        let retention = |text: &str| Options { retention: Some(text.to_owned()), ..Options::default() };
        assert_eq!(read(&Options::default(), &[]).unwrap().retention, Duration::from_secs(7 * 24 * 3600));
        assert_eq!(read(&retention("36h"), &[]).unwrap().retention, Duration::from_secs(36 * 3600));
        for bad in ["59m", "7", "d", "-1d", "1w", "99999999999999999999d", "五d"] {
            assert!(read(&retention(bad), &[]).unwrap_err()[0].starts_with("--retention"), "{bad}");
        }
    }

    #[test]
    fn a_shared_database_needs_the_master_key() {
        let options = Options { database: Some("postgres://u:HUSH@db/x".into()), ..Options::default() };
        let problems = read(&options, &[]).unwrap_err();
        assert!(problems[0].starts_with("--master-key") && !problems[0].contains("HUSH"));
    }
}
