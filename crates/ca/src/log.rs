//! The notary: signs checkpoints of the log, serves its tiles and proofs, verifies and exports it (R36, R54).
//!
//! `audit` knows trees and notes, `store` keeps the events; this is where a key meets both.

use std::path::Path as FilePath;

use audit::note::{Checkpoint, VerifierKey};
use audit::proof::Plan;
use audit::tile::{self, Index, Kind, Path, TileReader, WIDTH};
use audit::verify::Report;
use audit::{Hash, Timestamp};
use store::{Store, params};
use tokio::sync::{Mutex, MutexGuard};

use crate::{Ca, CaError, verify_log};

/// Entries or certificates read from the database at a time.
const PAGE: u64 = 2048;

/// Keeper of the log's key and of the hashes above its leaves.
pub struct Notary {
    store: Store,
    signer: keys::Signer,
    key: VerifierKey,
    /// 32 bytes for every 256 events, read from the database at first use and extended as the log grows.
    index: Mutex<Index>,
}

/// That one event is in the log that a checkpoint commits to (RFC 6962 §2.1.1).
#[derive(Clone, Debug, serde::Serialize)]
pub struct InclusionProof {
    pub seq: u64,
    pub event: serde_json::Value,
    /// The event's exact text: the leaf is SHA-256 over a zero byte and these bytes.
    pub entry: String,
    pub leaf: String,
    /// Hashes from the leaf's sibling upwards, in hex.
    pub path: Vec<String>,
    /// Signed note over size and root.
    pub checkpoint: String,
}

/// That the log of an earlier checkpoint is the beginning of the log of now (RFC 6962 §2.1.2).
#[derive(Clone, Debug, serde::Serialize)]
pub struct ConsistencyProof {
    /// Entries that the earlier log had.
    pub from: u64,
    /// Entries that the later log has, whose beginning it is.
    pub size: u64,
    /// In hex; empty if nothing was added.
    pub path: Vec<String>,
    /// The newest: a signed note over size and root.
    pub checkpoint: String,
}

impl Notary {
    pub(crate) async fn open(ca: &Ca) -> Result<Self, CaError> {
        let settings = ca
            .settings()
            .ok_or_else(|| CaError::not_found("settings", "hierarchy"))?;
        let signer = ca.signer(&settings.log_key).await?;
        let public = signer.public_key().key_bytes().try_into();
        let public: [u8; 32] =
            public.map_err(|_| CaError::Internal("the log's key is not Ed25519"))?;
        let key = VerifierKey::new(settings.log_origin, public)?;
        Ok(Self {
            store: ca.store().clone(),
            signer,
            key,
            index: Mutex::new(Index::new()),
        })
    }

    /// The public key that checkpoints verify with, in the form that C2SP signed-note defines.
    pub fn verifier_key(&self) -> &VerifierKey {
        &self.key
    }

    /// A checkpoint of the log as it is: the newest one if nothing has happened since, else a new one, kept.
    pub async fn checkpoint(&self, now: Timestamp) -> Result<String, CaError> {
        let head = self.store.log_head().await?;
        if let Some(newest) = self
            .store
            .newest_checkpoint()
            .await?
            .filter(|newest| newest.size == head.size())
        {
            return Ok(newest.note);
        }
        let checkpoint = Checkpoint {
            origin: self.key.name().to_owned(),
            size: head.size(),
            root: head.root(),
        };
        let note = checkpoint.sign(&self.key, |text| {
            self.signer.sign(x509::SignatureAlgorithm::Ed25519, text)
        })?;
        self.store.save_checkpoint(head.size(), &note, now).await?;
        Ok(note)
    }

    /// Signs a text that is no checkpoint with the log's key, for those who cannot ask this Ward: its first line says what it
    /// is, and must not be the log's name, which begins every checkpoint.
    pub fn sign_note(&self, text: &str) -> Result<String, CaError> {
        let first = text.lines().next().unwrap_or_default();
        if first.is_empty() || first == self.key.name() || !text.ends_with('\n') {
            return Err(CaError::Internal("this would be taken for a checkpoint"));
        }
        Ok(self.key.sign(text, |text| {
            self.signer.sign(x509::SignatureAlgorithm::Ed25519, text)
        })?)
    }

    /// A hash tile or entry bundle, if the log is that long. Entry bundles hold the events themselves.
    pub async fn tile(&self, path: Path) -> Result<Option<Vec<u8>>, CaError> {
        let entries = path.entries();
        match path.kind {
            Kind::Entries => self.entry_bundle(entries.start, entries.end).await,
            Kind::Hashes(0) => {
                let leaves = self
                    .store
                    .leaves(entries.start, entries.end - entries.start)
                    .await?;
                let whole = leaves.len() as u64 == entries.end - entries.start;
                Ok(whole.then(|| leaves.concat()))
            }
            Kind::Hashes(_) => Ok(self.current_index().await?.tile(path)),
            Kind::Certificates => Ok(None),
        }
    }

    /// Proves that event `seq` is in the log.
    pub async fn prove(&self, seq: u64, now: Timestamp) -> Result<Option<InclusionProof>, CaError> {
        let checkpoint = self.checkpoint(now).await?;
        let size = Checkpoint::open(&checkpoint, &self.key)?.size;
        let Some(entry) = self
            .store
            .events(seq, 1)
            .await?
            .into_iter()
            .next()
            .filter(|entry| entry.seq == seq)
        else {
            return Ok(None);
        };
        if seq >= size {
            return Ok(None);
        }
        let path = self.proof(&Plan::inclusion(seq, size)?, size).await?;
        Ok(Some(InclusionProof {
            seq,
            event: serde_json::from_slice(&entry.body).unwrap_or_default(),
            entry: String::from_utf8(entry.body).map_err(|_| CaError::Damaged("log_events"))?,
            leaf: hex::encode(entry.leaf),
            path: path.iter().map(hex::encode).collect(),
            checkpoint,
        }))
    }

    /// Proves that the first `from` events of the first `to` (all if absent) are still what they were; nothing for a log
    /// that was never that long.
    pub async fn prove_growth(
        &self,
        from: u64,
        to: Option<u64>,
        now: Timestamp,
    ) -> Result<Option<ConsistencyProof>, CaError> {
        let checkpoint = self.checkpoint(now).await?;
        let newest = Checkpoint::open(&checkpoint, &self.key)?.size;
        let size = to.unwrap_or(newest);
        if from > size || size > newest {
            return Ok(None);
        }
        let path = self.proof(&Plan::consistency(from, size)?, size).await?;
        Ok(Some(ConsistencyProof {
            from,
            size,
            path: path.iter().map(hex::encode).collect(),
            checkpoint,
        }))
    }

    /// Reads the whole log and every certificate, and names what does not fit.
    pub async fn verify(
        &self,
        earlier: Option<&str>,
        now: Timestamp,
        progress: impl FnMut(u64, u64),
    ) -> Result<Report, CaError> {
        verify_log(&self.store, &self.key, earlier, now, progress).await
    }

    /// Writes or continues a folder that anybody can verify without Ward.
    pub async fn export(
        &self,
        folder: &FilePath,
        now: Timestamp,
        mut progress: impl FnMut(u64, u64),
    ) -> Result<Checkpoint, CaError> {
        let note = self.checkpoint(now).await?;
        let size = Checkpoint::open(&note, &self.key)?.size;
        let mut exporter = audit::export::Exporter::open(folder, &self.key)?;
        while exporter.size() < size {
            let entries = self
                .store
                .events(exporter.size(), PAGE.min(size - exporter.size()))
                .await?;
            if entries.is_empty() {
                return Err(CaError::Damaged("log_events"));
            }
            for entry in entries {
                if let Some(digest) = exporter.event(&entry.body)? {
                    exporter.certificate(&self.certificate(digest).await?)?;
                }
            }
            progress(exporter.size(), size);
        }
        Ok(exporter.finish(&note)?)
    }

    async fn certificate(&self, digest: Hash) -> Result<Vec<u8>, CaError> {
        let rows = self
            .store
            .query(
                "SELECT der FROM certificates WHERE sha256 = $1",
                params![digest],
            )
            .await?;
        let row = rows.first().ok_or(CaError::Damaged("certificates"))?;
        Ok(row.blob(0)?.to_vec())
    }

    async fn entry_bundle(&self, start: u64, end: u64) -> Result<Option<Vec<u8>>, CaError> {
        let entries = self.store.events(start, end - start).await?;
        if entries.len() as u64 != end - start {
            return Ok(None);
        }
        let mut bundle = Vec::new();
        for entry in &entries {
            tile::push_entry(&mut bundle, &entry.body)?;
        }
        Ok(Some(bundle))
    }

    async fn proof(&self, plan: &Plan, size: u64) -> Result<Vec<Hash>, CaError> {
        let mut tiles = std::collections::HashMap::new();
        for node in plan.nodes() {
            let (path, _) = tile::holding(node, size)?;
            if let std::collections::hash_map::Entry::Vacant(place) = tiles.entry(path.to_string())
            {
                place.insert(
                    self.tile(path)
                        .await?
                        .ok_or(CaError::Damaged("log_events"))?,
                );
            }
        }
        let mut reader = TileReader::new(size, |path: Path| {
            tiles
                .get(&path.to_string())
                .cloned()
                .ok_or(audit::Error::Refuted("a tile is missing"))
        });
        Ok(plan.proof(&mut reader)?)
    }

    async fn current_index(&self) -> Result<MutexGuard<'_, Index>, CaError> {
        let size = self.store.log_size().await?;
        let mut index = self.index.lock().await;
        while index.size() < size {
            let leaves = self
                .store
                .leaves(index.size(), (size - index.size()).min(64 * WIDTH))
                .await?;
            if leaves.is_empty() {
                return Err(CaError::Damaged("log_events"));
            }
            for leaf in leaves {
                index.push(leaf)?;
            }
        }
        Ok(index)
    }
}
