//! What the proxy does, in both directions. No SQL, no axum, no HTML, no environment variables.
//!
//! The parts, in the order in which they may use each other (each only those above it; `tests/order.rs` keeps it so):
//!
//! 1. [`clock`], [`random`]: time and chance, from outside.
//! 2. [`metrics`]: what is counted.
//! 3. [`upstream`]: the way to WeChat's hosts.
//! 4. [`credential_error`]: why there is no token.
//! 5. [`slot`]: one token or ticket in memory, its answer ready.
//! 6. [`webhook`]: the signature that backends check.
//! 7. [`apps`]: registrations, their parameters, those in memory.
//! 8. [`foundation`]: what nearly every part after it stands on.
//! 9. [`credentials`]: always a good token, fetched once for everybody.
//! 10. [`registrar`]: making, changing and removing registrations.
//! 11. [`guard`]: who may do what.
//! 12. [`backends`]: teams' own servers: which may be called, how they are doing, one try.
//! 13. [`messages`]: a callback as it is written down.
//! 14. [`late_replies`]: what comes when WeChat waits no longer.
//! 15. [`deliveries`]: what backends did not take at the first try.
//! 16. [`intake`]: WeChat's callbacks, from the request to the answer.
//! 17. [`login`]: who a visitor is, by way of WeChat's pages.
//! 18. [`jssdk`]: signatures for web pages, and of cards.
//! 19. [`mini_program`]: logins of mini programs, and what they send sealed.
//! 20. [`consumers`]: who an SDK is that speaks WeChat's own interface.
//! 21. [`quota`]: how much of WeChat's quotas is used, and what is held back.
//! 22. [`passthrough`]: every API of WeChat's, with the account's token in it.
//! 23. [`node`]: this process among the others.
//! 24. [`records`]: what happened, to be read and replayed.
//! 25. [`payment`]: orders, from what is asked for to what the team is told.
//! 26. [`engine`]: all of it, put together.
//! 27. [`check`]: what may be wrong.

pub mod apps;
pub mod backends;
pub mod check;
pub mod clock;
pub mod consumers;
pub mod credential_error;
pub mod credentials;
pub mod deliveries;
pub mod engine;
pub mod foundation;
pub mod guard;
pub mod intake;
pub mod jssdk;
pub mod late_replies;
pub mod login;
pub mod messages;
pub mod metrics;
pub mod mini_program;
pub mod node;
pub mod passthrough;
pub mod payment;
pub mod quota;
pub mod random;
pub mod records;
pub mod registrar;
pub mod slot;
pub mod upstream;
pub mod webhook;

pub use engine::Engine;
