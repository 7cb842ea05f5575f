//! What is counted, for `/metrics`. Handles are plain atomics: counting never locks on a hot path.

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// Labels of a counted HTTP request.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct RequestLabels {
    /// The route as written in the router (`/app/{key}/api`), never a path with a key in it.
    pub route: String,
    /// The HTTP status of the answer.
    pub status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct UpstreamLabels {
    api: String,
    errcode: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ApiLabels {
    consumer: String,
    api: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ApiRefusalLabels {
    consumer: String,
    api: String,
    errcode: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RefreshLabels {
    kind: &'static str,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabels {
    outcome: &'static str,
}

/// All counters of one server.
pub struct Metrics {
    registry: std::sync::RwLock<Registry>,
    requests: Family<RequestLabels, Counter>,
    upstream: Family<UpstreamLabels, Counter>,
    api_calls: Family<ApiLabels, Counter>,
    api_refusals: Family<ApiRefusalLabels, Counter>,
    refreshes: Family<RefreshLabels, Counter>,
    callbacks: Family<OutcomeLabels, Counter>,
    backend_tries: Family<OutcomeLabels, Counter>,
    late_replies: Family<OutcomeLabels, Counter>,
    deliveries: Gauge,
    orders: Family<OutcomeLabels, Counter>,
    orders_undecided: Gauge,
    notices: Family<OutcomeLabels, Counter>,
}

impl Metrics {
    /// Counters at zero.
    #[must_use]
    pub fn new() -> Arc<Self> {
        let mut registry = Registry::with_prefix("wechat_proxy");
        let requests = Family::default();
        let upstream = Family::default();
        let refreshes = Family::default();
        registry.register("http_requests", "Answered HTTP requests by route and status", requests.clone());
        registry.register(
            "upstream_calls",
            "Calls to WeChat by API and errcode (0 is success; words are failures of the network)",
            upstream.clone(),
        );
        let api_calls = Family::default();
        let api_refusals = Family::default();
        registry.register("api_calls", "Calls that passed through, by registration and API", api_calls.clone());
        registry.register(
            "api_refusals",
            "Calls that passed through and were refused, by registration, API and errcode",
            api_refusals.clone(),
        );
        registry.register("refreshes", "Refreshes of tokens and tickets by kind and outcome", refreshes.clone());
        let callbacks = Family::default();
        let backend_tries = Family::default();
        let late_replies = Family::default();
        let deliveries = Gauge::default();
        registry.register("callbacks", "WeChat's callbacks by what they were answered", callbacks.clone());
        registry.register("backend_tries", "Tries to bring a message to a backend by outcome", backend_tries.clone());
        registry.register("late_replies", "Replies that came late, by what became of them", late_replies.clone());
        registry.register("deliveries_pending", "Deliveries that backends still have to get", deliveries.clone());
        let orders = Family::default();
        let orders_undecided = Gauge::default();
        let notices = Family::default();
        registry.register("orders", "Orders by what became of them", orders.clone());
        registry.register("orders_undecided", "Orders about which WeChat is still asked", orders_undecided.clone());
        registry.register("pay_notices", "WeChat Pay's notifications by what became of them", notices.clone());
        Arc::new(Self {
            registry: std::sync::RwLock::new(registry),
            requests,
            upstream,
            api_calls,
            api_refusals,
            refreshes,
            callbacks,
            backend_tries,
            late_replies,
            deliveries,
            orders,
            orders_undecided,
            notices,
        })
    }

    /// Adds a source that is asked at each scrape.
    pub fn add_collector(&self, collector: Box<dyn Collector>) {
        if let Ok(mut registry) = self.registry.write() {
            registry.register_collector(collector);
        }
    }

    /// The counter of a route and status, to be kept by whoever counts often.
    #[must_use]
    pub fn requests(&self, route: &str, status: u16) -> Counter {
        self.requests.get_or_create_owned(&RequestLabels { route: route.to_owned(), status })
    }

    /// Counts a call to WeChat.
    pub(crate) fn upstream_call(&self, api: &str, errcode: &str) {
        let labels = UpstreamLabels { api: api.to_owned(), errcode: errcode.to_owned() };
        self.upstream.get_or_create(&labels).inc();
    }

    /// The counter of a registration's calls to one API.
    pub(crate) fn api_calls(&self, key: &str, api: &str) -> Counter {
        self.api_calls.get_or_create_owned(&ApiLabels { consumer: key.to_owned(), api: api.to_owned() })
    }

    /// Counts a call that WeChat refused.
    pub(crate) fn api_refusal(&self, key: &str, api: &str, errcode: i64) {
        let labels = ApiRefusalLabels { consumer: key.to_owned(), api: api.to_owned(), errcode };
        self.api_refusals.get_or_create(&labels).inc();
    }

    /// Counts a refresh that this node made.
    pub(crate) fn refresh(&self, kind: &'static str, outcome: &'static str) {
        self.refreshes.get_or_create(&RefreshLabels { kind, outcome }).inc();
    }

    /// Counts an answer to a callback of WeChat.
    pub(crate) fn callback(&self, outcome: &'static str) {
        self.callbacks.get_or_create(&OutcomeLabels { outcome }).inc();
    }

    /// Counts a try to bring a message to a backend.
    pub(crate) fn backend_try(&self, outcome: &'static str) {
        self.backend_tries.get_or_create(&OutcomeLabels { outcome }).inc();
    }

    /// Counts what became of a late reply.
    pub(crate) fn late_reply(&self, outcome: &'static str) {
        self.late_replies.get_or_create(&OutcomeLabels { outcome }).inc();
    }

    /// Tells how many deliveries are owed.
    pub(crate) fn deliveries_pending(&self, count: u64) {
        self.deliveries.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// Counts what became of an order.
    pub(crate) fn order(&self, outcome: &'static str) {
        self.orders.get_or_create(&OutcomeLabels { outcome }).inc();
    }

    /// Tells how many orders are not decided.
    pub(crate) fn orders_undecided(&self, count: u64) {
        self.orders_undecided.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// Counts a notification of WeChat Pay.
    pub(crate) fn notice(&self, outcome: &'static str) {
        self.notices.get_or_create(&OutcomeLabels { outcome }).inc();
    }

    /// Everything in the OpenMetrics text format.
    ///
    /// # Errors
    /// When the text cannot be written (no memory).
    pub fn encode(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        let registry = self.registry.read().map_err(|_| fmt::Error)?;
        prometheus_client::encoding::text::encode(&mut text, &registry)?;
        Ok(text)
    }
}
