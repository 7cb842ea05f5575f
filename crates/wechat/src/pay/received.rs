//! What came from WeChat Pay, before anything about it is believed.
//!
//! Made by the engine of an answer or of a request to `notify_url`; [`Merchant`](super::Merchant) verifies it. What
//! must stay true: the body is the bytes as received, because they are what is signed.

/// An answer or a notification, as received.
#[derive(Clone, Debug)]
pub struct Received<'a> {
    /// The HTTP status; 200 for notifications.
    pub status: u16,
    /// The signature; v2 has it in the body.
    pub headers: SignatureHeaders,
    /// The body, byte for byte.
    pub body: &'a [u8],
}

/// v3's signature, which is in header fields. Each may be missing: then nothing is verified.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SignatureHeaders {
    /// `Wechatpay-Serial`: which key signed, a certificate's serial or `PUB_KEY_ID_…`.
    pub serial: Option<String>,
    /// `Wechatpay-Timestamp`: Unix seconds.
    pub timestamp: Option<String>,
    /// `Wechatpay-Nonce`
    pub nonce: Option<String>,
    /// `Wechatpay-Signature`, base64.
    pub signature: Option<String>,
    /// `Wechatpay-Signature-Type`; without it RSA with SHA-256.
    pub signature_type: Option<String>,
}

impl SignatureHeaders {
    /// Picks the header fields: `field` gives the value of the field with that (lower-case) name.
    #[must_use]
    pub fn read<'a>(field: impl Fn(&str) -> Option<&'a str>) -> Self {
        let value = |name: &str| field(name).map(str::to_owned);
        Self {
            serial: value("wechatpay-serial"),
            timestamp: value("wechatpay-timestamp"),
            nonce: value("wechatpay-nonce"),
            signature: value("wechatpay-signature"),
            signature_type: value("wechatpay-signature-type"),
        }
    }
}
