//! Registrations: what `/register` is asked, and what this node knows of what is stored.
//!
//! * [`parameters`]: the parameters of a registration, parsed into types that cannot be wrong;
//! * `values`: their values, one by one; [`scope`], [`allowed_host`]: the two small languages in them;
//! * [`merchants`]: who is paid;
//! * `path`: their paths; `mark`: what stands for a secret in a virtual token;
//! * [`directory`]: the registrations in memory;
//! * [`view`]: a registration as it may be shown.

pub mod allowed_host;
pub mod directory;
pub mod log_limit;
mod mark;
pub mod merchants;
pub mod parameters;
mod path;
pub mod scope;
mod values;
pub mod view;

pub use allowed_host::AllowedHost;
pub use directory::{Directory, Registered, Wanted, is_api_key_of};
pub use mark::{Mark, mark};
pub use parameters::{AppKey, Problem, Registration};
pub use path::app_path;
