//! The connections that are open: which of them idle too long, and how all of them end when the server stops.
//!
//! One scan in a while looks at all connections, so that a request costs no timer: hyper's own `header_read_timeout`
//! sets one for each request, a tenth of what a ready answer costs. What must stay true: a request that is under way is
//! never cut off here, unless its client takes nothing of the answer; and a client that sends no whole request is.

use std::collections::HashMap;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use futures::task::AtomicWaker;
use hyper_util::server::graceful::GracefulConnection;
use tokio_util::sync::CancellationToken;

/// Time between two scans. A connection without a new request from one scan to the next is closed: so a client has
/// this long at least, twice as long at most, to send the head of a request.
const SCAN_EVERY: Duration = Duration::from_secs(60);

/// All open connections of one listener.
#[derive(Default)]
pub(crate) struct OpenConnections {
    states: Mutex<HashMap<u64, Arc<State>>>,
    next: AtomicU64,
}

/// What is known of one connection.
#[derive(Default)]
pub(crate) struct State {
    requests: AtomicU32,
    under_way: AtomicU32,
    seen_by_scan: AtomicU32,
    wish: AtomicU8,
    /// The head that arrived last tells two lengths of its body.
    measured_twice: AtomicBool,
    /// Answers that are being sent, the pieces of them so far, and those that the last scan saw.
    sending: AtomicU32,
    pieces: AtomicU32,
    pieces_seen: AtomicU32,
    task: AtomicWaker,
}

/// What a connection is asked to do.
const GO_ON: u8 = 0;
/// Finish what is under way, then end.
const FINISH: u8 = 1;
/// End now: nothing is under way.
const END: u8 = 2;
/// End now: the client takes nothing of what is being sent.
const CUT: u8 = 3;

/// A request under way, until this is dropped.
pub(crate) struct UnderWay {
    state: Arc<State>,
    /// A piece of its answer is sent, and more may follow.
    is_sending: bool,
}

impl UnderWay {
    /// The client took a piece of the answer.
    pub(crate) fn sends_a_piece(&mut self) {
        self.state.pieces.fetch_add(1, Ordering::Relaxed);
        if !self.is_sending {
            self.is_sending = true;
            self.state.sending.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.state.under_way.fetch_sub(1, Ordering::Relaxed);
        if self.is_sending {
            self.state.sending.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// Forgets a connection when this is dropped.
pub(crate) struct Leaves<'a> {
    connections: &'a OpenConnections,
    id: u64,
}

impl Drop for Leaves<'_> {
    fn drop(&mut self) {
        self.connections.lock().remove(&self.id);
    }
}

impl State {
    /// Notes that a whole request arrived and was answered at once.
    pub(crate) fn served(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    /// Notes that a whole request arrived; it is under way until the result is dropped.
    pub(crate) fn begin(self: &Arc<Self>) -> UnderWay {
        self.served();
        self.under_way.fetch_add(1, Ordering::Relaxed);
        UnderWay { state: Arc::clone(self), is_sending: false }
    }

    /// Whether a request is under way.
    pub(crate) fn is_under_way(&self) -> bool {
        self.under_way.load(Ordering::Relaxed) > 0
    }

    /// Notes that the head of the next request tells two lengths of its body.
    pub(crate) fn note_measured_twice(&self) {
        self.measured_twice.store(true, Ordering::Relaxed);
    }

    /// Whether the head of this request told two lengths of its body.
    pub(crate) fn was_measured_twice(&self) -> bool {
        self.measured_twice.load(Ordering::Relaxed) && self.measured_twice.swap(false, Ordering::Relaxed)
    }

    fn ask(&self, wish: u8) {
        self.wish.store(wish, Ordering::Release);
        self.task.wake();
    }

    /// Takes back the wish to end; a wish to finish that came meanwhile stays.
    fn go_on(&self) {
        for wish in [END, CUT] {
            let _ = self.wish.compare_exchange(wish, GO_ON, Ordering::AcqRel, Ordering::Acquire);
        }
    }

    /// Asked by the connection itself: between the scan's wish and now a request may have arrived.
    fn has_nothing_new(&self) -> bool {
        let requests = self.requests.load(Ordering::Relaxed);
        requests == self.seen_by_scan.load(Ordering::Relaxed) && self.under_way.load(Ordering::Relaxed) == 0
    }

    /// Asked by the connection itself, too: a piece may have gone since the scan.
    fn is_stuck(&self) -> bool {
        let pieces = self.pieces.load(Ordering::Relaxed);
        pieces == self.pieces_seen.load(Ordering::Relaxed) && self.sending.load(Ordering::Relaxed) > 0
    }

    /// What a scan asks of this connection.
    fn scanned(&self) -> Option<u8> {
        let wish = if self.is_idle() {
            Some(END)
        } else if self.is_stuck() {
            Some(CUT)
        } else {
            None
        };
        self.pieces_seen.store(self.pieces.load(Ordering::Relaxed), Ordering::Relaxed);
        wish
    }

    fn is_idle(&self) -> bool {
        let requests = self.requests.load(Ordering::Relaxed);
        let seen = self.seen_by_scan.swap(requests, Ordering::Relaxed);
        // The first scan after the start of a connection only notes: `u32::MAX` stands for never seen.
        seen == requests && self.under_way.load(Ordering::Relaxed) == 0
    }
}

impl OpenConnections {
    /// The state of a new connection.
    pub(crate) fn enter(&self) -> (u64, Arc<State>) {
        let state = Arc::new(State { seen_by_scan: AtomicU32::new(u32::MAX), ..State::default() });
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        self.lock().insert(id, Arc::clone(&state));
        (id, state)
    }

    /// Forgets a connection when the result is dropped: when it has ended, however it ended.
    pub(crate) fn leaves(&self, id: u64) -> Leaves<'_> {
        Leaves { connections: self, id }
    }

    /// Closes connections that idle, until `stop`; then asks all to finish.
    pub(crate) async fn watch(&self, stop: &CancellationToken) {
        while stop.run_until_cancelled(tokio::time::sleep(SCAN_EVERY)).await.is_some() {
            self.scan();
        }
        self.finish();
    }

    /// Asks all connections to finish what is under way and end.
    pub(crate) fn finish(&self) {
        self.lock().values().for_each(|state| state.ask(FINISH));
    }

    fn scan(&self) {
        for state in self.lock().values() {
            if let Some(wish) = state.scanned() {
                state.ask(wish);
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<u64, Arc<State>>> {
        self.states.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Drives a connection to its end.
pub(crate) async fn drive(state: &State, connection: impl GracefulConnection) {
    let mut connection = pin!(connection);
    let mut known = false;
    let mut finishing = false;
    poll_fn(|context| {
        if !known {
            state.task.register(context.waker());
            known = true;
        }
        match state.wish.load(Ordering::Acquire) {
            END if state.has_nothing_new() => return Poll::Ready(()),
            CUT if state.is_stuck() => return Poll::Ready(()),
            END | CUT => state.go_on(),
            FINISH if !finishing => {
                connection.as_mut().graceful_shutdown();
                finishing = true;
            }
            _ => {}
        }
        // An error here is the client's: it went away or spoke no HTTP.
        connection.as_mut().poll(context).map(drop)
    })
    .await;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(state: &State) -> u8 {
        state.wish.load(Ordering::Acquire)
    }

    #[test]
    fn a_connection_without_a_new_request_between_two_scans_is_ended() {
        let connections = OpenConnections::default();
        let (_, state) = connections.enter();
        connections.scan();
        assert_eq!(wish(&state), GO_ON);
        state.served();
        connections.scan();
        assert_eq!(wish(&state), GO_ON);
        connections.scan();
        assert_eq!(wish(&state), END);
    }

    #[test]
    fn taking_back_the_end_never_takes_back_the_stop() {
        let state = State::default();
        state.ask(END);
        state.go_on();
        assert_eq!(wish(&state), GO_ON);
        state.ask(FINISH);
        state.go_on();
        assert_eq!(wish(&state), FINISH);
    }

    #[test]
    fn a_request_under_way_is_never_cut_off() {
        let connections = OpenConnections::default();
        let (_, state) = connections.enter();
        let request = state.begin();
        (0..5).for_each(|_| connections.scan());
        assert_eq!(wish(&state), GO_ON);
        drop(request);
        connections.scan();
        assert_eq!(wish(&state), END);
    }

    #[test]
    fn an_answer_of_which_the_client_takes_nothing_from_one_scan_to_the_next_is_cut_off() {
        let connections = OpenConnections::default();
        let (_, state) = connections.enter();
        let mut request = state.begin();
        (0..3).for_each(|_| connections.scan());
        assert_eq!(wish(&state), GO_ON, "it is waited for, not sent");
        request.sends_a_piece();
        connections.scan();
        request.sends_a_piece();
        connections.scan();
        assert_eq!(wish(&state), GO_ON, "slow, but it moves");
        connections.scan();
        assert_eq!(wish(&state), CUT);
        assert!(state.is_stuck());
        drop(request);
        assert!(!state.is_stuck());
    }

    #[test]
    fn a_connection_that_has_ended_is_forgotten() {
        let connections = OpenConnections::default();
        let (id, _) = connections.enter();
        drop(connections.leaves(id));
        assert!(connections.lock().is_empty());
    }
}
