//! What the tests of this room share: the OpenSSL command as an independent judge.
#![allow(dead_code)]

pub(crate) mod token;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use x509::{KeyAlgorithm, SignatureAlgorithm};

pub(crate) const ALGORITHMS: [KeyAlgorithm; 7] = [
    KeyAlgorithm::Rsa2048,
    KeyAlgorithm::Rsa3072,
    KeyAlgorithm::Rsa4096,
    KeyAlgorithm::EcdsaP256,
    KeyAlgorithm::EcdsaP384,
    KeyAlgorithm::EcdsaP521,
    KeyAlgorithm::Ed25519,
];

pub(crate) const SIGNATURES: [SignatureAlgorithm; 10] = [
    SignatureAlgorithm::RsaSha256,
    SignatureAlgorithm::RsaSha384,
    SignatureAlgorithm::RsaSha512,
    SignatureAlgorithm::RsaPssSha256,
    SignatureAlgorithm::RsaPssSha384,
    SignatureAlgorithm::RsaPssSha512,
    SignatureAlgorithm::EcdsaSha256,
    SignatureAlgorithm::EcdsaSha384,
    SignatureAlgorithm::EcdsaSha512,
    SignatureAlgorithm::Ed25519,
];

/// The signatures each key may make; everything else must be refused.
pub(crate) fn allowed(key: KeyAlgorithm) -> &'static [SignatureAlgorithm] {
    match key {
        KeyAlgorithm::Rsa2048 | KeyAlgorithm::Rsa3072 | KeyAlgorithm::Rsa4096 => &SIGNATURES[..6],
        KeyAlgorithm::EcdsaP256 => &SIGNATURES[6..7],
        KeyAlgorithm::EcdsaP384 => &SIGNATURES[7..8],
        KeyAlgorithm::EcdsaP521 => &SIGNATURES[8..9],
        KeyAlgorithm::Ed25519 => &SIGNATURES[9..],
    }
}

pub(crate) fn openssl(args: &[&str]) -> Output {
    Command::new("openssl")
        .args(args)
        .output()
        .expect("openssl not found: apt-get install openssl")
}

/// Runs OpenSSL and insists on success.
pub(crate) fn openssl_ok(args: &[&str]) -> Vec<u8> {
    let output = openssl(args);
    assert!(
        output.status.success(),
        "openssl {args:?}: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Whether OpenSSL accepts a signature under a SubjectPublicKeyInfo.
pub(crate) fn openssl_verifies(
    dir: &Path,
    spki_der: &[u8],
    algorithm: SignatureAlgorithm,
    message: &[u8],
    signature: &[u8],
) -> bool {
    use SignatureAlgorithm as A;
    let file = |name: &str, bytes: &[u8]| {
        let path = dir.join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    let der = file("public.der", spki_der);
    let message = file("message", message);
    let signature = file("signature", signature);
    let public = dir.join("public.pem");
    openssl_ok(&[
        "pkey",
        "-pubin",
        "-inform",
        "DER",
        "-in",
        text(&der),
        "-out",
        text(&public),
    ]);
    let hash = match algorithm {
        A::RsaSha256 | A::RsaPssSha256 | A::EcdsaSha256 => "-sha256",
        A::RsaSha384 | A::RsaPssSha384 | A::EcdsaSha384 => "-sha384",
        A::RsaSha512 | A::RsaPssSha512 | A::EcdsaSha512 => "-sha512",
        A::Ed25519 => "",
    };
    let (public, message, signature) = (text(&public), text(&message), text(&signature));
    let output = match algorithm {
        A::Ed25519 => openssl(&[
            "pkeyutl", "-verify", "-pubin", "-inkey", public, "-rawin", "-in", message, "-sigfile",
            signature,
        ]),
        A::RsaPssSha256 | A::RsaPssSha384 | A::RsaPssSha512 => openssl(&[
            "dgst",
            hash,
            "-verify",
            public,
            "-signature",
            signature,
            "-sigopt",
            "rsa_padding_mode:pss",
            "-sigopt",
            "rsa_pss_saltlen:digest",
            message,
        ]),
        _ => openssl(&[
            "dgst",
            hash,
            "-verify",
            public,
            "-signature",
            signature,
            message,
        ]),
    };
    output.status.success()
}
