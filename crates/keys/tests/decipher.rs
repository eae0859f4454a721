//! R09, content keys opened in software and in a token, against OpenSSL and Python cryptography; and that nobody
//! learns whether a padding was right (Bleichenbacher 1998, Manger 2001).

// Helpers outside test functions may fail a test just as the functions themselves.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use keys::{Backend, KeyError, KeyRecord, KeyUse, Keyring, KeyringConfig, Signer};
use support::token::{backend, with_configured_token, with_token};
use support::{openssl_ok, text};
use tempfile::TempDir;
use x509::cms::{
    CmsError, ContentCipher, DigestAlgorithm, EntityId, EnvelopedData, KeyTransport,
    LegacySignature, MessageSignature, SealTo, SignedData, SignedDataBuilder, Strength, seal,
};
use x509::{Certificate, KeyAlgorithm, oids};

const NOW: i64 = 1_795_000_000;
const CONTENT: &[u8] = b"Pump 17 asks for a certificate.\n";
const PKCS1: KeyTransport = KeyTransport::Pkcs1v15;

/// A key, and files with its public half for OpenSSL.
struct Holder {
    folder: TempDir,
    record: KeyRecord,
    signer: Signer,
}

impl Holder {
    fn new(ring: &Keyring, backend: &Backend, algorithm: KeyAlgorithm) -> Self {
        let usage = KeyUse::SignAndDecipher;
        let record = ring
            .generate_for(usage, algorithm, backend, "registration", NOW)
            .unwrap();
        let signer = ring.load(&record).unwrap();
        let folder = TempDir::new().unwrap();
        let public = x509::pem::encode("PUBLIC KEY", signer.public_key().spki_der());
        fs::write(folder.path().join("public.pem"), public).unwrap();
        Self {
            folder,
            record,
            signer,
        }
    }

    fn software(algorithm: KeyAlgorithm) -> Self {
        let home = TempDir::new().unwrap();
        let ring = Keyring::open(KeyringConfig::new(home.path())).unwrap();
        Self::new(&ring, &Backend::Software, algorithm)
    }

    fn file(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    /// What OpenSSL makes of `plain` under the public key.
    fn encrypt(&self, plain: &[u8], options: &[&str]) -> Vec<u8> {
        fs::write(self.file("plain"), plain).unwrap();
        let (public, plain) = (self.file("public.pem"), self.file("plain"));
        let mut args = vec!["pkeyutl", "-encrypt", "-pubin", "-inkey", text(&public)];
        args.extend(["-in", text(&plain)]);
        for option in options {
            args.extend(["-pkeyopt", option]);
        }
        openssl_ok(&args)
    }

    /// A ciphertext of exactly this block.
    fn encrypt_block(&self, block: &[u8]) -> Vec<u8> {
        self.encrypt(block, &["rsa_padding_mode:none"])
    }

    fn decipher(&self, ciphertext: &[u8], len: usize) -> Vec<u8> {
        let key = self.signer.decipher(&PKCS1, ciphertext, len).unwrap();
        key.to_vec()
    }

    /// A certificate for the key, which the key signs itself.
    fn certificate(&self) -> Certificate {
        let mut subject = x509::Name::builder();
        subject = subject
            .push(oids::COMMON_NAME, "Registration", x509::StringKind::Auto)
            .unwrap();
        let subject = subject.build();
        let signature = x509::SignatureAlgorithm::RsaSha256;
        let tbs = x509::TbsCertificate {
            serial: vec![0x47, 0x11],
            signature,
            issuer: subject.clone(),
            not_before: x509::Time(1_600_000_000),
            not_after: x509::Time(2_500_000_000),
            subject,
            spki_der: self.signer.public_key().spki_der().to_vec(),
            extensions: Vec::new(),
        }
        .encode();
        let signed = self.signer.sign(signature, &tbs).unwrap();
        Certificate::from_der(&x509::assemble(&tbs, signature, &signed)).unwrap()
    }
}

/// Key transports and the options with which OpenSSL does the same.
fn transports() -> Vec<(KeyTransport, Vec<&'static str>)> {
    use DigestAlgorithm as D;
    let oaep = "rsa_padding_mode:oaep";
    vec![
        (PKCS1, vec![]),
        (KeyTransport::oaep(D::Sha1), vec![oaep]),
        (
            KeyTransport::oaep(D::Sha256),
            vec![oaep, "rsa_oaep_md:sha256"],
        ),
        (
            KeyTransport::oaep(D::Sha512),
            vec![oaep, "rsa_oaep_md:sha512"],
        ),
        (
            KeyTransport::Oaep {
                hash: D::Sha256,
                mask: D::Sha1,
                label: Vec::new(),
            },
            vec![oaep, "rsa_oaep_md:sha256", "rsa_mgf1_md:sha1"],
        ),
        (
            KeyTransport::Oaep {
                hash: D::Sha384,
                mask: D::Sha384,
                label: b"ward".to_vec(),
            },
            vec![oaep, "rsa_oaep_md:sha384", "rsa_oaep_label:77617264"],
        ),
    ]
}

fn opens_what_openssl_encrypts(holder: &Holder) {
    for (transport, options) in transports() {
        for len in [16usize, 24, 32] {
            let key: Vec<u8> = (0..len as u8).map(|n| n ^ 0x5a).collect();
            let ciphertext = holder.encrypt(&key, &options);
            let opened = holder.signer.decipher(&transport, &ciphertext, len);
            assert_eq!(opened.unwrap().as_slice(), key, "{transport:?} {len}");
            let wrong_length = holder.signer.decipher(&transport, &ciphertext, len + 8);
            let wrong_length = wrong_length.unwrap();
            assert_eq!(wrong_length.len(), len + 8);
            assert!(!wrong_length.starts_with(&key), "{transport:?} {len}");
        }
    }
}

#[test]
fn r09_software_keys_open_what_openssl_encrypts() {
    for algorithm in [
        KeyAlgorithm::Rsa2048,
        KeyAlgorithm::Rsa3072,
        KeyAlgorithm::Rsa4096,
    ] {
        opens_what_openssl_encrypts(&Holder::software(algorithm));
    }
}

/// Blocks with a wrong padding of every kind, and what a 16-octet key would be in them.
fn wrong_blocks(size: usize) -> Vec<(&'static str, Vec<u8>)> {
    let good = || {
        let mut block = vec![0, 2];
        block.resize(size - 17, 0xa5);
        block.push(0);
        block.extend_from_slice(&[0x77; 16]);
        block
    };
    let changed = |at: usize, to: u8| {
        let mut block = good();
        block[at] = to;
        block
    };
    let mut no_separator = good();
    no_separator[size - 17] = 1;
    vec![
        ("first octet", changed(0, 1)),
        ("block type 1", changed(1, 1)),
        ("block type 0", changed(1, 0)),
        ("zero at once", changed(2, 0)),
        ("zero in the first eight", changed(9, 0)),
        ("zero right after them", changed(10, 0)),
        ("zero in the middle", changed(size / 2, 0)),
        ("content one longer", changed(size - 18, 0)),
        ("no separator", no_separator),
        ("content one shorter", {
            let mut block = good();
            block[size - 17] = 0xa5;
            block[size - 16] = 0;
            block
        }),
        ("all zero", {
            let mut block = vec![0; size];
            block[size - 1] = 2;
            block
        }),
    ]
}

fn substitutes_for_wrong_paddings(holder: &Holder, again: &Signer) {
    let mut seen = std::collections::HashSet::new();
    let size = holder.signer.public_key().rsa_modulus().unwrap().len();
    for (what, block) in wrong_blocks(size) {
        let ciphertext = holder.encrypt_block(&block);
        let first = holder.decipher(&ciphertext, 16);
        assert_eq!(first.len(), 16, "{what}");
        assert_ne!(first, [0x77; 16], "{what}");
        assert_eq!(
            holder.decipher(&ciphertext, 16),
            first,
            "{what}: asked twice"
        );
        let reloaded = again.decipher(&PKCS1, &ciphertext, 16).unwrap();
        assert_eq!(reloaded.as_slice(), first, "{what}: after a restart");
        assert_ne!(&holder.decipher(&ciphertext, 32)[..16], first, "{what}");
        assert!(
            seen.insert(first),
            "{what}: the same as for another ciphertext"
        );
    }
    // The number itself is at fault: not below the modulus.
    let first = holder.decipher(&vec![0xff; size], 16);
    assert_eq!(holder.decipher(&vec![0xff; size], 16), first);
    // OAEP with everything wrong.
    let noise = holder.encrypt_block(&{
        let mut block = vec![0x3c; size];
        block[0] = 0;
        block
    });
    for (transport, _) in transports() {
        let one = holder.signer.decipher(&transport, &noise, 32).unwrap();
        let two = holder.signer.decipher(&transport, &noise, 32).unwrap();
        assert_eq!(one, two);
        assert_eq!(one.len(), 32);
    }
}

/// No Bleichenbacher oracle: the answer to a wrong padding is a key like any other.
#[test]
fn r09_a_wrong_padding_gives_a_key_and_always_the_same() {
    let home = TempDir::new().unwrap();
    let ring = Keyring::open(KeyringConfig::new(home.path())).unwrap();
    let holder = Holder::new(&ring, &Backend::Software, KeyAlgorithm::Rsa2048);
    let again = Keyring::open(KeyringConfig::new(home.path())).unwrap();
    let again = again.load(&holder.record).unwrap();
    substitutes_for_wrong_paddings(&holder, &again);

    let stranger = Holder::software(KeyAlgorithm::Rsa2048);
    assert_ne!(
        holder.decipher(&[1; 256], 16),
        stranger.decipher(&[1; 256], 16)
    );
}

/// The time does not depend on the padding. Medians of interleaved runs, because the machine has other work; the
/// private operation takes a few hundred microseconds, the library's way of reporting a wrong padding would add one.
#[test]
fn r09_the_time_does_not_depend_on_the_padding() {
    let holder = Holder::software(KeyAlgorithm::Rsa2048);
    let right = holder.encrypt(&[0x77; 16], &[]);
    let wrong = wrong_blocks(256);
    let wrong: Vec<_> = wrong
        .iter()
        .map(|(_, block)| holder.encrypt_block(block))
        .collect();
    let time = |ciphertext: &[u8]| {
        let start = Instant::now();
        std::hint::black_box(holder.decipher(ciphertext, 16));
        start.elapsed()
    };
    let mut last = (Duration::ZERO, Duration::ZERO);
    for _attempt in 0..5 {
        let (mut good, mut bad) = (Vec::new(), Vec::new());
        for n in 0..1000 {
            good.push(time(&right));
            bad.push(time(&wrong[n % wrong.len()]));
        }
        last = (low(&mut good), low(&mut bad));
        if last.0.abs_diff(last.1) * 100 < last.0 {
            return;
        }
    }
    panic!("well padded {:?}, badly padded {:?}", last.0, last.1);
}

/// The first quartile: what the machine's other work disturbs least.
fn low(times: &mut [Duration]) -> Duration {
    times.sort();
    times[times.len() / 4]
}

#[test]
fn what_anybody_can_see_is_a_typed_error() {
    let holder = Holder::software(KeyAlgorithm::Rsa2048);
    let long = holder.signer.decipher(&PKCS1, &[1; 257], 16).unwrap_err();
    let expected = "an encrypted key of 257 octets; this RSA key takes 256";
    assert_eq!(long.to_string(), expected);
    assert_eq!(holder.decipher(&[], 16).len(), 16);
    assert_eq!(holder.decipher(&[1; 256], 0).len(), 0);
    assert_eq!(holder.decipher(&[1; 256], 300).len(), 300);

    let home = TempDir::new().unwrap();
    let ring = Keyring::open(KeyringConfig::new(home.path())).unwrap();
    for algorithm in [KeyAlgorithm::EcdsaP256, KeyAlgorithm::Ed25519] {
        let record = ring
            .generate(algorithm, &Backend::Software, "", NOW)
            .unwrap();
        let signer = ring.load(&record).unwrap();
        let refused = signer.decipher(&PKCS1, &[1; 256], 16).unwrap_err();
        assert!(matches!(refused, KeyError::CannotDecipher(found) if found == algorithm));
        let legacy = MessageSignature::Legacy(LegacySignature::RsaSha1);
        let refused = signer.sign_message(legacy, b"").unwrap_err();
        assert!(matches!(refused, KeyError::NoLegacySignature(found) if found == algorithm));
    }
    let record = ring
        .generate(KeyAlgorithm::Rsa2048, &Backend::Software, "", NOW)
        .unwrap();
    let signer = ring.load(&record).unwrap();
    ring.destroy(&record).unwrap();
    let gone = signer.decipher(&PKCS1, &[1; 256], 16).unwrap_err();
    assert!(matches!(gone, KeyError::Destroyed(_)));
}

/// Whole messages: what devices with old OpenSSL send, and what they must be able to read.
fn messages_with_openssl(holder: &Holder) {
    let certificate = holder.certificate();
    fs::write(holder.file("ra.pem"), certificate.to_pem()).unwrap();
    fs::write(holder.file("content"), CONTENT).unwrap();
    let path = |name: &str| text(&holder.file(name)).to_owned();
    for options in [
        "-aes128",
        "-aes256 -stream",
        "-des3",
        "-aes128 -keyopt rsa_padding_mode:oaep -keyopt rsa_oaep_md:sha256",
    ] {
        let (options, out) = (options.split(' '), path("envelope"));
        let (content, ra) = (path("content"), path("ra.pem"));
        let mut args = vec!["cms", "-encrypt", "-binary", "-in", &content];
        args.extend(["-outform", "DER", "-out", &out, "-recip", &ra]);
        args.extend(options);
        openssl_ok(&args);
        let envelope = EnvelopedData::parse(&fs::read(&out).unwrap()).unwrap();
        let opened = envelope.open(&certificate, |transport, encrypted, len| {
            let key = holder.signer.decipher(transport, encrypted, len);
            Ok::<_, CmsError>(key.unwrap())
        });
        assert_eq!(opened.unwrap().as_slice(), CONTENT);
    }
    for digest in DigestAlgorithm::ALL {
        let how = MessageSignature::with(holder.signer.algorithm(), digest).unwrap();
        let unsigned = SignedDataBuilder::new(oids::DATA, CONTENT)
            .certificates([&certificate])
            .to_be_signed(EntityId::of(&certificate), how)
            .unwrap();
        let signature = holder.signer.sign_message(how, unsigned.message()).unwrap();
        let message = unsigned.finish(&signature);
        fs::write(holder.file("signed"), &message).unwrap();
        let (signed, ra) = (path("signed"), path("ra.pem"));
        let mut args = vec![
            "cms", "-verify", "-binary", "-inform", "DER", "-in", &signed,
        ];
        args.extend(["-CAfile", &ra, "-purpose", "any"]);
        assert_eq!(openssl_ok(&args), CONTENT, "{digest:?}");
        let signed = SignedData::parse(&message).unwrap();
        let key = certificate.public_key().unwrap();
        assert_eq!(signed.verify(&key, Strength::Legacy), Ok(()), "{digest:?}");
        let current = signed.verify(&key, Strength::Current);
        assert_eq!(current.is_ok(), !digest.is_legacy(), "{digest:?}");
    }
}

#[test]
fn r09_messages_to_and_from_openssl_with_a_software_key() {
    messages_with_openssl(&Holder::software(KeyAlgorithm::Rsa2048));
}

/// Python cryptography writes and reads envelopes of its own making.
#[test]
fn r09_messages_to_and_from_python_cryptography() {
    const SCRIPT: &str = r"
import sys
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.ciphers import algorithms
from cryptography.hazmat.primitives.serialization import pkcs7
folder = sys.argv[1]
read = lambda name: open(f'{folder}/{name}', 'rb').read()
ra = x509.load_pem_x509_certificate(read('ra.pem'))
for name, algorithm in [('py128', algorithms.AES128), ('py256', algorithms.AES256)]:
    builder = pkcs7.PKCS7EnvelopeBuilder().set_data(read('content')).add_recipient(ra).set_content_encryption_algorithm(algorithm)
    open(f'{folder}/{name}', 'wb').write(builder.encrypt(serialization.Encoding.DER, [pkcs7.PKCS7Options.Binary]))
device = x509.load_pem_x509_certificate(read('device.pem'))
key = serialization.load_pem_private_key(read('device.key'), None)
for name in ('to128', 'to256'):
    assert pkcs7.pkcs7_decrypt_der(read(name), device, key, []) == read('content'), name
";
    let holder = Holder::software(KeyAlgorithm::Rsa2048);
    let certificate = holder.certificate();
    fs::write(holder.file("ra.pem"), certificate.to_pem()).unwrap();
    fs::write(holder.file("content"), CONTENT).unwrap();
    let (key, pem) = (holder.file("device.key"), holder.file("device.pem"));
    openssl_ok(&[
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-subj",
        "/CN=device",
        "-keyout",
        text(&key),
        "-out",
        text(&pem),
    ]);
    let device = Certificate::from_pem(&fs::read(&pem).unwrap()).unwrap();
    for (name, cipher) in [
        ("to128", ContentCipher::Aes128Cbc),
        ("to256", ContentCipher::Aes256Cbc),
    ] {
        let to = SealTo::certificate(&device).unwrap();
        let message = seal(oids::DATA, CONTENT, cipher, &[to]).unwrap();
        fs::write(holder.file(name), message).unwrap();
    }
    let output = Command::new(python())
        .args(["-c", SCRIPT, text(holder.folder.path())])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    for name in ["py128", "py256"] {
        let envelope = EnvelopedData::parse(&fs::read(holder.file(name)).unwrap()).unwrap();
        let opened = envelope.open(&certificate, |transport, encrypted, len| {
            let key = holder.signer.decipher(transport, encrypted, len);
            Ok::<_, CmsError>(key.unwrap())
        });
        assert_eq!(opened.unwrap().as_slice(), CONTENT, "{name}");
    }
}

/// The interpreter that scripts/install-deps.sh sets up.
fn python() -> String {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    let named = std::env::var("WARD_VENV").ok();
    let places = [named.unwrap_or_default(), format!("{root}/.tmp/venv")];
    places
        .iter()
        .map(|place| format!("{place}/bin/python"))
        .find(|python| Path::new(python).exists())
        .expect("Python with cryptography is needed: run scripts/install-deps.sh")
}

#[test]
fn r09_a_token_opens_what_openssl_encrypts() {
    with_token(|home| {
        let holder = Holder::new(&home.ring(), &backend(), KeyAlgorithm::Rsa2048);
        opens_what_openssl_encrypts(&holder);
        messages_with_openssl(&holder);
    });
}

#[test]
fn r09_a_token_gives_a_key_for_a_wrong_padding_too() {
    with_token(|home| {
        let ring = home.ring();
        let holder = Holder::new(&ring, &backend(), KeyAlgorithm::Rsa2048);
        let again = home.ring().load(&holder.record).unwrap();
        substitutes_for_wrong_paddings(&holder, &again);
    });
}

/// As in tokens that are held to FIPS rules: no bare RSA, the token removes the padding.
#[test]
fn r09_a_token_without_bare_rsa_behaves_the_same() {
    with_configured_token("slots.mechanisms = -CKM_RSA_X_509", |home| {
        let holder = Holder::new(&home.ring(), &backend(), KeyAlgorithm::Rsa2048);
        substitutes_for_wrong_paddings(&holder, &holder.signer);
        let key = [0x3d; 16];
        assert_eq!(holder.decipher(&holder.encrypt(&key, &[]), 16), key);
        let oaep = holder.encrypt(&key, &["rsa_padding_mode:oaep"]);
        let sha1 = KeyTransport::oaep(DigestAlgorithm::Sha1);
        let opened = holder.signer.decipher(&sha1, &oaep, 16).unwrap();
        assert_eq!(opened.as_slice(), key);
    });
}

#[test]
fn r02_a_token_key_that_only_signs_opens_nothing() {
    with_token(|home| {
        let ring = home.ring();
        let record = ring
            .generate(KeyAlgorithm::Rsa2048, &backend(), "issuer", NOW)
            .unwrap();
        let refused = ring.load(&record).unwrap().decipher(&PKCS1, &[1; 256], 16);
        assert!(
            matches!(refused, Err(KeyError::Unsupported { .. })),
            "{refused:?}"
        );
    });
}
