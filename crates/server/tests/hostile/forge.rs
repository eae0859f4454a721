//! Requests that no decent tool makes: built octet by octet, signed for real where the signature is not what is wrong.

use keys::{Backend, Keyring, KeyringConfig, Signer};
use x509::der::{self, Tag};
use x509::ext::{ExtensionValue, SubjectAltName};
use x509::{CsrBuilder, Extension, GeneralName, KeyAlgorithm, Name, Oid, assemble, oids, pem};

/// Makes keys and signs with them.
pub(crate) struct Forge {
    keyring: Keyring,
    _directory: tempfile::TempDir,
    p256: Signer,
}

impl Forge {
    pub(crate) fn new() -> Self {
        let directory = tempfile::TempDir::new().unwrap();
        let keyring = Keyring::open(KeyringConfig::new(directory.path())).unwrap();
        let record = keyring.generate(KeyAlgorithm::EcdsaP256, &Backend::Software, "forge", 0);
        let p256 = keyring.load(&record.unwrap()).unwrap();
        Self {
            keyring,
            _directory: directory,
            p256,
        }
    }

    pub(crate) fn signer(&self, algorithm: KeyAlgorithm) -> Signer {
        let record = self
            .keyring
            .generate(algorithm, &Backend::Software, "forge", 0);
        self.keyring.load(&record.unwrap()).unwrap()
    }

    /// A sound request for these names, in DER.
    pub(crate) fn request(&self, subject: Name, extensions: Vec<Extension>) -> Vec<u8> {
        let mut builder = CsrBuilder::new(subject, self.p256.public_key());
        builder.extensions = extensions;
        self.sign(&builder.tbs())
    }

    /// The same with some other key of ours.
    pub(crate) fn request_with(&self, signer: &Signer, dns: &str) -> Vec<u8> {
        let mut builder = CsrBuilder::new(common_name(dns), signer.public_key());
        builder.extensions = vec![san(&[GeneralName::Dns(dns.into())])];
        let algorithm = signer.algorithm().default_signature();
        let tbs = builder.tbs();
        assemble(&tbs, algorithm, &signer.sign(algorithm, &tbs).unwrap())
    }

    pub(crate) fn named(&self, names: &[GeneralName]) -> Vec<u8> {
        self.request(Name::empty(), vec![san(names)])
    }

    pub(crate) fn dns(&self, name: &str) -> Vec<u8> {
        self.named(&[GeneralName::Dns(name.into())])
    }

    /// A subject of one attribute, whatever its octets are.
    pub(crate) fn raw_subject(&self, tag: Tag, value: &[u8]) -> Vec<u8> {
        let subject = der::sequence(|w| {
            w.set(|w| {
                w.sequence(|w| {
                    w.oid(&oids::COMMON_NAME).element(tag, value);
                });
            });
        });
        let dns = san(&[GeneralName::Dns("web.example.org".into())]);
        self.raw(&subject, self.p256.public_key().spki_der(), &[dns])
    }

    /// A request for a foreign public key, signed by ours: the key is judged before the signature.
    pub(crate) fn foreign_key(&self, spki: &[u8]) -> Vec<u8> {
        let dns = san(&[GeneralName::Dns("web.example.org".into())]);
        self.raw(common_name("web.example.org").der(), spki, &[dns])
    }

    pub(crate) fn raw(&self, subject: &[u8], spki: &[u8], extensions: &[Extension]) -> Vec<u8> {
        let attribute = der::sequence(|w| {
            w.oid(&oids::EXTENSION_REQUEST).set(|w| {
                w.sequence(|w| extensions.iter().for_each(|e| write_extension(w, e)));
            });
        });
        self.sign(&der::sequence(|w| {
            w.u64(0).raw(subject).raw(spki);
            w.nested(Tag::context_constructed(0), |w| {
                w.raw(&attribute);
            });
        }))
    }

    pub(crate) fn p256_spki(&self) -> &[u8] {
        self.p256.public_key().spki_der()
    }

    fn sign(&self, tbs: &[u8]) -> Vec<u8> {
        let algorithm = KeyAlgorithm::EcdsaP256.default_signature();
        assemble(tbs, algorithm, &self.p256.sign(algorithm, tbs).unwrap())
    }
}

fn write_extension(w: &mut der::Writer, extension: &Extension) {
    w.sequence(|w| {
        w.oid(&extension.oid);
        if extension.critical {
            w.boolean(true);
        }
        w.octet_string(&extension.value);
    });
}

pub(crate) fn common_name(text: &str) -> Name {
    format!("CN={text}").parse().unwrap()
}

pub(crate) fn san(names: &[GeneralName]) -> Extension {
    SubjectAltName(names.to_vec()).encode()
}

/// PEM, as the API takes it.
pub(crate) fn armour(der: &[u8]) -> String {
    pem::encode(pem::CERTIFICATE_REQUEST, der)
}

/// SubjectPublicKeyInfo of an RSA key with this modulus and exponent (RFC 8017 A.1.1).
pub(crate) fn rsa(modulus: &[u8], exponent: &[u8]) -> Vec<u8> {
    let key = der::sequence(|w| {
        w.unsigned(modulus).unsigned(exponent);
    });
    der::sequence(|w| {
        w.sequence(|w| {
            w.oid(&oids::RSA_ENCRYPTION).null();
        });
        w.bit_string_octets(&key);
    })
}

/// A DSA key: the algorithm alone must be enough to refuse it.
pub(crate) fn dsa() -> Vec<u8> {
    let oid: Oid = "1.2.840.10040.4.1".parse().unwrap();
    let number = der::sequence(|w| {
        w.u64(0x00ff_ffff);
    });
    der::sequence(|w| {
        w.sequence(|w| {
            w.oid(&oid);
            w.sequence(|w| {
                w.u64(23).u64(11).u64(4);
            });
        });
        w.bit_string_octets(&number);
    })
}

/// P-256 with coordinates that are on no curve.
pub(crate) fn off_curve() -> Vec<u8> {
    let mut point = vec![4];
    point.extend([1; 64]);
    der::sequence(|w| {
        w.sequence(|w| {
            w.oid(&oids::EC_PUBLIC_KEY).oid(&oids::P256);
        });
        w.bit_string_octets(&point);
    })
}

pub(crate) const F4: &[u8] = &[1, 0, 1];

/// 2048 bits, odd, with no factor below 752, and not of ROCA's form.
pub(crate) fn plain_modulus() -> Vec<u8> {
    let mut modulus = vec![0xb5; 256];
    loop {
        let low = u16::from_be_bytes([modulus[254], modulus[255]]).wrapping_add(2) | 1;
        modulus[254..].copy_from_slice(&low.to_be_bytes());
        if small_primes(752).all(|p| remainder(&modulus, p) != 0) {
            return modulus;
        }
    }
}

/// A modulus that 751 divides, and no smaller prime.
pub(crate) fn divisible_modulus() -> Vec<u8> {
    let mut cofactor = plain_modulus();
    cofactor.drain(..2);
    cofactor[0] |= 0x80;
    loop {
        let product = multiply(&cofactor, &[2, 0xef]);
        if small_primes(751).all(|p| remainder(&product, p) != 0) {
            let mut whole = product;
            // The top octets come out small: 2048 bits are reached by a longer cofactor.
            while whole.len() < 256 || whole[0] < 0x80 {
                cofactor.insert(0, 0xff);
                whole = multiply(&cofactor, &[2, 0xef]);
                if whole.len() > 256 {
                    whole.remove(0);
                    break;
                }
            }
            return whole;
        }
        let low = cofactor.len() - 1;
        cofactor[low] = cofactor[low].wrapping_add(2) | 1;
    }
}

/// `k·M + 1` with `M` the product of the primes up to 167: modulo each of them it is 1, a power of 65537, which is the
/// fingerprint of Nemec et al. (CCS 2017).
pub(crate) fn roca_modulus() -> Vec<u8> {
    let product =
        small_primes(168).fold(vec![1], |all, p| multiply(&all, &(p as u16).to_be_bytes()));
    for k in 1_u16.. {
        let mut modulus = multiply(&product, &k.to_be_bytes());
        if modulus[0] < 0x80 {
            continue;
        }
        modulus.resize(256, 0);
        modulus[255] = 1;
        if small_primes(752).all(|p| remainder(&modulus, p) != 0) {
            return modulus;
        }
    }
    unreachable!()
}

/// Two factors of 1024 bits that differ by less than a million: Fermat's method finds them at once.
pub(crate) fn close_factors_modulus() -> Vec<u8> {
    let factor = |low: u32| {
        let mut factor = vec![0xf3; 128];
        for low in (low..).step_by(2) {
            factor[124..].copy_from_slice(&low.to_be_bytes());
            if small_primes(752).all(|p| remainder(&factor, p) != 0) {
                break;
            }
        }
        factor
    };
    multiply(&factor(1), &factor(500_001))
}

fn small_primes(below: u32) -> impl Iterator<Item = u32> {
    (2..below).filter(|n| (2..*n).take_while(|d| d * d <= *n).all(|d| n % d != 0))
}

fn remainder(number: &[u8], by: u32) -> u32 {
    number
        .iter()
        .fold(0, |rest, octet| (rest * 256 + u32::from(*octet)) % by)
}

/// Schoolbook, big-endian, without leading zeros.
fn multiply(a: &[u8], b: &[u8]) -> Vec<u8> {
    let mut out = vec![0_u32; a.len() + b.len()];
    for (i, x) in a.iter().rev().enumerate() {
        let mut carry = 0;
        for (j, y) in b.iter().rev().enumerate() {
            let sum = out[i + j] + u32::from(*x) * u32::from(*y) + carry;
            out[i + j] = sum & 0xff;
            carry = sum >> 8;
        }
        out[i + b.len()] += carry;
    }
    let octets = out.iter().rev().map(|octet| *octet as u8);
    octets.skip_while(|octet| *octet == 0).collect()
}
