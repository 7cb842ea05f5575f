//! What the proxy does, in both directions. No SQL, no axum, no HTML, no environment variables.
//!
//! The parts, in the order in which they may use each other (each only those above it; `tests/order.rs` keeps it so):
//!
//! 1. [`clock`], [`random`]: time and chance, from outside.
//! 2. [`metrics`]: what is counted.
//! 3. [`upstream`]: the way to WeChat's hosts.
//! 4. [`credential_error`]: why there is no token.
//! 5. [`slot`]: one token or ticket in memory, its answer ready.
//! 6. [`apps`]: registrations, their parameters, those in memory.
//! 7. [`credentials`]: always a good token, fetched once for everybody.
//! 8. [`registrar`]: making, changing and removing registrations.
//! 9. [`guard`]: who may do what.
//! 10. [`engine`]: all of it, put together.
//! 11. [`check`]: what may be wrong.

pub mod apps;
pub mod check;
pub mod clock;
pub mod credential_error;
pub mod credentials;
pub mod engine;
pub mod guard;
pub mod metrics;
pub mod random;
pub mod registrar;
pub mod slot;
pub mod upstream;

pub use engine::Engine;
