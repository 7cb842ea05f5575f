//! Payment: an order is written down, placed, watched until it is decided, and told to the team exactly once.
//!
//! * `hosts`: the way to WeChat Pay; `certificates`: the platform's, downloaded;
//! * `exchange`: one question and its verified answer;
//! * [`ask`]: what an order asks for; [`signed_link`]: that a visitor's link is the team's own;
//! * `placing`: from an order that is asked for to one that can be paid (`placed`);
//! * `settling`, `refunded`: what WeChat says of an order or a refund becomes what is stored of it, and `news` for the
//!   team;
//! * `notices`: what WeChat Pay tells by itself; `watch`: what is asked when it tells nothing (`watch_schedule`);
//! * `enquiries`: query and close; `proof`: whether the keys are good; `refund_ask`, `refunds`, `refund_queries`: back
//!   to the payer;
//! * [`records`]: orders and what became of them, to be read; `expiry`: when certificates end, for metrics.
//!
//! What must stay true: an order is on disk before WeChat hears of it; whatever WeChat says is verified before it changes
//! anything; a payment and the news of it are one commit; and no number is ever replaced because an outcome is unknown.

pub mod ask;
mod certificates;
mod enquiries;
mod exchange;
mod expiry;
mod hosts;
mod news;
mod notices;
mod placed;
mod placing;
mod proof;
pub mod records;
mod refund_ask;
mod refund_queries;
mod refunded;
mod refunds;
mod settling;
pub mod signed_link;
mod watch;
mod watch_schedule;

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::Value;
use store::{OrderEvent, OrderId, PayVersion, PlatformCertificateRow, StoreError, Timestamp};
use tokio::sync::{Notify, Semaphore};
use wechat::pay::credentials::PlatformCertificate;
use wechat::pay::{Inexpressible, Merchant, Refusal, Stamp, Version};

use self::ask::AskProblem;
use self::certificates::Certificates;
pub use self::enquiries::payment_of;
use self::hosts::PayHosts;
pub use self::notices::{NoticeProblem, NoticeSource, version_of as version_of_notice};
pub use self::placed::Placed;
pub use self::refund_ask::{RefundAsk, refund_of};
use crate::apps::merchants::{MerchantProblem, Ready};
use crate::deliveries::Deliveries;
use crate::foundation::Foundation;
use crate::messages::to_json;
use crate::records::Records;
use crate::upstream::{ClientError, Hosts, Roots};

/// Takes payments. Cheap to clone.
#[derive(Clone)]
pub struct Payment(Arc<Inner>);

struct Inner {
    foundation: Arc<Foundation>,
    hosts: PayHosts,
    ready: Ready,
    certificates: Certificates,
    deliveries: Deliveries,
    records: Records,
    /// Counts what happened.
    events: AtomicU64,
    /// Places for looks at orders and refunds.
    looking: Arc<Semaphore>,
    /// Wakes the watch when something will be due soon.
    due: Notify,
}

impl Deref for Inner {
    type Target = Foundation;
    fn deref(&self) -> &Foundation {
        &self.foundation
    }
}

/// Why something about a payment was not done.
#[derive(Debug, thiserror::Error)]
pub enum PayError {
    /// What was asked for.
    #[error(transparent)]
    Ask(#[from] AskProblem),
    /// The registration's merchant.
    #[error(transparent)]
    Merchant(#[from] MerchantProblem),
    /// The number belongs to something else.
    #[error("{0}")]
    Conflict(String),
    /// The order is paid or closed already.
    #[error("{0}")]
    Over(String),
    /// WeChat said no.
    #[error("{0}")]
    Refused(Refusal),
    /// WeChat was not reached; nothing happened.
    #[error("{0}; nothing was done")]
    NotSent(String),
    /// Whether it was done nobody knows.
    #[error(
        "WeChat Pay gave no answer that can be believed, so it is not known whether this was done ({0}); ask again with \
         the same number: it is then looked up first, and never done twice"
    )]
    Unclear(String),
    /// No such order or refund here.
    #[error("no such order of this registration is known, here or at WeChat Pay")]
    Unknown,
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<Inexpressible> for PayError {
    fn from(error: Inexpressible) -> Self {
        Self::Ask(AskProblem::Parameter(error.to_string()))
    }
}

impl Payment {
    /// On this foundation.
    ///
    /// # Errors
    /// When the TLS library cannot be set up.
    pub fn new(
        foundation: Arc<Foundation>,
        (hosts, roots): (&Hosts, Roots),
        deliveries: Deliveries,
        records: Records,
    ) -> Result<Self, ClientError> {
        let metrics = Arc::clone(&foundation.metrics);
        let hosts = PayHosts::new(hosts.pay.clone(), hosts.pay_backup.clone(), roots, metrics)?;
        let inner = Arc::new(Inner {
            foundation,
            hosts,
            ready: Ready::default(),
            certificates: Certificates::default(),
            deliveries,
            records,
            events: AtomicU64::new(0),
            looking: Arc::new(Semaphore::new(watch::LOOKING)),
            due: Notify::new(),
        });
        inner.metrics.add_collector(Box::new(expiry::Expiry::of(&inner)));
        Ok(Self(inner))
    }
}

impl Inner {
    /// Time and chance for one call.
    fn stamp(&self) -> Stamp {
        let mut bytes = [0; 16];
        self.random.fill(&mut bytes);
        Stamp { at: self.clock.now().as_seconds(), nonce: hex::encode_upper(bytes) }
    }

    /// Something that happened to an order, for its history.
    fn event(&self, order: OrderId, kind: &str, detail: &Value) -> OrderEvent {
        let mut id = [0; 16];
        let (count, chance) = id.split_at_mut(8);
        // Those of one moment stay in their order.
        count.copy_from_slice(&self.events.fetch_add(1, Ordering::Relaxed).to_be_bytes());
        self.random.fill_public(chance);
        OrderEvent { order, id, at: self.clock.now(), kind: kind.to_owned(), detail: to_json(detail) }
    }
}

/// The version as it is stored.
fn stored_version(merchant: &Merchant) -> PayVersion {
    match merchant.version() {
        Version::V2 => PayVersion::V2,
        Version::V3 => PayVersion::V3,
    }
}

fn version_of(stored: PayVersion) -> Version {
    match stored {
        PayVersion::V2 => Version::V2,
        PayVersion::V3 => Version::V3,
    }
}

fn stored_certificate(certificate: &PlatformCertificate) -> PlatformCertificateRow {
    PlatformCertificateRow {
        serial: certificate.serial().to_owned(),
        not_before: Timestamp::from_seconds(certificate.not_before()),
        not_after: Timestamp::from_seconds(certificate.not_after()),
        pem: certificate.pem().to_owned(),
    }
}
