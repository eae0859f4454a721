//! A small authority for tests, and the foreign tools that judge what it makes.

#![allow(dead_code, unreachable_pub)] // Each test file uses its own part.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair},
};
use tempfile::TempDir;
use x509::{
    Certificate, Name, PublicKey, SignatureAlgorithm, StringKind, TbsCertificate, Time, assemble,
    ext::{
        AuthorityKeyId, BasicConstraints, ExtKeyUsage, ExtensionValue, KeyUsage, OcspNoCheck,
        SubjectKeyId,
    },
    oids,
};

pub const ALGORITHM: SignatureAlgorithm = SignatureAlgorithm::EcdsaSha256;

/// A P-256 key and the certificate over it.
pub struct Entity {
    pub pkcs8: Vec<u8>,
    pub key: EcdsaKeyPair,
    pub certificate: Certificate,
}

/// The instant of the tests: now, because OpenSSL and GnuTLS look at the clock.
pub fn now() -> Time {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    Time(since.unwrap().as_secs() as i64)
}

pub fn name(text: &str) -> Name {
    Name::builder()
        .push(oids::ORGANIZATION, "Ward Test Hospital", StringKind::Auto)
        .and_then(|b| b.push(oids::COMMON_NAME, text, StringKind::Auto))
        .unwrap()
        .build()
}

impl Entity {
    pub fn root(common_name: &str) -> Entity {
        Self::issued(common_name, &[0x11], None, Role::Authority)
    }

    pub fn leaf(issuer: &Entity, common_name: &str, serial: &[u8]) -> Entity {
        Self::issued(common_name, serial, Some(issuer), Role::Leaf)
    }

    pub fn ocsp_responder(issuer: &Entity) -> Entity {
        Self::issued("Status", &[0x22], Some(issuer), Role::Responder)
    }

    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        let signature = self.key.sign(&SystemRandom::new(), message).unwrap();
        signature.as_ref().to_vec()
    }

    pub fn public_key(&self) -> PublicKey {
        self.certificate.public_key().unwrap()
    }

    pub fn key_pem(&self) -> String {
        x509::pem::encode("PRIVATE KEY", &self.pkcs8)
    }

    fn issued(common_name: &str, serial: &[u8], issuer: Option<&Entity>, role: Role) -> Entity {
        let rng = SystemRandom::new();
        let algorithm = &ECDSA_P256_SHA256_ASN1_SIGNING;
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &rng).unwrap();
        let key = EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref()).unwrap();
        let spki_der = spki(key.public_key().as_ref());
        let public_key = PublicKey::from_spki_der(&spki_der).unwrap();
        let issuer_key = issuer.map_or(public_key.clone(), Entity::public_key);
        let mut extensions = vec![
            SubjectKeyId(public_key.key_id().to_vec()).encode(),
            AuthorityKeyId {
                key_id: Some(issuer_key.key_id().to_vec()),
                ..AuthorityKeyId::default()
            }
            .encode(),
        ];
        extensions.extend(role.extensions());
        let tbs = TbsCertificate {
            serial: serial.to_vec(),
            signature: ALGORITHM,
            issuer: issuer.map_or(name(common_name), |i| i.certificate.subject().clone()),
            not_before: now().plus_days(-1),
            not_after: now().plus_days(30),
            subject: name(common_name),
            spki_der,
            extensions,
        }
        .encode();
        let signing_key = issuer.map_or(&key, |i| &i.key);
        let signature = signing_key.sign(&rng, &tbs).unwrap();
        let der = assemble(&tbs, ALGORITHM, signature.as_ref());
        Entity {
            pkcs8: pkcs8.as_ref().to_vec(),
            certificate: Certificate::from_der(&der).unwrap(),
            key,
        }
    }
}

enum Role {
    Authority,
    Leaf,
    Responder,
}

impl Role {
    fn extensions(&self) -> Vec<x509::Extension> {
        match self {
            Role::Authority => vec![
                BasicConstraints {
                    ca: true,
                    path_len: None,
                }
                .encode(),
                (KeyUsage::KEY_CERT_SIGN | KeyUsage::CRL_SIGN).encode(),
            ],
            Role::Leaf => vec![
                KeyUsage::DIGITAL_SIGNATURE.encode(),
                ExtKeyUsage(vec![oids::EKU_CLIENT_AUTH]).encode(),
            ],
            Role::Responder => vec![
                KeyUsage::DIGITAL_SIGNATURE.encode(),
                ExtKeyUsage(vec![oids::EKU_OCSP_SIGNING]).encode(),
                OcspNoCheck.encode(),
            ],
        }
    }
}

fn spki(point: &[u8]) -> Vec<u8> {
    x509::der::sequence(|w| {
        w.sequence(|w| {
            w.oid(&oids::EC_PUBLIC_KEY).oid(&oids::P256);
        });
        w.bit_string_octets(point);
    })
}

/// A folder for one test, and the tools run in it.
pub struct Bench {
    folder: TempDir,
}

impl Bench {
    pub fn new() -> Bench {
        let folder = tempfile::Builder::new().prefix("x509b").tempdir().unwrap();
        Bench { folder }
    }

    pub fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    pub fn write(&self, file: &str, content: impl AsRef<[u8]>) -> &Self {
        std::fs::write(self.path(file), content).unwrap();
        self
    }

    pub fn read(&self, file: &str) -> Vec<u8> {
        std::fs::read(self.path(file)).unwrap()
    }

    /// Runs a command line split at spaces, which must succeed; its output, errors included.
    pub fn run(&self, command_line: &str) -> String {
        let output = self.attempt(command_line);
        let text = text_of(&output);
        assert!(output.status.success(), "{command_line}\n{text}");
        text
    }

    /// As [`Bench::run`], but must fail.
    pub fn run_failing(&self, command_line: &str) -> String {
        let output = self.attempt(command_line);
        let text = text_of(&output);
        assert!(!output.status.success(), "{command_line}\n{text}");
        text
    }

    /// The output of a command that may fail.
    pub fn attempt_text(&self, command_line: &str) -> String {
        text_of(&self.attempt(command_line))
    }

    fn attempt(&self, command_line: &str) -> Output {
        let mut words = command_line.split(' ').filter(|word| !word.is_empty());
        let program = words.next().unwrap();
        Command::new(program)
            .args(words)
            .current_dir(self.folder.path())
            .output()
            .unwrap_or_else(|e| panic!("{program} is needed for this test: {e}"))
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

fn text_of(output: &Output) -> String {
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.push_str(&String::from_utf8_lossy(&output.stderr));
    text
}
