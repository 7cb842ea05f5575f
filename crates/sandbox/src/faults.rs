//! Faults that someone asked for: an error code, a page of a broken gateway, a delay, a connection that goes away.
//!
//! A fault is for a path (or the beginning of one) and, if wanted, one account; it hits a number of times and is gone
//! then. The first one that fits a call hits it. Faults change what the caller sees; whether the call is carried out
//! all the same (the answer got lost on the way back) is part of the fault.

use serde::{Deserialize, Serialize};

use crate::path_pattern::PathPattern;

/// Faults that wait at the same time at most.
const MOST_FAULTS: usize = 1_000;
/// The longest delay, in milliseconds.
const LONGEST_DELAY_MS: u64 = 600_000;
/// The longest body and error text, in bytes.
const LONGEST_BODY: usize = 65_536;

/// What a gateway in front of the API says when it is broken.
const GATEWAY_PAGE: &str = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n\
    <center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n";

/// A wish for a fault: the body of `POST /sandbox/faults`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewFault {
    pub(crate) path: PathPattern,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) appid: Option<String>,
    #[serde(default = "once")]
    pub(crate) times: u64,
    /// Answers with this code, HTTP 200.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) errcode: Option<i64>,
    /// The text for `errcode`; absent: WeChat's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) errmsg: Option<String>,
    /// Answers with this error of WeChat Pay, v2 or v3, signed; `errmsg` is its text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) code: Option<String>,
    /// Answers with this HTTP status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) status: Option<u16>,
    /// The body for `status`; absent: a gateway's HTML page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) body: Option<String>,
    /// Milliseconds of real time before anything else.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) delay_ms: u64,
    /// Closes the connection without an answer.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) drop: bool,
    /// Sends half of the answer, then closes the connection.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) truncate: bool,
    /// Never answers.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) hang: bool,
    /// Carries the call out although its answer is replaced or lost; with a delay, before it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) carry_out: bool,
}

/// A fault that waits for calls.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Fault {
    pub(crate) id: u64,
    /// Calls that it still hits.
    pub(crate) remaining: u64,
    #[serde(flatten)]
    pub(crate) wish: NewFault,
}

/// How a call that was hit ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// With its own answer.
    Answer,
    /// With WeChat's error of this code.
    Errcode(i64),
    /// With the error of WeChat Pay that the wish names.
    Code,
    /// With this HTTP status.
    Status(u16),
    /// With a closed connection.
    Drop,
    /// Not at all.
    Hang,
}

impl NewFault {
    pub(crate) fn ending(&self) -> Ending {
        match (self.hang, self.drop, self.status, self.errcode) {
            (true, ..) => Ending::Hang,
            (_, true, ..) => Ending::Drop,
            (.., Some(status), _) => Ending::Status(status),
            (.., Some(errcode)) => Ending::Errcode(errcode),
            _ if self.code.is_some() => Ending::Code,
            _ => Ending::Answer,
        }
    }

    /// The page that a `status` fault answers with, and its content type.
    pub(crate) fn page(&self) -> (&'static str, String) {
        match &self.body {
            Some(body) if body.trim_start().starts_with(['{', '[']) => ("application/json", body.clone()),
            Some(body) => ("text/html", body.clone()),
            None => ("text/html", GATEWAY_PAGE.to_owned()),
        }
    }

    /// What is wrong with the wish, as a text that says what to do about it.
    fn problem(&self) -> Option<String> {
        let endings = [self.errcode.is_some(), self.code.is_some(), self.status.is_some(), self.drop, self.hang];
        let chosen = endings.iter().filter(|chosen| **chosen).count();
        let too_long = |text: &Option<String>| text.as_ref().is_some_and(|text| text.len() > LONGEST_BODY);
        let problem = if chosen > 1 {
            "give only one of errcode, code, status, drop, hang; delay_ms and truncate can go with the first three"
        } else if chosen == 0 && self.delay_ms == 0 && !self.truncate {
            "say what goes wrong: errcode, code, status, delay_ms, drop, truncate or hang"
        } else if self.truncate && (self.drop || self.hang) {
            "truncate needs an answer; it does not go with drop or hang"
        } else if self.errmsg.is_some() && self.errcode.is_none() && self.code.is_none() {
            "errmsg goes with errcode or code"
        } else if self.body.is_some() && self.status.is_none() {
            "body goes with status"
        } else if self.status.is_some_and(|status| !(200..=599).contains(&status)) {
            "status is an HTTP status from 200 to 599"
        } else if self.times == 0 {
            "times is how many calls the fault hits, at least 1"
        } else if self.delay_ms > LONGEST_DELAY_MS {
            "delay_ms is at most 600000 (10 minutes); hang waits for ever"
        } else if [&self.body, &self.errmsg, &self.code].into_iter().any(too_long) {
            "body, errmsg and code have at most 65536 bytes"
        } else {
            return None;
        };
        Some(problem.to_owned())
    }
}

/// The faults that wait, in the order in which they were asked for.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    waiting: Vec<Fault>,
    last_id: u64,
}

impl Faults {
    pub(crate) fn waiting(&self) -> &[Fault] {
        &self.waiting
    }

    pub(crate) fn add(&mut self, wish: NewFault) -> Result<Fault, String> {
        if let Some(problem) = wish.problem() {
            return Err(problem);
        }
        if self.waiting.len() >= MOST_FAULTS {
            return Err(format!("{MOST_FAULTS} faults wait already; DELETE /sandbox/faults takes them away"));
        }
        self.last_id += 1;
        let fault = Fault { id: self.last_id, remaining: wish.times, wish };
        self.waiting.push(fault.clone());
        Ok(fault)
    }

    /// Takes one fault away; says whether it was there.
    pub(crate) fn remove(&mut self, id: u64) -> bool {
        let before = self.waiting.len();
        self.waiting.retain(|fault| fault.id != id);
        self.waiting.len() < before
    }

    /// Takes all faults away; says how many there were.
    pub(crate) fn clear(&mut self) -> usize {
        let before = self.waiting.len();
        self.waiting.clear();
        before
    }

    /// The fault that hits a call, if one does; it has hit then.
    pub(crate) fn hit(&mut self, path: &str, appid: Option<&str>) -> Option<Fault> {
        let fits = |fault: &Fault| {
            fault.wish.path.matches(path) && fault.wish.appid.as_deref().is_none_or(|wanted| Some(wanted) == appid)
        };
        let fault = self.waiting.iter_mut().find(|fault| fits(fault))?;
        fault.remaining = fault.remaining.saturating_sub(1);
        let hit = fault.clone();
        self.waiting.retain(|fault| fault.remaining > 0);
        Some(hit)
    }
}

fn once() -> u64 {
    1
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(text: &str) -> NewFault {
        serde_json::from_str(text).expect("a fault")
    }

    #[test]
    fn a_fault_hits_as_often_as_it_says_and_only_what_it_is_for() {
        let mut faults = Faults::default();
        faults.add(wish(r#"{"path":"/cgi-bin/*","appid":"wx1","times":2,"errcode":-1}"#)).unwrap();
        assert!(faults.hit("/sns/userinfo", Some("wx1")).is_none());
        assert!(faults.hit("/cgi-bin/token", Some("wx2")).is_none());
        assert!(faults.hit("/cgi-bin/token", None).is_none());
        assert_eq!(faults.hit("/cgi-bin/token", Some("wx1")).unwrap().remaining, 1);
        assert_eq!(faults.hit("/cgi-bin/ticket/getticket", Some("wx1")).unwrap().remaining, 0);
        assert!(faults.hit("/cgi-bin/token", Some("wx1")).is_none());
        assert!(faults.waiting().is_empty());
    }

    #[test]
    fn the_first_one_asked_for_hits_first() {
        let mut faults = Faults::default();
        faults.add(wish(r#"{"path":"*","errcode":-1}"#)).unwrap();
        faults.add(wish(r#"{"path":"*","status":502}"#)).unwrap();
        assert_eq!(faults.hit("/a", None).unwrap().wish.ending(), Ending::Errcode(-1));
        assert_eq!(faults.hit("/a", None).unwrap().wish.ending(), Ending::Status(502));
    }

    #[test]
    fn wishes_that_contradict_themselves_are_refused() {
        for text in [
            r#"{"path":"*"}"#,
            r#"{"path":"*","errcode":1,"status":500}"#,
            r#"{"path":"*","drop":true,"truncate":true}"#,
            r#"{"path":"*","drop":true,"errmsg":"x"}"#,
            r#"{"path":"*","errcode":1,"body":"x"}"#,
            r#"{"path":"*","status":99}"#,
            r#"{"path":"*","errcode":1,"times":0}"#,
            r#"{"path":"*","delay_ms":600001}"#,
        ] {
            assert!(Faults::default().add(wish(text)).is_err(), "{text}");
        }
    }
}
