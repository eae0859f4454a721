//! EnvelopedData. Key transport with implicit rejection is tested where it is done, in `keys`.

use x509::{
    cms::{
        CmsError, ContentCipher, DigestAlgorithm, EntityId, EnvelopedData, KeyTransport, SealTo,
        seal,
    },
    oids,
};
use zeroize::Zeroizing;

use super::{CONTENT, lab};

fn open(message: &[u8], who: &str) -> Result<Vec<u8>, CmsError> {
    let envelope = EnvelopedData::parse(message)?;
    let opened = envelope.open(&lab().certificate(who), |transport, encrypted, len| {
        assert_eq!(*transport, KeyTransport::Pkcs1v15);
        Ok::<_, CmsError>(
            lab()
                .decipher(who, encrypted)
                .filter(|key| key.len() == len)
                .unwrap_or_else(|| Zeroizing::new(vec![7; len])),
        )
    });
    opened.map(|content| content.to_vec())
}

#[test]
fn r09_what_openssl_encrypts_is_opened() {
    let lab = lab();
    let ciphers = [
        ("aes-128-cbc", ContentCipher::Aes128Cbc),
        ("aes-192-cbc", ContentCipher::Aes192Cbc),
        ("aes-256-cbc", ContentCipher::Aes256Cbc),
        ("des3", ContentCipher::DesEde3Cbc),
    ];
    for (name, cipher) in ciphers {
        for how in [
            "cms -encrypt",
            "cms -encrypt -stream",
            "cms -encrypt -keyid",
            "smime -encrypt",
            "smime -encrypt -stream",
        ] {
            lab.openssl(&format!(
                "{how} -binary -{name} -in content -outform DER -out enveloped rsa.pem"
            ));
            let message = lab.read("enveloped");
            assert_eq!(open(&message, "rsa").unwrap(), CONTENT, "{how} {name}");
            let envelope = EnvelopedData::parse(&message).unwrap();
            assert_eq!(
                (envelope.cipher, envelope.content_type),
                (cipher, oids::DATA)
            );
            assert_eq!(open(&message, "other"), Err(CmsError::NotARecipient));
        }
    }
}

#[test]
fn r09_large_streamed_content_is_opened() {
    let lab = lab();
    let content: Vec<u8> = (0..200_000u32).map(|n| n as u8).collect();
    lab.write("large", &content);
    lab.openssl(
        "cms -encrypt -stream -binary -aes256 -in large -outform DER -out large.enveloped rsa.pem",
    );
    let message = lab.read("large.enveloped");
    assert!(
        message.windows(2).any(|two| two == [0xa0, 0x80]),
        "not streamed"
    );
    assert_eq!(open(&message, "rsa").unwrap(), content);
}

#[test]
fn each_of_several_recipients_opens_it() {
    let lab = lab();
    lab.openssl("cms -encrypt -binary -aes256 -in content -outform DER -out shared rsa.pem other.pem p256.pem");
    let message = lab.read("shared");
    let envelope = EnvelopedData::parse(&message).unwrap();
    assert_eq!(envelope.recipients.len(), 2, "key agreement is passed over");
    for who in ["rsa", "other"] {
        assert_eq!(open(&message, who).unwrap(), CONTENT);
    }
    assert_eq!(open(&message, "p256"), Err(CmsError::NotARecipient));
}

#[test]
fn r09_openssl_opens_what_is_sealed_here() {
    let lab = lab();
    let rsa = lab.certificate("rsa");
    let transports = [
        KeyTransport::Pkcs1v15,
        KeyTransport::oaep(DigestAlgorithm::Sha1),
        KeyTransport::oaep(DigestAlgorithm::Sha256),
        KeyTransport::oaep(DigestAlgorithm::Sha384),
        KeyTransport::oaep(DigestAlgorithm::Sha512),
        KeyTransport::Oaep {
            hash: DigestAlgorithm::Sha256,
            mask: DigestAlgorithm::Sha256,
            label: b"ward".to_vec(),
        },
    ];
    for transport in transports {
        for cipher in ContentCipher::ALL {
            for id in [EntityId::of(&rsa), EntityId::by_key(&rsa).unwrap()] {
                let to = SealTo {
                    id,
                    key: rsa.public_key().unwrap(),
                    transport: transport.clone(),
                };
                let other = SealTo::certificate(&lab.certificate("other")).unwrap();
                lab.write(
                    "sealed",
                    seal(oids::DATA, CONTENT, cipher, &[to, other]).unwrap(),
                );
                // OpenSSL 3 keeps single DES in a provider of its own.
                let legacy = match cipher {
                    ContentCipher::DesCbc => " -provider legacy -provider default",
                    _ => "",
                };
                for name in ["rsa", "other"] {
                    lab.openssl(&format!(
                        "cms -decrypt -binary -inform DER -in sealed -recip {name}.pem -inkey {name}.key -out opened{legacy}"
                    ));
                    assert_eq!(lab.read("opened"), CONTENT, "{transport:?} {cipher:?}");
                }
                let read = EnvelopedData::parse(&lab.read("sealed")).unwrap();
                assert_eq!(read.recipient(&rsa).unwrap().transport, transport);
            }
        }
    }
}

#[test]
fn parameters_of_oaep_are_read() {
    let lab = lab();
    use DigestAlgorithm::{Sha1, Sha256, Sha512};
    let cases = [
        ("", Sha1, Sha1, &b""[..]),
        ("-keyopt rsa_oaep_md:sha256", Sha256, Sha256, b""),
        (
            "-keyopt rsa_oaep_md:sha256 -keyopt rsa_mgf1_md:sha1",
            Sha256,
            Sha1,
            b"",
        ),
        (
            "-keyopt rsa_oaep_md:sha512 -keyopt rsa_oaep_label:77617264",
            Sha512,
            Sha512,
            b"ward",
        ),
    ];
    for (options, hash, mask, label) in cases {
        lab.openssl(&format!(
            "cms -encrypt -binary -aes128 -in content -outform DER -out oaep -recip rsa.pem -keyopt rsa_padding_mode:oaep {options}"
        ));
        let envelope = EnvelopedData::parse(&lab.read("oaep")).unwrap();
        let expected = KeyTransport::Oaep {
            hash,
            mask,
            label: label.to_vec(),
        };
        assert_eq!(envelope.recipients[0].transport, expected, "{options}");
    }
}

#[test]
fn recipients_that_cannot_be_sealed_to_are_typed_errors() {
    let lab = lab();
    let seal_to = |who: &str| {
        let to = SealTo::certificate(&lab.certificate(who)).unwrap();
        seal(oids::DATA, CONTENT, ContentCipher::Aes128Cbc, &[to]).unwrap_err()
    };
    assert_eq!(seal_to("p256"), CmsError::NotRsa);
    assert_eq!(
        seal_to("small"),
        CmsError::Crypto,
        "1024 bits protect nothing"
    );
}

/// R09, no oracle: whether the padding of the content was right shows in nothing but what comes out.
#[test]
fn r09_wrong_keys_and_wrong_paddings_are_no_errors() {
    let lab = lab();
    let to = SealTo::certificate(&lab.certificate("rsa")).unwrap();
    let message = seal(oids::DATA, CONTENT, ContentCipher::Aes256Cbc, &[to]).unwrap();
    let envelope = EnvelopedData::parse(&message).unwrap();
    for n in 0..=255u8 {
        let opened = envelope.decrypt(&[n; 32]).unwrap();
        assert_ne!(opened.as_slice(), CONTENT);
    }
    // Every change of the last octet of the last block but one changes the padding's last octet.
    for change in 1..=255u8 {
        let mut changed = message.clone();
        let at = changed.len() - 17;
        changed[at] ^= change;
        let opened = open(&changed, "rsa").unwrap();
        assert_ne!(opened, CONTENT, "{change}");
    }
    let mut short = message.clone();
    short.pop();
    assert!(open(&short, "rsa").is_err());
}
