//! Keys and certificates of a merchant, made once for all tests that only register them.

use std::sync::LazyLock;

use sandbox::{NewMerchant, Platform};

static FILES: LazyLock<sandbox::MerchantFiles> = LazyLock::new(|| {
    let platform = Platform::new();
    let merchant = platform.create_merchant(NewMerchant::of(["wx0123456789abcdef".to_owned()])).unwrap();
    platform.merchant_files(&merchant.mch_id).unwrap()
});

static CERTIFICATE_AND_KEY: LazyLock<String> = LazyLock::new(|| FILES.certificate.clone() + &FILES.private_key);

/// `apiclient_key.pem`.
pub(crate) fn private_key() -> &'static str {
    &FILES.private_key
}

/// `apiclient_cert.pem` and `apiclient_key.pem`, one after the other.
pub(crate) fn certificate_and_key() -> &'static str {
    &CERTIFICATE_AND_KEY
}

/// `pub_key.pem`.
pub(crate) fn public_key() -> &'static str {
    &FILES.public_key
}

/// A line out of the middle of a key: nothing else has it.
pub(crate) fn line_of(pem: &str) -> &str {
    pem.lines().nth(5).unwrap()
}
