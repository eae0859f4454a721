//! Writes PFX files that OpenSSL, GnuTLS, Windows and Java open.

use std::num::NonZeroU32;

use aws_lc_rs::{digest, hmac, rand};
use zeroize::Zeroizing;

use super::{
    Pkcs12Error, TRUSTED_KEY_USAGE, cipher,
    kdf::{self, Purpose},
};
use crate::{
    Certificate,
    der::{self, Tag, Writer},
    oids,
};

/// Iterations for encryption and for the MAC. Devices open these files too, some on slow processors.
pub const DEFAULT_ITERATIONS: NonZeroU32 = NonZeroU32::MIN.saturating_add(99_999);

/// A key with its certificates.
#[derive(Debug, Clone, Copy)]
pub struct Contents<'a> {
    /// The private key as PKCS #8 in DER.
    pub pkcs8: &'a [u8],
    pub certificate: &'a Certificate,
    /// The certificates above, nearest issuer first.
    pub chain: &'a [Certificate],
    /// How key and certificate are called where they are installed; Java's alias.
    pub friendly_name: &'a str,
}

/// A certificate to be trusted by whoever loads the file.
#[derive(Debug, Clone, Copy)]
pub struct TrustedCertificate<'a> {
    pub certificate: &'a Certificate,
    pub friendly_name: &'a str,
}

/// A PFX with one key, its certificate and the chain.
pub fn build(
    contents: &Contents<'_>,
    password: &str,
    iterations: NonZeroU32,
) -> Result<Zeroizing<Vec<u8>>, Pkcs12Error> {
    let fingerprint = contents.certificate.fingerprint();
    let key_id = fingerprint.get(..20).unwrap_or(&fingerprint);
    let names = [
        friendly_name(contents.friendly_name),
        attribute(&oids::LOCAL_KEY_ID, |w| {
            w.octet_string(key_id);
        }),
    ];
    let certificates = der::sequence(|w| {
        certificate_bag(w, contents.certificate, names.to_vec());
        for issuer in contents.chain {
            certificate_bag(w, issuer, Vec::new());
        }
    });
    let (identifier, ciphertext) = cipher::encrypt(password, iterations, contents.pkcs8)?;
    let keys = der::sequence(|w| {
        safe_bag(w, &oids::SHROUDED_KEY_BAG, names.to_vec(), |w| {
            w.sequence(|w| {
                w.raw(&identifier).octet_string(&ciphertext);
            });
        });
    });

    let mut safe = Writer::new();
    encrypted_contents(&mut safe, &certificates, password, iterations)?;
    plain_contents(&mut safe, &keys);
    pfx(&safe.finish(), password, iterations)
}

/// A PFX with trust anchors and no key, as Java's `trustedCertEntry`.
pub fn build_trust_store(
    anchors: &[TrustedCertificate<'_>],
    password: &str,
    iterations: NonZeroU32,
) -> Result<Zeroizing<Vec<u8>>, Pkcs12Error> {
    let certificates = der::sequence(|w| {
        for anchor in anchors {
            let attributes = vec![
                friendly_name(anchor.friendly_name),
                attribute(&TRUSTED_KEY_USAGE, |w| {
                    w.oid(&oids::ANY_EXTENDED_KEY_USAGE);
                }),
            ];
            certificate_bag(w, anchor.certificate, attributes);
        }
    });
    let mut safe = Writer::new();
    encrypted_contents(&mut safe, &certificates, password, iterations)?;
    pfx(&safe.finish(), password, iterations)
}

fn certificate_bag(w: &mut Writer, certificate: &Certificate, attributes: Vec<Vec<u8>>) {
    safe_bag(w, &oids::CERT_BAG, attributes, |w| {
        w.sequence(|w| {
            w.oid(&oids::X509_CERTIFICATE_BAG);
            w.nested(Tag::context_constructed(0), |w| {
                w.octet_string(certificate.der());
            });
        });
    });
}

fn safe_bag(
    w: &mut Writer,
    kind: &crate::Oid,
    attributes: Vec<Vec<u8>>,
    value: impl FnOnce(&mut Writer),
) {
    w.sequence(|w| {
        w.oid(kind);
        w.nested(Tag::context_constructed(0), value);
        if !attributes.is_empty() {
            w.set_of(attributes);
        }
    });
}

fn attribute(kind: &crate::Oid, value: impl FnOnce(&mut Writer)) -> Vec<u8> {
    der::sequence(|w| {
        w.oid(kind).set(value);
    })
}

/// BMPString, which is why characters go as UTF-16.
fn friendly_name(name: &str) -> Vec<u8> {
    let bmp: Vec<u8> = name.encode_utf16().flat_map(u16::to_be_bytes).collect();
    attribute(&oids::FRIENDLY_NAME, |w| {
        w.element(Tag::BMP_STRING, &bmp);
    })
}

/// A ContentInfo of type data.
fn plain_contents(w: &mut Writer, safe_contents: &[u8]) {
    w.sequence(|w| {
        w.oid(&oids::DATA);
        w.nested(Tag::context_constructed(0), |w| {
            w.octet_string(safe_contents);
        });
    });
}

/// A ContentInfo of type encryptedData (RFC 5652 §8).
fn encrypted_contents(
    w: &mut Writer,
    safe_contents: &[u8],
    password: &str,
    iterations: NonZeroU32,
) -> Result<(), Pkcs12Error> {
    let (identifier, ciphertext) = cipher::encrypt(password, iterations, safe_contents)?;
    w.sequence(|w| {
        w.oid(&oids::ENCRYPTED_DATA);
        w.nested(Tag::context_constructed(0), |w| {
            w.sequence(|w| {
                w.u64(0).sequence(|w| {
                    w.oid(&oids::DATA).raw(&identifier);
                    w.element(Tag::context(0), &ciphertext);
                });
            });
        });
    });
    Ok(())
}

/// The PFX around an AuthenticatedSafe, whose members are given, with its MAC (RFC 7292 §4).
fn pfx(
    members: &[u8],
    password: &str,
    iterations: NonZeroU32,
) -> Result<Zeroizing<Vec<u8>>, Pkcs12Error> {
    let safe = der::encode(Tag::SEQUENCE, members);
    let mut salt = [0; 20];
    rand::fill(&mut salt).map_err(|_| Pkcs12Error::Crypto)?;
    let password = kdf::bmp_password(password);
    let count = iterations.get();
    let key = kdf::derive(&digest::SHA256, Purpose::Mac, &password, &salt, count, 32);
    let mac = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), &safe);

    Ok(Zeroizing::new(der::sequence(|w| {
        w.u64(3);
        plain_contents(w, &safe);
        w.sequence(|w| {
            w.sequence(|w| {
                w.sequence(|w| {
                    w.oid(&oids::SHA256).null();
                });
                w.octet_string(mac.as_ref());
            });
            w.octet_string(&salt).u64(count.into());
        });
    })))
}
