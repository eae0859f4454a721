//! A root key that is carried: an encrypted PKCS#8 file in a directory, with the root's certificate
//! and CRL beside it. Ward reads it for one act and keeps nothing.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use access::Refusal;
use keys::Signer;
use x509::Certificate;

use crate::init::Carry;
use crate::{CaError, Result};

/// The key file of an issuer in a carried directory.
pub(crate) fn key_path(carry: &Carry, issuer: &str) -> PathBuf {
    carry.directory.join(format!("{issuer}-key.pem"))
}

/// Reads the key of `issuer` and checks that it is the one in its certificate.
pub(crate) async fn read_key(
    carry: &Carry,
    issuer: &str,
    certificate: &Certificate,
) -> Result<Signer> {
    let path = key_path(carry, issuer);
    let pem = fs::read_to_string(&path).map_err(|source| file_error(&path, source))?;
    let passphrase = carry.passphrase.clone();
    // 600,000 rounds of PBKDF2: off the threads that answer requests.
    let signer = tokio::task::spawn_blocking(move || Signer::from_encrypted_pem(&pem, &passphrase))
        .await
        .map_err(|_| CaError::Interrupted("reading the carried key"))??;
    if signer.public_key().spki_der() != certificate.spki_der() {
        return Err(Refusal::new(
            "authority.carried-key",
            "R01",
            format!("{} is not the key of {issuer}", path.display()),
        )
        .accepted(format!(
            "the key whose public half is in the certificate of {issuer}"
        ))
        .into());
    }
    Ok(signer)
}

/// Writes a file that must not be there yet; secrets for their owner only. Durable on return.
pub(crate) fn write_new(path: &Path, bytes: &[u8], secret: bool) -> Result<()> {
    let write = || -> std::io::Result<()> {
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory)?;
        }
        let mode = if secret { 0o600 } else { 0o644 };
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().map_err(|source| file_error(path, source))
}

/// Writes a public file, whatever was there.
pub(crate) fn write_over(path: &Path, bytes: &[u8]) -> Result<()> {
    fs::write(path, bytes).map_err(|source| file_error(path, source))
}

fn file_error(path: &Path, source: std::io::Error) -> CaError {
    CaError::File {
        path: path.display().to_string(),
        source,
    }
}
