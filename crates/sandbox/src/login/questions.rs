//! Questions to a visitor: may this account know who you are? They wait on a page in the phone, or behind a QR code on
//! another screen.
//!
//! Used by the pages of `platform`. A question is named by a ticket that stands in its page alone and is answered once,
//! so that no other page can answer in the visitor's name. Lifetimes are the sandbox's own: WeChat publishes none.

use super::{Logins, Scope, is_over};
use crate::chance;
use crate::clock::Time;

/// Seconds that a page waits for its answer.
const QUESTION_SECS: u64 = 600;
/// Seconds that a QR code can be scanned and confirmed.
const SCAN_SECS: u64 = 600;

/// What a visitor is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Question {
    /// Who asks: appid or corpid.
    pub(crate) appid: String,
    /// The app, of a corp.
    pub(crate) agentid: Option<u64>,
    pub(crate) scope: Scope,
    /// Where the browser goes afterwards, and what goes along unchanged.
    pub(crate) redirect_uri: String,
    pub(crate) state: String,
    /// The QR code by which the question came to the phone.
    pub(crate) scan: Option<String>,
    pub(crate) asked: Time,
}

/// What became of a QR code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answered {
    /// Nobody has scanned it.
    NotYet,
    /// The phone has it and shows the question.
    Scanned,
    /// Allowed, with this code.
    Allowed(String),
    Refused,
}

/// A QR code on another screen.
#[derive(Clone, Debug)]
pub(crate) struct Scan {
    pub(crate) question: Question,
    /// The path that shows a new code.
    pub(crate) again: String,
    pub(crate) answered: Answered,
}

impl Logins {
    /// Asks a question on a page; gives the ticket of that page.
    pub(crate) fn ask(&mut self, question: Question) -> String {
        let ticket = chance::page_ticket();
        self.questions.keep(ticket.clone(), question);
        ticket
    }

    /// The question of a page, which can be answered now and never again.
    pub(crate) fn answer(&mut self, ticket: &str, now: Time) -> Option<Question> {
        self.questions.take(ticket).filter(|question| !is_over(question.asked, QUESTION_SECS, now))
    }

    /// Puts a question behind a QR code; gives the code's name.
    pub(crate) fn show_code(&mut self, question: Question, again: String) -> String {
        let uuid = chance::page_ticket();
        self.scans.keep(uuid.clone(), Scan { question, again, answered: Answered::NotYet });
        uuid
    }

    /// A QR code that can still be scanned and confirmed, or has been.
    pub(crate) fn scan(&self, uuid: &str, now: Time) -> Option<&Scan> {
        self.scans.get(uuid).filter(|scan| !is_over(scan.question.asked, SCAN_SECS, now))
    }

    /// Any QR code that is still known, too old or not.
    pub(crate) fn known_scan(&self, uuid: &str) -> Option<&Scan> {
        self.scans.get(uuid)
    }

    /// Notes what became of a QR code.
    pub(crate) fn note_scan(&mut self, uuid: &str, answered: Answered) {
        if let Some(scan) = self.scans.get_mut(uuid) {
            scan.answered = answered;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time::from_secs(1_700_000_000);

    #[test]
    fn a_question_is_answered_once_and_in_time() {
        let mut logins = Logins::default();
        let question = Question {
            appid: "wx1".into(),
            agentid: None,
            scope: Scope::UserInfo,
            redirect_uri: "http://a/".into(),
            state: String::new(),
            scan: None,
            asked: NOW,
        };
        let ticket = logins.ask(question.clone());
        assert_eq!(logins.appid_of(&ticket), Some("wx1"));
        assert_eq!(logins.answer(&ticket, NOW.plus_secs(599)), Some(question.clone()));
        assert_eq!(logins.answer(&ticket, NOW), None);
        let ticket = logins.ask(question.clone());
        assert_eq!(logins.answer(&ticket, NOW.plus_secs(600)), None);
        let uuid = logins.show_code(question, "/again".into());
        assert!(logins.scan(&uuid, NOW.plus_secs(599)).is_some());
        assert!(logins.scan(&uuid, NOW.plus_secs(600)).is_none());
        assert_eq!(logins.known_scan(&uuid).map(|scan| scan.again.as_str()), Some("/again"));
    }
}
