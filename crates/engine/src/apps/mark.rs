//! Marks of the secrets for which an SDK is given a virtual token: the token says which secret was shown, and is good only as
//! long as that one is.

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

/// Stands for the secret that somebody showed: 64 bits of a hash tell an account's few secrets apart, and are useless for
/// finding one.
pub type Mark = [u8; 8];

/// The mark of a secret.
#[must_use]
pub fn mark(secret: &SecretString) -> Mark {
    let mut hash = Sha256::new();
    hash.update(b"wechat-proxy consumer\0");
    hash.update(secret.expose_secret());
    let mut mark = Mark::default();
    mark.iter_mut().zip(hash.finalize()).for_each(|(to, from)| *to = from);
    mark
}
