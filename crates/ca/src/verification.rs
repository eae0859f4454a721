//! Verification of a database by its log: every event, every certificate, every checkpoint that was kept (R36). Needs
//! the store and a public key only, so that backups are checked as the live database is.

use audit::Timestamp;
use audit::merkle::Frontier;
use audit::note::VerifierKey;
use audit::verify::{IN_FLIGHT_MS, Report, Verifier};
use store::{Store, params};
use x509::PublicKey;

use crate::CaError;
use crate::keyrecords::{KEY_RECORDS, StoredKey};
use crate::ledger::{Ledger, ROWS};
use crate::settings::{SETTINGS_RECORDS, Settings};

/// Entries or certificates read from the database at a time.
const PAGE: u64 = 2048;

/// The log's public key as a database states it; `None` where there is no hierarchy. It proves that the database fits
/// itself; whoever wants to know that it is the right one compares the key.
pub async fn stored_log_key(store: &Store) -> Result<Option<VerifierKey>, CaError> {
    let Some(record) = store.record(SETTINGS_RECORDS, "hierarchy").await? else {
        return Ok(None);
    };
    let settings: Settings = record.parse()?;
    let record = store.record(KEY_RECORDS, settings.log_key.as_str()).await?;
    let key: StoredKey = record
        .ok_or_else(|| CaError::not_found("key", settings.log_key.as_str()))?
        .parse()?;
    let public = PublicKey::from_spki_der(&key.record.spki_der)?;
    let public = public
        .key_bytes()
        .try_into()
        .map_err(|_| CaError::Internal("the log's key is not Ed25519"))?;
    Ok(Some(VerifierKey::new(settings.log_origin, public)?))
}

/// Reads the whole log, every certificate and every status, and names what does not fit: against the stored head,
/// against every checkpoint that was kept, and against one seen earlier elsewhere.
pub async fn verify_log(
    store: &Store,
    key: &VerifierKey,
    earlier: Option<&str>,
    now: Timestamp,
    mut progress: impl FnMut(u64, u64),
) -> Result<Report, CaError> {
    let mut verifier = Verifier::new();
    // Checkpoints are read before the head. One that covers more than the head is then no race with a server at
    // work: the log was cut off.
    let kept = store.checkpoints(0, u64::from(u32::MAX)).await?;
    let Snapshot {
        size,
        head,
        newest_certificate,
    } = snapshot(store).await?;
    if let Some(note) = earlier {
        verifier.checkpoint("the earlier checkpoint", note, key)?;
    }
    for kept in kept {
        verifier.checkpoint(
            &format!("the kept checkpoint of size {}", kept.size),
            &kept.note,
            key,
        )?;
    }
    // Certificates are fed beside their events: the two streams are in about the same order.
    let mut certificates = CertificateReader::new(store, newest_certificate);
    let mut ledger = Ledger::default();
    let mut seq = 0;
    while seq < head.size() {
        let entries = store.events(seq, PAGE.min(head.size() - seq)).await?;
        let Some(last) = entries.last() else { break };
        seq = last.seq + 1;
        for entry in &entries {
            verifier.event(entry.seq, &entry.body, Some(&entry.leaf));
            ledger.event(entry, &mut verifier);
        }
        // Intent and issuance are two events, so this keeps step.
        certificates
            .feed(&mut verifier, &mut ledger, PAGE / 2)
            .await?;
        progress(seq, head.size());
    }
    while certificates.feed(&mut verifier, &mut ledger, PAGE).await? > 0 {}
    ledger
        .compare_statuses(store, head.size(), &mut verifier)
        .await?;
    verifier.head(size, &head.encode());
    Ok(verifier.finish(Some(Timestamp(now.0 - IN_FLIGHT_MS))))
}

/// The head as it is stored, and the newest certificate that it covers: both change in one transaction, so they are
/// read in one statement. What is stored later is neither missed nor held against the log.
struct Snapshot {
    size: u64,
    head: Frontier,
    newest_certificate: i64,
}

async fn snapshot(store: &Store) -> Result<Snapshot, CaError> {
    const SNAPSHOT: &str = "SELECT size, frontier, (SELECT COALESCE(MAX(id), 0) FROM certificates) FROM log_head WHERE id = 1";
    let rows = store.query(SNAPSHOT, Vec::new()).await?;
    let row = rows.first().ok_or(CaError::Damaged("log_head"))?;
    Ok(Snapshot {
        size: u64::try_from(row.int(0)?).map_err(|_| CaError::Damaged("log_head"))?,
        head: Frontier::decode(row.blob(1)?)?,
        newest_certificate: row.int(2)?,
    })
}

/// Reads certificates in the order in which they were stored.
struct CertificateReader<'a> {
    store: &'a Store,
    after: i64,
    up_to: i64,
}

impl<'a> CertificateReader<'a> {
    fn new(store: &'a Store, up_to: i64) -> Self {
        Self {
            store,
            after: 0,
            up_to,
        }
    }

    async fn feed(
        &mut self,
        verifier: &mut Verifier,
        ledger: &mut Ledger,
        limit: u64,
    ) -> Result<usize, CaError> {
        let rows = self
            .store
            .query(
                ROWS,
                params![
                    self.after,
                    self.up_to,
                    i64::try_from(limit).unwrap_or(i64::MAX)
                ],
            )
            .await?;
        for row in &rows {
            self.after = row.int(0)?;
            verifier.certificate(
                &format!("certificate row {}", self.after),
                row.blob(1)?,
                Some(row.blob(2)?),
            );
            ledger.certificate(row, verifier)?;
        }
        Ok(rows.len())
    }
}
