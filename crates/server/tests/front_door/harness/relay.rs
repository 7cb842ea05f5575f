//! A TCP relay that can be cut and mended: a database that goes away and comes back.

use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

#[derive(Clone, Copy, PartialEq)]
enum State {
    Whole,
    Cut,
    Silent,
}

/// A relay to one address.
pub(crate) struct Relay {
    pub(crate) address: SocketAddr,
    state: watch::Sender<State>,
    _stop: DropGuard,
}

impl Relay {
    pub(crate) async fn to(target: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (state, seen) = watch::channel(State::Whole);
        let stop = CancellationToken::new();
        let (target, stopped) = (target.to_owned(), stop.clone());
        let tasks = TaskTracker::new();
        tasks.clone().spawn(async move {
            while let Some(Ok((near, _))) = stopped.run_until_cancelled(listener.accept()).await {
                tasks.spawn(carry(near, target.clone(), seen.clone()));
            }
        });
        Self { address, state, _stop: stop.drop_guard() }
    }

    /// All connections break, and new ones break at once.
    pub(crate) fn cut(&self) {
        self.state.send_replace(State::Cut);
    }

    /// Connections stay, but nothing comes through any more.
    pub(crate) fn silence(&self) {
        self.state.send_replace(State::Silent);
    }

    pub(crate) fn mend(&self) {
        self.state.send_replace(State::Whole);
    }
}

async fn carry(mut near: TcpStream, target: String, mut state: watch::Receiver<State>) {
    if *state.borrow_and_update() == State::Cut {
        return;
    }
    let Ok(mut far) = TcpStream::connect(target).await else { return };
    tokio::select! {
        _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
        _ = state.wait_for(|state| *state != State::Whole) => {}
    }
    // Silence lasts as long as the connection.
    if *state.borrow() == State::Silent {
        let _ = state.wait_for(|state| *state == State::Cut).await;
    }
}
