//! TLS of a listener for old devices: the acceptor in use, and the certificate that Ward issues to it and renews.
//!
//! Its key is RSA, because old devices know nothing else, and OpenSSL has to hold it, because RSA key exchange and the
//! handshake's signatures happen inside it. So it is no key record, which gives up signatures and never a key: it is a
//! sealed secret, and opened for the library. It certifies nothing but this listener.

use std::net::IpAddr;
use std::sync::Arc;

use audit::{Actor, Event, Object};
use oldtls::{Acceptor, Identity, Stream};
use parking_lot::RwLock;
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::{StoreError, Write};
use tokio::net::TcpStream;
use x509::KeyAlgorithm;

use crate::client_certificate::Session;
use crate::config::LegacyTls;
use crate::own_certificate::{decode, general_names, is_fresh};
use crate::{ServeError, Services};

/// The kind of record, by segment.
const RECORD: &str = "legacy-listener";
const PROFILE: &str = "legacy-listener";
const ALGORITHM: KeyAlgorithm = KeyAlgorithm::Rsa2048;

/// What is in use.
#[derive(Serialize, Deserialize)]
struct Stored {
    /// Label of the sealed secret that is the key.
    secret: String,
    /// Leaf first, DER as hex.
    chain: Vec<String>,
    authority: String,
    names: Vec<String>,
}

/// One listener's TLS.
pub(crate) struct OldTls {
    segment: String,
    config: LegacyTls,
    /// The label of the key, and what was made of it.
    current: RwLock<Option<(String, Acceptor)>>,
}

impl OldTls {
    pub(crate) fn new(segment: &str, config: &LegacyTls) -> Arc<Self> {
        Arc::new(Self {
            segment: segment.to_owned(),
            config: config.clone(),
            current: RwLock::new(None),
        })
    }

    /// Runs the handshake; the operational log says why it failed.
    pub(crate) async fn accept(
        &self,
        stream: TcpStream,
        peer: IpAddr,
    ) -> Option<(Stream<TcpStream>, Session)> {
        let (_, acceptor) = self.current.read().clone()?;
        let stream = match acceptor.accept(stream).await {
            Ok(stream) => stream,
            Err(error) => {
                tracing::debug!(segment = self.segment, %peer, %error, "no TLS with an old device");
                return None;
            }
        };
        let session = Session::of_old(stream.session());
        if session.is_none() {
            tracing::debug!(segment = self.segment, %peer, "an old device shows a certificate whose key proves nothing");
        }
        session.map(|session| (stream, session))
    }
}

/// Puts a valid certificate in place. Cheap when there is nothing to do.
pub(crate) async fn ensure(services: &Services, tls: &OldTls) -> Result<(), ServeError> {
    let failed = |source| ServeError::OldTls {
        segment: tls.segment.clone(),
        source,
    };
    // Before anything is issued that could not be shown.
    oldtls::library().map_err(failed)?;
    let mut before = None;
    if let Some(record) = services.store.record(RECORD, &tls.segment).await? {
        let stored: Stored = parse(&record)?;
        let is_meant = stored.authority == tls.config.authority && stored.names == tls.config.names;
        if is_meant && is_fresh(&stored.chain, services.now())? {
            return install(services, tls, &stored).await;
        }
        before = Some((record.version, stored.secret));
    }
    match renew(services, tls, before).await {
        // Another node has renewed it at the same moment.
        Err(ca::CaError::Store(StoreError::Conflict(_))) => {}
        other => other?,
    }
    match services.store.record(RECORD, &tls.segment).await? {
        Some(record) => install(services, tls, &parse(&record)?).await,
        None => Ok(()),
    }
}

fn parse(record: &store::Record) -> Result<Stored, ServeError> {
    Ok(record.parse()?)
}

/// `before`: the version of the record that stands, and the label of its key.
async fn renew(
    services: &Services,
    tls: &OldTls,
    before: Option<(u64, String)>,
) -> Result<(), ca::CaError> {
    let now = services.now();
    let made = tokio::task::spawn_blocking(|| keys::generate_for_subscriber(ALGORITHM));
    let (pkcs8, _) = made
        .await
        .map_err(|_| ca::CaError::Interrupted("making a key"))??;
    let signer = keys::Signer::from_pkcs8(&pkcs8)?;
    let LegacyTls {
        names, authority, ..
    } = &tls.config;
    let common_name = names.first().map_or("", String::as_str);
    let (certificate, chain) = services
        .ca
        .certify_for_ward(
            authority,
            PROFILE,
            &signer,
            common_name,
            general_names(names),
            now,
        )
        .await?;
    let not_after = certificate.not_after();
    let label = format!("legacy-listener/{}", signer.id().as_str());
    let sealed = services.ca.keyring().seal_secret(&label, &pkcs8)?;
    let stored = Stored {
        secret: label.clone(),
        chain: std::iter::once(&certificate)
            .chain(&chain)
            .map(|certificate| hex::encode(certificate.der()))
            .collect(),
        authority: authority.clone(),
        names: names.clone(),
    };
    let event = Event::new(
        now,
        Actor::system("listener"),
        "listener.renew",
        Object::new("listener", &tls.segment),
    )
    .after(json!({
        "serial": hex::encode(certificate.serial()),
        "not_after": not_after.to_string(),
        "key": ALGORITHM,
    }));
    let version = before.as_ref().map_or(0, |(version, _)| *version);
    let mut write = Write::new(event)?
        .put_record(RECORD, &tls.segment, version, &stored, now)?
        .put_record(ca::SECRET_RECORDS, &label, 0, &sealed, now)?;
    // The key before has no further use.
    if let Some((_, former)) = before
        && let Some(record) = services.store.record(ca::SECRET_RECORDS, &former).await?
    {
        write = write.remove_record(ca::SECRET_RECORDS, &former, record.version, now);
    }
    services.store.commit(write).await?;
    tracing::info!(segment = tls.segment, %not_after, "certificate of a listener for old devices renewed");
    Ok(())
}

async fn install(services: &Services, tls: &OldTls, stored: &Stored) -> Result<(), ServeError> {
    let current = tls.current.read().as_ref().map(|(label, _)| label.clone());
    if current.as_ref() == Some(&stored.secret) {
        return Ok(());
    }
    let record = services.store.record(ca::SECRET_RECORDS, &stored.secret);
    let record = record
        .await?
        .ok_or(ca::CaError::Damaged("the key of a listener is gone"))?;
    let sealed = record.parse()?;
    let key = services.ca.keyring().open_secret(&stored.secret, &sealed);
    let identity = Identity {
        chain: stored
            .chain
            .iter()
            .map(|certificate| decode(certificate))
            .collect::<Result<_, _>>()?,
        key: key.map_err(ca::CaError::from)?,
    };
    let acceptor = Acceptor::new(&identity, &tls.config.options);
    let acceptor = acceptor.map_err(|source| ServeError::OldTls {
        segment: tls.segment.clone(),
        source,
    })?;
    *tls.current.write() = Some((stored.secret.clone(), acceptor));
    Ok(())
}
