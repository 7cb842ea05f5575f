//! The GET with which WeChat checks a callback URL when it is entered in the account's console.

use std::time::Duration;

use form_urlencoded::Serializer;
use wechat::callback::CallbackError;

use super::{Intake, IntakeError, Received, Refused};
use crate::apps::Registered;
use crate::backends::CallProblem;
use crate::messages::shown;

/// How long all backends together may take: WeChat waits for five seconds.
const LIMIT: Duration = Duration::from_millis(4500);

impl Intake {
    /// Checks the signature and gives the `echostr` (decrypted for WeCom). With no token registered the backends are asked in
    /// order, and the first that says something answers. A `call` that could never be called is said here, where whoever
    /// enters the URL sees it.
    ///
    /// # Errors
    /// [`IntakeError`].
    pub async fn check_url(&self, registered: &Registered, received: Received) -> Result<Vec<u8>, IntakeError> {
        let Some(keys) = &registered.callback_keys else {
            let calls = received.calls(&self.0.ways.call_urls, registered).map_err(Refused::from)?;
            return self.ask_backends(&calls, &received).await;
        };
        let echo = keys.echo(&received.callback_query()).map_err(Refused::from)?;
        match received.calls(&self.0.ways.call_urls, registered) {
            // The URL is WeChat's already; where messages go may be registered later (`msg_call`).
            Ok(_) => Ok(echo.into_bytes()),
            Err(CallProblem::Missing) => {
                let key = &registered.app.key;
                tracing::warn!(key, "the callback URL is verified, but names no backend: {}", CallProblem::Missing);
                Ok(echo.into_bytes())
            }
            Err(problem) => Err(Refused::from(problem).into()),
        }
    }

    async fn ask_backends(&self, calls: &[String], received: &Received) -> Result<Vec<u8>, IntakeError> {
        let end = tokio::time::Instant::now() + LIMIT;
        let mut problems = Vec::new();
        for (call, left) in calls.iter().zip((1..=calls.len()).rev()) {
            // One that hangs leaves the others their share of the time.
            let share = end.saturating_duration_since(tokio::time::Instant::now()) / u32::try_from(left).unwrap_or(1);
            match self.0.ways.backends.ask(url(call, received), share).await {
                Ok(taken) if !taken.body.trim_ascii().is_empty() => return Ok(taken.body.to_vec()),
                Ok(_) => problems.push(format!("{}: an empty answer", shown(call))),
                Err(reason) => problems.push(format!("{}: {reason}", shown(call))),
            }
        }
        Err(IntakeError::Unanswered(format!(
            "no token is registered here, so the backends were asked, and none answered: {}",
            problems.join("; ")
        )))
    }
}

/// The backend's URL with the parameters of the check behind its own.
fn url(call: &str, received: &Received) -> String {
    let mut url = call.to_owned();
    url.push(if call.contains('?') { '&' } else { '?' });
    let place = url.len();
    let query = received.query.iter().filter(|(name, _)| name != "call");
    Serializer::for_suffix(url, place).extend_pairs(query).finish()
}

impl From<CallbackError> for IntakeError {
    fn from(error: CallbackError) -> Self {
        Self::Refused(Refused::Callback(error))
    }
}
