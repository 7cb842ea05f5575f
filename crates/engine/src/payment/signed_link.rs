//! A visitor's link to an order is the team's own: `sign` and `timestamp`, so that a visitor cannot choose the price.
//!
//! The rule is the one that all bodies of this product are signed by ([`wechat::sign`]), over all parameters of the
//! link. It joins without escaping, so what could be read in two ways is refused. What must stay true: a link that is
//! good was made with the api_key, exactly as it is, within the last hour.

use std::time::Duration;

use secrecy::ExposeSecret;
use store::Timestamp;
use wechat::sign;

use crate::apps::Registered;

/// How long a link is good, and by how much the team's clock may be ahead.
pub const LIFETIME: Duration = Duration::from_secs(3600);

/// Why a link is not followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LinkProblem {
    /// It is not signed.
    #[error(
        "sign is missing: on a public server the link to an order is made by your own server, with timestamp and sign \
         (HMAC-SHA256 of all parameters, with the api_key), so that no visitor chooses the price; see docs/payment"
    )]
    Unsigned,
    /// Its time is missing or no time.
    #[error("timestamp is missing, or no whole number of Unix seconds; it is signed with the other parameters")]
    NoTime,
    /// It is too old, or from the future.
    #[error("this link is older than an hour (or its timestamp lies ahead): let your server make a new one")]
    Expired,
    /// It can be read in more than one way.
    #[error(
        "a parameter is given twice, or its value holds '&' followed by a name and '=': such a link could be read in two \
         ways and is refused"
    )]
    Ambiguous,
    /// The signature is not that of these parameters.
    #[error("sign does not fit these parameters: they were changed, or signed with another key than the api_key")]
    Wrong,
}

/// Whether the team made this link.
///
/// # Errors
/// [`LinkProblem`].
pub fn check(pairs: &[(String, String)], registered: &Registered, now: Timestamp) -> Result<(), LinkProblem> {
    let value = |name: &str| pairs.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    let given = value(sign::MEMBER).filter(|given| !given.is_empty()).ok_or(LinkProblem::Unsigned)?;
    let made_at = value("timestamp").and_then(|text| text.parse::<i64>().ok()).ok_or(LinkProblem::NoTime)?;
    let is_repeated = |place: usize, name: &str| pairs.iter().take(place).any(|(earlier, _)| earlier == name);
    let is_plain =
        |(place, (name, value)): (usize, &(String, String))| sign::is_plain(name, value) && !is_repeated(place, name);
    if !pairs.iter().enumerate().all(is_plain) {
        return Err(LinkProblem::Ambiguous);
    }
    let members = || pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let secrets = &registered.app.secrets;
    let previous = secrets.previous_api_keys.iter().filter(|previous| now < previous.good_until);
    let keys = std::iter::once(&secrets.api_key).chain(previous.map(|previous| &previous.key));
    let is_signed = |expected: &str| sign::matches(expected, given);
    if !keys.into_iter().any(|key| is_signed(&sign::hmac_sha256(members(), key.expose_secret()))) {
        return Err(LinkProblem::Wrong);
    }
    let age = now.as_seconds().saturating_sub(made_at).unsigned_abs();
    if age > LIFETIME.as_secs() { Err(LinkProblem::Expired) } else { Ok(()) }
}
