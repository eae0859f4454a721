//! The agent's folder: who it is, what was pinned when it enrolled, its key, its orders, its queue. For its own eyes: files
//! are 0600 and folders 0700. Everything in it but the queue and the orders changes only at enrolment and renewal.

use super::batch::{hex, unhex};
use super::core::Renewed;
use super::disk;
use super::order::{Ceiling, Signed};
use crate::observation::Form;
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::{self, SystemRandom};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde::{Deserialize, Serialize};
use std::io;
use std::path::{Path, PathBuf};
use thiserror::Error;
use x509::{Certificate, CsrBuilder, Name, PublicKey, SignatureAlgorithm};
use zeroize::Zeroizing;

const IDENTITY: &str = "identity.json";
const QUEUE: &str = "queue";
const QUEUE_KEY: &str = "queue.key";
const ORDERS: &str = "orders";
const OFFSET: &str = "clock";
const LOCK: &str = "lock";
/// A key that is to be certified.
const NEXT_KEY: &str = "next.p8";
/// How the names of an order's file end while it is to be done, and afterwards.
const TO_DO: &str = "order";
const DONE: &str = "done";
/// Identities and keys are a few KiB.
const SMALL: u64 = 1 << 20;
/// Orders that were done, whose numbers are kept so that none is done twice.
const REMEMBERED: usize = 256;

#[derive(Debug, Error)]
pub enum HomeError {
    #[error("{0} holds no agent: enrol one with `ward agent enrol`")]
    NotEnrolled(String),
    #[error(
        "{0} holds an agent already: give another folder, or remove it once nothing in its queue is wanted"
    )]
    Enrolled(String),
    #[error("an agent runs in {0} already")]
    Running(String),
    #[error("{file}: {why}")]
    Damaged { file: String, why: String },
    #[error("{file}: {source}")]
    Disk { file: String, source: io::Error },
    #[error("the agent's key: {0}")]
    Key(&'static str),
    #[error("the certificate: {0}")]
    Certificate(String),
}

/// What is carried to the agent so that it can enrol, once.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ticket {
    pub v: Form,
    /// `https://` and where the core is reached.
    pub core: String,
    pub agent: String,
    pub segment: String,
    /// Good for one enrolment.
    pub token: String,
    /// Whom the core is known by: Ward's roots, in PEM.
    pub roots: String,
    /// The key that orders are signed with: Ed25519, 32 bytes in hex.
    pub order_key: String,
    pub ceiling: Ceiling,
}

/// Who this agent is.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    pub v: Form,
    pub core: String,
    pub agent: String,
    pub segment: String,
    pub roots: String,
    pub order_key: String,
    pub ceiling: Ceiling,
    /// Its certificate and what is above it, in PEM.
    pub chain: String,
    /// The file of its key.
    pub key: String,
}

impl Identity {
    pub(super) fn order_key(&self) -> Result<[u8; 32], HomeError> {
        unhex(&self.order_key)
            .ok_or_else(|| damaged(IDENTITY, "the order key is not 32 bytes in hex"))
    }

    /// The agent's own certificate.
    pub fn certificate(&self) -> Result<Certificate, HomeError> {
        Certificate::from_pem(self.chain.as_bytes()).map_err(|error| damaged(IDENTITY, error))
    }
}

/// A key of the agent's, and the request to have it certified.
pub(super) struct Request {
    pub(super) pkcs8: Zeroizing<Vec<u8>>,
    pub(super) csr: Vec<u8>,
}

/// An agent's folder.
#[derive(Clone, Debug)]
pub struct Home {
    folder: PathBuf,
}

impl Home {
    pub fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
        }
    }

    pub(super) fn queue(&self) -> PathBuf {
        self.folder.join(QUEUE)
    }

    pub fn identity(&self) -> Result<Identity, HomeError> {
        let Some(text) = self.read(IDENTITY)? else {
            return Err(HomeError::NotEnrolled(self.folder.display().to_string()));
        };
        serde_json::from_slice(&text).map_err(|error| damaged(IDENTITY, error))
    }

    /// Held by the one process that is this agent; gone with it, however it ends.
    pub(super) fn lock(&self) -> Result<std::fs::File, HomeError> {
        let file = self.at(LOCK, |path| {
            std::fs::OpenOptions::new()
                .create(true)
                .append(true)
                .open(path)
        })?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(_) => Err(HomeError::Running(self.folder.display().to_string())),
        }
    }

    /// Makes the folder for an agent that is to be enrolled.
    pub fn prepare(&self) -> Result<(), HomeError> {
        match self.identity() {
            Err(HomeError::NotEnrolled(_)) => self.at("", disk::folder),
            Ok(_) => Err(HomeError::Enrolled(self.folder.display().to_string())),
            Err(error) => Err(error),
        }
    }

    /// A key and the request for it. The key is on the disk before anybody is asked, and stays the same until it is
    /// certified: if the answer is lost, the same is asked again.
    pub(super) fn request(&self, agent: &str) -> Result<Request, HomeError> {
        let current = self.identity().ok();
        let current = current.and_then(|identity| identity.certificate().ok());
        let mut key = match self.read(NEXT_KEY)? {
            Some(pkcs8) => pair(&pkcs8).ok().map(|pair| (Zeroizing::new(pkcs8), pair)),
            None => None,
        };
        if let (Some((_, pair)), Some(current)) = (&key, &current)
            && spki(pair)?.spki_der() == current.spki_der()
        {
            // It was certified, and the crash came before it was taken away.
            key = None;
        }
        let (pkcs8, pair) = match key {
            Some(key) => key,
            None => {
                let made = EcdsaKeyPair::generate_pkcs8(
                    &ECDSA_P256_SHA256_ASN1_SIGNING,
                    &SystemRandom::new(),
                );
                let made = made.map_err(|_| HomeError::Key("cannot be made"))?;
                let pkcs8 = Zeroizing::new(made.as_ref().to_vec());
                self.at(NEXT_KEY, |path| disk::put(path, &[&pkcs8]))?;
                let pair = pair(&pkcs8)?;
                (pkcs8, pair)
            }
        };
        let subject: Name = format!("CN={agent}")
            .parse()
            .map_err(|_| HomeError::Key("the agent's name cannot stand in a request"))?;
        let tbs = CsrBuilder::new(subject, &spki(&pair)?).tbs();
        let signature = pair
            .sign(&SystemRandom::new(), &tbs)
            .map_err(|_| HomeError::Key("cannot sign"))?;
        let csr = x509::assemble(&tbs, SignatureAlgorithm::EcdsaSha256, signature.as_ref());
        Ok(Request { pkcs8, csr })
    }

    /// Becomes the agent that a ticket was for.
    pub(super) fn enrol(
        &self,
        ticket: &Ticket,
        ceiling: Ceiling,
        request: &Request,
        given: &Renewed,
    ) -> Result<Identity, HomeError> {
        let mut key = [0; 32];
        rand::fill(&mut key).map_err(|_| HomeError::Key("no random bytes"))?;
        let key = Zeroizing::new(hex(&key));
        self.at(QUEUE_KEY, |path| disk::put(path, &[key.as_bytes()]))?;
        let identity = Identity {
            v: Form,
            core: ticket.core.clone(),
            agent: ticket.agent.clone(),
            segment: ticket.segment.clone(),
            roots: ticket.roots.clone(),
            order_key: ticket.order_key.clone(),
            ceiling,
            chain: String::new(),
            key: String::new(),
        };
        self.certified(identity, request, given)
    }

    /// Takes a certificate in use. The identity changes in one step, with the key it names already there.
    pub(super) fn certified(
        &self,
        mut identity: Identity,
        request: &Request,
        given: &Renewed,
    ) -> Result<Identity, HomeError> {
        let before = std::mem::take(&mut identity.key);
        identity.chain.clone_from(&given.chain);
        let certificate = identity.certificate()?;
        let public = spki(&pair(&request.pkcs8)?)?;
        if certificate.spki_der() != public.spki_der() {
            return Err(HomeError::Certificate("it is for another key".to_owned()));
        }
        let name = digest(&SHA256, public.spki_der());
        let name = name.as_ref().get(..8).unwrap_or_default();
        identity.key = format!("key-{}.p8", hex(name));
        self.at(&identity.key, |path| disk::put(path, &[&request.pkcs8]))?;
        let text =
            serde_json::to_vec_pretty(&identity).map_err(|error| damaged(IDENTITY, error))?;
        self.at(IDENTITY, |path| disk::put(path, &[&text]))?;
        self.at(NEXT_KEY, disk::remove)?;
        if !before.is_empty() && before != identity.key {
            self.at(&before, disk::remove)?;
        }
        Ok(identity)
    }

    /// The key of the agent's certificate, as PKCS #8.
    pub(super) fn key(&self, identity: &Identity) -> Result<Zeroizing<Vec<u8>>, HomeError> {
        // A name from a file that only this agent writes; all the same, it stays in the folder.
        let plain = !identity.key.contains(['/', '\\']);
        let key = self.read(&identity.key)?.filter(|_| plain);
        key.map(Zeroizing::new)
            .ok_or(HomeError::Key("is not there"))
    }

    pub(super) fn queue_key(&self) -> Result<Zeroizing<[u8; 32]>, HomeError> {
        let text = self.read(QUEUE_KEY)?.map(Zeroizing::new);
        let text = text
            .as_ref()
            .and_then(|text| std::str::from_utf8(text).ok());
        let key = text.and_then(unhex).map(Zeroizing::new);
        key.ok_or_else(|| damaged(QUEUE_KEY, "is not 32 bytes in hex"))
    }

    /// How far the core's clock was ahead, in milliseconds.
    pub(super) fn offset(&self) -> i64 {
        let text = self.read(OFFSET).ok().flatten();
        let text = text.and_then(|text| String::from_utf8(text).ok());
        text.and_then(|text| text.trim().parse().ok())
            .unwrap_or_default()
    }

    pub(super) fn put_offset(&self, offset: i64) -> Result<(), HomeError> {
        let text = format!("{offset}\n");
        self.at(OFFSET, |path| disk::put(path, &[text.as_bytes()]))
    }

    /// Orders to be done, in the order in which they came.
    pub(super) fn orders(&self) -> Result<Vec<String>, HomeError> {
        self.listed(TO_DO)
    }

    pub(super) fn order(&self, id: &str) -> Result<Signed, HomeError> {
        let file = format!("{ORDERS}/{id}.{TO_DO}");
        let text = self.read_up_to(&file, 2 * super::ORDER_LIMIT as u64)?;
        let text = text.ok_or_else(|| damaged(&file, "is not there"))?;
        serde_json::from_slice(&text).map_err(|error| damaged(&file, error))
    }

    /// Keeps an order, unless it was done already.
    pub(super) fn put_order(&self, id: &str, order: &Signed) -> Result<(), HomeError> {
        let harmless = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        if id.is_empty() || id.len() > 64 || !id.bytes().all(harmless) {
            return Err(damaged(
                ORDERS,
                "an order's number is letters, digits and hyphens",
            ));
        }
        self.at(ORDERS, disk::folder)?;
        if self.folder.join(format!("{ORDERS}/{id}.{DONE}")).exists() {
            return Ok(());
        }
        let text = serde_json::to_vec(order).map_err(|error| damaged(ORDERS, error))?;
        self.at(&format!("{ORDERS}/{id}.{TO_DO}"), |path| {
            disk::put(path, &[&text])
        })
    }

    /// Its number stays, so that it is not done again.
    pub(super) fn end_order(&self, id: &str) -> Result<(), HomeError> {
        let done = self.folder.join(format!("{ORDERS}/{id}.{DONE}"));
        self.at(&format!("{ORDERS}/{id}.{TO_DO}"), |path| {
            std::fs::rename(path, &done)?;
            disk::settle(path)
        })?;
        let done = self.listed(DONE)?;
        for old in done.iter().rev().skip(REMEMBERED) {
            self.at(&format!("{ORDERS}/{old}.{DONE}"), disk::remove)?;
        }
        Ok(())
    }

    /// Numbers of orders begin with the time at which they were made: the oldest come first.
    fn listed(&self, ending: &str) -> Result<Vec<String>, HomeError> {
        let mut found = Vec::new();
        let entries = match std::fs::read_dir(self.folder.join(ORDERS)) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(found),
            Err(source) => return Err(disk_failed(ORDERS, source)),
        };
        for entry in entries {
            let name = entry
                .map_err(|source| disk_failed(ORDERS, source))?
                .file_name();
            let stem = name
                .to_str()
                .and_then(|name| name.strip_suffix(ending)?.strip_suffix('.'));
            found.extend(stem.map(str::to_owned));
        }
        found.sort_unstable();
        Ok(found)
    }

    fn read(&self, file: &str) -> Result<Option<Vec<u8>>, HomeError> {
        self.read_up_to(file, SMALL)
    }

    fn read_up_to(&self, file: &str, limit: u64) -> Result<Option<Vec<u8>>, HomeError> {
        self.at(file, |path| disk::read(path, limit))
    }

    fn at<T>(&self, file: &str, act: impl FnOnce(&Path) -> io::Result<T>) -> Result<T, HomeError> {
        let path = match file {
            "" => self.folder.clone(),
            file => self.folder.join(file),
        };
        act(&path).map_err(|source| disk_failed(&path.display().to_string(), source))
    }
}

fn pair(pkcs8: &[u8]) -> Result<EcdsaKeyPair, HomeError> {
    EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8)
        .map_err(|_| HomeError::Key("cannot be read"))
}

fn spki(pair: &EcdsaKeyPair) -> Result<PublicKey, HomeError> {
    use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
    let der = pair.public_key().as_der();
    let der: PublicKeyX509Der<'_> = der.map_err(|_| HomeError::Key("cannot be written"))?;
    PublicKey::from_spki_der(der.as_ref()).map_err(|_| HomeError::Key("cannot be written"))
}

fn damaged(file: &str, why: impl std::fmt::Display) -> HomeError {
    HomeError::Damaged {
        file: file.to_owned(),
        why: why.to_string(),
    }
}

fn disk_failed(file: &str, source: io::Error) -> HomeError {
    HomeError::Disk {
        file: file.to_owned(),
        source,
    }
}
