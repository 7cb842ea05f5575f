//! When a token or ticket is refreshed, and when WeChat is asked again after a failure. Pure arithmetic.

use std::time::Duration;

use store::Timestamp;
use wechat::Errcode;
use wechat::errcode::ErrorClass;

use crate::random::{Random, number_below};
use crate::slot::Kind;

/// `stable_token` gives a new token only when less than 5 minutes are left of the old one, and both are good then
/// (document of `getStableAccessToken`): asking earlier only gets the same one again.
const STABLE_AHEAD: Duration = Duration::from_secs(300);

/// A classic token's predecessor dies 5 minutes after the refresh; 10 minutes ahead leaves it a good end either way.
const CLASSIC_AHEAD: Duration = Duration::from_secs(600);

/// So many seconds of the time ahead are jitter: nodes and accounts don't ask in the same second.
const JITTER: u64 = 60;

/// When the background refreshes a value that is good for `expires_in` from `issued_at` on. Values that live
/// shorter than WeChat's own are refreshed with a fifth of their life left.
#[must_use]
pub fn refresh_at(kind: Kind, issued_at: Timestamp, expires_in: Duration, random: &dyn Random) -> Timestamp {
    let ahead = match kind {
        Kind::Classic => CLASSIC_AHEAD,
        Kind::Stable | Kind::Wecom | Kind::Jsapi | Kind::WxCard | Kind::CorpJsapi | Kind::Agent => STABLE_AHEAD,
    };
    let ahead =
        if expires_in > 2 * ahead { ahead - Duration::from_secs(number_below(random, JITTER)) } else { expires_in / 5 };
    issued_at + (expires_in - ahead)
}

/// How long nobody asks again after the `count`th failure in a row. `errcode` is WeChat's; `None` when there was no
/// proper answer at all.
#[must_use]
pub fn retry_after(errcode: Option<Errcode>, count: u32, random: &dyn Random) -> Duration {
    let (first, most) = match errcode {
        None => (1, 60),
        Some(Errcode::MINUTE_QUOTA) => (60, 60),
        Some(Errcode::DAILY_QUOTA) => (600, 600),
        Some(Errcode::IP_NOT_ALLOWED | Errcode::WECOM_IP_NOT_ALLOWED) => (30, 60),
        Some(code) if code.class() == ErrorClass::Transient => (1, 60),
        Some(_) => (60, 1800),
    };
    let doublings = count.saturating_sub(1).min(20);
    let seconds = (first << doublings).min(most);
    // Up to a quarter more, so that nodes that failed together don't ask together.
    Duration::from_millis(seconds * 1000 + number_below(random, seconds * 250))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::OsRandom;

    #[test]
    fn a_stable_token_is_asked_for_inside_its_last_five_minutes() {
        let issued = Timestamp::from_millis(0);
        for _ in 0..100 {
            let at = refresh_at(Kind::Stable, issued, Duration::from_secs(7200), &OsRandom).as_millis() / 1000;
            assert!((6900..=6960).contains(&at), "{at}");
        }
    }

    #[test]
    fn short_lives_are_refreshed_before_they_end() {
        let issued = Timestamp::from_millis(0);
        for seconds in [1, 2, 5, 60, 300, 345, 599, 600, 601, 7200] {
            for kind in [Kind::Stable, Kind::Classic, Kind::Jsapi] {
                let life = Duration::from_secs(seconds);
                let at = refresh_at(kind, issued, life, &OsRandom);
                assert!(at > issued && at < issued + life, "{kind:?} {seconds}");
            }
        }
    }

    #[test]
    fn failures_are_asked_about_ever_more_slowly() {
        let seconds = |code, count| retry_after(code, count, &OsRandom).as_secs();
        assert!((1..=1).contains(&seconds(None, 1)));
        assert!((8..=10).contains(&seconds(None, 4)));
        assert!((60..=75).contains(&seconds(None, 1000)));
        assert!((60..=75).contains(&seconds(Some(Errcode::INVALID_SECRET), 1)));
        assert!((1800..=2250).contains(&seconds(Some(Errcode::INVALID_APPID), 50)));
        assert!((600..=750).contains(&seconds(Some(Errcode::DAILY_QUOTA), 1)));
        assert!((1..=1).contains(&seconds(Some(Errcode::BUSY), 1)));
    }
}
