//! SignedData.

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{
        ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, RSA_PKCS1_SHA256, RSA_PKCS1_SHA512,
        RsaEncoding, RsaKeyPair,
    },
};
use x509::{
    KeyAlgorithm, Oid,
    cms::{
        Attribute, CmsError, DigestAlgorithm, EntityId, MessageSignature, SignedData,
        SignedDataBuilder, Strength,
    },
    der::{self, Reader, Tag},
    oids,
};

use super::{CONTENT, lab};

/// SCEP's transactionID (RFC 8894 §3.2.1.1).
const TRANSACTION: Oid = Oid::from_bytes(&[0x60, 0x86, 0x48, 1, 0x86, 0xf8, 0x45, 1, 9, 7]);

/// Who, how OpenSSL is asked to sign, and whether that takes the legacy policy.
const SIGNATURES: &[(&str, &str, Strength)] = &[
    ("rsa", "cms -md sha256", Strength::Current),
    ("rsa", "cms -md sha384", Strength::Current),
    ("rsa", "cms -md sha512", Strength::Current),
    ("rsa", "cms -md sha256 -stream", Strength::Current),
    ("rsa", "cms -md sha256 -keyid", Strength::Current),
    ("rsa", "cms -md sha256 -noattr", Strength::Current),
    (
        "rsa",
        "cms -md sha256 -nosmimecap -cades",
        Strength::Current,
    ),
    (
        "rsa",
        "cms -md sha256 -keyopt rsa_padding_mode:pss -keyopt rsa_pss_saltlen:32",
        Strength::Current,
    ),
    ("rsa", "smime -md sha256", Strength::Current),
    ("p256", "cms -md sha256", Strength::Current),
    ("p384", "cms -md sha384 -stream", Strength::Current),
    ("p521", "cms -md sha512", Strength::Current),
    ("p256", "cms -md sha512", Strength::Current),
    ("rsa", "cms -md sha1", Strength::Legacy),
    ("rsa", "cms -md sha1 -stream -noattr", Strength::Legacy),
    ("rsa", "cms -md md5", Strength::Legacy),
    ("rsa", "cms -md md5 -noattr", Strength::Legacy),
    ("small", "cms -md md5", Strength::Legacy),
    ("small", "cms -md sha1", Strength::Legacy),
    ("small", "cms -md sha256", Strength::Legacy),
    ("p256", "cms -md sha1", Strength::Legacy),
];

fn signed_by_openssl(who: &str, how: &str, name: &str) -> Vec<u8> {
    let lab = lab();
    let (command, options) = how.split_once(' ').unwrap();
    lab.openssl(&format!(
        "{command} -sign -binary -nodetach -in content -signer {who}.pem -inkey {who}.key {options} -outform DER -out {name}"
    ));
    lab.read(name)
}

#[test]
fn r09_what_openssl_signs_is_verified() {
    for (n, (who, how, strength)) in SIGNATURES.iter().enumerate() {
        let message = signed_by_openssl(who, how, &format!("signed{n}"));
        let signed = SignedData::parse(&message).unwrap();
        let certificate = lab().certificate(who);
        assert_eq!(signed.content.as_deref(), Some(CONTENT), "{who} {how}");
        assert_eq!(signed.content_type, oids::DATA);
        assert_eq!(signed.certificates, std::slice::from_ref(&certificate));
        assert_eq!(signed.signer_certificate().unwrap(), Some(&certificate));
        let key = certificate.public_key().unwrap();
        assert_eq!(signed.verify(&key, Strength::Legacy), Ok(()), "{who} {how}");
        let current = signed.verify(&key, Strength::Current);
        assert_eq!(
            current.is_ok(),
            *strength == Strength::Current,
            "{who} {how}: {current:?}"
        );

        let stranger = lab().certificate("other").public_key().unwrap();
        assert!(
            signed.verify(&stranger, Strength::Legacy).is_err(),
            "{who} {how}"
        );
        let mut changed = signed.clone();
        changed.content = Some(b"Pump 18 asks".to_vec());
        let refused = changed.verify(&key, Strength::Legacy);
        let expected = match signed.signer().unwrap().signed_attributes.is_empty() {
            true => CmsError::BadSignature,
            false => CmsError::ContentChanged,
        };
        assert_eq!(refused, Err(expected), "{who} {how}");
    }
}

#[test]
fn a_detached_signature_is_verified_over_what_travels_beside_it() {
    let lab = lab();
    lab.openssl(
        "cms -sign -binary -in content -signer rsa.pem -inkey rsa.key -outform DER -out detached",
    );
    let signed = SignedData::parse(&lab.read("detached")).unwrap();
    let key = lab.certificate("rsa").public_key().unwrap();
    assert_eq!(signed.content, None);
    assert_eq!(
        signed.verify(&key, Strength::Current),
        Err(CmsError::NoContent)
    );
    assert_eq!(
        signed.verify_detached(CONTENT, &key, Strength::Current),
        Ok(())
    );
    assert_eq!(
        signed.verify_detached(b"other", &key, Strength::Current),
        Err(CmsError::ContentChanged)
    );
}

fn rsa_sign(encoding: &'static dyn RsaEncoding, message: &[u8]) -> Vec<u8> {
    let key = RsaKeyPair::from_pkcs8(&lab().pkcs8("rsa")).unwrap();
    let mut signature = vec![0; key.public_modulus_len()];
    key.sign(encoding, &SystemRandom::new(), message, &mut signature)
        .unwrap();
    signature
}

fn builder() -> SignedDataBuilder {
    let certificate = lab().certificate("rsa");
    SignedDataBuilder::new(oids::DATA, CONTENT)
        .certificates([&certificate, &lab().certificate("other")])
        .attribute(Attribute::printable(TRANSACTION, "4711"))
}

#[test]
fn r09_openssl_verifies_what_is_signed_here() {
    let lab = lab();
    let certificate = lab.certificate("rsa");
    let by_key = EntityId::by_key(&certificate).unwrap();
    let cases: [(DigestAlgorithm, &'static dyn RsaEncoding, EntityId); 3] = [
        (
            DigestAlgorithm::Sha256,
            &RSA_PKCS1_SHA256,
            EntityId::of(&certificate),
        ),
        (
            DigestAlgorithm::Sha512,
            &RSA_PKCS1_SHA512,
            EntityId::of(&certificate),
        ),
        (DigestAlgorithm::Sha256, &RSA_PKCS1_SHA256, by_key),
    ];
    for (digest, encoding, id) in cases {
        let named_by_issuer = matches!(id, EntityId::IssuerAndSerial { .. }); // PKCS #7 knows nothing else.
        let how = MessageSignature::with(KeyAlgorithm::Rsa2048, digest).unwrap();
        let unsigned = builder().to_be_signed(id, how).unwrap();
        let signature = rsa_sign(encoding, unsigned.message());
        lab.write("ours", unsigned.finish(&signature));
        lab.openssl(
            "cms -verify -binary -inform DER -in ours -CAfile rsa.pem -purpose any -out verified",
        );
        assert_eq!(lab.read("verified"), CONTENT);
        if named_by_issuer {
            lab.openssl("smime -verify -binary -inform DER -in ours -noverify -out verified");
        }

        let signed = SignedData::parse(&lab.read("ours")).unwrap();
        let attributes = &signed.signer().unwrap().signed_attributes;
        assert_eq!(
            attributes.text(&TRANSACTION).unwrap().as_deref(),
            Some("4711")
        );
        assert_eq!(signed.certificates.len(), 2);
        let key = certificate.public_key().unwrap();
        assert_eq!(signed.verify(&key, Strength::Current), Ok(()));
    }
}

#[test]
fn openssl_verifies_an_ecdsa_signature_beside_its_content() {
    let lab = lab();
    let certificate = lab.certificate("p256");
    let how = MessageSignature::with(KeyAlgorithm::EcdsaP256, DigestAlgorithm::Sha256).unwrap();
    let unsigned = SignedDataBuilder::new(oids::DATA, CONTENT)
        .certificates([&certificate])
        .detached()
        .to_be_signed(EntityId::of(&certificate), how)
        .unwrap();
    let key =
        EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &lab.pkcs8("p256")).unwrap();
    let signature = key.sign(&SystemRandom::new(), unsigned.message()).unwrap();
    lab.write("ours.ec", unsigned.finish(signature.as_ref()));
    lab.openssl("cms -verify -binary -inform DER -in ours.ec -content content -CAfile p256.pem -purpose any -out verified.ec");
}

#[test]
fn keys_sign_only_with_digests_that_fit_them() {
    use {DigestAlgorithm as D, KeyAlgorithm as K};
    for (key, digest) in [
        (K::EcdsaP256, D::Sha512),
        (K::EcdsaP384, D::Sha1),
        (K::EcdsaP521, D::Md5),
        (K::Ed25519, D::Sha256),
    ] {
        assert_eq!(
            MessageSignature::with(key, digest),
            None,
            "{key} {digest:?}"
        );
    }
    for key in KeyAlgorithm::ALL {
        let fitting = D::ALL
            .iter()
            .filter_map(|digest| MessageSignature::with(key, *digest));
        assert!(
            fitting
                .into_iter()
                .all(|how| how.digest() != D::Md5 || key < K::EcdsaP256)
        );
    }
}

#[test]
fn a_message_has_exactly_one_signer() {
    let lab = lab();
    lab.openssl("cms -sign -binary -nodetach -in content -signer rsa.pem -inkey rsa.key -signer other.pem -inkey other.key -outform DER -out two");
    let signed = SignedData::parse(&lab.read("two")).unwrap();
    assert_eq!(signed.signer().unwrap_err(), CmsError::SeveralSigners(2));
    let key = lab.certificate("rsa").public_key().unwrap();
    assert_eq!(
        signed.verify(&key, Strength::Current),
        Err(CmsError::SeveralSigners(2))
    );

    let bundle = x509::pkcs7::build([lab.certificate("rsa").der()], [b""; 0]);
    let signed = SignedData::parse(&bundle).unwrap();
    assert_eq!(signed.signer().unwrap_err(), CmsError::NoSigner);
}

/// A message whose signed attributes are exactly these elements in this order, with a signature over their SET OF.
fn with_attributes(members: &[Vec<u8>], sort_for_signing: bool) -> Vec<u8> {
    let certificate = lab().certificate("rsa");
    let mut to_sign = members.to_vec();
    if sort_for_signing {
        to_sign.sort();
    }
    let signature = rsa_sign(&RSA_PKCS1_SHA256, &der::encode(Tag::SET, &to_sign.concat()));
    let sha256 = der::sequence(|w| _ = w.oid(&oids::SHA256));
    let rsa = der::sequence(|w| _ = w.oid(&oids::RSA_ENCRYPTION).null());
    der::sequence(|w| {
        w.oid(&oids::SIGNED_DATA);
        w.nested(Tag::context_constructed(0), |w| {
            w.sequence(|w| {
                w.u64(1).set(|w| _ = w.raw(&sha256));
                w.sequence(|w| {
                    w.oid(&oids::DATA);
                    w.nested(Tag::context_constructed(0), |w| _ = w.octet_string(CONTENT));
                });
                w.nested(Tag::context_constructed(0), |w| {
                    _ = w.raw(certificate.der())
                });
                w.set(|w| {
                    w.sequence(|w| {
                        w.u64(1).sequence(|w| {
                            w.raw(certificate.issuer().der())
                                .integer(certificate.serial());
                        });
                        w.raw(&sha256);
                        w.element(Tag::context_constructed(0), &members.concat());
                        w.raw(&rsa).octet_string(&signature);
                    });
                });
            });
        });
    })
}

fn attribute(oid: &Oid, values: &[Vec<u8>]) -> Vec<u8> {
    der::sequence(|w| {
        w.oid(oid).set(|w| _ = w.raw(&values.concat()));
    })
}

#[test]
fn attributes_that_are_missing_doubled_or_wrong_are_typed_errors() {
    let kind = |oid: &Oid| der::encode(Tag::OID, oid.as_bytes());
    let digest = der::encode(Tag::OCTET_STRING, &DigestAlgorithm::Sha256.digest(CONTENT));
    let content_type = attribute(&oids::CONTENT_TYPE, &[kind(&oids::DATA)]);
    let message_digest = attribute(&oids::MESSAGE_DIGEST, std::slice::from_ref(&digest));
    let verify = |members: &[Vec<u8>], sorted| {
        let signed = SignedData::parse(&with_attributes(members, sorted))?;
        let key = lab().certificate("rsa").public_key().unwrap();
        signed.verify(&key, Strength::Current)
    };
    let good = [content_type.clone(), message_digest.clone()];
    assert_eq!(verify(&good, true), Ok(()));
    // In another order than DER's: signed as sent, or signed as sorted.
    let reversed = [message_digest.clone(), content_type.clone()];
    assert_eq!(verify(&reversed, false), Ok(()));
    assert_eq!(verify(&reversed, true), Ok(()));

    let cases = [
        (
            vec![content_type.clone()],
            CmsError::MissingAttribute(oids::MESSAGE_DIGEST),
        ),
        (
            vec![message_digest.clone()],
            CmsError::MissingAttribute(oids::CONTENT_TYPE),
        ),
        (vec![], CmsError::MissingAttribute(oids::CONTENT_TYPE)),
        (
            vec![
                content_type.clone(),
                content_type.clone(),
                message_digest.clone(),
            ],
            CmsError::DuplicateAttribute(oids::CONTENT_TYPE),
        ),
        (
            vec![
                content_type.clone(),
                message_digest.clone(),
                message_digest.clone(),
            ],
            CmsError::DuplicateAttribute(oids::MESSAGE_DIGEST),
        ),
        (
            vec![
                content_type.clone(),
                attribute(&oids::MESSAGE_DIGEST, &[digest.clone(), digest.clone()]),
            ],
            CmsError::DuplicateAttribute(oids::MESSAGE_DIGEST),
        ),
        (
            vec![content_type.clone(), attribute(&oids::MESSAGE_DIGEST, &[])],
            CmsError::DuplicateAttribute(oids::MESSAGE_DIGEST),
        ),
        (
            vec![
                content_type,
                attribute(&oids::MESSAGE_DIGEST, &[kind(&oids::DATA)]),
            ],
            CmsError::BadAttribute(oids::MESSAGE_DIGEST),
        ),
        (
            vec![
                attribute(&oids::CONTENT_TYPE, &[kind(&oids::SIGNED_DATA)]),
                message_digest,
            ],
            CmsError::BadAttribute(oids::CONTENT_TYPE),
        ),
    ];
    for (members, expected) in cases {
        assert_eq!(verify(&members, true), Err(expected));
    }
}

#[test]
fn content_of_another_type_needs_signed_attributes() {
    let lab = lab();
    lab.openssl("cms -sign -binary -nodetach -noattr -econtent_type 1.2.840.113549.1.9.16.1.4 -in content -signer rsa.pem -inkey rsa.key -outform DER -out tst");
    let signed = SignedData::parse(&lab.read("tst")).unwrap();
    let key = lab.certificate("rsa").public_key().unwrap();
    assert_eq!(
        signed.verify(&key, Strength::Current),
        Err(CmsError::MissingAttribute(oids::CONTENT_TYPE))
    );
}

#[test]
fn a_signer_named_back_to_front_is_found() {
    let certificate = lab().certificate("rsa");
    let mut rdns = Vec::new();
    let mut names = Reader::new(certificate.issuer().der()).sequence().unwrap();
    while !names.is_empty() {
        rdns.push(names.element().unwrap().raw.to_vec());
    }
    rdns.reverse();
    let reversed = x509::Name::from_der(&der::encode(Tag::SEQUENCE, &rdns.concat())).unwrap();
    let named = |issuer, serial: &[u8]| EntityId::IssuerAndSerial {
        issuer,
        serial: serial.to_vec(),
    };
    assert!(named(reversed.clone(), certificate.serial()).names(&certificate));
    let mut padded = vec![0];
    padded.extend_from_slice(certificate.serial());
    assert!(named(reversed.clone(), &padded).names(&certificate));
    assert!(!named(reversed, &[1]).names(&certificate));
}

#[test]
fn an_envelope_is_no_signature() {
    let lab = lab();
    lab.openssl("cms -encrypt -binary -in content -outform DER -out envelope rsa.pem");
    let error = SignedData::parse(&lab.read("envelope")).unwrap_err();
    assert_eq!(
        error,
        CmsError::WrongType {
            expected: "SignedData",
            found: oids::ENVELOPED_DATA
        }
    );
}
