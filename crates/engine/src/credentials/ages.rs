//! How old tokens are and how long they last, for `/metrics`: computed at each scrape, kept nowhere.

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;

use crate::clock::Clock;
use crate::slot::SlotTable;

/// So many credentials are told at most: beyond that a scrape would cost more than it tells.
const MOST: usize = 1000;

/// The source of the two gauges.
pub struct Ages {
    /// Tokens and tickets in memory.
    pub slots: Arc<SlotTable>,
    /// Time.
    pub clock: Arc<dyn Clock>,
}

impl fmt::Debug for Ages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ages").finish_non_exhaustive()
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    credential: String,
}

impl Collector for Ages {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let ages: Family<Labels, Gauge> = Family::default();
        let lasts: Family<Labels, Gauge> = Family::default();
        let now = self.clock.now();
        for slot in self.slots.all().iter().take(MOST) {
            if let Some(current) = slot.latest() {
                let labels = Labels { credential: slot.id.to_string() };
                ages.get_or_create(&labels).set((now.as_millis() - current.issued_at.as_millis()) / 1000);
                lasts.get_or_create(&labels).set(current.expires_in(now).unwrap_or(0));
            }
        }
        gauge(&mut encoder, "token_age_seconds", "Seconds since the token or ticket was fetched", &ages)?;
        gauge(&mut encoder, "token_expires_in_seconds", "Seconds for which the token or ticket is still good", &lasts)
    }
}

fn gauge(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    family: &Family<Labels, Gauge>,
) -> Result<(), fmt::Error> {
    family.encode(encoder.encode_descriptor(name, help, None, family.metric_type())?)
}
