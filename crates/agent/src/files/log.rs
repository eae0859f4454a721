//! Entries of Certificate Transparency logs as `get-entries` gives them (RFC 6962 §4.6), saved to a file.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::Deserialize;

use crate::{
    observation::{Der, How, Observation, Outcome, Place},
    tls::{CHAIN_LIMIT, Fault, bytes::Bytes},
};

#[derive(Deserialize)]
struct Answer {
    entries: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    leaf_input: String,
    extra_data: String,
}

/// One observation an entry, in the order of the answer, whose first entry has the index `start`. A precertificate is
/// shown as it was logged, with its poison extension: it says that the certificate was, or was about to be, issued.
pub fn entries(json: &[u8], log: &str, start: u64, at: i64) -> Result<Vec<Observation>, String> {
    let answer: Answer = serde_json::from_slice(json).map_err(|error| error.to_string())?;
    let numbered = answer.entries.into_iter().enumerate();
    let observe = |(n, entry): (usize, Entry)| {
        let place = Place::Log {
            name: log.to_owned(),
            index: start.saturating_add(n as u64),
        };
        let (outcome, chain) = match chain(&entry) {
            Ok(chain) => (Outcome::Certificate, chain),
            Err(what) => (Outcome::Garbage { what }, Vec::new()),
        };
        let mut observation = Observation::new(at, log, How::File, place, outcome);
        observation.chain = chain;
        observation
    };
    Ok(numbered.map(observe).collect())
}

fn chain(entry: &Entry) -> Result<Vec<Der>, String> {
    let decode = |what: &str, text: &str| {
        let bytes = STANDARD.decode(text);
        bytes.map_err(|error| format!("{what} is not base64: {error}"))
    };
    let leaf = decode("leaf_input", &entry.leaf_input)?;
    let extra = decode("extra_data", &entry.extra_data)?;
    read(&leaf, &extra).map_err(|fault| fault.to_string())
}

/// MerkleTreeLeaf, version 1, timestamped entry (§3.4); the chain is in the extra data, before it a precertificate.
fn read(leaf: &[u8], extra: &[u8]) -> Result<Vec<Der>, Fault> {
    let mut leaf = Bytes::new(leaf, "leaf_input");
    let mut extra = Bytes::new(extra, "extra_data");
    let (version, kind) = (leaf.u8()?, leaf.u8()?);
    if (version, kind) != (0, 0) {
        return Err(Fault::Garbage(format!(
            "a leaf of version {version}, type {kind}"
        )));
    }
    leaf.take(8)?;
    let mut chain = vec![match leaf.u16()? {
        0 => Der::from(leaf.vector(3)?),
        1 => Der::from(extra.vector(3)?),
        other => return Err(Fault::Garbage(format!("an entry of type {other}"))),
    }];
    let mut issuers = extra.inner(3)?;
    while !issuers.is_empty() {
        if chain.len() == CHAIN_LIMIT {
            let what = "certificates in the chain";
            return Err(Fault::TooLarge {
                what,
                limit: CHAIN_LIMIT,
            });
        }
        chain.push(Der::from(issuers.vector(3)?));
    }
    Ok(chain)
}

/// The index of the first entry, if the name of the file says it: `argon2026-1000-1255.json`, `1000.json`. A number
/// that a letter stands before is a part of the log's name.
pub(super) fn start(stem: &str) -> u64 {
    let parts = stem.split(|c: char| !c.is_ascii_alphanumeric());
    let mut numbers = parts.filter_map(|part| part.parse().ok());
    numbers.next().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::start;

    #[test]
    fn the_index_is_taken_from_the_name() {
        for (stem, expected) in [
            ("argon2026-1000-1255", 1000),
            ("1000", 1000),
            ("get-entries", 0),
            ("log_77", 77),
        ] {
            assert_eq!(start(stem), expected, "{stem}");
        }
    }
}
