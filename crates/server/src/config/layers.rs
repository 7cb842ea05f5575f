//! Where options come from: flags, environment, `--config` file, `defaults.toml`, in this order of precedence.
//!
//! Every value is a text here and remembers where it was found, so that a mistake is reported with its place.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use crate::cli::Options;

/// The file that holds all names and their defaults.
const DEFAULTS: &str = include_str!("../../defaults.toml");

/// Where a value was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// On the command line.
    Flag,
    /// In the environment.
    Environment,
    /// In the `--config` file.
    File,
    /// In `defaults.toml`.
    Default,
}

/// One thing that is wrong with the configuration, with what to do about it. Never holds a value that may be secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem(pub String);

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// All options as texts, secret ones among them: so it has no `Debug`.
pub struct Layers(BTreeMap<String, (String, Source)>);

impl Layers {
    /// Puts the layers over each other. `environment` gives a variable's value.
    pub fn collect(
        options: &Options,
        environment: &dyn Fn(&str) -> Option<String>,
        problems: &mut Vec<Problem>,
    ) -> Self {
        let mut layers = Self(BTreeMap::new());
        layers.add_toml(DEFAULTS, "defaults.toml", Source::Default, problems);
        let names: Vec<String> = layers.0.keys().cloned().collect();
        let file = options.config.clone().or_else(|| environment("WECHAT_PROXY_CONFIG").map(Into::into));
        if let Some(file) = file {
            layers.add_file(&file, &names, problems);
        }
        for name in &names {
            let variable = format!("WECHAT_PROXY_{}", name.replace('-', "_").to_uppercase());
            if let Some(value) = environment(&variable) {
                layers.0.insert(name.clone(), (value, Source::Environment));
            }
        }
        for (name, value) in flags(options) {
            layers.0.insert(name.to_owned(), (value, Source::Flag));
        }
        layers
    }

    /// The value of an option; `None` when it is empty.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|(value, _)| value.trim()).filter(|value| !value.is_empty())
    }

    /// How the user wrote the option, for problems: `--listen`, `WECHAT_PROXY_LISTEN`, `listen in the config file`.
    pub fn place(&self, name: &str) -> String {
        match self.0.get(name).map(|(_, source)| source) {
            Some(Source::Environment) => format!("WECHAT_PROXY_{}", name.replace('-', "_").to_uppercase()),
            Some(Source::File) => format!("{name} in the --config file"),
            _ => format!("--{name}"),
        }
    }

    /// Whether the user gave this option anywhere.
    pub fn is_given(&self, name: &str) -> bool {
        self.0.get(name).is_some_and(|(_, source)| *source != Source::Default)
    }

    fn add_file(&mut self, file: &Path, names: &[String], problems: &mut Vec<Problem>) {
        let shown = file.display();
        match std::fs::read_to_string(file) {
            Ok(text) => self.add_toml(&text, &shown.to_string(), Source::File, problems),
            Err(error) => problems.push(Problem(format!("--config: {shown} cannot be read: {error}"))),
        }
        let unknown: Vec<String> = self.0.keys().filter(|name| !names.contains(name)).cloned().collect();
        for name in unknown {
            self.0.remove(&name);
            problems
                .push(Problem(format!("{shown}: there is no option '{name}'; the options are: {}", names.join(", "))));
        }
    }

    fn add_toml(&mut self, text: &str, shown: &str, source: Source, problems: &mut Vec<Problem>) {
        let table: toml::Table = match text.parse() {
            Ok(table) => table,
            Err(error) => {
                // Not the error's own display: it quotes the line, which may hold the admin token.
                let line = error.span().map_or(0, |span| text.bytes().take(span.start).filter(|b| *b == b'\n').count());
                problems.push(Problem(format!("{shown}, line {}: {}", line + 1, error.message())));
                return;
            }
        };
        for (name, value) in table {
            let name = name.replace('_', "-");
            let text = match value {
                toml::Value::String(text) => text,
                toml::Value::Boolean(flag) => flag.to_string(),
                toml::Value::Integer(number) => number.to_string(),
                _ => {
                    problems.push(Problem(format!("{shown}: {name} must be a text, a number, true or false")));
                    continue;
                }
            };
            self.0.insert(name, (text, source));
        }
    }
}

fn flags(options: &Options) -> impl Iterator<Item = (&'static str, String)> {
    let texts = [
        ("listen", &options.listen),
        ("public-url", &options.public_url),
        ("database", &options.database),
        ("admin-token", &options.admin_token),
        ("master-key", &options.master_key),
        ("tls-cert", &options.tls_cert),
        ("tls-key", &options.tls_key),
        ("api-url", &options.api_url),
        ("open-url", &options.open_url),
        ("pay-url", &options.pay_url),
        ("pay-backup-url", &options.pay_backup_url),
        ("qyapi-url", &options.qyapi_url),
        ("trust-cert", &options.trust_cert),
        ("retention", &options.retention),
        ("log", &options.log),
    ];
    let open = options.open.then(|| ("open", "true".to_owned()));
    texts.map(|(name, value)| value.clone().map(|value| (name, value))).into_iter().flatten().chain(open)
}
