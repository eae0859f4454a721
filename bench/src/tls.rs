//! TLS as a load generator speaks it: one trust anchor, no client certificate.

use rustls::RootCertStore;
use rustls::pki_types::{CertificateDer, pem::PemObject};
use std::path::Path;
use std::sync::Arc;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Tls(#[from] rustls::Error),
    #[error("trust anchor: {0}")]
    Anchor(#[from] rustls::pki_types::pem::Error),
}

/// A connector that trusts what is under the PEM certificates in `anchor`.
pub fn connector(anchor: Option<&Path>) -> Result<tokio_rustls::TlsConnector, Error> {
    let mut roots = RootCertStore::empty();
    if let Some(path) = anchor {
        for anchor in CertificateDer::pem_file_iter(path)? {
            roots.add(anchor?)?;
        }
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config).into())
}
