//! The one decision about a token or ticket: use it, ask WeChat, wait for somebody who is asking, or give up for now.
//!
//! Pure: what the database holds, what is wanted and the time go in, a [`Step`] comes out. Everything that promises
//! "one refresh for all" is decided here, so it can be read and tested without a network.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use store::{Credential, Failure, Timestamp};
use subtle::ConstantTimeEq;

/// A refresh that nobody gave a reason for happens at most once in this time.
pub const FORCED_AT_MOST_EVERY: Duration = Duration::from_secs(30);

/// What somebody wants of a token or ticket.
#[derive(Debug, Clone)]
pub enum Want {
    /// One that is good.
    Valid,
    /// One that need not be refreshed yet (the background's wish).
    Fresh,
    /// Another one than this, which the caller asks to replace.
    Replacement(SecretString),
    /// Another one than this, which WeChat just refused. WeChat is asked for its current one first: if somebody
    /// else forced a refresh, that one is new to us, and forcing again would start a war of refreshes.
    Healed(SecretString),
    /// Another one than this, which WeChat just refused, if WeChat has one; it is not made to give one.
    Newest(SecretString),
    /// A new one, without a reason given.
    Forced,
}

/// A [`Want`] and when it came up.
#[derive(Debug, Clone)]
pub struct Demand {
    /// What is wanted.
    pub want: Want,
    /// Since when. A failure that is younger than this is the answer to this demand.
    pub asked_at: Timestamp,
}

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// What is stored is what is wanted.
    Done,
    /// WeChat's last refusal stands; it is too early to ask again.
    Refused(Failure),
    /// Another node is asking, or the value is in its last second: at the latest until then.
    Wait(Timestamp),
    /// Ask WeChat.
    Fetch {
        /// Demand a new token even if WeChat has a good one.
        force: bool,
    },
}

impl Demand {
    /// Whether this value, asked for and forced at these times, is what is wanted. What WeChat was asked for after the
    /// demand came up always is: if it insists on the old one, then the old one is good.
    #[must_use]
    pub fn is_met(&self, value: &SecretString, issued_at: Timestamp, forced_at: Option<Timestamp>, due: bool) -> bool {
        if issued_at >= self.asked_at {
            return true;
        }
        match &self.want {
            Want::Valid => true,
            Want::Fresh => !due,
            Want::Replacement(old) | Want::Healed(old) | Want::Newest(old) => !same(value, old),
            Want::Forced => forced_at.is_some_and(|at| at > self.asked_at - FORCED_AT_MOST_EVERY),
        }
    }

    /// Whether this failure is the answer: nobody asks WeChat again before the time that the failure names. Only a
    /// refresh without a reason, which somebody wants now, has a time of its own.
    #[must_use]
    pub fn is_refused_by(&self, failure: &Failure, now: Timestamp) -> bool {
        let remembered = match self.want {
            Want::Forced => failure.failed_at > self.asked_at - FORCED_AT_MOST_EVERY,
            _ => now < failure.retry_at,
        };
        remembered || failure.failed_at > self.asked_at
    }

    fn forces(&self) -> bool {
        matches!(self.want, Want::Replacement(_) | Want::Forced)
    }
}

/// Decides what to do about `row` for `demand`. A lease that ended without an outcome makes a value due: WeChat may have
/// given out another one, which nobody could store.
#[must_use]
pub fn decide(row: &Credential, demand: &Demand, now: Timestamp) -> Step {
    let is_abandoned = row.lease.as_ref().is_some_and(|lease| lease.until <= now);
    let is_due = is_abandoned || row.refresh_at <= now;
    if let (Some(value), Some(issued_at), Some(expires_at)) = (&row.value, row.issued_at, row.expires_at)
        && expires_at.as_millis() - now.as_millis() >= 1000
        && demand.is_met(value, issued_at, row.forced_at, is_due)
    {
        return Step::Done;
    }
    if let Some(failure) = row.failure.as_ref().filter(|failure| demand.is_refused_by(failure, now)) {
        return Step::Refused(failure.clone());
    }
    match (&row.lease, row.expires_at) {
        (Some(lease), _) if now < lease.until => Step::Wait(lease.until),
        // In the last second of a value: WeCom would only give the same one again.
        (_, Some(end)) if now < end && row.value.is_some() && matches!(demand.want, Want::Valid) => Step::Wait(end),
        _ => Step::Fetch { force: demand.forces() },
    }
}

/// Compares two secrets in constant time.
pub(crate) fn same(one: &SecretString, other: &SecretString) -> bool {
    one.expose_secret().as_bytes().ct_eq(other.expose_secret().as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use store::Lease;

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(10_000_000);

    fn row() -> Credential {
        Credential {
            value: Some("T1".into()),
            version: 1,
            issued_at: Some(NOW - Duration::from_secs(60)),
            expires_at: Some(NOW + Duration::from_secs(7140)),
            refresh_at: NOW + Duration::from_secs(6900),
            ..Credential::empty("stable_token:wx1", "wx1")
        }
    }

    fn demand(want: Want) -> Demand {
        Demand { want, asked_at: NOW }
    }

    fn failure(failed_at: Timestamp, retry_at: Timestamp) -> Failure {
        Failure { errcode: Some(40125), text: "invalid appsecret".into(), count: 1, failed_at, retry_at }
    }

    #[test]
    fn a_good_token_is_used_and_a_cold_or_dead_one_fetched() {
        assert_eq!(decide(&row(), &demand(Want::Valid), NOW), Step::Done);
        let cold = Credential::empty("stable_token:wx1", "wx1");
        assert_eq!(decide(&cold, &demand(Want::Valid), NOW), Step::Fetch { force: false });
        let end = NOW + Duration::from_millis(999);
        let dying = Credential { expires_at: Some(end), ..row() };
        assert_eq!(decide(&dying, &demand(Want::Valid), NOW), Step::Wait(end));
        assert_eq!(decide(&dying, &demand(Want::Valid), end), Step::Fetch { force: false });
    }

    #[test]
    fn a_replacement_is_fetched_only_while_the_old_one_is_current() {
        assert_eq!(decide(&row(), &demand(Want::Replacement("T1".into())), NOW), Step::Fetch { force: true });
        assert_eq!(decide(&row(), &demand(Want::Replacement("T0".into())), NOW), Step::Done);
        assert_eq!(decide(&row(), &demand(Want::Healed("T1".into())), NOW), Step::Fetch { force: false });
    }

    #[test]
    fn wechat_insisting_on_the_old_token_ends_the_matter() {
        let insisted = Credential { issued_at: Some(NOW + Duration::from_millis(1)), ..row() };
        assert_eq!(decide(&insisted, &demand(Want::Healed("T1".into())), NOW), Step::Done);
        assert_eq!(decide(&insisted, &demand(Want::Replacement("T1".into())), NOW), Step::Done);
    }

    #[test]
    fn a_bare_refresh_happens_once_in_thirty_seconds() {
        assert_eq!(decide(&row(), &demand(Want::Forced), NOW), Step::Fetch { force: true });
        let at = |seconds| Credential { forced_at: Some(NOW - Duration::from_secs(seconds)), ..row() };
        assert_eq!(decide(&at(29), &demand(Want::Forced), NOW), Step::Done);
        assert_eq!(decide(&at(31), &demand(Want::Forced), NOW), Step::Fetch { force: true });
    }

    #[test]
    fn a_failure_stands_until_its_retry_but_never_takes_a_good_token_away() {
        let failed = failure(NOW - Duration::from_secs(5), NOW + Duration::from_secs(60));
        let good = Credential { failure: Some(failed.clone()), ..row() };
        assert_eq!(decide(&good, &demand(Want::Valid), NOW), Step::Done);
        let cold = Credential { failure: Some(failed.clone()), ..Credential::empty("stable_token:wx1", "wx1") };
        assert_eq!(decide(&cold, &demand(Want::Valid), NOW), Step::Refused(failed));
        assert_eq!(decide(&cold, &demand(Want::Valid), NOW + Duration::from_secs(60)), Step::Fetch { force: false });
    }

    #[test]
    fn a_failure_after_the_demand_answers_it_even_if_a_retry_is_due() {
        let failed = failure(NOW + Duration::from_millis(1), NOW + Duration::from_millis(2));
        let cold = Credential { failure: Some(failed.clone()), ..Credential::empty("stable_token:wx1", "wx1") };
        assert_eq!(decide(&cold, &demand(Want::Valid), NOW + Duration::from_secs(1)), Step::Refused(failed));
    }

    #[test]
    fn a_lease_of_another_node_is_waited_for_until_it_ends() {
        let until = NOW + Duration::from_secs(10);
        let leased = Credential {
            lease: Some(Lease { owner: "b".into(), until }),
            ..Credential::empty("stable_token:wx1", "wx1")
        };
        assert_eq!(decide(&leased, &demand(Want::Valid), NOW), Step::Wait(until));
        assert_eq!(decide(&leased, &demand(Want::Valid), until), Step::Fetch { force: false });
    }

    #[test]
    fn a_lease_that_ended_without_an_outcome_makes_a_good_token_due() {
        let until = NOW + Duration::from_secs(10);
        let leased = Credential { lease: Some(Lease { owner: "dies".into(), until }), ..row() };
        assert_eq!(decide(&leased, &demand(Want::Fresh), NOW), Step::Done);
        assert_eq!(decide(&leased, &demand(Want::Fresh), until), Step::Fetch { force: false });
        assert_eq!(decide(&leased, &demand(Want::Valid), until), Step::Done);
    }

    #[test]
    fn what_was_asked_for_before_the_demand_does_not_answer_it() {
        let asked_before = Credential { issued_at: Some(NOW - Duration::from_millis(1)), ..row() };
        assert_eq!(decide(&asked_before, &demand(Want::Replacement("T1".into())), NOW), Step::Fetch { force: true });
        let asked_since = Credential { issued_at: Some(NOW), ..row() };
        assert_eq!(decide(&asked_since, &demand(Want::Replacement("T1".into())), NOW), Step::Done);
    }

    #[test]
    fn the_background_fetches_when_it_is_due() {
        let due = Credential { refresh_at: NOW, ..row() };
        assert_eq!(decide(&row(), &demand(Want::Fresh), NOW), Step::Done);
        assert_eq!(decide(&due, &demand(Want::Fresh), NOW), Step::Fetch { force: false });
    }
}
