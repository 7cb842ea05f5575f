//! Logins that are being finished. WeChat's browser sometimes opens the way back twice, and browsers ask again when a
//! connection breaks: while the first is under way, the second gets the same end instead of "used before".
//!
//! What must stay true: a login is not tied to the connection that brought it; another code never joins.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;
use tokio_util::task::TaskTracker;

use super::Lead;
use super::problem::LoginProblem;

type Outcome = Result<Lead, LoginProblem>;

/// By the id of their round trip.
#[derive(Clone, Default)]
pub(super) struct UnderWay(Arc<Mutex<HashMap<[u8; 16], Finishing>>>);

struct Finishing {
    code: String,
    outcome: watch::Receiver<Option<Outcome>>,
}

/// Takes a login from the list at its end, whatever end that is.
struct Ending {
    under_way: UnderWay,
    id: [u8; 16],
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.under_way.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
    }
}

impl UnderWay {
    /// The end of the login `id`: of the one that is under way with this code, else of `work`, which then runs as a task.
    pub(super) async fn join_or_start<F>(
        &self,
        id: [u8; 16],
        code: &str,
        tasks: &TaskTracker,
        work: impl FnOnce(String) -> F,
    ) -> Outcome
    where
        F: Future<Output = Outcome> + Send + 'static,
    {
        let mut outcome = self.enter(id, code, tasks, work).ok_or(LoginProblem::Spent)?;
        let ended = outcome.wait_for(Option::is_some).await;
        ended.ok().and_then(|ended| ended.clone()).unwrap_or(Err(LoginProblem::NotReady))
    }

    /// `None`: it is under way with another code.
    fn enter<F>(
        &self,
        id: [u8; 16],
        code: &str,
        tasks: &TaskTracker,
        work: impl FnOnce(String) -> F,
    ) -> Option<watch::Receiver<Option<Outcome>>>
    where
        F: Future<Output = Outcome> + Send + 'static,
    {
        let mut under_way = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(finishing) = under_way.get(&id) {
            return (finishing.code == code).then(|| finishing.outcome.clone());
        }
        let (sender, outcome) = watch::channel(None);
        under_way.insert(id, Finishing { code: code.to_owned(), outcome: outcome.clone() });
        let (work, ending) = (work(code.to_owned()), Ending { under_way: self.clone(), id });
        tasks.spawn(async move {
            let outcome = work.await;
            drop(ending);
            sender.send_replace(Some(outcome));
        });
        Some(outcome)
    }
}
