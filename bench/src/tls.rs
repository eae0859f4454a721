//! TLS as a load generator speaks it: trust anchors, and as a rule no client certificate.

use rustls::RootCertStore;
use rustls::client::{ResolvesClientCert, Resumption};
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
    connector_for(&roots(anchor)?, None)
}

/// The PEM certificates in `anchor`.
pub fn roots(anchor: Option<&Path>) -> Result<Arc<RootCertStore>, Error> {
    let mut roots = RootCertStore::empty();
    if let Some(path) = anchor {
        for anchor in CertificateDer::pem_file_iter(path)? {
            roots.add(anchor?)?;
        }
    }
    Ok(Arc::new(roots))
}

/// A connector that shows a certificate if it is asked, and resumes no session.
pub fn connector_for(
    roots: &Arc<RootCertStore>,
    identity: Option<Arc<dyn ResolvesClientCert>>,
) -> Result<tokio_rustls::TlsConnector, Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(Arc::clone(roots));
    let mut config = match identity {
        Some(identity) => config.with_client_cert_resolver(identity),
        None => config.with_no_client_auth(),
    };
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config).into())
}
