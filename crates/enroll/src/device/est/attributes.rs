//! `csrattrs`: what a request should contain (RFC 7030 §4.5, RFC 8951 §3.5), and as a template of it (RFC 9908 §3.4).
//!
//! A client that knows the template ignores the rest, and older ones ignore the template, so both may stand side by side.

use std::str::FromStr;

use access::Refusal;
use serde::{Deserialize, Serialize};
use x509::der::{Tag, Writer};
use x509::{KeyAlgorithm, Name, Oid, der, oids};

/// id-aa-certificationRequestInfoTemplate, 1.2.840.113549.1.9.16.2.61 (RFC 9908 §3.4).
const REQUEST_TEMPLATE: Oid =
    Oid::from_bytes(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 0x10, 2, 61]);
/// id-aa-extensionReqTemplate, 1.2.840.113549.1.9.16.2.62 (RFC 9908 §3.4).
const EXTENSION_TEMPLATE: Oid =
    Oid::from_bytes(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 0x10, 2, 62]);

/// What stands for a value that the device fills in.
const OPEN: &str = "?";

/// 65537: the exponent of a placeholder key.
const EXPONENT: u64 = 65537;

/// What an endpoint tells its devices to put into their requests.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CsrAttributes {
    /// The kind of key to make.
    pub key: Option<KeyAlgorithm>,
    /// A subject as RFC 4514 writes it; a value of `?` is for the device to fill in: `serialNumber=?,O=Mercy Hospital`.
    pub subject: Option<String>,
    /// Extensions that the device should ask for, by name or number: `subjectAltName`.
    pub extensions: Vec<String>,
    /// Also as a template (RFC 9908).
    pub template: bool,
}

impl CsrAttributes {
    /// Whether there is nothing to say.
    pub fn is_empty(&self) -> bool {
        self.key.is_none() && self.subject.is_none() && self.extensions.is_empty()
    }

    /// Whether this can be sent at all.
    pub fn check(&self) -> Result<(), Refusal> {
        self.encode().map(drop)
    }

    /// `CsrAttrs` in DER (RFC 8951 §3.5).
    pub fn encode(&self) -> Result<Vec<u8>, Refusal> {
        let subject = self.subject.as_deref().map(name).transpose()?;
        let extensions = self.extensions.iter().map(|written| extension(written));
        let extensions: Vec<Oid> = extensions.collect::<Result<_, _>>()?;
        Ok(der::sequence(|w| {
            self.classic(w, subject.as_ref(), &extensions);
            if self.template {
                w.sequence(|w| {
                    w.oid(&REQUEST_TEMPLATE);
                    w.set(|w| self.template(w, subject.as_ref(), &extensions));
                });
            }
        }))
    }

    /// The key's type and size, how to sign, and which attributes are wanted (RFC 9908 §3.2).
    fn classic(&self, w: &mut Writer, subject: Option<&Name>, extensions: &[Oid]) {
        if let Some(key) = self.key {
            match shape(key) {
                Shape::Rsa(bits) => w.sequence(|w| {
                    w.oid(&oids::RSA_ENCRYPTION);
                    w.set(|w| {
                        w.u64(bits);
                    });
                }),
                Shape::Ec(curve) => w.sequence(|w| {
                    w.oid(&oids::EC_PUBLIC_KEY);
                    w.set(|w| {
                        w.oid(&curve);
                    });
                }),
                Shape::Plain(oid) => w.oid(&oid),
            };
            let signature = key.default_signature().oid();
            if !matches!(shape(key), Shape::Plain(oid) if oid == signature) {
                w.oid(&signature);
            }
        }
        for attribute in subject.iter().flat_map(|name| name.attributes()) {
            w.oid(&attribute.oid);
        }
        for extension in extensions {
            w.oid(extension);
        }
    }

    /// CertificationRequestInfoTemplate (RFC 9908 §3.4).
    fn template(&self, w: &mut Writer, subject: Option<&Name>, extensions: &[Oid]) {
        w.sequence(|w| {
            w.u64(0);
            if let Some(subject) = subject {
                w.sequence(|w| subject_template(w, subject));
            }
            if let Some(key) = self.key {
                w.nested(Tag::context_constructed(0), |w| key_template(w, key));
            }
            w.nested(Tag::context_constructed(1), |w| {
                if extensions.is_empty() {
                    return;
                }
                w.sequence(|w| {
                    w.oid(&EXTENSION_TEMPLATE);
                    w.set(|w| {
                        w.sequence(|w| {
                            for extension in extensions {
                                w.sequence(|w| {
                                    w.oid(extension);
                                });
                            }
                        });
                    });
                });
            });
        });
    }
}

/// RDNSequenceTemplate: as a name, but for values that are left out.
fn subject_template(w: &mut Writer, subject: &Name) {
    for attribute in subject.attributes() {
        w.set(|w| {
            w.sequence(|w| {
                w.oid(&attribute.oid);
                if attribute.text() != OPEN {
                    w.element(attribute.tag, attribute.value);
                }
            });
        });
    }
}

/// SubjectPublicKeyInfoTemplate: an RSA key says its size by a placeholder of that size, others by their algorithm.
fn key_template(w: &mut Writer, key: KeyAlgorithm) {
    match shape(key) {
        Shape::Rsa(bits) => {
            w.sequence(|w| {
                w.oid(&oids::RSA_ENCRYPTION).null();
            });
            let placeholder = der::sequence(|w| {
                w.unsigned(&vec![0xff; bits as usize / 8]).u64(EXPONENT);
            });
            w.bit_string_octets(&placeholder);
        }
        Shape::Ec(curve) => {
            w.sequence(|w| {
                w.oid(&oids::EC_PUBLIC_KEY).oid(&curve);
            });
        }
        Shape::Plain(oid) => {
            w.sequence(|w| {
                w.oid(&oid);
            });
        }
    }
}

/// How a kind of key is told.
enum Shape {
    Rsa(u64),
    Ec(Oid),
    Plain(Oid),
}

fn shape(key: KeyAlgorithm) -> Shape {
    match key {
        KeyAlgorithm::Rsa2048 => Shape::Rsa(2048),
        KeyAlgorithm::Rsa3072 => Shape::Rsa(3072),
        KeyAlgorithm::Rsa4096 => Shape::Rsa(4096),
        KeyAlgorithm::EcdsaP256 => Shape::Ec(oids::P256),
        KeyAlgorithm::EcdsaP384 => Shape::Ec(oids::P384),
        KeyAlgorithm::EcdsaP521 => Shape::Ec(oids::P521),
        KeyAlgorithm::Ed25519 => Shape::Plain(oids::ED25519),
    }
}

fn name(written: &str) -> Result<Name, Refusal> {
    Name::from_str(written).map_err(|error| {
        refused(format!("subject `{written}`: {error}"))
            .accepted("a subject such as `serialNumber=?,O=Mercy Hospital`")
    })
}

fn extension(written: &str) -> Result<Oid, Refusal> {
    let known = written.parse().ok().or_else(|| x509::oid::by_name(written));
    known.ok_or_else(|| {
        refused(format!("`{written}` is no extension that is known here"))
            .accepted("a name such as subjectAltName, or an object identifier")
    })
}

fn refused(message: String) -> Refusal {
    Refusal::new("est.csrattrs", "RFC 9908 §3", message)
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::digest::{SHA256, digest};

    use super::*;

    fn attributes(key: KeyAlgorithm, subject: &str) -> CsrAttributes {
        CsrAttributes {
            key: Some(key),
            subject: Some(subject.to_owned()),
            extensions: vec!["subjectAltName".to_owned()],
            template: true,
        }
    }

    /// Made with pyasn1, and read by pyasn1-alt-modules' RFC 7030 and RFC 9908.
    #[test]
    fn r09_attributes_and_template_are_as_rfc_9908_has_them() {
        let ec = attributes(KeyAlgorithm::EcdsaP256, "serialNumber=?,O=Mercy");
        let expected = "308194301506072a8648ce3d0201310a06082a8648ce3d03010706082a8648ce3d040302060355040a0603550405\
            0603551d113062060b2a864886f70d010910023d315330510201003019310e300c060355040a0c054d65726379310730050603550405a0\
            15301306072a8648ce3d020106082a8648ce3d030107a11a3018060b2a864886f70d010910023e3109300730050603551d11";
        assert_eq!(hex::encode(ec.encode().unwrap()), expected);
        let rsa = attributes(KeyAlgorithm::Rsa2048, "serialNumber=?")
            .encode()
            .unwrap();
        assert_eq!(rsa.len(), 405);
        assert_eq!(
            hex::encode(digest(&SHA256, &rsa)),
            "ebd208be264aa93848e38d6e28247b51d2c9d9c215605892d3750804d8d03282"
        );
    }

    #[test]
    fn what_is_not_said_is_not_sent() {
        assert!(CsrAttributes::default().is_empty());
        let plain = CsrAttributes {
            key: Some(KeyAlgorithm::Ed25519),
            ..CsrAttributes::default()
        };
        // The key's type says how it signs (RFC 8410 §3).
        assert_eq!(hex::encode(plain.encode().unwrap()), "300506032b6570");
    }

    #[test]
    fn what_cannot_be_sent_is_refused() {
        let subject = CsrAttributes {
            subject: Some("no name".to_owned()),
            ..CsrAttributes::default()
        };
        let extension = CsrAttributes {
            extensions: vec!["nonsense".to_owned()],
            ..CsrAttributes::default()
        };
        for wrong in [subject, extension] {
            assert_eq!(wrong.check().unwrap_err().rule, "est.csrattrs");
        }
    }
}
