//! TLS of the sandbox: a certificate of its own authority, and clients that may show theirs.
//!
//! Used by the listener. Merchants refund over v2 with a client certificate; as at WeChat's gateway it is asked for but
//! not demanded, and whose it is, is judged by the API. What must stay true: whoever shows a certificate has its key.

use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, Error, ServerConfig, SignatureScheme};
use rustls_pki_types::{CertificateDer, UnixTime};
use tokio_rustls::TlsAcceptor;

use crate::merchant::server_identity;

/// What takes TLS connections; `hosts` are further names of the sandbox. `None` only when no certificate could be made.
pub(crate) fn acceptor(hosts: &[String]) -> Option<TlsAcceptor> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let usual = ["localhost", "127.0.0.1", "::1"].into_iter().map(ToOwned::to_owned);
    let more = hosts.iter().filter(|host| !host.contains('*')).cloned();
    let (certificates, key) = server_identity(usual.chain(more))?;
    let verifier = Arc::new(AnyClient { provider: Arc::clone(&provider) });
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().ok()?;
    let config = config.with_client_cert_verifier(verifier).with_single_cert(certificates, key).ok()?;
    Some(TlsAcceptor::from(Arc::new(config)))
}

/// Takes every client, with a certificate of anybody or without.
#[derive(Debug)]
struct AnyClient {
    provider: Arc<CryptoProvider>,
}

impl ClientCertVerifier for AnyClient {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
