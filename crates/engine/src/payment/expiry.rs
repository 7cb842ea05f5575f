//! When certificates end, for `/metrics`: computed at each scrape, from what this node knows.

use std::fmt;
use std::sync::{Arc, Weak};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;

use super::Inner;

/// So many certificates are told at most.
const MOST: usize = 1000;

/// The source of the gauge.
pub(super) struct Expiry(Weak<Inner>);

impl Expiry {
    /// Of the certificates that this part knows.
    pub(super) fn of(inner: &Arc<Inner>) -> Self {
        Self(Arc::downgrade(inner))
    }
}

impl fmt::Debug for Expiry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Expiry").finish_non_exhaustive()
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    mch_id: String,
    kind: &'static str,
    serial: String,
}

impl Collector for Expiry {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let Some(inner) = self.0.upgrade() else { return Ok(()) };
        let lasts: Family<Labels, Gauge> = Family::default();
        let now = inner.clock.now().as_seconds();
        for (mch_id, certificate) in inner.certificates.all().into_iter().take(MOST) {
            let labels = Labels { mch_id, kind: "platform", serial: certificate.serial().to_owned() };
            lasts.get_or_create(&labels).set(certificate.not_after() - now);
        }
        for (mch_id, serial, not_after) in inner.ready.client_certificates().into_iter().take(MOST) {
            lasts.get_or_create(&Labels { mch_id, kind: "merchant", serial }).set(not_after - now);
        }
        let help = "Seconds until a certificate for WeChat Pay ends (platform: WeChat's; merchant: mch_cert)";
        let kind = lasts.metric_type();
        lasts.encode(encoder.encode_descriptor("pay_certificate_expires_in_seconds", help, None, kind)?)
    }
}
