//! The parameters of `/register` (design of the contract: README, "Register"), checked one by one.
//!
//! `(name, value)` pairs go in, a [`Registration`] comes out that cannot be wrong, or *all* the problems at once.
//! A value given empty clears what is stored; a parameter not given leaves it. Nothing here knows what is stored.

use std::time::Duration;

use secrecy::SecretString;
use store::{PayVersion, TokenMode};
use wechat::Appid;

use super::values::{app_secret, boolean, expires, list_value, pay_version, plain_value, secret_value, token_mode};

/// Longest `key`, in characters.
pub const MAX_KEY_LENGTH: usize = 64;

/// Most values of one repeatable parameter.
const MAX_REPEATED: usize = 100;

/// The most backends of one message.
pub const MAX_CALLS: usize = 20;

/// What somebody asks `/register` to do. Well-formed; whether it may be done is the business of `apps`.
#[derive(Debug)]
pub struct Registration {
    /// The registered name.
    pub key: AppKey,
    /// The account's id (WeCom: corpid).
    pub appid: Appid,
    /// The account's secret (WeCom: corpsecret).
    pub secret: SecretString,
    /// Whether WeChat is asked about appid and secret before anything is stored.
    pub check: bool,
    /// Make a new api_key, and whether the old one ends at once instead of after a day.
    pub rotate: Option<Rotation>,
    /// The optional parameters that were given.
    pub changes: Vec<Change>,
}

/// How an api_key is replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rotation {
    /// The old key stays good for 24 hours.
    Overlap,
    /// The old key ends at once.
    Revoke,
}

/// One optional parameter as it was given; `None` or an empty list clears it.
#[derive(Debug)]
pub enum Change {
    /// A parameter whose value may be shown.
    Plain(PlainField, Option<String>),
    /// A parameter whose value is a secret.
    Secret(SecretField, Option<SecretString>),
    /// A repeatable parameter.
    List(ListField, Vec<String>),
    /// How access_tokens are fetched; cleared means the default.
    TokenMode(TokenMode),
    /// Which version of WeChat Pay is forced.
    Pay(Option<PayVersion>),
    /// The registration deletes itself after this time; `None`: never.
    Expires(Option<Duration>),
}

macro_rules! fields {
    ($(#[$doc:meta])* $name:ident { $($variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name {
            $(#[doc = concat!("`", $text, "`")] $variant),+
        }
        impl $name {
            const ALL: &[(&'static str, Self)] = &[$(($text, Self::$variant)),+];

            /// The name of the parameter.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }

            fn named(name: &str) -> Option<Self> {
                Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, field)| *field)
            }
        }
    };
}

fields! {
    /// Parameters with one value that may be shown.
    PlainField {
        MchId = "mch_id",
        ServerIp = "server_ip",
        MchSerial = "mch_serial",
        PayKeyId = "pay_key_id",
        PayPublicKey = "pay_public_key",
        WebAppid = "web_appid",
        Agentid = "agentid",
    }
}

fields! {
    /// Parameters with one value that is a secret.
    SecretField {
        Token = "token",
        Aes = "aes",
        MchKey = "mch_key",
        MchPrivateKey = "mch_private_key",
        Apiv3Key = "apiv3_key",
        MchCert = "mch_cert",
        WebSecret = "web_secret",
    }
}

fields! {
    /// Parameters that may be given several times.
    ListField {
        Call = "call",
        Allow = "allow",
        MsgCall = "msg_call",
        PayCall = "pay_call",
        Verify = "verify",
    }
}

/// The parameters that are neither in [`PlainField`], [`SecretField`] nor [`ListField`].
const OTHER_NAMES: [&str; 9] = ["key", "appid", "secret", "check", "rotate", "revoke", "token_mode", "pay", "expires"];

/// The name of a registration: 1 to [`MAX_KEY_LENGTH`] characters of any script, no `/`, no control characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AppKey(String);

impl AppKey {
    /// Takes `text` as a name.
    ///
    /// # Errors
    /// A sentence that says what a name is.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let length = text.chars().count();
        if length == 0 || length > MAX_KEY_LENGTH {
            return Err("is a name of 1 to 64 characters");
        }
        if text.chars().any(|c| c == '/' || c.is_control()) || text == "." || text == ".." {
            return Err("must hold no '/' and no control characters, and not be '.' or '..'");
        }
        Ok(Self(text.to_owned()))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// One thing that is wrong with the parameters: `name` and a sentence that continues it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name} {what}")]
pub struct Problem {
    /// The parameter.
    pub name: String,
    /// What is wrong with it and what it should be. Never holds the value.
    pub what: String,
}

impl Registration {
    /// Reads the parameters of a registration.
    ///
    /// # Errors
    /// Every problem found, in the order of the parameters.
    pub fn parse(pairs: &[(String, String)]) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut reader = Reader { pairs, problems: &mut problems };
        reader.refuse_unknown_and_repeated();
        let key = reader.required("key", |text| AppKey::parse(text).map_err(str::to_owned));
        let appid = reader.required("appid", |text| Appid::parse(text).map_err(|e| format!("is malformed: {e}")));
        let secret = reader.required("secret", app_secret);
        let check = reader.optional("check", boolean).unwrap_or(true);
        let rotate = reader.rotation();
        let changes = reader.changes();
        match (key, appid, secret) {
            (Some(key), Some(appid), Some(secret)) if problems.is_empty() => {
                Ok(Self { key, appid, secret, check, rotate, changes })
            }
            _ => Err(problems),
        }
    }
}

struct Reader<'a> {
    pairs: &'a [(String, String)],
    problems: &'a mut Vec<Problem>,
}

impl Reader<'_> {
    fn problem(&mut self, name: &str, what: impl Into<String>) {
        self.problems.push(Problem { name: name.to_owned(), what: what.into() });
    }

    fn value(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str())
    }

    fn refuse_unknown_and_repeated(&mut self) {
        let pairs = self.pairs;
        for (index, (name, _)) in pairs.iter().enumerate() {
            let repeatable = ListField::named(name).is_some();
            let known = repeatable
                || PlainField::named(name).is_some()
                || SecretField::named(name).is_some()
                || OTHER_NAMES.contains(&name.as_str());
            if !known {
                // A name that no parameter could have may be a piece of a value, perhaps of a secret: it is not repeated.
                let plain = name.len() <= 20 && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
                let shown = if plain { name.clone() } else { format!("parameter number {}", index + 1) };
                self.problem(
                    &shown,
                    "is not a parameter of /register; see the table in the README (is an & in a value \
                    not percent-encoded?)",
                );
            } else if !repeatable && pairs.iter().take(index).any(|(earlier, _)| earlier == name) {
                self.problem(name, "is given twice; give it once");
            }
        }
    }

    fn required<T>(&mut self, name: &'static str, parse: impl Fn(&str) -> Result<T, String>) -> Option<T> {
        let Some(value) = self.value(name).filter(|value| !value.is_empty()) else {
            self.problem(name, "is missing; a registration needs key, appid and secret");
            return None;
        };
        let parsed = parse(value);
        parsed.map_err(|what| self.problem(name, what)).ok()
    }

    /// `None` when the parameter is not given, given empty, or wrong (which is then a problem).
    fn optional<T>(&mut self, name: &'static str, parse: impl Fn(&str) -> Result<T, String>) -> Option<T> {
        let parsed = parse(self.value(name).filter(|value| !value.is_empty())?);
        parsed.map_err(|what| self.problem(name, what)).ok()
    }

    fn rotation(&mut self) -> Option<Rotation> {
        let revoke = self.optional("revoke", boolean).unwrap_or(false);
        let rotate = self.optional("rotate", |text| match text {
            "api_key" => Ok(()),
            _ => Err("can only be 'api_key'".to_owned()),
        });
        if rotate.is_none() && revoke {
            self.problem("revoke", "goes with rotate=api_key");
        }
        rotate.map(|()| if revoke { Rotation::Revoke } else { Rotation::Overlap })
    }

    fn changes(&mut self) -> Vec<Change> {
        let mut changes = Vec::new();
        for &(name, field) in PlainField::ALL {
            if self.value(name).is_some() {
                changes.push(Change::Plain(field, self.optional(name, |text| plain_value(field, text))));
            }
        }
        for &(name, field) in SecretField::ALL {
            if self.value(name).is_some() {
                let value = self.optional(name, |text| secret_value(field, text));
                changes.push(Change::Secret(field, value));
            }
        }
        for &(name, field) in ListField::ALL {
            if self.value(name).is_some() {
                changes.push(Change::List(field, self.list(name, field)));
            }
        }
        if self.value("token_mode").is_some() {
            changes.push(Change::TokenMode(self.optional("token_mode", token_mode).unwrap_or_default()));
        }
        if self.value("pay").is_some() {
            changes.push(Change::Pay(self.optional("pay", pay_version)));
        }
        if self.value("expires").is_some() {
            changes.push(Change::Expires(self.optional("expires", expires)));
        }
        changes
    }

    fn list(&mut self, name: &'static str, field: ListField) -> Vec<String> {
        let given: Vec<&str> =
            self.pairs.iter().filter(|(n, v)| n == name && !v.is_empty()).map(|(_, v)| &**v).collect();
        let most = if matches!(field, ListField::MsgCall | ListField::PayCall) { MAX_CALLS } else { MAX_REPEATED };
        if given.len() > most {
            self.problem(name, format!("is given more than {most} times"));
            return Vec::new();
        }
        let mut values: Vec<String> = Vec::with_capacity(given.len());
        for value in given {
            match list_value(field, value) {
                Ok(value) if values.contains(&value) => {}
                Ok(value) => values.push(value),
                Err(what) => self.problem(name, what),
            }
        }
        values
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(query: &[(&str, &str)]) -> Vec<(String, String)> {
        query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn with(extra: &[(&str, &str)]) -> Result<Registration, Vec<Problem>> {
        let mut query = vec![("key", "test"), ("appid", "wx1"), ("secret", "s")];
        query.extend_from_slice(extra);
        Registration::parse(&pairs(&query))
    }

    fn problem_names(result: Result<Registration, Vec<Problem>>) -> Vec<String> {
        result.unwrap_err().into_iter().map(|problem| problem.name).collect()
    }

    #[test]
    fn all_problems_are_told_at_once() {
        let result = Registration::parse(&pairs(&[("key", "a/b"), ("aes", "short"), ("tokn", "x"), ("expires", "-1")]));
        assert_eq!(problem_names(result), ["tokn", "key", "appid", "secret", "aes", "expires"]);
    }

    #[test]
    fn a_parameter_given_empty_clears_and_one_not_given_leaves() {
        let registration = with(&[("token", ""), ("call", ""), ("expires", "")]).unwrap();
        assert_eq!(registration.changes.len(), 3);
        assert!(
            registration
                .changes
                .iter()
                .all(|change| matches!(change, Change::Secret(SecretField::Token, None) | Change::Expires(None))
                    || matches!(change, Change::List(ListField::Call, list) if list.is_empty()))
        );
    }

    #[test]
    fn names_are_of_any_script_but_fit_a_path_segment() {
        assert!(AppKey::parse("测试").is_ok());
        assert!(AppKey::parse(&"试".repeat(64)).is_ok());
        for bad in ["", "a/b", "a\nb", ".", "..", &"试".repeat(65)] {
            assert!(AppKey::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn repeatable_parameters_keep_their_order_and_others_may_come_once() {
        let registration = with(&[("call", "/js"), ("call", "/api"), ("call", "/js/")]).unwrap();
        let [Change::List(ListField::Call, calls)] = registration.changes.as_slice() else { panic!() };
        assert_eq!(calls, &["/js", "/api"]);
        assert_eq!(problem_names(with(&[("token", "a"), ("token", "b")])), ["token"]);
    }

    #[test]
    fn revoke_alone_is_refused() {
        assert_eq!(problem_names(with(&[("revoke", "true")])), ["revoke"]);
        assert_eq!(with(&[("rotate", "api_key")]).unwrap().rotate, Some(Rotation::Overlap));
        assert_eq!(with(&[("rotate", "api_key"), ("revoke", "true")]).unwrap().rotate, Some(Rotation::Revoke));
    }

    #[test]
    fn values_never_get_into_problems_or_debug_output() {
        let text = format!("{:?}", with(&[("aes", "HUSH"), ("apiv3_key", "HUSH")]).unwrap_err());
        assert!(!text.contains("HUSH"));
        let good = with(&[("token", "HUSH"), ("mch_key", &"HUSH".repeat(8))]).unwrap();
        assert!(!format!("{good:?}").contains("HUSH"));
    }
}
