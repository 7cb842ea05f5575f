//! All parts of the engine, put together once per server.

use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use store::{ChangeReader, Journal, JournalWriter, Store, StoreError};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::backends::{Backends, CallUrls};
use crate::clock::Clock;
use crate::consumers::Consumers;
use crate::credentials::ages::Ages;
use crate::credentials::{Credentials, refresher};
use crate::deliveries::Deliveries;
use crate::foundation::Foundation;
use crate::guard::{Guard, Mode};
use crate::intake::{Intake, Ways};
use crate::jssdk::Jssdk;
use crate::late_replies::{self, LateReplies};
use crate::login::Login;
use crate::metrics::Metrics;
use crate::mini_program::MiniProgram;
use crate::node;
use crate::passthrough::Passthrough;
use crate::payment::Payment;
use crate::quota::{Circuits, Usage};
use crate::random::Random;
use crate::records::Records;
use crate::registrar::Registrar;
use crate::upstream::{ClientError, Hosts, Roots, Upstream};

/// How long background work may take to end after the last connection.
const DRAIN: Duration = Duration::from_secs(2);

/// How long the database may take to write the last group, and then to say goodbye. With the drains before it, a stop ends
/// within 10 seconds.
const LAST_WRITES: Duration = Duration::from_millis(750);

/// What the engine is built from.
pub struct Materials {
    /// What is remembered.
    pub store: Store,
    /// Where WeChat is.
    pub hosts: Hosts,
    /// Who may vouch for those hosts, and for backends.
    pub roots: Roots,
    /// Who is let in.
    pub guard: Guard,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub random: Arc<dyn Random>,
    /// How long records are kept.
    pub retention: Duration,
}

/// Everything that the proxy does. The server's edges hold one and call its parts; what the parts stand on
/// ([`Foundation`]) is there too.
pub struct Engine {
    foundation: Arc<Foundation>,
    /// The way to WeChat.
    pub upstream: Upstream,
    /// Always a good token.
    pub credentials: Credentials,
    /// Making and changing registrations.
    pub registrar: Registrar,
    /// Who may do what.
    pub guard: Guard,
    /// Which URLs may be called.
    pub call_urls: Arc<CallUrls>,
    /// What is owed to backends.
    pub deliveries: Deliveries,
    /// What comes late.
    pub late_replies: LateReplies,
    /// WeChat's callbacks.
    pub intake: Intake,
    /// Visitors.
    pub login: Login,
    /// Pages.
    pub jssdk: Jssdk,
    /// Payment.
    pub payment: Payment,
    /// What happened.
    pub records: Records,
    /// Logins of mini programs.
    pub mini_program: MiniProgram,
    /// Who an SDK is.
    pub consumers: Consumers,
    /// Every API of WeChat's.
    pub passthrough: Passthrough,
    /// Quotas that are used up.
    pub circuits: Arc<Circuits>,
    /// Calls that were made.
    pub usage: Arc<Usage>,
    journal: JournalTask,
}

/// The journal's writer, which runs until everything that writes into it has ended.
struct JournalTask {
    /// Taken when the background starts.
    writer: Mutex<Option<JournalWriter>>,
    stop: CancellationToken,
    running: TaskTracker,
}

impl Deref for Engine {
    type Target = Foundation;
    fn deref(&self) -> &Foundation {
        &self.foundation
    }
}

impl Engine {
    /// Puts the parts together. Nothing runs yet.
    ///
    /// # Errors
    /// When the TLS library cannot be set up.
    pub fn new(materials: Materials) -> Result<Arc<Self>, ClientError> {
        let Materials { store, hosts, roots, guard, clock, random, retention } = materials;
        let metrics = Metrics::new();
        let upstream = Upstream::new(hosts.clone(), &roots, Arc::clone(&metrics))?;
        let backends = Backends::new(&roots, Arc::clone(&clock), Arc::clone(&metrics))?;
        let foundation = Foundation::new(store, clock, random, metrics);
        let (slots, clock) = (Arc::clone(&foundation.slots), Arc::clone(&foundation.clock));
        foundation.metrics.add_collector(Box::new(Ages { slots, clock }));
        let credentials = Credentials::new(Arc::clone(&foundation), upstream.clone());
        let late_replies = LateReplies::new(Arc::clone(&foundation), credentials.clone());
        let deliveries = Deliveries::new(Arc::clone(&foundation), backends.clone(), late_replies.clone());
        let call_urls = Arc::new(CallUrls::new(guard.mode() == Mode::Public));
        let (journal, writer) = Journal::new(foundation.store.clone());
        let ways = Ways {
            journal,
            call_urls: Arc::clone(&call_urls),
            backends,
            deliveries: deliveries.clone(),
            late_replies: late_replies.clone(),
        };
        let records = Records::new(Arc::clone(&foundation), deliveries.clone(), retention);
        let circuits = Arc::<Circuits>::default();
        let usage = Arc::new(Usage::new(
            foundation.store.clone(),
            Arc::clone(&foundation.clock),
            Arc::clone(&foundation.metrics),
        ));
        let quota = (Arc::clone(&circuits), Arc::clone(&usage));
        let passthrough = Passthrough::new(Arc::clone(&foundation), credentials.clone(), (&hosts, &roots), quota)?;
        let payment = Payment::new(Arc::clone(&foundation), (&hosts, roots), deliveries.clone(), records.clone())?;
        Ok(Arc::new(Self {
            payment,
            mini_program: MiniProgram::new(Arc::clone(&foundation), upstream.clone()),
            consumers: Consumers::new(Arc::clone(&foundation)),
            passthrough,
            circuits,
            usage,
            login: Login::new(Arc::clone(&foundation), credentials.clone(), upstream.clone(), Arc::clone(&call_urls)),
            jssdk: Jssdk::new(Arc::clone(&foundation), credentials.clone()),
            upstream,
            registrar: Registrar::new(Arc::clone(&foundation), credentials.clone()),
            credentials,
            guard,
            call_urls,
            late_replies,
            intake: Intake::new(Arc::clone(&foundation), ways),
            records,
            deliveries,
            foundation,
            journal: JournalTask {
                writer: Mutex::new(Some(writer)),
                stop: CancellationToken::new(),
                running: TaskTracker::new(),
            },
        }))
    }

    /// Runs the background duties until `stop`.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn start_background(&self, stop: CancellationToken) -> Result<(), StoreError> {
        let changes = ChangeReader::start(&self.store, self.clock.now()).await?;
        node::announce(&self.foundation).await?;
        self.tasks.spawn(refresher::run(self.credentials.clone(), changes, stop.clone()));
        self.journal.start();
        self.tasks.spawn(node::run(Arc::clone(&self.foundation), self.intake.clone(), stop.clone()));
        self.tasks.spawn(self.deliveries.clone().run(stop.clone()));
        self.tasks.spawn(late_replies::sender::run(self.late_replies.clone(), stop.clone()));
        self.tasks.spawn(self.login.clone().clean(stop.clone()));
        self.tasks.spawn(self.records.clone().clean(stop.clone()));
        self.tasks.spawn(self.passthrough.clone().sweep(stop.clone()));
        self.tasks.spawn(Arc::clone(&self.usage).run(stop.clone()));
        self.tasks.spawn(self.payment.clone().watch(stop.clone()));
        self.tasks.spawn(self.payment.clone().clean(stop));
        Ok(())
    }

    /// Finishes what is under way, within some seconds, after the background was told to stop. What does not end in time is
    /// on disk, and is taken over by another node or the next start.
    pub async fn finish(&self) {
        self.tasks.close();
        if tokio::time::timeout(DRAIN, self.tasks.wait()).await.is_err() {
            tracing::warn!("some work was still under way at the end; another node or the next start takes it over");
        }
        let goodbye = async {
            self.journal.finish().await;
            self.usage.save_or_say().await;
            node::leave(&self.foundation).await
        };
        match tokio::time::timeout(LAST_WRITES, goodbye).await {
            Ok(Ok(())) => {}
            _ => tracing::warn!("the database did not take the last words of this node; others wait until it is gone"),
        }
        // One that does not answer now has nothing that it still needs to be told.
        let _ = tokio::time::timeout(LAST_WRITES, self.store.close()).await;
    }
}

impl JournalTask {
    fn start(&self) {
        if let Some(writer) = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take() {
            self.running.spawn(writer.run(self.stop.clone().cancelled_owned()));
        }
    }

    async fn finish(&self) {
        self.stop.cancel();
        self.running.close();
        self.running.wait().await;
    }
}
