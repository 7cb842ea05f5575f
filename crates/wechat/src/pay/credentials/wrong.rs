//! What is said when something else was pasted than what belongs there.
//!
//! Made by every type of this folder. What must stay true: only texts of this program are in it, never a part of the
//! value.

use super::Kind;

/// Something else was given than what belongs there.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("this is {is}, but {wanted} belongs here: {advice}")]
pub struct WrongCredential {
    /// What was recognised.
    pub is: &'static str,
    /// What belongs there.
    pub wanted: &'static str,
    /// Where to find that.
    pub advice: &'static str,
}

/// What belongs into a field.
#[derive(Clone, Copy)]
pub(super) struct Wanted {
    name: &'static str,
    advice: &'static str,
}

pub(super) const PRIVATE_KEY: Wanted = Wanted {
    name: "the merchant's RSA private key",
    advice: "paste the whole of apiclient_key.pem, which came with the merchant's API certificate",
};

pub(super) const PUBLIC_KEY: Wanted = Wanted {
    name: "WeChat Pay's public key",
    advice: "paste the whole of pub_key.pem, from the merchant platform under API security",
};

pub(super) const CLIENT_CERTIFICATE: Wanted = Wanted {
    name: "the merchant's certificate with its private key",
    advice: "paste apiclient_cert.pem and apiclient_key.pem one after the other, or the base64 of apiclient_cert.p12",
};

pub(super) const PLATFORM_CERTIFICATE: Wanted = Wanted {
    name: "a certificate of WeChat Pay's platform",
    advice: "it is downloaded from WeChat Pay; nothing needs to be pasted",
};

pub(super) const SERIAL: Wanted = Wanted {
    name: "the serial of the merchant's API certificate",
    advice: "paste the 40 hexadecimal digits that the merchant platform shows, or the whole of apiclient_cert.pem",
};

pub(super) const PUBLIC_KEY_ID: Wanted = Wanted {
    name: "the id of WeChat Pay's public key",
    advice: "paste the PUB_KEY_ID_… that the merchant platform shows beside the public key",
};

pub(super) const APIV3_KEY: Wanted = Wanted {
    name: "the API v3 key",
    advice: "paste the 32 characters that were set on the merchant platform as API v3 key; it cannot be looked up there, \
             only set anew",
};

pub(super) const MCH_KEY: Wanted = Wanted {
    name: "the API v2 key",
    advice: "paste the 32 characters that were set on the merchant platform as API key; it cannot be looked up there, \
             only set anew",
};

impl Wanted {
    /// The error for something else.
    pub(super) fn not(self, is: Kind) -> WrongCredential {
        self.but(is.text())
    }

    /// The error for something that has no kind of its own.
    pub(super) fn but(self, is: &'static str) -> WrongCredential {
        WrongCredential { is, wanted: self.name, advice: self.advice }
    }
}
