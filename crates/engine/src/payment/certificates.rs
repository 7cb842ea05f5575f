//! The platform's certificates of merchants that have no public key of WeChat Pay's: downloaded when they are needed,
//! renewed twice a day, shared by all nodes through the database.
//!
//! What must stay true: a merchant with a public key is not asked for certificates, unless something that WeChat signed
//! names one; and whoever invents serial numbers cannot make this node ask more than once in a while.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use store::{StoreError, Timestamp};
use wechat::pay::credentials::PlatformCertificate;
use wechat::pay::{NotDone, v3};

use super::Inner;

/// A list this old is asked for again (WeChat Pay: at least every 12 hours).
const RENEW_AFTER: Duration = Duration::from_secs(6 * 3600);

/// Between two questions about an unknown serial number.
const BETWEEN_QUESTIONS: Duration = Duration::from_secs(60);

/// After a question that brought nothing.
const AFTER_FAILURE: Duration = Duration::from_secs(5);

/// Tries of one question.
const TRIES: u32 = 3;

/// WeChat says that the merchant has none: it uses the public key.
const NONE_FOR: Duration = Duration::from_secs(24 * 3600);

/// Why there are no certificates.
#[derive(Debug, thiserror::Error)]
pub(super) enum CertificatesError {
    /// WeChat Pay could not be asked, refused, or its answer cannot be believed.
    #[error("WeChat Pay's certificates could not be downloaded: {0}")]
    NotDone(String),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What this node knows of the platform's certificates.
#[derive(Default)]
pub(super) struct Certificates {
    known: Mutex<HashMap<String, Known>>,
    editions: AtomicU64,
    /// One download at a time for each merchant.
    downloading: Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
}

#[derive(Clone)]
struct Known {
    certificates: Vec<PlatformCertificate>,
    /// The list is believed until then.
    good_until: Timestamp,
    /// Before it WeChat is not asked again.
    not_before: Option<Timestamp>,
    /// Another number for another list, so that merchants that were made with an older one are made again.
    edition: u64,
}

impl Certificates {
    /// The number of the list that is known of a merchant.
    pub(super) fn edition(&self, mch_id: &str) -> u64 {
        self.lock().get(mch_id).map_or(0, |known| known.edition)
    }

    /// What is in memory of a merchant's certificates, those that are over left out.
    pub(super) fn loaded(&self, mch_id: &str, now: Timestamp) -> Vec<PlatformCertificate> {
        let known = self.lock().get(mch_id).map(|known| known.certificates.clone()).unwrap_or_default();
        known.into_iter().filter(|certificate| certificate.not_after() > now.as_seconds()).collect()
    }

    /// All in memory, with their merchants: for metrics.
    pub(super) fn all(&self) -> Vec<(String, PlatformCertificate)> {
        let known = self.lock();
        let all =
            known.iter().flat_map(|(mch_id, known)| known.certificates.iter().map(|one| (mch_id.clone(), one.clone())));
        all.collect()
    }

    fn is_fresh(&self, mch_id: &str, now: Timestamp) -> bool {
        self.lock().get(mch_id).is_some_and(|known| now < known.good_until)
    }

    fn is_loaded(&self, mch_id: &str) -> bool {
        self.lock().contains_key(mch_id)
    }

    fn may_ask(&self, mch_id: &str, now: Timestamp) -> bool {
        self.lock().get(mch_id).and_then(|known| known.not_before).is_none_or(|at| now >= at)
    }

    fn keep(
        &self,
        mch_id: &str,
        certificates: Vec<PlatformCertificate>,
        good_until: Timestamp,
        not_before: Option<Timestamp>,
    ) {
        let mut known = self.lock();
        let before = known.get(mch_id);
        let not_before = not_before.or_else(|| before.and_then(|before| before.not_before));
        let serials = |list: &[PlatformCertificate]| list.iter().map(|one| one.serial().to_owned()).collect::<Vec<_>>();
        let edition = match before.filter(|before| serials(&before.certificates) == serials(&certificates)) {
            Some(before) => before.edition,
            None => self.editions.fetch_add(1, Ordering::Relaxed) + 1,
        };
        known.insert(mch_id.to_owned(), Known { certificates, good_until, not_before, edition });
    }

    fn asked(&self, mch_id: &str, not_before: Timestamp) {
        let mut known = self.lock();
        let fresh = || Known { certificates: Vec::new(), good_until: Timestamp::ZERO, not_before: None, edition: 0 };
        known.entry(mch_id.to_owned()).or_insert_with(fresh).not_before = Some(not_before);
    }

    fn turn(&self, mch_id: &str) -> Arc<tokio::sync::Mutex<()>> {
        let mut turns = self.downloading.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(turns.entry(mch_id.to_owned()).or_default())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Sees to it that a merchant's certificates are in memory, as far as the database or WeChat has them. What cannot
    /// be had now is missed when something has to be verified with it.
    pub(super) async fn have_certificates(&self, mch_id: &str, merchant: &v3::Merchant) {
        let now = self.clock.now();
        if !self.certificates.is_loaded(mch_id)
            && let Err(error) = self.load(mch_id).await
        {
            tracing::error!(%error, mch_id, "the platform's certificates cannot be read from the database");
        }
        if merchant.is_public_key_only() || self.certificates.is_fresh(mch_id, now) {
            return;
        }
        if let Err(error) = self.download(mch_id, merchant).await {
            tracing::warn!(%error, mch_id, "going on with the certificates that are known");
        }
    }

    /// Something names a serial number that is not known. True: by now there are other certificates than before.
    pub(super) async fn look_for_serial(&self, mch_id: &str, merchant: &v3::Merchant, serial: &str) -> bool {
        let is_certificate = serial.len() <= 64 && serial.bytes().all(|b| b.is_ascii_hexdigit());
        let before = self.certificates.edition(mch_id);
        if !is_certificate {
            return false;
        }
        if let Err(error) = self.download(mch_id, merchant).await {
            tracing::warn!(%error, mch_id, "a certificate is missing");
        }
        self.certificates.edition(mch_id) != before
    }

    /// In turn with downloads: what was read before one must not take the place of what it brought.
    async fn load(&self, mch_id: &str) -> Result<(), StoreError> {
        let turn = self.certificates.turn(mch_id);
        let _one = turn.lock().await;
        if self.certificates.is_loaded(mch_id) {
            return Ok(());
        }
        let rows = self.store.platform_certificates(mch_id).await?;
        let certificates = rows.iter().filter_map(|row| PlatformCertificate::parse(&row.pem).ok()).collect();
        self.certificates.keep(mch_id, certificates, Timestamp::ZERO, None);
        Ok(())
    }

    async fn download(&self, mch_id: &str, merchant: &v3::Merchant) -> Result<(), CertificatesError> {
        let turn = self.certificates.turn(mch_id);
        let _one = turn.lock().await;
        let now = self.clock.now();
        if !self.certificates.may_ask(mch_id, now) {
            return Ok(());
        }
        self.certificates.asked(mch_id, now + AFTER_FAILURE);
        let mut outcome = self.downloaded(merchant).await;
        for _ in 1..TRIES {
            if !matches!(outcome, Err(Failed::Unclear(_))) {
                break;
            }
            outcome = self.downloaded(merchant).await;
        }
        let not_before = Some(now + BETWEEN_QUESTIONS);
        match outcome {
            Ok(certificates) => {
                let rows: Vec<_> = certificates.iter().map(super::stored_certificate).collect();
                self.store.keep_platform_certificates(mch_id, &rows, now).await?;
                tracing::info!(mch_id, count = certificates.len(), "downloaded WeChat Pay's certificates");
                self.certificates.keep(mch_id, certificates, now + RENEW_AFTER, not_before);
                Ok(())
            }
            Err(Failed::None) => {
                // Unsigned, so what is known stays until it ends.
                let known = self.certificates.loaded(mch_id, now);
                self.certificates.keep(mch_id, known, now + NONE_FOR, Some(now + NONE_FOR));
                let what = "this merchant has none; register pay_key_id and pay_public_key (WeChat Pay's public key)";
                Err(CertificatesError::NotDone(what.to_owned()))
            }
            Err(Failed::Unclear(reason) | Failed::Refused(reason)) => Err(CertificatesError::NotDone(reason)),
        }
    }

    async fn downloaded(&self, merchant: &v3::Merchant) -> Result<Vec<PlatformCertificate>, Failed> {
        let raw = self.hosts.send(&merchant.certificates_call(&self.stamp()), None, "pay/certificates").await;
        let raw = raw.map_err(|error| Failed::Unclear(error.to_string()))?;
        match merchant.read_certificates(&raw.received(), self.clock.now().as_seconds()) {
            Ok(certificates) => Ok(certificates),
            Err(NotDone::Refused(refusal)) if refusal.said == "RESOURCE_NOT_EXISTS" => Err(Failed::None),
            Err(NotDone::Refused(refusal)) => Err(Failed::Refused(refusal.to_string())),
            Err(NotDone::Unbelievable(doubt)) => Err(Failed::Unclear(doubt.to_string())),
        }
    }
}

/// Why a download brought nothing.
enum Failed {
    /// The merchant has none.
    None,
    /// WeChat said no.
    Refused(String),
    /// It may be different the next time.
    Unclear(String),
}
