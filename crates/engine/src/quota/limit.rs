//! For how long a quota that is used up stays so.
//!
//! Sources: "Quota of API calls" of the official account documents (daily counters begin anew at midnight, UTC+8; 45011 is
//! the minute's), "Access frequency limits" of the WeCom documents (limits of minutes and hours, no daily ones).

use std::time::Duration;

use store::{ApiUse, Timestamp};
use wechat::Errcode;
use wechat::calls::Host;

const DAY_MS: i64 = 24 * 3600 * 1000;
const MINUTE_MS: i64 = 60 * 1000;

/// WeChat's days are those of UTC+8.
const DAY_BEGINS_EARLIER_MS: i64 = 8 * 3600 * 1000;

/// WeCom's limits are of a minute or an hour, and it does not say which: it is asked again each minute.
const WECOM_AGAIN_AFTER: Duration = Duration::from_secs(60);

/// Until when WeChat refuses more calls of this API; `None` when this code is about no quota.
pub(super) fn over_at(errcode: Errcode, host: Host, now: Timestamp) -> Option<Timestamp> {
    match (errcode, host) {
        (Errcode::DAILY_QUOTA | Errcode::MINUTE_QUOTA, Host::Qyapi) => Some(now + WECOM_AGAIN_AFTER),
        (Errcode::DAILY_QUOTA, Host::Api) => {
            Some(Timestamp::from_millis((ApiUse::day_of(now) + 1) * DAY_MS - DAY_BEGINS_EARLIER_MS))
        }
        (Errcode::MINUTE_QUOTA, Host::Api) => {
            Some(Timestamp::from_millis((now.as_millis().div_euclid(MINUTE_MS) + 1) * MINUTE_MS))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-22 23:59:30 in UTC+8.
    const LATE: Timestamp = Timestamp::from_seconds(1_795_363_170);

    #[test]
    fn the_day_ends_at_midnight_in_china_and_the_minute_with_itself() {
        assert_eq!(over_at(Errcode::DAILY_QUOTA, Host::Api, LATE), Some(LATE + Duration::from_secs(30)));
        assert_eq!(over_at(Errcode::MINUTE_QUOTA, Host::Api, LATE), Some(LATE + Duration::from_secs(30)));
        let begin = LATE + Duration::from_secs(30);
        assert_eq!(over_at(Errcode::DAILY_QUOTA, Host::Api, begin), Some(begin + Duration::from_secs(24 * 3600)));
        assert_eq!(ApiUse::day_of(begin), ApiUse::day_of(LATE) + 1);
        assert_eq!(over_at(Errcode::DAILY_QUOTA, Host::Qyapi, LATE), Some(LATE + WECOM_AGAIN_AFTER));
    }

    #[test]
    fn other_refusals_are_no_quotas() {
        for code in [0, -1, 40001, 48001, 45015] {
            assert_eq!(over_at(Errcode(code), Host::Api, LATE), None);
        }
    }
}
