//! Whose reply WeChat gets: a pure function of what each backend did so far.
//!
//! The rule: the first reply in the order of the `call` parameters, as soon as it is certain. A backend that failed or
//! had nothing to say does not count. When WeChat waits no longer, those that are still silent do not count either.

/// What one backend did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// Nothing yet.
    Open,
    /// It has the message and nothing to say, or said what cannot be used.
    Silent,
    /// It has replied.
    Replied,
    /// It does not have the message.
    Failed,
}

/// What WeChat gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// The reply of this backend.
    Reply(usize),
    /// `success`: nobody has a reply (in time).
    Success,
}

/// What can be decided now; `None`: an earlier backend may still reply.
#[must_use]
pub fn decide(calls: &[Call], time_is_up: bool) -> Option<Decision> {
    for (place, call) in calls.iter().enumerate() {
        match call {
            Call::Replied => return Some(Decision::Reply(place)),
            Call::Open if !time_is_up => return None,
            Call::Open | Call::Silent | Call::Failed => {}
        }
    }
    Some(Decision::Success)
}

#[cfg(test)]
mod tests {
    use super::Call::{Failed, Open, Replied, Silent};
    use super::*;

    #[test]
    fn the_first_in_order_is_waited_for() {
        assert_eq!(decide(&[Open, Replied], false), None);
        assert_eq!(decide(&[Silent, Replied], false), Some(Decision::Reply(1)));
        assert_eq!(decide(&[Failed, Open, Replied], false), None);
        assert_eq!(decide(&[Replied, Open], false), Some(Decision::Reply(0)));
        assert_eq!(decide(&[Failed, Silent], false), Some(Decision::Success));
        assert_eq!(decide(&[], false), Some(Decision::Success));
    }

    #[test]
    fn when_time_is_up_the_first_that_is_there_counts() {
        assert_eq!(decide(&[Open, Silent, Replied], true), Some(Decision::Reply(2)));
        assert_eq!(decide(&[Open, Failed], true), Some(Decision::Success));
    }

    /// More time and more answers never take a decision back, and never turn it into another one, while time is not up.
    #[test]
    fn a_decision_stays() {
        let all = [Open, Silent, Replied, Failed];
        for a in all {
            for b in all {
                for c in all {
                    let Some(decided) = decide(&[a, b, c], false) else { continue };
                    let later = |call: Call| if call == Open { all.to_vec() } else { vec![call] };
                    for a in later(a) {
                        for b in later(b) {
                            for c in later(c) {
                                assert_eq!(decide(&[a, b, c], false), Some(decided), "{:?}", [a, b, c]);
                            }
                        }
                    }
                }
            }
        }
    }
}
