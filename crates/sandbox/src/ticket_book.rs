//! jsapi, card and agent tickets: the one that is handed out, and older ones that are still good.
//!
//! `platform/tickets` and `platform/wecom` hand them out, the JSSDK's bridge verifies signatures with them. A ticket that
//! was replaced stays good until its own end: pages that were signed with it a minute ago go on working.

use crate::chance;
use crate::clock::Time;
use crate::settings::renewal_secs;

/// Replaced tickets that are kept; more are good at once only when somebody turned the lifetime to and fro.
const MOST_REPLACED: usize = 8;

/// A jsapi, card or agent ticket.
#[derive(Clone, Debug)]
pub(crate) struct Ticket {
    pub(crate) text: String,
    pub(crate) issued: Time,
    pub(crate) expires: Time,
}

/// All tickets of one type of an account or app.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tickets {
    current: Option<Ticket>,
    replaced: Vec<Ticket>,
}

impl Tickets {
    /// The ticket that there is, or a new one when little of it is left. That it stays the same while more than 5
    /// minutes are left is unconfirmed.
    pub(crate) fn fresh(&mut self, lifetime: u64, now: Time) -> Ticket {
        let enough = now.plus_secs(renewal_secs(lifetime));
        match &self.current {
            Some(ticket) if ticket.expires > now && ticket.expires >= enough => ticket.clone(),
            _ => self.replace(lifetime, now),
        }
    }

    /// The one that is handed out at present, good or not.
    pub(crate) fn current(&self) -> Option<&Ticket> {
        self.current.as_ref()
    }

    /// The texts of all that are good.
    pub(crate) fn good(&self, now: Time) -> impl Iterator<Item = &str> {
        let all = self.current.iter().chain(&self.replaced);
        all.filter(move |ticket| ticket.expires > now).map(|ticket| ticket.text.as_str())
    }

    fn replace(&mut self, lifetime: u64, now: Time) -> Ticket {
        let ticket = Ticket { text: chance::ticket(), issued: now, expires: now.plus_secs(lifetime) };
        self.replaced.retain(|old| old.expires > now);
        if self.replaced.len() >= MOST_REPLACED {
            self.replaced.remove(0);
        }
        self.replaced.extend(self.current.replace(ticket.clone()));
        ticket
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time::from_secs(1_700_000_000);

    #[test]
    fn a_replaced_ticket_is_good_until_its_end() {
        let mut tickets = Tickets::default();
        let first = tickets.fresh(7200, NOW).text;
        assert_eq!(tickets.fresh(7200, NOW.plus_secs(6900)).text, first);
        let second = tickets.fresh(7200, NOW.plus_secs(6901)).text;
        assert_ne!(second, first);
        assert_eq!(tickets.good(NOW.plus_secs(7199)).collect::<Vec<_>>(), [&second, &first]);
        assert_eq!(tickets.good(NOW.plus_secs(7200)).collect::<Vec<_>>(), [&second]);
    }
}
