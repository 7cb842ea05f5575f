//! Tokens and tickets: always one that is good, fetched once for everybody.
//!
//! * [`decide`]: what to do about a value, as a pure function;
//! * [`schedule`]: when to refresh and when to ask again, as pure functions;
//! * `ask`: asking WeChat, and what its answer means;
//! * `call`: another call, with a token;
//! * `refresh`: one refresh under a lease, and storing what came of it;
//! * [`ages`]: how old they are, for `/metrics`;
//! * [`refresher`]: the background: what is due, and what other nodes did.
//!
//! The way of a request: the value in memory ([`crate::slot`]) if it is good; else it joins the refresh that is under
//! way on this node, or starts one. A refresh reads the database, claims a lease there, asks WeChat, stores, lets go.
//! So whatever number of requests, keys, processes and nodes: one asks, all get the answer.
//! What must stay true: a refresh is never tied to the life of the request that started it.

pub mod ages;
mod ask;
mod call;
pub mod decide;
mod refresh;
pub mod refresher;
pub mod schedule;

use std::future::Future;
use std::ops::Deref;
use std::pin::Pin;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use secrecy::SecretString;
use store::{Credential, StoreError};
use tokio::sync::{Notify, watch};

pub use self::call::CallError;
use self::decide::{Demand, Step, Want, decide};
use self::refresh::Tried;
use crate::credential_error::CredentialError;
use crate::foundation::Foundation;
use crate::slot::{Current, Slot, SlotId};
use crate::upstream::{CALL_TIMEOUT, Upstream};

/// How long a node may hold the right to ask WeChat: as long as asking twice may take (once as usual, once forced), and
/// a little for the database. A node that died is replaced after this time.
pub const LEASE: Duration = Duration::from_secs(2 * CALL_TIMEOUT.as_secs() + 2);

/// How long a request waits for a token before it is told to come again.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// How often a waiting node looks whether the asking one is done.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Cares for all tokens and tickets. Cheap to clone.
#[derive(Clone)]
pub struct Credentials(Arc<Inner>);

struct Inner {
    foundation: Arc<Foundation>,
    upstream: Upstream,
    /// This process, in the owner column of leases.
    owner: String,
    /// Wakes the background when something was stored that may be due sooner than what it waits for.
    stored: Notify,
}

impl Deref for Inner {
    type Target = Foundation;
    fn deref(&self) -> &Foundation {
        &self.foundation
    }
}

/// How often one refresh asks WeChat at most: a second time after a dead token was replaced. Values that are over before
/// they arrive must not make a loop.
const MOST_FETCHES: u32 = 2;

type Outcome = Option<Result<(), CredentialError>>;

impl Credentials {
    /// A carer on this foundation.
    #[must_use]
    pub fn new(foundation: Arc<Foundation>, upstream: Upstream) -> Self {
        let owner = hex::encode(foundation.node.0);
        Self(Arc::new(Inner { foundation, upstream, owner, stored: Notify::new() }))
    }

    /// A value that is good.
    ///
    /// # Errors
    /// [`CredentialError`] when there is none and none can be had now.
    pub async fn valid(&self, slot: &Arc<Slot>) -> Result<Arc<Current>, CredentialError> {
        self.meet(slot, Want::Valid).await
    }

    /// Another value than `old`: a new one if `old` is still the current one, else what is current.
    ///
    /// # Errors
    /// [`CredentialError`] when no other can be had now.
    pub async fn replacement(&self, slot: &Arc<Slot>, old: SecretString) -> Result<Arc<Current>, CredentialError> {
        self.meet(slot, Want::Replacement(old)).await
    }

    /// A new value, but at most one in [`decide::FORCED_AT_MOST_EVERY`].
    ///
    /// # Errors
    /// [`CredentialError`] when none can be had now; the old one is kept.
    pub async fn forced(&self, slot: &Arc<Slot>) -> Result<Arc<Current>, CredentialError> {
        self.meet(slot, Want::Forced).await
    }

    /// Another value than `dead`, which WeChat just refused.
    ///
    /// # Errors
    /// [`CredentialError`] when no other can be had now.
    pub async fn healed(&self, slot: &Arc<Slot>, dead: SecretString) -> Result<Arc<Current>, CredentialError> {
        self.meet(slot, Want::Healed(dead)).await
    }

    /// What WeChat calls current, which may be `dead` itself, which WeChat just refused.
    ///
    /// # Errors
    /// [`CredentialError`] when WeChat cannot be asked now.
    pub async fn newest(&self, slot: &Arc<Slot>, dead: SecretString) -> Result<Arc<Current>, CredentialError> {
        self.meet(slot, Want::Newest(dead)).await
    }

    async fn meet(&self, slot: &Arc<Slot>, want: Want) -> Result<Arc<Current>, CredentialError> {
        let demand = Demand { want, asked_at: self.0.clock.now() };
        tokio::time::timeout(PATIENCE, self.meet_patiently(slot, demand))
            .await
            .unwrap_or(Err(CredentialError::TimedOut))
    }

    async fn meet_patiently(&self, slot: &Arc<Slot>, demand: Demand) -> Result<Arc<Current>, CredentialError> {
        loop {
            let now = self.0.clock.now();
            let current = slot
                .valid(now)
                .filter(|current| demand.is_met(&current.value, current.issued_at, current.forced_at, false));
            if let Some(current) = current {
                return Ok(current);
            }
            if let Some(failure) = slot.failure().filter(|failure| demand.is_refused_by(failure, now)) {
                return Err(CredentialError::remembered(&failure, now));
            }
            self.join_or_start(slot, &demand).await?;
        }
    }

    /// Waits for the refresh that is under way on this node; starts one when there is none.
    fn join_or_start(
        &self,
        slot: &Arc<Slot>,
        demand: &Demand,
    ) -> impl Future<Output = Result<(), CredentialError>> + Send + use<> {
        let mut flight = slot.flight.lock().unwrap_or_else(PoisonError::into_inner);
        let mut outcome = match &*flight {
            Some(outcome) => outcome.clone(),
            None => {
                let (sender, outcome) = watch::channel(None);
                *flight = Some(outcome.clone());
                self.0.tasks.spawn(self.clone().fly(Landing { slot: Arc::clone(slot), sender }, demand.clone()));
                outcome
            }
        };
        drop(flight);
        async move {
            let landed = outcome.wait_for(Option::is_some).await;
            landed.map_or(Err(CredentialError::TimedOut), |result| result.clone().unwrap_or(Ok(())))
        }
    }

    /// Boxed, because fetching a ticket waits for a token, which flies in turn.
    fn fly(self, landing: Landing, demand: Demand) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(async move {
            let outcome = self.settle(&landing.slot, &demand).await;
            landing.land(outcome);
        })
    }

    /// Looks at the database and does what [`decide`] says until the demand is met or refused.
    async fn settle(&self, slot: &Arc<Slot>, demand: &Demand) -> Result<(), CredentialError> {
        let mut fetches_left = MOST_FETCHES;
        loop {
            let row = self.reload(slot).await?;
            let now = self.0.clock.now();
            match decide(&row, demand, now) {
                Step::Done => return Ok(()),
                Step::Refused(failure) => return Err(CredentialError::remembered(&failure, now)),
                Step::Wait(_) => tokio::time::sleep(LOOK_AGAIN).await,
                Step::Fetch { .. } if fetches_left == 0 => return Err(CredentialError::TimedOut),
                Step::Fetch { force } => match self.refresh(slot, &row, demand, force, fetches_left == 1).await? {
                    Tried::Asked => fetches_left -= 1,
                    Tried::Overtaken => {}
                },
            }
        }
    }

    /// These credentials were changed in the database: what this node has of them in memory follows.
    ///
    /// # Errors
    /// [`StoreError`] when the database does not answer.
    pub async fn changed(&self, ids: &[String]) -> Result<(), StoreError> {
        for id in ids {
            if let Some(slot) = SlotId::parse(id).and_then(|id| self.0.slots.known(&id)) {
                self.reload(&slot).await?;
            }
        }
        Ok(())
    }

    /// Brings the slot up to what the database holds, and gives that.
    async fn reload(&self, slot: &Slot) -> Result<Credential, StoreError> {
        let id = slot.id.to_string();
        let _reading = slot.reading.lock().await;
        let Some(row) = self.0.store.credential(&id).await? else {
            slot.reset();
            return Ok(Credential::empty(&id, slot.id.appid.as_str()));
        };
        slot.adopt(&row);
        Ok(row)
    }
}

/// Ends a flight, also when it panics or is dropped: nobody waits for ever.
struct Landing {
    slot: Arc<Slot>,
    sender: watch::Sender<Outcome>,
}

impl Landing {
    fn land(self, outcome: Result<(), CredentialError>) {
        self.clear();
        self.sender.send_replace(Some(outcome));
    }

    /// First cleared, then told: who comes in between starts anew and finds the value.
    fn clear(&self) {
        *self.slot.flight.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl Drop for Landing {
    fn drop(&mut self) {
        if self.sender.borrow().is_none() {
            self.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;
    use store::{App, DatabaseUrl, Keyring, NewValue, Secrets, Settings, Store, Timestamp};
    use url::Url;

    use super::*;
    use crate::clock::ManualClock;
    use crate::metrics::Metrics;
    use crate::random::OsRandom;
    use crate::upstream::{Hosts, Roots};

    pub(super) const NOW: Timestamp = Timestamp::from_seconds(1_700_000_000);
    pub(super) const ID: &str = "stable_token:wx1";

    /// On this store, with a WeChat that nobody reaches.
    pub(super) fn credentials(store: Store) -> (Credentials, Arc<ManualClock>) {
        let clock = Arc::new(ManualClock::at(NOW));
        let nowhere = || Url::parse("http://127.0.0.1:1").unwrap();
        let hosts = Hosts { api: nowhere(), qyapi: nowhere(), open: nowhere(), pay: nowhere(), pay_backup: None };
        let metrics = Metrics::new();
        let upstream = Upstream::new(hosts, &Roots::with(&[]).unwrap(), Arc::clone(&metrics)).unwrap();
        let foundation = Foundation::new(store, Arc::<ManualClock>::clone(&clock), Arc::new(OsRandom), metrics);
        (Credentials::new(foundation, upstream), clock)
    }

    /// Stores the next value of a credential, as another node would.
    pub(super) async fn store_value(store: &Store, id: &str, value: &str) {
        let version = store.credential(id).await.unwrap().map_or(0, |row| row.version);
        assert!(store.claim_credential(id, "wx1", "another node", version, NOW, NOW + LEASE).await.unwrap());
        let new = NewValue {
            value: value.into(),
            issued_at: NOW,
            expires_at: NOW + Duration::from_secs(7200),
            refresh_at: NOW + Duration::from_secs(6900),
            forced_at: None,
        };
        assert!(store.complete_credential(id, "another node", &new).await.unwrap());
    }

    pub(super) fn app(key: &str) -> App {
        App {
            key: key.to_owned(),
            appid: "wx1".to_owned(),
            settings: Settings::default(),
            secrets: Secrets::new("secret".into(), "api_key".into()),
            secret_checked_at: None,
            expires_at: None,
            created_at: NOW,
            updated_at: NOW,
            revision: 1,
        }
    }

    #[tokio::test]
    async fn a_credential_that_was_removed_and_made_anew_is_taken_over_though_its_count_began_again() {
        let url = DatabaseUrl::parse("sqlite://:memory:").unwrap();
        let (credentials, _) = credentials(Store::open(&url, Keyring::generate([7; 32]), NOW).await.unwrap());
        let (store, slot) = (&credentials.0.store, credentials.0.slots.slot(SlotId::parse(ID).unwrap()));
        store_value(store, ID, "first").await;
        store_value(store, ID, "second").await;
        credentials.changed(&[ID.to_owned()]).await.unwrap();
        assert_eq!(slot.latest().unwrap().value.expose_secret(), "second");
        // Both happen before this node looks again.
        store.remove_credential(ID, 2, NOW).await.unwrap();
        store_value(store, ID, "of a new registration").await;
        credentials.changed(&[ID.to_owned()]).await.unwrap();
        assert_eq!(slot.latest().unwrap().value.expose_secret(), "of a new registration");
    }
}
