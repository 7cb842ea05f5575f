//! How often an account may call each API, and how often it did.
//!
//! The limits are those of the quota pages of the official account docs and of the frequency page of the WeCom docs.
//! A call is counted when it passed every other check; a call that is refused for its quota uses none.

use std::collections::BTreeMap;

use crate::account::AccountKind;
use crate::clock::Time;
use crate::counter::{Counter, Period};

/// Daily limit of an API for which the docs name none, in calls (unconfirmed).
const OTHER_DAILY: u64 = 1_000_000;
/// Daily limit of the classic token API for test accounts, in calls.
const TEST_ACCOUNT_TOKEN_DAILY: u64 = 200;
/// WeCom's limits for each corp and API, in calls.
const WECOM_MINUTE: u64 = 10_000;
const WECOM_HOUR: u64 = 150_000;
/// WeCom's limit of corp tickets for each corp, in calls an hour.
const WECOM_CORP_TICKET_HOUR: u64 = 400;
/// Entries that an account keeps in its overrides at most.
pub(crate) const MOST_OVERRIDES: usize = 100;

/// Daily limits that the official account docs give, in calls.
const OFFICIAL_DAILY: [(&str, u64); 7] = [
    ("/cgi-bin/token", 2_000),
    ("/cgi-bin/stable_token", 500_000),
    ("/cgi-bin/message/custom/send", 500_000),
    ("/cgi-bin/message/template/send", 100_000),
    ("/cgi-bin/menu/create", 1_000),
    ("/cgi-bin/qrcode/create", 100_000),
    ("/cgi-bin/user/info", 5_000_000),
];
/// Limits a minute that the docs of official accounts and mini programs give, in calls.
const OFFICIAL_MINUTE: [(&str, u64); 7] = [
    ("/cgi-bin/stable_token", 10_000),
    ("/sns/oauth2/access_token", 50_000),
    ("/sns/oauth2/refresh_token", 50_000),
    ("/sns/userinfo", 50_000),
    ("/sns/auth", 50_000),
    ("/wxa/getwxacodeunlimit", 5_000),
    ("/wxa/resetusersessionkey", 60_000),
];
/// Exchanges of codes a minute that the open platform docs give to a website, in calls.
const WEBSITE_EXCHANGES_A_MINUTE: u64 = 10_000;

/// How often an API may be called; `None` is without limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limit {
    pub(crate) minute: Option<u64>,
    pub(crate) hour: Option<u64>,
    pub(crate) day: Option<u64>,
}

/// Which limit a call ran into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exhausted {
    Minute,
    Hour,
    Day,
}

/// Whether the docs publish a quota for this path of an official account or mini program.
pub(crate) fn is_documented(path: &str) -> bool {
    OFFICIAL_DAILY.iter().any(|(known, _)| *known == path)
}

/// What one account used of its quotas.
#[derive(Debug)]
pub(crate) struct Usage {
    kind: AccountKind,
    test_account: bool,
    /// Daily limits set by the control API, by path.
    overrides: BTreeMap<String, u64>,
    /// Limits a minute set by the control API, by path.
    minute_overrides: BTreeMap<String, u64>,
    paths: BTreeMap<&'static str, PathUsage>,
}

#[derive(Debug)]
struct PathUsage {
    minute: Counter,
    hour: Counter,
    day: Counter,
}

impl Usage {
    pub(crate) fn new(kind: AccountKind, test_account: bool) -> Usage {
        Usage {
            kind,
            test_account,
            overrides: BTreeMap::new(),
            minute_overrides: BTreeMap::new(),
            paths: BTreeMap::new(),
        }
    }

    pub(crate) fn set_test_account(&mut self, test_account: bool) {
        self.test_account = test_account;
    }

    pub(crate) fn overrides(&self) -> &BTreeMap<String, u64> {
        &self.overrides
    }

    pub(crate) fn minute_overrides(&self) -> &BTreeMap<String, u64> {
        &self.minute_overrides
    }

    /// Sets or removes (`None`) the limit a minute of a path.
    pub(crate) fn set_minute(&mut self, path: String, limit: Option<u64>) {
        match limit {
            Some(limit) => self.minute_overrides.insert(path, limit),
            None => self.minute_overrides.remove(&path),
        };
    }

    /// Sets or removes (`None`) the daily limit of a path.
    pub(crate) fn set_daily(&mut self, path: String, limit: Option<u64>) {
        match limit {
            Some(limit) => self.overrides.insert(path, limit),
            None => self.overrides.remove(&path),
        };
    }

    pub(crate) fn limit(&self, path: &str) -> Limit {
        let mut limit = match self.kind {
            AccountKind::Wecom => wecom_limit(path),
            AccountKind::Website if path == "/sns/oauth2/access_token" => {
                Limit { minute: Some(WEBSITE_EXCHANGES_A_MINUTE), hour: None, day: None }
            }
            AccountKind::Official | AccountKind::MiniProgram | AccountKind::Website => {
                official_limit(path, self.test_account)
            }
        };
        if let Some(day) = self.overrides.get(path) {
            limit.day = Some(*day);
        }
        if let Some(minute) = self.minute_overrides.get(path) {
            limit.minute = Some(*minute);
        }
        limit
    }

    pub(crate) fn used_today(&self, path: &str, now: Time) -> u64 {
        self.paths.get(path).map_or(0, |usage| usage.day.used(now))
    }

    /// Calls of today by path, for paths that were called today.
    pub(crate) fn today(&self, now: Time) -> impl Iterator<Item = (&'static str, u64)> {
        self.paths.iter().map(move |(path, usage)| (*path, usage.day.used(now))).filter(|(_, used)| *used > 0)
    }

    /// Counts one call, or says which limit forbids it.
    pub(crate) fn admit(&mut self, path: &'static str, now: Time) -> Result<(), Exhausted> {
        let limit = self.limit(path);
        let usage = self.paths.entry(path).or_insert_with(|| PathUsage {
            minute: Counter::per(Period::Minute),
            hour: Counter::per(Period::Hour),
            day: Counter::per(Period::Day),
        });
        let full = |counter: &Counter, most: Option<u64>| most.is_some_and(|most| counter.used(now) >= most);
        if full(&usage.day, limit.day) {
            return Err(Exhausted::Day);
        }
        if full(&usage.hour, limit.hour) {
            return Err(Exhausted::Hour);
        }
        if full(&usage.minute, limit.minute) {
            return Err(Exhausted::Minute);
        }
        usage.minute.add(now);
        usage.hour.add(now);
        usage.day.add(now);
        Ok(())
    }

    /// Starts the daily counter of one path over, or of all.
    pub(crate) fn clear(&mut self, path: Option<&str>) {
        for (known, usage) in &mut self.paths {
            if path.is_none_or(|path| path == *known) {
                usage.day.clear();
            }
        }
    }
}

fn official_limit(path: &str, test_account: bool) -> Limit {
    let in_table = |table: &[(&str, u64)]| table.iter().find(|(known, _)| *known == path).map(|(_, most)| *most);
    let day = match path {
        "/cgi-bin/token" if test_account => Some(TEST_ACCOUNT_TOKEN_DAILY),
        path if path.starts_with("/sns/") => None,
        _ => Some(in_table(&OFFICIAL_DAILY).unwrap_or(OTHER_DAILY)),
    };
    Limit { minute: in_table(&OFFICIAL_MINUTE), hour: None, day }
}

fn wecom_limit(path: &str) -> Limit {
    let hour = if path == "/cgi-bin/get_jsapi_ticket" { WECOM_CORP_TICKET_HOUR } else { WECOM_HOUR };
    Limit { minute: Some(WECOM_MINUTE), hour: Some(hour), day: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time::from_secs(1_700_000_000);

    #[test]
    fn the_day_runs_out_and_comes_back_at_midnight_in_china() {
        let mut usage = Usage::new(AccountKind::Official, false);
        usage.set_daily("/cgi-bin/token".into(), Some(2));
        assert_eq!(usage.admit("/cgi-bin/token", NOW), Ok(()));
        assert_eq!(usage.admit("/cgi-bin/token", NOW), Ok(()));
        assert_eq!(usage.admit("/cgi-bin/token", NOW), Err(Exhausted::Day));
        assert_eq!(usage.used_today("/cgi-bin/token", NOW), 2);
        // 1,700,000,000 is 06:13:20 in China: 17 h 46 min 40 s before midnight.
        assert_eq!(usage.admit("/cgi-bin/token", NOW.plus_secs(63_999)), Err(Exhausted::Day));
        assert_eq!(usage.admit("/cgi-bin/token", NOW.plus_secs(64_000)), Ok(()));
    }

    #[test]
    fn the_minute_of_stable_token_runs_out_before_the_day() {
        let mut usage = Usage::new(AccountKind::MiniProgram, false);
        for _ in 0..10_000 {
            assert_eq!(usage.admit("/cgi-bin/stable_token", NOW), Ok(()));
        }
        assert_eq!(usage.admit("/cgi-bin/stable_token", NOW), Err(Exhausted::Minute));
        assert_eq!(usage.admit("/cgi-bin/stable_token", NOW.plus_secs(60)), Ok(()));
    }

    #[test]
    fn clearing_gives_a_day_back() {
        let mut usage = Usage::new(AccountKind::Official, true);
        for _ in 0..200 {
            assert_eq!(usage.admit("/cgi-bin/token", NOW), Ok(()));
        }
        assert_eq!(usage.admit("/cgi-bin/token", NOW), Err(Exhausted::Day));
        usage.clear(Some("/cgi-bin/menu/create"));
        assert_eq!(usage.admit("/cgi-bin/token", NOW), Err(Exhausted::Day));
        usage.clear(None);
        assert_eq!(usage.admit("/cgi-bin/token", NOW), Ok(()));
    }

    #[test]
    fn a_corp_gets_400_tickets_an_hour() {
        let mut usage = Usage::new(AccountKind::Wecom, false);
        for _ in 0..400 {
            assert_eq!(usage.admit("/cgi-bin/get_jsapi_ticket", NOW), Ok(()));
        }
        assert_eq!(usage.admit("/cgi-bin/get_jsapi_ticket", NOW), Err(Exhausted::Hour));
        assert_eq!(usage.admit("/cgi-bin/gettoken", NOW), Ok(()));
    }
}
