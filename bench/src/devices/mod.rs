//! Devices as a load generator has them: keys, requests and messages made before the clock starts, certificates read
//! after it has stopped. Built with Ward's own rooms: this measures, `interop/` holds messages against other people's.

pub mod cost;
pub mod drive;
pub mod est;
pub mod scep;

use keys::Signer;
use std::sync::atomic::{AtomicUsize, Ordering};
use x509::{CsrBuilder, KeyAlgorithm, Name, SignatureAlgorithm, assemble};
use zeroize::Zeroizing;

/// RSA keys that all devices share: to make one takes longer than to enrol. Ward does not mind, as RFC 8894 §2.3 does not.
const RSA_KEYS: usize = 8;
/// Threads that prepare. Nothing is measured meanwhile.
const PREPARERS: usize = 2;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Io(#[from] std::io::Error),
    #[error(transparent)]
    Tls(#[from] crate::tls::Error),
    #[error(transparent)]
    Rustls(#[from] rustls::Error),
    #[error(transparent)]
    Key(#[from] keys::KeyError),
    #[error(transparent)]
    X509(#[from] x509::Error),
    #[error(transparent)]
    Cms(#[from] x509::cms::CmsError),
    #[error("{0}: expected http://HOST:PORT or https://HOST:PORT")]
    Address(String),
    #[error("{0}")]
    Unexpected(&'static str),
    #[error("cost: {0}")]
    Cost(String),
}

/// A device's key.
pub struct Key {
    pub(crate) pkcs8: Zeroizing<Vec<u8>>,
    pub(crate) signer: Signer,
}

impl Key {
    pub fn generate(algorithm: KeyAlgorithm) -> Result<Self, Error> {
        let (pkcs8, _) = keys::generate_for_subscriber(algorithm)?;
        let signer = Signer::from_pkcs8(&pkcs8)?;
        Ok(Key { pkcs8, signer })
    }

    /// The pool of RSA keys.
    pub fn pool() -> Result<Vec<Key>, Error> {
        (0..RSA_KEYS)
            .map(|_| Key::generate(KeyAlgorithm::Rsa2048))
            .collect()
    }

    pub(crate) fn algorithm(&self) -> SignatureAlgorithm {
        match self.signer.algorithm() {
            KeyAlgorithm::EcdsaP256 => SignatureAlgorithm::EcdsaSha256,
            _ => SignatureAlgorithm::RsaSha256,
        }
    }
}

/// The serial number of the device with this number, as the register has it.
pub fn serial(number: usize) -> String {
    format!("EB-{number:06}")
}

/// What a device calls itself: most put the serial number into both.
pub(crate) fn subject(serial: &str) -> Result<Name, Error> {
    Ok(format!("CN={serial},serialNumber={serial}").parse()?)
}

/// A PKCS #10 request in DER.
pub(crate) fn request(serial: &str, key: &Key, challenge: Option<&str>) -> Result<Vec<u8>, Error> {
    let mut builder = CsrBuilder::new(subject(serial)?, key.signer.public_key());
    if let Some(challenge) = challenge {
        builder = builder.challenge_password(challenge);
    }
    let tbs = builder.tbs();
    let signature = key.signer.sign(key.algorithm(), &tbs)?;
    Ok(assemble(&tbs, key.algorithm(), &signature))
}

/// `make` for each of `items`, in their order, on all cores.
pub fn prepared<T: Sync, R: Send>(
    items: &[T],
    make: impl Fn(&T) -> Result<R, Error> + Sync,
) -> Result<Vec<R>, Error> {
    let next = AtomicUsize::new(0);
    let work = || -> Result<Vec<(usize, R)>, Error> {
        let mut made = Vec::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            match items.get(at) {
                Some(item) => made.push((at, make(item)?)),
                None => return Ok(made),
            }
        }
    };
    let mut made = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..PREPARERS).map(|_| scope.spawn(work)).collect();
        let mut made = Vec::with_capacity(items.len());
        for thread in threads {
            let part = thread
                .join()
                .map_err(|_| Error::Unexpected("a preparing thread ended"))?;
            made.extend(part?);
        }
        Ok::<_, Error>(made)
    })?;
    made.sort_unstable_by_key(|(at, _)| *at);
    Ok(made.into_iter().map(|(_, made)| made).collect())
}
