//! Certificates and CRLs in the making, each part of which a case can spoil.

use x509::{
    Extension, GeneralName, Name, Oid, SignatureAlgorithm,
    der::{self, Tag, Writer},
    ext::*,
    oids,
};

pub(crate) struct Draft {
    pub(crate) version: u64,
    pub(crate) serial: Vec<u8>,
    pub(crate) algorithm: Vec<u8>,
    pub(crate) issuer: Vec<u8>,
    pub(crate) not_before: (Tag, String),
    pub(crate) not_after: (Tag, String),
    pub(crate) subject: Vec<u8>,
    pub(crate) spki: Vec<u8>,
    pub(crate) unique_id: Option<Vec<u8>>,
    pub(crate) extensions: Option<Vec<Vec<u8>>>,
}

pub(crate) const ISSUER: &str = "CN=Ward Test Issuing CA,O=Ward Test Hospital,C=DE";
pub(crate) const ISSUER_KEY_ID: [u8; 20] = [7; 20];

impl Draft {
    pub(crate) fn tbs(&self) -> Vec<u8> {
        der::sequence(|w| {
            w.nested(Tag::context_constructed(0), |w| {
                w.u64(self.version);
            });
            w.integer(&self.serial)
                .raw(&self.algorithm)
                .raw(&self.issuer);
            w.sequence(|w| {
                for (tag, text) in [&self.not_before, &self.not_after] {
                    w.element(*tag, text.as_bytes());
                }
            });
            w.raw(&self.subject).raw(&self.spki);
            if let Some(id) = &self.unique_id {
                w.element(Tag::context(1), id);
            }
            if let Some(extensions) = &self.extensions {
                w.nested(Tag::context_constructed(3), |w| {
                    w.sequence(|w| {
                        extensions.iter().for_each(|e| {
                            w.raw(e);
                        })
                    });
                });
            }
        })
    }

    /// With a signature that nobody made.
    pub(crate) fn certificate(&self) -> Vec<u8> {
        der::sequence(|w| {
            w.raw(&self.tbs())
                .raw(&self.algorithm)
                .bit_string_octets(&[1; 70]);
        })
    }

    fn position(&self, oid: &Oid) -> Option<usize> {
        let mut prefix = Writer::new();
        prefix.oid(oid);
        let prefix = prefix.finish();
        let is = |e: &Vec<u8>| e.windows(prefix.len()).take(6).any(|w| w == prefix);
        self.extensions.iter().flatten().position(is)
    }

    pub(crate) fn drop_ext(&mut self, oid: &Oid) -> &mut Self {
        if let (Some(at), Some(list)) = (self.position(oid), &mut self.extensions) {
            list.remove(at);
        }
        self
    }

    pub(crate) fn push(&mut self, extension: Extension) -> &mut Self {
        let mut w = Writer::new();
        extension.write(&mut w);
        self.push_raw(w.finish())
    }

    pub(crate) fn push_raw(&mut self, extension: Vec<u8>) -> &mut Self {
        self.extensions.get_or_insert_default().push(extension);
        self
    }

    /// Puts an extension in the place of the one with its identifier.
    pub(crate) fn set(&mut self, extension: Extension) -> &mut Self {
        self.drop_ext(&extension.oid).push(extension)
    }

    pub(crate) fn set_value(&mut self, oid: Oid, critical: bool, value: &[u8]) -> &mut Self {
        self.set(Extension {
            oid,
            critical,
            value: value.to_vec(),
        })
    }

    pub(crate) fn alt_names(&mut self, names: &[GeneralName]) -> &mut Self {
        self.set(SubjectAltName(names.to_vec()).encode())
    }

    pub(crate) fn raw_alt_name(&mut self, tag: u8, value: &[u8]) -> &mut Self {
        let value = der::sequence(|w| {
            w.element(Tag(tag), value);
        });
        self.set_value(oids::SUBJECT_ALT_NAME, false, &value)
    }

    pub(crate) fn usage(&mut self, usage: KeyUsage) -> &mut Self {
        self.set(usage.encode())
    }

    pub(crate) fn purposes(&mut self, purposes: &[Oid]) -> &mut Self {
        self.set(ExtKeyUsage(purposes.to_vec()).encode())
    }

    pub(crate) fn constraints(&mut self, permitted: &[Constraint]) -> &mut Self {
        let permitted = permitted.iter().map(|c| subtree(c.clone())).collect();
        self.set(
            NameConstraints {
                permitted,
                excluded: vec![],
            }
            .encode(),
        )
    }
}

pub(crate) fn subtree(base: Constraint) -> GeneralSubtree {
    GeneralSubtree {
        base,
        minimum: 0,
        maximum: None,
    }
}

pub(crate) fn name(text: &str) -> Vec<u8> {
    text.parse::<Name>().unwrap().der().to_vec()
}

/// A name with one attribute spelled out.
pub(crate) fn odd_name(kind: Oid, tag: Tag, value: &[u8]) -> Vec<u8> {
    der::sequence(|w| {
        w.set(|w| {
            w.sequence(|w| {
                w.oid(&kind).element(tag, value);
            });
        });
    })
}

pub(crate) fn utc(text: &str) -> (Tag, String) {
    (Tag::UTC_TIME, text.to_owned())
}

pub(crate) fn generalized(text: &str) -> (Tag, String) {
    (Tag::GENERALIZED_TIME, text.to_owned())
}

pub(crate) fn spki(algorithm: impl FnOnce(&mut Writer), key: &[u8]) -> Vec<u8> {
    der::sequence(|w| {
        w.sequence(algorithm).bit_string_octets(key);
    })
}

pub(crate) fn ec_spki(curve: &Oid, point: &[u8]) -> Vec<u8> {
    spki(
        |w| {
            w.oid(&oids::EC_PUBLIC_KEY).oid(curve);
        },
        point,
    )
}

pub(crate) fn rsa_spki(modulus: &[u8], exponent: &[u8]) -> Vec<u8> {
    let key = der::sequence(|w| {
        w.unsigned(modulus).unsigned(exponent);
    });
    spki(
        |w| {
            w.oid(&oids::RSA_ENCRYPTION).null();
        },
        &key,
    )
}

/// An odd number with its top bit set; nobody has to know its factors.
pub(crate) fn modulus(octets: usize) -> Vec<u8> {
    (0..octets).map(|i| 0x81 | (i * 37 % 251) as u8).collect()
}

/// The generator of P-256 (SEC 2 §2.4.2), which is a point as good as any.
pub(crate) const POINT: &str = "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296\
                                4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5";

fn http(uri: &str) -> GeneralName {
    GeneralName::Uri(uri.to_owned())
}

pub(crate) fn point(uri: &str) -> CrlDistributionPoints {
    CrlDistributionPoints(vec![DistributionPoint {
        name: Some(DistributionPointName::Full(vec![http(uri)])),
        ..DistributionPoint::default()
    }])
}

pub(crate) fn access(method: Oid, uri: &str) -> AccessDescription {
    AccessDescription {
        method,
        location: http(uri),
    }
}

fn common(subject: &str) -> Draft {
    let mut draft = Draft {
        version: 2,
        serial: vec![0x11; 16],
        algorithm: SignatureAlgorithm::EcdsaSha256.algorithm_identifier_der(),
        issuer: name(ISSUER),
        not_before: utc("260101000000Z"),
        not_after: utc("270101000000Z"),
        subject: name(subject),
        spki: ec_spki(&oids::P256, &hex::decode(POINT).unwrap()),
        unique_id: None,
        extensions: None,
    };
    draft
        .push(
            AuthorityKeyId {
                key_id: Some(ISSUER_KEY_ID.to_vec()),
                ..AuthorityKeyId::default()
            }
            .encode(),
        )
        .push(SubjectKeyId(vec![9; 20]).encode())
        .push(point("http://pki.hospital.example/crl/1.crl").encode())
        .push(
            AuthorityInfoAccess(vec![
                access(oids::AD_OCSP, "http://pki.hospital.example/ocsp"),
                access(
                    oids::AD_CA_ISSUERS,
                    "http://pki.hospital.example/aia/issuing.cer",
                ),
            ])
            .encode(),
        )
        .push(policies(&["2.16.840.1.113733.1.7.54"]).encode());
    draft
}

pub(crate) fn policies(ids: &[&str]) -> CertificatePolicies {
    let information = |id: &&str| PolicyInformation {
        policy: id.parse().unwrap(),
        qualifiers: vec![],
    };
    CertificatePolicies(ids.iter().map(information).collect())
}

pub(crate) fn dns(name: &str) -> GeneralName {
    GeneralName::Dns(name.to_owned())
}

pub(crate) fn server() -> Draft {
    let mut draft = common("CN=fhir.hospital.example,O=Ward Test Hospital,C=DE");
    draft
        .alt_names(&[
            dns("fhir.hospital.example"),
            GeneralName::Ip([10, 10, 0, 7].into()),
        ])
        .usage(KeyUsage::DIGITAL_SIGNATURE)
        .purposes(&[oids::EKU_SERVER_AUTH, oids::EKU_CLIENT_AUTH]);
    draft
}

pub(crate) fn rsa_server() -> Draft {
    let mut draft = server();
    draft.algorithm = SignatureAlgorithm::RsaSha256.algorithm_identifier_der();
    draft.spki = rsa_spki(&modulus(256), &[1, 0, 1]);
    draft.usage(KeyUsage::DIGITAL_SIGNATURE | KeyUsage::KEY_ENCIPHERMENT);
    draft
}

pub(crate) fn pss_server() -> Draft {
    Draft {
        algorithm: SignatureAlgorithm::RsaPssSha384.algorithm_identifier_der(),
        ..rsa_server()
    }
}

/// An implantable device's IDevID: no name but its serial number, no end.
pub(crate) fn device() -> Draft {
    let mut draft = common("serialNumber=INF-0042,O=Ward Test Devices,C=DE");
    draft.algorithm = SignatureAlgorithm::Ed25519.algorithm_identifier_der();
    draft.spki = spki(
        |w| {
            w.oid(&oids::ED25519);
        },
        &[5; 32],
    );
    draft.not_after = generalized("99991231235959Z");
    draft
        .alt_names(&[GeneralName::hardware_module_name(
            "1.3.6.1.4.1.55555.1".parse().unwrap(),
            b"INF-0042",
        )])
        .usage(KeyUsage::DIGITAL_SIGNATURE)
        .purposes(&[oids::EKU_CLIENT_AUTH]);
    draft
}

pub(crate) fn mail() -> Draft {
    let mut draft = rsa_server();
    draft.subject = Name::empty().der().to_vec();
    let names = [GeneralName::Email(
        "d.smith@direct.hospital.example".to_owned(),
    )];
    draft
        .set(SubjectAltName(names.to_vec()).encode().with_critical(true))
        .purposes(&[oids::EKU_EMAIL_PROTECTION]);
    draft
}

pub(crate) fn logon() -> Draft {
    let mut draft = common("CN=Dana Smith,O=Ward Test Hospital,C=DE");
    draft
        .alt_names(&[GeneralName::upn("dsmith@hospital.example")])
        .usage(KeyUsage::DIGITAL_SIGNATURE)
        .purposes(&[oids::EKU_MS_SMARTCARD_LOGON, oids::EKU_CLIENT_AUTH]);
    draft
}

pub(crate) fn responder() -> Draft {
    let mut draft = common("CN=OCSP 1,O=Ward Test Hospital,C=DE");
    draft
        .drop_ext(&oids::CRL_DISTRIBUTION_POINTS)
        .usage(KeyUsage::DIGITAL_SIGNATURE)
        .purposes(&[oids::EKU_OCSP_SIGNING])
        .push(OcspNoCheck.encode());
    draft
}

pub(crate) fn stamper() -> Draft {
    let mut draft = common("CN=TSA 1,O=Ward Test Hospital,C=DE");
    draft.usage(KeyUsage::DIGITAL_SIGNATURE).set(
        ExtKeyUsage(vec![oids::EKU_TIME_STAMPING])
            .encode()
            .with_critical(true),
    );
    draft
}

pub(crate) fn authority() -> Draft {
    let mut draft = common("CN=Ward Test Cross CA,O=Other Hospital,C=DE");
    draft.not_after = utc("360101000000Z");
    draft
        .push(
            BasicConstraints {
                ca: true,
                path_len: Some(0),
            }
            .encode(),
        )
        .usage(KeyUsage::KEY_CERT_SIGN | KeyUsage::CRL_SIGN)
        .push(
            PolicyConstraints {
                require_explicit: Some(0),
                inhibit_mapping: None,
            }
            .encode(),
        )
        .push(InhibitAnyPolicy(0).encode())
        .push(
            PolicyMappings(vec![(
                "1.2.3.4".parse().unwrap(),
                "1.2.3.5".parse().unwrap(),
            )])
            .encode(),
        )
        .constraints(&[
            Constraint::Dns("other.example".to_owned()),
            Constraint::Ip(IpRange {
                address: vec![10, 20, 0, 0],
                mask: vec![255, 255, 0, 0],
            }),
        ]);
    draft
}

pub(crate) fn root() -> Draft {
    let mut draft = authority();
    for oid in [
        oids::AUTHORITY_KEY_IDENTIFIER,
        oids::CRL_DISTRIBUTION_POINTS,
        oids::AUTHORITY_INFO_ACCESS,
        oids::NAME_CONSTRAINTS,
        oids::POLICY_MAPPINGS,
    ] {
        draft.drop_ext(&oid);
    }
    draft.subject.clone_from(&draft.issuer);
    draft
}
