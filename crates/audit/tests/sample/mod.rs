//! A small hospital's log, made for the tests: events, certificates and a signed checkpoint.

use audit::merkle::{Frontier, leaf_hash, sha256};
use audit::note::{Checkpoint, VerifierKey};
use audit::{Actor, Event, Object, Timestamp};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};

pub(crate) struct Log {
    pub(crate) key: VerifierKey,
    pair: Ed25519KeyPair,
    /// Bodies, with the certificate that an issuance stands for.
    pub(crate) entries: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

impl Log {
    /// A log of `size` events. Of every five one announces a certificate, and the next one
    /// issues it, or voids it in every fifth case.
    pub(crate) fn new(size: u64) -> Log {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
        let public = pair.public_key().as_ref().try_into().unwrap();
        let key = VerifierKey::new("ward.hospital.example/log", public).unwrap();
        let entries = (0..size).map(|seq| Log::entry_at(seq, 0)).collect();
        Log { key, pair, entries }
    }

    pub(crate) fn frontier(&self, size: u64) -> Frontier {
        let mut frontier = Frontier::new();
        for (body, _) in &self.entries[..size as usize] {
            frontier.append(leaf_hash(body));
        }
        frontier
    }

    pub(crate) fn checkpoint(&self, size: u64) -> String {
        self.sign(size, self.frontier(size).root())
    }

    pub(crate) fn sign(&self, size: u64, root: audit::Hash) -> String {
        let checkpoint = Checkpoint {
            origin: self.key.name().to_owned(),
            size,
            root,
        };
        let sign = |text: &[u8]| Ok::<_, audit::Error>(self.pair.sign(text).as_ref().to_vec());
        checkpoint.sign(&self.key, sign).unwrap()
    }

    /// The event for place `seq`, `later` milliseconds later than usual.
    pub(crate) fn entry_at(seq: u64, later: i64) -> (Vec<u8>, Option<Vec<u8>>) {
        let serial = format!("{:08x}", seq / 5);
        let voided = seq % 25 == 21;
        let (action, object) = match seq % 5 {
            0 => ("certificate.intend", Object::new("certificate", serial)),
            1 if voided => ("certificate.void", Object::new("certificate", serial)),
            1 => ("certificate.issue", Object::new("certificate", serial)),
            _ => ("token.use", Object::new("token", "t1")),
        };
        let mut event = Event::new(
            Timestamp(1_795_314_146_123 + seq as i64 + later),
            Actor::system("test"),
            action,
            object,
        );
        let mut certificate = None;
        if seq % 5 == 1 && !voided {
            let der = [b"not really DER ".as_slice(), &seq.to_be_bytes()].concat();
            event = event.digest(sha256(&der));
            certificate = Some(der);
        }
        (event.seal().unwrap().body, certificate)
    }
}
