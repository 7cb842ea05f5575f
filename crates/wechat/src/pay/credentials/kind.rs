//! What a pasted text can be.
//!
//! Told by [`recognise`](super::recognise), from the structure inside (DER), not from labels or names of files. What
//! must stay true: [`Kind::text`] completes the sentence "this is …".

/// What a pasted text is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Kind {
    /// Nothing, or white space.
    Empty,
    /// An RSA private key: `apiclient_key.pem`.
    PrivateKey,
    /// A private key that needs a password.
    EncryptedPrivateKey,
    /// A private key that is not RSA.
    OtherPrivateKey,
    /// An RSA public key: `pub_key.pem`.
    PublicKey,
    /// A public key that is not RSA.
    OtherPublicKey,
    /// The merchant's certificate: `apiclient_cert.pem`. Its name is the merchant number.
    MerchantCertificate,
    /// A certificate of WeChat Pay's platform.
    PlatformCertificate,
    /// A certificate of WeChat Pay's own authority: `rootca.pem`.
    RootCertificate,
    /// A certificate of somebody else.
    Certificate,
    /// A certificate whose key is none of RSA, or too short.
    OtherCertificate,
    /// A certificate together with a private key.
    CertificateWithKey,
    /// A request for a certificate.
    CertificateRequest,
    /// A p12 file: `apiclient_cert.p12`.
    P12,
    /// PEM whose end is missing.
    CutPem,
    /// PEM with something else in it than its label says.
    DamagedPem,
    /// 40 hexadecimal digits: a certificate's serial.
    Serial,
    /// `PUB_KEY_ID_…`
    PublicKeyId,
    /// 32 characters: the API v2 key, the API v3 key, or an AppSecret.
    Key32,
    /// The id of an account.
    Appid,
    /// Digits: a merchant number.
    MchId,
    /// A web address.
    Url,
    /// The name of a file instead of its content.
    FileName,
    /// XML or HTML.
    Markup,
    /// Nothing known.
    Unknown,
}

impl Kind {
    /// In words, to follow "this is".
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::Empty => "nothing",
            Self::PrivateKey => "an RSA private key (like apiclient_key.pem)",
            Self::EncryptedPrivateKey => "a private key that is encrypted with a password",
            Self::OtherPrivateKey => "a private key that is not RSA (EC or SM2)",
            Self::PublicKey => "an RSA public key (like WeChat Pay's pub_key.pem)",
            Self::OtherPublicKey => "a public key that is not RSA (EC or SM2)",
            Self::MerchantCertificate => "the merchant's certificate (apiclient_cert.pem)",
            Self::PlatformCertificate => "a certificate of WeChat Pay's platform",
            Self::RootCertificate => "the certificate of WeChat Pay's authority (rootca.pem)",
            Self::Certificate => "an X.509 certificate",
            Self::OtherCertificate => "an X.509 certificate whose key is not RSA of at least 2048 bits",
            Self::CertificateWithKey => "a certificate together with a private key",
            Self::CertificateRequest => "a request for a certificate (CSR)",
            Self::P12 => "a p12 file (like apiclient_cert.p12)",
            Self::CutPem => "a PEM text whose BEGIN or END line is missing",
            Self::DamagedPem => "a PEM text that is damaged inside",
            Self::Serial => "the serial of a certificate (40 hexadecimal digits)",
            Self::PublicKeyId => "the id of WeChat Pay's public key (PUB_KEY_ID_…)",
            Self::Key32 => "a text of 32 characters (an API key or an AppSecret)",
            Self::Appid => "the id of an account (appid)",
            Self::MchId => "a number (like a merchant number)",
            Self::Url => "a web address",
            Self::FileName => "the name of a file instead of its content",
            Self::Markup => "a piece of XML or HTML",
            Self::Unknown => "neither a key nor a certificate",
        }
    }

    /// Whether it is a certificate alone, whosever.
    pub(super) fn is_certificate(self) -> bool {
        matches!(
            self,
            Self::MerchantCertificate | Self::PlatformCertificate | Self::RootCertificate | Self::Certificate
        )
    }
}
