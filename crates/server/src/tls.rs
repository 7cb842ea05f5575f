//! HTTPS with the operator's own certificate (`--tls-cert`, `--tls-key`). The files are read once, at the start.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

/// The two files of TLS.
#[derive(Debug, Clone)]
pub struct TlsFiles {
    /// Certificate chain, PEM.
    pub cert: PathBuf,
    /// Private key, PEM.
    pub key: PathBuf,
}

/// Why HTTPS cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read or holds something else.
    #[error("--{option} {file}: {reason}")]
    File {
        /// Which option named it.
        option: &'static str,
        /// The file.
        file: String,
        /// What is wrong.
        reason: String,
    },
    /// Certificate and key do not work together.
    #[error("--tls-cert and --tls-key do not work together: {0}")]
    Mismatch(#[from] rustls::Error),
}

/// Reads both files.
///
/// # Errors
/// [`TlsError`].
pub(crate) fn acceptor(files: &TlsFiles) -> Result<TlsAcceptor, TlsError> {
    let chain = CertificateDer::pem_file_iter(&files.cert)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| unusable("tls-cert", &files.cert, &error))?;
    if chain.is_empty() {
        return Err(unusable("tls-cert", &files.cert, &"it holds no certificate in PEM"));
    }
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|error| unusable("tls-key", &files.key, &error))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn unusable(option: &'static str, file: &Path, reason: &dyn std::fmt::Display) -> TlsError {
    TlsError::File { option, file: file.display().to_string(), reason: reason.to_string() }
}
