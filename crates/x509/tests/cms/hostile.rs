//! Messages that are truncated, oversized, nested without end, or noise.

use std::time::{Duration, Instant};

use proptest::{collection::vec, prelude::*};
use x509::{
    cms::{
        Attribute, CmsError, ContentCipher, EntityId, EnvelopedData, MAX_MEMBERS, MAX_SIZE, SealTo,
        SignedData, SignedDataBuilder, seal,
    },
    der::{self, Tag},
    exercise, oids,
};

use super::{CONTENT, lab};

fn samples() -> Vec<Vec<u8>> {
    let lab = lab();
    for (options, name) in [
        ("-sign -nodetach -signer rsa.pem -inkey rsa.key", "h1"),
        (
            "-sign -nodetach -stream -signer rsa.pem -inkey rsa.key",
            "h2",
        ),
    ] {
        lab.openssl(&format!(
            "cms {options} -binary -in content -outform DER -out {name}"
        ));
    }
    for (options, name) in [("-aes128", "h3"), ("-stream -des3", "h4")] {
        lab.openssl(&format!(
            "cms -encrypt {options} -binary -in content -outform DER -out {name} rsa.pem"
        ));
    }
    ["h1", "h2", "h3", "h4"].map(|name| lab.read(name)).to_vec()
}

#[test]
fn every_truncation_is_an_error() {
    for sample in samples() {
        for len in 0..sample.len() {
            assert!(SignedData::parse(&sample[..len]).is_err(), "{len}");
            assert!(EnvelopedData::parse(&sample[..len]).is_err(), "{len}");
        }
        let mut trailing = sample.clone();
        trailing.push(0);
        assert!(SignedData::parse(&trailing).is_err() && EnvelopedData::parse(&trailing).is_err());
    }
}

#[test]
fn bombs_cost_little() {
    let definite = (0..5000).fold(vec![4, 0], |inner, _| der::encode(Tag::SEQUENCE, &inner));
    let bombs = [
        vec![0x30; MAX_SIZE + 1],
        [0x30, 0x80].repeat(MAX_SIZE / 2),
        [0x24, 0x80].repeat(MAX_SIZE / 2),
        [0xa0, 0x80].repeat(MAX_SIZE / 2),
        definite,
        // A million empty fragments.
        [
            &[0x30, 0x80, 0x24, 0x80][..],
            &[4, 0].repeat(1_100_000),
            &[0, 0, 0, 0],
        ]
        .concat(),
        [&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff][..], &[0; 64]].concat(),
    ];
    let start = Instant::now();
    for bomb in bombs {
        assert!(SignedData::parse(&bomb).is_err());
        assert!(EnvelopedData::parse(&bomb).is_err());
    }
    assert!(
        start.elapsed() < Duration::from_secs(5),
        "{:?}",
        start.elapsed()
    );
    let oversized = SignedData::parse(&vec![0x30; MAX_SIZE + 1]).unwrap_err();
    let limit = x509::Error::TooLarge {
        what: "CMS message",
        limit: MAX_SIZE,
    };
    assert_eq!(oversized, CmsError::Invalid(limit));
}

#[test]
fn more_members_than_the_budget_are_refused() {
    let lab = lab();
    let to = SealTo::certificate(&lab.certificate("rsa")).unwrap();
    let crowd = vec![to; MAX_MEMBERS + 1];
    let message = seal(oids::DATA, CONTENT, ContentCipher::Aes128Cbc, &crowd).unwrap();
    let too_many = CmsError::from(der::Error::TooMany(MAX_MEMBERS));
    assert_eq!(EnvelopedData::parse(&message).unwrap_err(), too_many);

    let how = x509::cms::MessageSignature::with(
        x509::KeyAlgorithm::Rsa2048,
        x509::cms::DigestAlgorithm::Sha256,
    );
    let signer = lab.certificate("rsa");
    let builder =
        (0..MAX_MEMBERS as u128).fold(SignedDataBuilder::new(oids::DATA, CONTENT), |b, n| {
            let oid = x509::Oid::from_arcs(&[1, 3, 6, n]).unwrap();
            b.attribute(Attribute::octets(oid, b""))
        });
    let unsigned = builder
        .to_be_signed(EntityId::of(&signer), how.unwrap())
        .unwrap();
    assert_eq!(
        SignedData::parse(&unsigned.finish(b"")).unwrap_err(),
        too_many
    );
}

#[test]
fn a_doubled_attribute_is_not_written_either() {
    let how = x509::cms::MessageSignature::with(
        x509::KeyAlgorithm::Rsa2048,
        x509::cms::DigestAlgorithm::Sha256,
    );
    let refused = SignedDataBuilder::new(oids::DATA, CONTENT)
        .attribute(Attribute::octets(oids::MESSAGE_DIGEST, b"forged"))
        .to_be_signed(EntityId::of(&lab().certificate("rsa")), how.unwrap());
    assert_eq!(
        refused.unwrap_err(),
        CmsError::DuplicateAttribute(oids::MESSAGE_DIGEST)
    );
}

#[test]
fn ciphertext_of_odd_length_is_refused() {
    let lab = lab();
    let to = SealTo::certificate(&lab.certificate("rsa")).unwrap();
    let message = seal(oids::DATA, CONTENT, ContentCipher::Aes128Cbc, &[to]).unwrap();
    // The ciphertext stands at the end; one octet less in it and in every length around it.
    let mut envelope = EnvelopedData::parse(&message).unwrap();
    assert_eq!(envelope.decrypt(&[0; 15]).unwrap_err(), CmsError::Crypto);
    envelope.cipher = ContentCipher::DesEde3Cbc;
    assert_eq!(
        envelope.decrypt(&[0; 24]).unwrap_err(),
        CmsError::Crypto,
        "an AES IV is none for 3DES"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn noise_and_damage_do_no_harm(
        noise in vec(any::<u8>(), 0..300),
        which in 0..4usize,
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        exercise::cms(&noise);
        static SAMPLES: std::sync::OnceLock<Vec<Vec<u8>>> = std::sync::OnceLock::new();
        let mut sample = SAMPLES.get_or_init(samples)[which].clone();
        for (index, octet) in damage {
            let at = index.index(sample.len());
            sample[at] = octet;
        }
        exercise::cms(&sample);
    }
}
