//! What a call has to bring, so that WeChat answers it: by its path, and by what the caller brings itself.

use super::query;

/// What a call has to bring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// The account's access_token, as nearly all calls.
    AccessToken,
    /// The account's id and AppSecret, under these names.
    AppSecret {
        /// The name of the secret.
        secret: &'static str,
    },
    /// The account's id: the rest is the caller's.
    Appid,
    /// Nothing of ours: a visitor's web token, or a token of a third-party platform.
    Nothing,
}

impl Needs {
    /// What a call to this path, in lower case, with this query needs.
    ///
    /// Sources: "Web page authorization" and "Mini program login" (`/sns/…`, whose access_token is a visitor's),
    /// `clear_quota/v2`, and the pages of third-party platforms, whose tokens have names of their own.
    #[must_use]
    pub fn of(path: &str, query: &str) -> Self {
        match path {
            "/sns/oauth2/access_token" | "/sns/jscode2session" => Self::AppSecret { secret: "secret" },
            "/sns/oauth2/refresh_token" => Self::Appid,
            "/cgi-bin/clear_quota/v2" => Self::AppSecret { secret: "appsecret" },
            _ if path.starts_with("/sns/") || has_platform_token(query) => Self::Nothing,
            _ if path.starts_with("/cgi-bin/component/") || path.starts_with("/cgi-bin/service/") => Self::Nothing,
            _ => Self::AccessToken,
        }
    }
}

/// The names under which third-party platforms and service providers show their own tokens.
fn has_platform_token(text: &str) -> bool {
    const NAMES: [&str; 3] = ["component_access_token", "suite_access_token", "provider_access_token"];
    text.contains("_access_token") && NAMES.iter().any(|name| query::has(text, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_call_needs_follows_from_path_and_query() {
        assert_eq!(Needs::of("/cgi-bin/user/info", "openid=o"), Needs::AccessToken);
        assert_eq!(Needs::of("/wxa/business/getuserphonenumber", ""), Needs::AccessToken);
        assert_eq!(Needs::of("/sns/jscode2session", ""), Needs::AppSecret { secret: "secret" });
        assert_eq!(Needs::of("/sns/userinfo", "access_token=WEB"), Needs::Nothing);
        assert_eq!(Needs::of("/cgi-bin/x", "component_access_token=C"), Needs::Nothing);
        assert_eq!(Needs::of("/cgi-bin/clear_quota/v2", ""), Needs::AppSecret { secret: "appsecret" });
    }
}
