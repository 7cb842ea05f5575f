//! WeChat's own tokens, as `/app/KEY/api` hands them out: a call with one of them is made for its account, with the token that
//! is current by then.
//!
//! What was found once is remembered. The database knows tokens by their fingerprints only.

use std::sync::Arc;

use papaya::HashMap;
use store::{StoreError, Timestamp, fingerprint};
use wechat::calls::Host;

use super::{Consumer, UnknownConsumer, widest};
use crate::foundation::Foundation;
use crate::slot::{Fingerprint, Kind, Slot, SlotId};

/// So many are remembered; when there are more, all begin anew.
const MOST: usize = 10_000;

pub(super) struct RealTokens {
    foundation: Arc<Foundation>,
    found: HashMap<Fingerprint, Arc<Found>>,
}

struct Found {
    slot: Arc<Slot>,
    /// The registration whose rules apply.
    key: String,
}

impl RealTokens {
    pub(super) fn new(foundation: Arc<Foundation>) -> Self {
        Self { foundation, found: HashMap::new() }
    }

    /// Who holds this token; `None` when it is none that is good.
    /// `may_look` is asked before anything is looked up that is not at hand.
    pub(super) async fn consumer(
        &self,
        token: &str,
        now: Timestamp,
        may_look: impl FnOnce() -> bool,
    ) -> Result<Option<Consumer>, UnknownConsumer> {
        let print = fingerprint(&token.into());
        let known = self.found.pin().get(&print).cloned();
        if let Some(found) = known {
            if let Some(consumer) = self.consumer_of(&found, print, now).await? {
                return Ok(Some(consumer));
            }
            // Replaced, or the registration is gone: perhaps there is another of the account.
            self.found.pin().remove(&print);
        }
        if !may_look() {
            return Err(UnknownConsumer::TooMany);
        }
        match self.find(print, now).await? {
            Some(found) => Ok(self.consumer_of(&self.remember(print, found), print, now).await?),
            None => Ok(None),
        }
    }

    async fn consumer_of(
        &self,
        found: &Found,
        print: Fingerprint,
        now: Timestamp,
    ) -> Result<Option<Consumer>, StoreError> {
        if !found.slot.holds(print, now) {
            return Ok(None);
        }
        let host = if found.slot.id.kind == Kind::Wecom { Host::Qyapi } else { Host::Api };
        let registered = self.foundation.directory.find(&found.key, now).await?;
        Ok(registered.map(|registered| Consumer { registered, host }))
    }

    fn remember(&self, print: Fingerprint, found: Found) -> Arc<Found> {
        let known = self.found.pin();
        if known.len() >= MOST {
            known.clear();
        }
        let found = Arc::new(found);
        known.insert(print, Arc::clone(&found));
        found
    }

    async fn find(&self, print: Fingerprint, now: Timestamp) -> Result<Option<Found>, StoreError> {
        let slots = &self.foundation.slots;
        let held = slots.all().into_iter().find(|slot| slot.id.kind.is_token() && slot.holds(print, now));
        let slot = match held {
            Some(slot) => slot,
            None => match self.foundation.store.credential_with_fingerprint(print).await? {
                Some(id) => match SlotId::parse(&id).filter(|id| id.kind.is_token()) {
                    Some(id) => self.loaded(id).await?,
                    None => return Ok(None),
                },
                None => return Ok(None),
            },
        };
        let mut apps = self.foundation.store.apps_of(slot.id.appid.as_str()).await?;
        apps.retain(|app| app.expires_at.is_none_or(|end| now < end) && slot.id.is_of(app));
        Ok(widest(&apps).map(|key| Found { key: key.to_owned(), slot }))
    }

    /// The slot, with what the database holds.
    async fn loaded(&self, id: SlotId) -> Result<Arc<Slot>, StoreError> {
        let slot = self.foundation.slots.slot(id);
        let reading = slot.reading.lock().await;
        if let Some(row) = self.foundation.store.credential(&slot.id.to_string()).await? {
            slot.adopt(&row);
        }
        drop(reading);
        Ok(slot)
    }
}
