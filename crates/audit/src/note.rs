//! C2SP `signed-note` with Ed25519 keys, and the C2SP `tlog-checkpoint` that it carries: the
//! few lines by which a log commits to everything in it.
//!
//! Everything is read strictly. Two different byte strings must never be the same checkpoint,
//! because a changed byte has to be found.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::merkle::sha256;
use crate::{Error, Hash};

/// The signature type of Ed25519 (C2SP signed-note, "Signature types").
const ED25519_TYPE: u8 = 0x01;

/// A checkpoint is a few hundred bytes; witnesses add about a hundred each.
const MAX_NOTE: usize = 64 * 1024;

/// The public key of a log with its name: `name+hash+base64`, called a vkey.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    public: [u8; 32],
}

impl VerifierKey {
    /// The key `public` under `name`, which must have neither white space nor a plus sign.
    pub fn new(name: impl Into<String>, public: [u8; 32]) -> Result<Self, Error> {
        let name = name.into();
        if !is_key_name(&name) {
            return Err(Error::malformed("log name", format!("{name:?}")));
        }
        Ok(VerifierKey { name, public })
    }

    /// The name, which is also the origin line of the log's checkpoints.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The Ed25519 public key.
    pub fn public(&self) -> &[u8; 32] {
        &self.public
    }

    /// The first four bytes of SHA-256(name ‖ 0x0A ‖ 0x01 ‖ key): enough to choose a key, not to
    /// authenticate it.
    pub fn key_hash(&self) -> [u8; 4] {
        let mut bytes = Vec::with_capacity(self.name.len() + 34);
        bytes.extend_from_slice(self.name.as_bytes());
        bytes.push(b'\n');
        bytes.push(ED25519_TYPE);
        bytes.extend_from_slice(&self.public);
        let digest = sha256(&bytes);
        [digest[0], digest[1], digest[2], digest[3]]
    }

    /// Signs `text` (which ends in a newline) as a note. `sign` makes the Ed25519 signature.
    pub fn sign<E: fmt::Display>(
        &self,
        text: &str,
        sign: impl FnOnce(&[u8]) -> Result<Vec<u8>, E>,
    ) -> Result<String, Error> {
        let signature = sign(text.as_bytes()).map_err(Error::source)?;
        let mut blob = self.key_hash().to_vec();
        blob.extend_from_slice(&signature);
        let note = format!("{text}\n— {} {}\n", self.name, STANDARD.encode(blob));
        self.open(&note)?;
        Ok(note)
    }

    /// Checks that `note` carries a signature of this key and gives its text. Signatures of
    /// other keys are passed over, as C2SP signed-note demands.
    pub fn open<'a>(&self, note: &'a str) -> Result<&'a str, Error> {
        let (text, signatures) = split_note(note)?;
        let mut signed = false;
        for line in signatures.lines() {
            let (name, blob) = signature_line(line)?;
            let Some((hash, signature)) = blob.split_first_chunk::<4>() else {
                return Err(Error::malformed("note", "a signature without a key hash"));
            };
            if name != self.name || *hash != self.key_hash() {
                continue;
            }
            UnparsedPublicKey::new(&ED25519, &self.public)
                .verify(text.as_bytes(), signature)
                .map_err(|_| Error::Refuted("the signature of the log's key is wrong"))?;
            signed = true;
        }
        match signed {
            true => Ok(text),
            false => Err(Error::Refuted("there is no signature of the log's key")),
        }
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut key = vec![ED25519_TYPE];
        key.extend_from_slice(&self.public);
        let hash = hex::encode(self.key_hash());
        write!(f, "{}+{hash}+{}", self.name, STANDARD.encode(key))
    }
}

impl FromStr for VerifierKey {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let bad = |why: &str| Error::malformed("vkey", why);
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(hash), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(bad("it is not name+hash+key"));
        };
        let key = STANDARD
            .decode(key)
            .map_err(|_| bad("the key is not base64"))?;
        let [ED25519_TYPE, public @ ..] = key.as_slice() else {
            return Err(bad("the key is not of type Ed25519"));
        };
        let public = public
            .try_into()
            .map_err(|_| bad("the key has not 32 bytes"))?;
        let key = VerifierKey::new(name, public)?;
        match hex::encode(key.key_hash()) == hash {
            true => Ok(key),
            false => Err(bad("the hash does not belong to the name and key")),
        }
    }
}

/// Key names are not empty and have neither Unicode spaces nor plus signs.
fn is_key_name(name: &str) -> bool {
    !name.is_empty()
        && !name
            .chars()
            .any(|c| c == '+' || c.is_whitespace() || c.is_control())
}

/// The text, with its final newline, and the signature lines.
fn split_note(note: &str) -> Result<(&str, &str), Error> {
    let bad = |why: &str| Error::malformed("note", why);
    if note.len() > MAX_NOTE {
        return Err(bad("it has more than 64 KiB"));
    }
    if note.chars().any(|c| c < ' ' && c != '\n') {
        return Err(bad("it has control characters"));
    }
    let gap = note
        .rfind("\n\n")
        .ok_or_else(|| bad("no empty line before the signatures"))?;
    let (text, signatures) = (&note[..=gap], &note[gap + 2..]);
    match signatures.ends_with('\n') {
        true => Ok((text, signatures)),
        false => Err(bad("the last signature line does not end")),
    }
}

fn signature_line(line: &str) -> Result<(&str, Vec<u8>), Error> {
    let bad = || Error::malformed("note", format!("signature line {line:?}"));
    let (name, blob) = line
        .strip_prefix("— ")
        .and_then(|rest| rest.split_once(' '))
        .ok_or_else(bad)?;
    let blob = STANDARD.decode(blob).map_err(|_| bad())?;
    match is_key_name(name) {
        true => Ok((name, blob)),
        false => Err(bad()),
    }
}

/// A log's commitment to its first `size` entries (C2SP tlog-checkpoint).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log's name.
    pub origin: String,
    /// How many entries it covers.
    pub size: u64,
    /// The root of their tree.
    pub root: Hash,
}

impl Checkpoint {
    /// The text to sign: origin, size and root, a line each.
    pub fn text(&self) -> String {
        let root = STANDARD.encode(self.root);
        format!("{}\n{}\n{root}\n", self.origin, self.size)
    }

    /// Signs it as a note of `key`, whose name must be the origin.
    pub fn sign<E: fmt::Display>(
        &self,
        key: &VerifierKey,
        sign: impl FnOnce(&[u8]) -> Result<Vec<u8>, E>,
    ) -> Result<String, Error> {
        if self.origin != key.name {
            return Err(Error::malformed(
                "checkpoint",
                "the origin is not the key's name",
            ));
        }
        key.sign(&self.text(), sign)
    }

    /// Reads a checkpoint and checks its signature.
    pub fn open(note: &str, key: &VerifierKey) -> Result<Self, Error> {
        let checkpoint = Checkpoint::parse(key.open(note)?)?;
        match checkpoint.origin == key.name {
            true => Ok(checkpoint),
            false => Err(Error::Refuted("the checkpoint is of another log")),
        }
    }

    /// Reads a checkpoint's text. Extension lines are refused: this log writes none, and what a
    /// verifier does not understand it should not pass.
    fn parse(text: &str) -> Result<Self, Error> {
        let bad = |why: &str| Error::malformed("checkpoint", why);
        let lines: Vec<&str> = text.lines().collect();
        let [origin, size, root] = lines[..] else {
            return Err(bad("it has not three lines"));
        };
        let number: u64 = size.parse().map_err(|_| bad("the size is not a number"))?;
        if number.to_string() != size {
            return Err(bad("the size is not in its shortest form"));
        }
        let root = STANDARD
            .decode(root)
            .map_err(|_| bad("the root is not base64"))?;
        let root = root
            .try_into()
            .map_err(|_| bad("the root has not 32 bytes"))?;
        Ok(Checkpoint {
            origin: origin.to_owned(),
            size: number,
            root,
        })
    }
}
