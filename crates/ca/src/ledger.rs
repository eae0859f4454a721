//! What the log says that the rows beside the certificates' own bytes should hold: to whom, by which issuer and under
//! which profile a certificate was issued, whether it is revoked and whether its key is compromised (R36, R13). The bytes
//! of a certificate cannot be changed unnoticed; without this, its revocation could be.

use std::collections::HashMap;

use audit::merkle::sha256;
use audit::verify::{ISSUE, Kind, VOID, Verifier};
use audit::{Event, Hash, Outcome};
use serde_json::Value as Json;
use store::{LogEntry, Row, Store, params};
use x509::Time;
use x509::crl::Reason;

use crate::CaError;
use crate::compromised::{NOTED, each_key, keys_named};

/// Rows of revocations read at a time.
const PAGE: i64 = 2048;

/// Rows of certificates after $1 and up to $2, as [`Ledger::certificate`] reads them.
pub(crate) const ROWS: &str = "SELECT id, der, sha256, issuer, serial, profile, subject, names, \
    not_before, not_after, partition, requester \
    FROM certificates WHERE id > $1 AND id <= $2 ORDER BY id LIMIT $3";

/// Follows the log and compares it with the rows. Of certificates it holds those whose event and row have not met
/// yet; of statuses 40 bytes for each certificate that was ever revoked or held.
#[derive(Default)]
pub(crate) struct Ledger {
    logged: HashMap<Hash, (u64, Hash)>,
    stored: HashMap<Hash, (i64, Hash)>,
    statuses: HashMap<Subject, Said>,
    /// Keys that must not be certified again, and the event that says so.
    compromised: HashMap<Hash, u64>,
}

/// A serial number of an issuer: 128 bits of a hash over both.
type Subject = [u8; 16];

/// The last word of the log about a status.
struct Said {
    seq: u64,
    reason: Reason,
}

impl Ledger {
    /// Takes an entry of the log. What is not an event is the verifier's finding.
    pub(crate) fn event(&mut self, entry: &LogEntry, verifier: &mut Verifier) {
        let Ok(event) = Event::parse(&entry.body) else {
            return;
        };
        if event.outcome != Outcome::Done {
            return;
        }
        if event.action == ISSUE {
            if let (Some(digest), Some(facts)) = (event.digest, issued_facts(&event)) {
                match self.stored.remove(&digest) {
                    Some((_, stored)) if stored == facts => {}
                    Some((id, _)) => row_disagrees(verifier, id, entry.seq),
                    None => {
                        self.logged.insert(digest, (entry.seq, facts));
                    }
                }
            }
        } else if event.action == NOTED {
            self.compromised(&event, entry.seq);
        } else if let Some((subject, reason)) = status_change(&event) {
            if reason == Reason::KeyCompromise {
                self.compromised(&event, entry.seq);
            }
            let said = Said {
                seq: entry.seq,
                reason,
            };
            self.statuses.insert(subject, said);
        }
    }

    fn compromised(&mut self, event: &Event, seq: u64) {
        for spki in keys_named(event) {
            self.compromised.entry(spki).or_insert(seq);
        }
    }

    /// Takes a row of [`ROWS`].
    pub(crate) fn certificate(
        &mut self,
        row: &Row,
        verifier: &mut Verifier,
    ) -> Result<(), CaError> {
        let id = row.int(0)?;
        let digest = sha256(row.blob(1)?);
        let facts = stored_facts(row)?;
        match self.logged.remove(&digest) {
            Some((_, logged)) if logged == facts => {}
            Some((seq, _)) => row_disagrees(verifier, id, seq),
            None => {
                self.stored.insert(digest, (id, facts));
            }
        }
        Ok(())
    }

    /// Compares the statuses, after the last of the `size` entries that were taken. What a server at work has changed
    /// since is left to the next verification.
    pub(crate) async fn compare_statuses(
        mut self,
        store: &Store,
        size: u64,
        verifier: &mut Verifier,
    ) -> Result<(), CaError> {
        // Such a row is never removed: one that is missing is a finding whatever has happened since.
        each_key(store, |spki| {
            self.compromised.remove(&spki);
        })
        .await?;
        for (spki, seq) in std::mem::take(&mut self.compromised) {
            let text = format!(
                "the compromised key {} that event {seq} records is not stored",
                hex::encode(spki)
            );
            verifier.find(Kind::StatusDisagrees, Some(seq), text);
        }
        let mut suspects = self.suspects(store).await?;
        if !suspects.is_empty() {
            let mut seq = size;
            loop {
                let entries = store.events(seq, PAGE.unsigned_abs()).await?;
                let Some(last) = entries.last() else { break };
                seq = last.seq + 1;
                for entry in &entries {
                    if let Some((subject, _)) = Event::parse(&entry.body)
                        .ok()
                        .and_then(|e| status_change(&e))
                    {
                        suspects.remove(&subject);
                    }
                }
            }
        }
        let mut found: Vec<(Option<u64>, String)> = suspects.into_values().collect();
        found.sort_unstable();
        for (seq, text) in found {
            verifier.find(Kind::StatusDisagrees, seq, text);
        }
        Ok(())
    }

    /// Where the table of revocations and the log differ.
    async fn suspects(
        &mut self,
        store: &Store,
    ) -> Result<HashMap<Subject, (Option<u64>, String)>, CaError> {
        let mut suspects = HashMap::new();
        let (mut issuer, mut serial) = (String::new(), Vec::new());
        loop {
            let rows = store
                .query(
                    "SELECT issuer, serial, reason FROM revocations WHERE (issuer, serial) > ($1, $2) \
                     ORDER BY issuer, serial LIMIT $3",
                    params![issuer, serial, PAGE],
                )
                .await?;
            for row in &rows {
                let hex = hex::encode(row.blob(1)?);
                let subject = subject(row.text(0)?, &hex);
                let stored = u8::try_from(row.int(2)?).ok().and_then(Reason::from_code);
                let said = self.statuses.remove(&subject);
                if said.as_ref().map(|said| said.reason) != stored {
                    let stored = stored.map_or("something else", Reason::name);
                    let logged = said.as_ref().map_or("nothing", |said| said.reason.name());
                    let text = format!(
                        "the status of serial {hex} is stored as {stored}, and the log says {logged}"
                    );
                    suspects.insert(subject, (said.map(|said| said.seq), text));
                }
            }
            match rows.last() {
                Some(last) => (issuer, serial) = (last.text(0)?.to_owned(), last.blob(1)?.to_vec()),
                None => break,
            }
        }
        for (subject, said) in self.statuses.drain() {
            let text = format!(
                "the {} that event {} records is not stored",
                said.reason.name(),
                said.seq
            );
            suspects.insert(subject, (Some(said.seq), text));
        }
        Ok(suspects)
    }
}

fn row_disagrees(verifier: &mut Verifier, id: i64, seq: u64) {
    let text =
        format!("certificate row {id} does not say what event {seq} says about the certificate");
    verifier.find(Kind::RowDisagrees, Some(seq), text);
}

/// What an issuance says, if it says it: an event that was too large for the log has lost it.
fn issued_facts(event: &Event) -> Option<Hash> {
    let after = event.after.as_ref()?;
    let text = |name: &str| after.get(name).and_then(Json::as_str);
    let names: Option<Vec<&str>> = after
        .get("names")?
        .as_array()?
        .iter()
        .map(Json::as_str)
        .collect();
    // Certificates of authorities are in no partition but the first, and their events do not say so.
    let partition = after.get("partition").and_then(Json::as_i64).unwrap_or(0);
    Some(facts(
        &event.object.id,
        &[
            text("issuer")?,
            text("profile")?,
            text("subject")?,
            &names?.join("\n"),
            text("not_before")?,
            text("not_after")?,
            &event.actor.id,
        ],
        partition,
    ))
}

fn stored_facts(row: &Row) -> Result<Hash, CaError> {
    let (not_before, not_after) = (Time(row.int(8)?).to_string(), Time(row.int(9)?).to_string());
    Ok(facts(
        &hex::encode(row.blob(4)?),
        &[
            row.text(3)?,
            row.text(5)?,
            row.text(6)?,
            row.text(7)?,
            &not_before,
            &not_after,
            row.text(11)?,
        ],
        row.int(10)?,
    ))
}

/// One hash over all of it. Each text is behind its length, so that nothing can move from one to the next.
fn facts(serial: &str, texts: &[&str], partition: i64) -> Hash {
    let mut bytes = partition.to_be_bytes().to_vec();
    for text in std::iter::once(&serial).chain(texts) {
        bytes.extend_from_slice(&text.len().to_be_bytes());
        bytes.extend_from_slice(text.as_bytes());
    }
    sha256(&bytes)
}

fn subject(issuer: &str, serial: &str) -> Subject {
    let mut subject = [0; 16];
    subject.copy_from_slice(&sha256(format!("{issuer}\n{serial}").as_bytes())[..16]);
    subject
}

/// The status that an event leaves behind: a hold that was released is stored as removeFromCRL.
fn status_change(event: &Event) -> Option<(Subject, Reason)> {
    let changes = matches!(
        event.action.as_ref(),
        "certificate.revoke" | "certificate.hold" | "certificate.release" | VOID
    );
    if !changes || event.outcome != Outcome::Done {
        return None;
    }
    let text = |name: &str| event.after.as_ref()?.get(name)?.as_str();
    let reason = match text("status")? {
        "revoked" => text("reason")?.parse().ok()?,
        _ => Reason::RemoveFromCrl,
    };
    Some((subject(text("issuer")?, &event.object.id), reason))
}
