//! What was received: one record an API call, in a ring of bounded length.
//!
//! The control API lists and counts it, the page shows it, and `/cgi-bin/openapi/rid/get` finds in it what belongs to
//! the request id of an error text. A call is recorded before its answer leaves, so whoever has the answer finds
//! the record.

use std::collections::VecDeque;

use serde::Serialize;

use crate::clock::Time;
use crate::path_pattern::PathPattern;

/// Records kept; the oldest ones go first.
const MOST_RECORDS: usize = 10_000;
/// Characters that are kept of each text that a caller chose the length of.
const LONGEST_EXCERPT: usize = 1_024;

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    /// With a whole answer.
    Answered,
    /// With half an answer, by a fault.
    Truncated,
    /// With a closed connection, by a fault.
    Dropped,
    /// Without an answer, by a fault.
    Hung,
    /// The caller went away while the call waited.
    GivenUp,
}

/// One call that was received.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Record {
    pub(crate) id: u64,
    /// When it arrived, on the sandbox's clock, in milliseconds.
    pub(crate) time: Time,
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) appid: Option<String>,
    pub(crate) status: Option<u16>,
    pub(crate) errcode: Option<i64>,
    /// From its arrival to its answer in real milliseconds.
    pub(crate) duration_ms: u64,
    pub(crate) client_ip: String,
    /// The fault that hit it.
    pub(crate) fault: Option<u64>,
    pub(crate) outcome: Outcome,
    pub(crate) rid: Option<String>,
    /// What happened, in a few words, where status and code do not say it: on pages, and over the JSSDK's bridge.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) note: Option<String>,
    #[serde(skip)]
    pub(crate) details: Option<Box<Details>>,
}

/// What `/cgi-bin/openapi/rid/get` tells about a request.
#[derive(Clone, Debug)]
pub(crate) struct Details {
    pub(crate) request_url: String,
    pub(crate) request_body: String,
    pub(crate) response_body: String,
}

impl Details {
    pub(crate) fn new(request_url: &str, request_body: &[u8], response_body: &[u8]) -> Details {
        let text = |bytes: &[u8]| excerpt(&String::from_utf8_lossy(bytes));
        Details {
            request_url: excerpt(request_url),
            request_body: text(request_body),
            response_body: text(response_body),
        }
    }
}

/// The beginning of a text: the journal is bounded in what it holds, not only in how many records.
pub(crate) fn excerpt(text: &str) -> String {
    text.chars().take(LONGEST_EXCERPT).collect()
}

/// Which records are wanted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filter {
    pub(crate) path: Option<PathPattern>,
    pub(crate) appid: Option<String>,
}

impl Filter {
    fn takes(&self, record: &Record) -> bool {
        self.path.as_ref().is_none_or(|path| path.matches(&record.path))
            && self.appid.as_deref().is_none_or(|appid| record.appid.as_deref() == Some(appid))
    }
}

/// The calls that were received, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    records: VecDeque<Record>,
    last_id: u64,
}

impl Journal {
    /// Keeps a record and gives it its id.
    pub(crate) fn add(&mut self, mut record: Record) -> Record {
        self.last_id += 1;
        record.id = self.last_id;
        if self.records.len() >= MOST_RECORDS {
            self.records.pop_front();
        }
        self.records.push_back(record.clone());
        record
    }

    /// The id of the latest record, 0 before the first.
    pub(crate) fn last_id(&self) -> u64 {
        self.last_id
    }

    /// The first `limit` records after an id, oldest first; without an id, the latest `limit`.
    pub(crate) fn list(&self, filter: &Filter, after: Option<u64>, limit: usize) -> Vec<&Record> {
        let wanted = |record: &&Record| filter.takes(record);
        match after {
            Some(id) => self.records.iter().filter(|record| record.id > id).filter(wanted).take(limit).collect(),
            None => {
                let mut latest: Vec<_> = self.records.iter().rev().filter(wanted).take(limit).collect();
                latest.reverse();
                latest
            }
        }
    }

    pub(crate) fn count(&self, filter: &Filter) -> usize {
        self.records.iter().filter(|record| filter.takes(record)).count()
    }

    pub(crate) fn find_rid(&self, rid: &str) -> Option<&Record> {
        self.records.iter().rev().find(|record| record.rid.as_deref() == Some(rid))
    }

    /// Forgets all records; ids go on. Says how many there were.
    pub(crate) fn clear(&mut self) -> usize {
        let before = self.records.len();
        self.records.clear();
        before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(path: &str, appid: &str) -> Record {
        Record {
            id: 0,
            time: Time::from_secs(1),
            method: "GET".into(),
            path: path.into(),
            appid: Some(appid.into()),
            status: Some(200),
            errcode: Some(0),
            duration_ms: 0,
            client_ip: "127.0.0.1".into(),
            fault: None,
            outcome: Outcome::Answered,
            rid: None,
            note: None,
            details: None,
        }
    }

    #[test]
    fn records_are_filtered_and_paged() {
        let mut journal = Journal::default();
        for number in 0..10 {
            journal.add(record(if number % 2 == 0 { "/cgi-bin/token" } else { "/sns/auth" }, "wx1"));
        }
        let ids = |records: Vec<&Record>| records.iter().map(|record| record.id).collect::<Vec<_>>();
        let filter = |path: &str| Filter { path: PathPattern::try_from(path.to_owned()).ok(), appid: None };
        assert_eq!(ids(journal.list(&filter("/cgi-bin/token"), None, 2)), [7, 9]);
        assert_eq!(ids(journal.list(&filter("/cgi-bin/token"), Some(1), 2)), [3, 5]);
        assert_eq!(journal.count(&filter("/sns/*")), 5);
        assert_eq!(journal.count(&Filter { path: None, appid: Some("wx2".into()) }), 0);
        assert_eq!(journal.clear(), 10);
        assert_eq!(journal.add(record("/a", "wx1")).id, 11);
    }

    #[test]
    fn the_ring_is_bounded() {
        let mut journal = Journal::default();
        for _ in 0..MOST_RECORDS + 5 {
            journal.add(record("/a", "wx1"));
        }
        assert_eq!(journal.count(&Filter::default()), MOST_RECORDS);
        assert_eq!(journal.list(&Filter::default(), Some(0), 1).first().map(|record| record.id), Some(6));
    }
}
