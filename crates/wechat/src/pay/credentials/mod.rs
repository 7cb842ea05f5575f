//! The keys and certificates of a merchant, read from whatever a team pasted.
//!
//! The merchant platform hands out six files and numbers that look alike, so [`recognise`] first finds out what a text
//! is ([`Kind`]); each type takes its own kind and tells what it got instead ([`WrongCredential`]). PEM is read with
//! line breaks lost to spaces or to a literal `\n`, and bare base64 of DER is read too.
//!
//! What must stay true: no error and no `Debug` holds a part of what was pasted.

mod certificate;
mod client_certificate;
mod der;
mod kind;
mod p12;
mod pasted;
mod pem;
mod private_key;
mod public_key;
mod serial;
mod shared_key;
mod wrong;

pub use certificate::PlatformCertificate;
pub use client_certificate::ClientCertificate;
pub use kind::Kind;
pub use pasted::recognise;
pub use private_key::PrivateKey;
pub use public_key::{MAX_OAEP_PLAIN, PublicKey};
pub use serial::{MerchantSerial, PublicKeyId};
pub use shared_key::{Apiv3Key, MchKey};
pub use wrong::WrongCredential;
