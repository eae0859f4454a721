//! A software authenticator, from WebAuthn Level 3 §6 and CTAP 2.2, with a P-256 key; what it says wrong can be chosen.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

/// User present, user verified (§6.1).
pub(crate) const UP: u8 = 1;
pub(crate) const UV: u8 = 4;
const ATTESTED: u8 = 0x40;

pub(crate) struct Authenticator {
    key: EcdsaKeyPair,
    id: Vec<u8>,
    pub(crate) handle: String,
    pub(crate) counter: u32,
    pub(crate) flags: u8,
    /// The page that it is used on.
    pub(crate) origin: String,
    /// Answers for this site whatever is asked.
    pub(crate) rp_id: Option<String>,
    /// Answers this challenge whatever is asked.
    pub(crate) challenge: Option<String>,
    pub(crate) cross_origin: bool,
    pub(crate) kind: Option<&'static str>,
}

impl Authenticator {
    pub(crate) fn new(origin: &str) -> Self {
        let random = SystemRandom::new();
        let how = &ECDSA_P256_SHA256_ASN1_SIGNING;
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(how, &random).unwrap();
        let mut id = vec![0; 32];
        aws_lc_rs::rand::fill(&mut id).unwrap();
        Self {
            key: EcdsaKeyPair::from_pkcs8(how, pkcs8.as_ref()).unwrap(),
            id,
            handle: String::new(),
            counter: 1,
            flags: UP | UV,
            origin: origin.to_owned(),
            rp_id: None,
            challenge: None,
            cross_origin: false,
            kind: None,
        }
    }

    /// `navigator.credentials.create`, as `toJSON()` writes it.
    pub(crate) fn create(&mut self, options: &Value) -> Value {
        assert_eq!(
            options["authenticatorSelection"]["userVerification"],
            "required"
        );
        assert_eq!(options["attestation"], "none");
        self.handle = options["user"]["id"].as_str().unwrap().to_owned();
        let client_data = self.client_data(options, "webauthn.create");
        let mut data = self.data(options["rp"]["id"].as_str().unwrap(), ATTESTED);
        data.extend_from_slice(&[0; 16]);
        data.extend_from_slice(&u16::try_from(self.id.len()).unwrap().to_be_bytes());
        data.extend_from_slice(&self.id);
        data.extend_from_slice(&self.cose_key());
        // {"fmt": "none", "attStmt": {}, "authData": h'…'}
        let mut object = vec![0xa3, 0x63];
        object.extend_from_slice(b"fmt");
        object.extend_from_slice(b"\x64none\x67attStmt\xa0\x68authData\x59");
        object.extend_from_slice(&u16::try_from(data.len()).unwrap().to_be_bytes());
        object.extend_from_slice(&data);
        json!({
            "id": encoded(&self.id), "rawId": encoded(&self.id), "type": "public-key", "authenticatorAttachment": "platform",
            "clientExtensionResults": {},
            "response": {
                "clientDataJSON": encoded(&client_data), "attestationObject": encoded(&object),
                "transports": ["internal"], "publicKeyAlgorithm": -7,
            },
        })
    }

    /// `navigator.credentials.get`, as `toJSON()` writes it.
    pub(crate) fn get(&mut self, options: &Value) -> Value {
        assert_eq!(options["userVerification"], "required");
        let client_data = self.client_data(options, "webauthn.get");
        let data = self.data(options["rpId"].as_str().unwrap(), 0);
        let signed = [data.as_slice(), digest(&SHA256, &client_data).as_ref()].concat();
        let signature = self.key.sign(&SystemRandom::new(), &signed).unwrap();
        json!({
            "id": encoded(&self.id), "rawId": encoded(&self.id), "type": "public-key", "authenticatorAttachment": "platform",
            "clientExtensionResults": {},
            "response": {
                "clientDataJSON": encoded(&client_data), "authenticatorData": encoded(&data),
                "signature": encoded(signature.as_ref()), "userHandle": self.handle,
            },
        })
    }

    fn client_data(&self, options: &Value, kind: &str) -> Vec<u8> {
        let challenge = self.challenge.as_deref().or(options["challenge"].as_str());
        let data = json!({
            "type": self.kind.unwrap_or(kind), "challenge": challenge, "origin": self.origin,
            "crossOrigin": self.cross_origin,
        });
        data.to_string().into_bytes()
    }

    /// §6.1: SHA-256 of the RP id, flags, counter.
    fn data(&mut self, rp_id: &str, more: u8) -> Vec<u8> {
        let rp_id = self.rp_id.as_deref().unwrap_or(rp_id);
        let mut data = digest(&SHA256, rp_id.as_bytes()).as_ref().to_vec();
        data.push(self.flags | more);
        data.extend_from_slice(&self.counter.to_be_bytes());
        self.counter += 1;
        data
    }

    /// {1: 2, 3: -7, -1: 1, -2: x, -3: y} (RFC 9053 §7.1.1).
    fn cose_key(&self) -> Vec<u8> {
        let point = self.key.public_key().as_ref();
        let mut key = vec![0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21, 0x58, 0x20];
        key.extend_from_slice(&point[1..33]);
        key.extend_from_slice(&[0x22, 0x58, 0x20]);
        key.extend_from_slice(&point[33..]);
        key
    }
}

pub(crate) fn encoded(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
