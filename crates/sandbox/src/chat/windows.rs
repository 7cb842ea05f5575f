//! When an account may write to a user by itself: each thing that the user does opens a window for some messages.
//!
//! Used by `platform/custom_messages` and by whatever the user does. Source: "Customer service messages, sending
//! conditions" of the official account docs (5 in 48 hours after a message, 3 in a minute after a click, 2 in a minute
//! after entering a mini program's session).

use crate::clock::Time;

/// What a user did that opens a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trigger {
    /// Sent a message.
    Message,
    /// Tapped an entry of the menu.
    Menu,
    /// Followed, with or without a QR code.
    Follow,
    /// Scanned a QR code while following.
    Scan,
    /// Entered the session of a mini program.
    Session,
}

impl Trigger {
    /// Messages, and seconds.
    const fn allowance(self) -> (u32, u64) {
        match self {
            Trigger::Message => (5, 48 * 3600),
            Trigger::Menu | Trigger::Follow | Trigger::Scan => (3, 60),
            Trigger::Session => (2, 60),
        }
    }
}

/// Why nothing can be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shut {
    /// No window is open: 45015.
    Closed,
    /// All that are open are used up: 45047.
    UsedUp,
}

/// The windows of one user.
#[derive(Clone, Debug, Default)]
pub(crate) struct Windows {
    open: Vec<Window>,
}

#[derive(Clone, Copy, Debug)]
struct Window {
    trigger: Trigger,
    left: u32,
    until: Time,
}

impl Windows {
    /// Opens a window, in place of an older one of the same trigger.
    pub(crate) fn open(&mut self, trigger: Trigger, now: Time) {
        let (left, secs) = trigger.allowance();
        self.open.retain(|window| window.trigger != trigger && window.until > now);
        self.open.push(Window { trigger, left, until: now.plus_secs(secs) });
    }

    /// Whether a message could be sent.
    ///
    /// # Errors
    /// [`Shut`] when it could not.
    pub(crate) fn check(&self, now: Time) -> Result<(), Shut> {
        let mut open = self.open.iter().filter(|window| window.until > now).peekable();
        open.peek().ok_or(Shut::Closed)?;
        if open.any(|window| window.left > 0) { Ok(()) } else { Err(Shut::UsedUp) }
    }

    /// Uses one message, of the window that closes first.
    ///
    /// # Errors
    /// [`Shut`] when there is none.
    pub(crate) fn take(&mut self, now: Time) -> Result<(), Shut> {
        self.check(now)?;
        self.open.retain(|window| window.until > now);
        let free = self.open.iter_mut().filter(|window| window.left > 0).min_by_key(|window| window.until);
        free.map(|window| window.left -= 1).ok_or(Shut::UsedUp)
    }

    /// Messages left, and when the last window closes.
    pub(crate) fn left(&self, now: Time) -> (u32, Option<Time>) {
        let open = self.open.iter().filter(|window| window.until > now);
        (open.clone().map(|window| window.left).sum(), open.map(|window| window.until).max())
    }

    /// Closes all, as when the user stops following.
    pub(crate) fn close(&mut self) {
        self.open.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time::from_secs(1_700_000_000);

    #[test]
    fn a_message_opens_48_hours_for_five() {
        let mut windows = Windows::default();
        assert_eq!(windows.take(NOW), Err(Shut::Closed));
        windows.open(Trigger::Message, NOW);
        for _ in 0..5 {
            assert_eq!(windows.take(NOW.plus_secs(48 * 3600 - 1)), Ok(()));
        }
        assert_eq!(windows.take(NOW.plus_secs(48 * 3600 - 1)), Err(Shut::UsedUp));
        assert_eq!(windows.take(NOW.plus_secs(48 * 3600)), Err(Shut::Closed));
    }

    #[test]
    fn a_new_message_fills_up_again_and_does_not_add() {
        let mut windows = Windows::default();
        windows.open(Trigger::Message, NOW);
        windows.take(NOW).unwrap();
        windows.open(Trigger::Message, NOW.plus_secs(10));
        assert_eq!(windows.left(NOW.plus_secs(10)), (5, Some(NOW.plus_secs(10 + 48 * 3600))));
    }

    #[test]
    fn the_window_that_closes_first_is_used_first() {
        let mut windows = Windows::default();
        windows.open(Trigger::Message, NOW);
        windows.open(Trigger::Menu, NOW);
        for _ in 0..4 {
            windows.take(NOW).unwrap();
        }
        assert_eq!(windows.left(NOW).0, 4);
        assert_eq!(windows.left(NOW.plus_secs(60)).0, 4);
        windows.close();
        assert_eq!(windows.take(NOW), Err(Shut::Closed));
    }
}
