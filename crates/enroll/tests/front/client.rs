//! A client that can be made to say anything. It shares no code with the server but the cryptography.

use std::net::{IpAddr, Ipv4Addr};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{self, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RsaKeyPair};
use aws_lc_rs::{digest, hmac};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use enroll::{Acme, Request};
use http::Method;
use serde_json::{Value, json};

use crate::support::NOW;

pub(crate) const BASE: &str = "https://ward.example:8443";
pub(crate) const JOSE: Option<&str> = Some("application/jose+json");

pub(crate) enum Key {
    Ec(&'static str, &'static str, EcdsaKeyPair),
    Ed(Ed25519KeyPair),
    Rsa(RsaKeyPair),
}

impl Key {
    pub(crate) fn new(algorithm: &str) -> Self {
        let curve = |curve, signing| {
            let name = match curve {
                "P-256" => "ES256",
                "P-384" => "ES384",
                _ => "ES512",
            };
            Key::Ec(curve, name, EcdsaKeyPair::generate(signing).unwrap())
        };
        match algorithm {
            "ES256" => curve("P-256", &signature::ECDSA_P256_SHA256_FIXED_SIGNING),
            "ES384" => curve("P-384", &signature::ECDSA_P384_SHA384_FIXED_SIGNING),
            "ES512" => curve("P-521", &signature::ECDSA_P521_SHA512_FIXED_SIGNING),
            "EdDSA" => Key::Ed(Ed25519KeyPair::generate().unwrap()),
            "RS256" => Key::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).unwrap()),
            other => panic!("{other}"),
        }
    }

    pub(crate) fn algorithm(&self) -> &'static str {
        match self {
            Key::Ec(_, name, _) => name,
            Key::Ed(_) => "EdDSA",
            Key::Rsa(_) => "RS256",
        }
    }

    pub(crate) fn jwk(&self) -> Value {
        match self {
            Key::Ec(curve, _, pair) => {
                let point = &pair.public_key().as_ref()[1..];
                let (x, y) = point.split_at(point.len() / 2);
                json!({ "kty": "EC", "crv": curve, "x": b64(x), "y": b64(y) })
            }
            Key::Ed(pair) => {
                json!({ "kty": "OKP", "crv": "Ed25519", "x": b64(pair.public_key().as_ref()) })
            }
            Key::Rsa(pair) => {
                // RSAPublicKey of 2048 bits (RFC 8017 §A.1.1): 9 octets stand before the modulus.
                let modulus = &pair.public_key().as_ref()[9..9 + 256];
                json!({ "kty": "RSA", "n": b64(modulus), "e": "AQAB" })
            }
        }
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match self {
            Key::Ec(_, _, pair) => pair.sign(&random, message).unwrap().as_ref().to_vec(),
            Key::Ed(pair) => pair.sign(message).as_ref().to_vec(),
            Key::Rsa(pair) => {
                let mut made = vec![0; pair.public_modulus_len()];
                pair.sign(&signature::RSA_PKCS1_SHA256, &random, message, &mut made)
                    .unwrap();
                made
            }
        }
    }

    /// A flattened JWS.
    pub(crate) fn jws(&self, header: &Value, payload: &str) -> Value {
        sealed(header, payload, |input| self.sign(input))
    }
}

/// A flattened JWS whose signature or MAC `make` makes.
pub(crate) fn sealed(header: &Value, payload: &str, make: impl FnOnce(&[u8]) -> Vec<u8>) -> Value {
    let protected = b64(header.to_string().as_bytes());
    let payload = b64(payload.as_bytes());
    let made = make(format!("{protected}.{payload}").as_bytes());
    json!({ "protected": protected, "payload": payload, "signature": b64(&made) })
}

/// RFC 8555 §7.3.4.
pub(crate) fn binding(kid: &str, secret: &[u8], url: &str, jwk: &Value) -> Value {
    let header = json!({ "alg": "HS256", "kid": kid, "url": url });
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    sealed(&header, &jwk.to_string(), |input| {
        hmac::sign(&key, input).as_ref().to_vec()
    })
}

pub(crate) fn b64(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(crate) fn thumbprint(canonical: &str) -> String {
    b64(digest::digest(&digest::SHA256, canonical.as_bytes()).as_ref())
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) nonce: Option<String>,
    pub(crate) location: Option<String>,
    pub(crate) links: Vec<String>,
    pub(crate) reply: enroll::Reply,
    pub(crate) body: Value,
}

impl Answer {
    /// What follows `urn:ietf:params:acme:error:`, or nothing.
    pub(crate) fn problem(&self) -> &str {
        let kind = self.body["type"].as_str().unwrap_or_default();
        kind.strip_prefix("urn:ietf:params:acme:error:")
            .unwrap_or(kind)
    }
}

pub(crate) struct Client {
    pub(crate) acme: Acme,
    pub(crate) directory: &'static str,
    pub(crate) key: Key,
    pub(crate) kid: Option<String>,
}

impl Client {
    pub(crate) fn new(acme: &Acme, directory: &'static str, algorithm: &str) -> Self {
        Client {
            acme: acme.clone(),
            directory,
            key: Key::new(algorithm),
            kid: None,
        }
    }

    /// With an account in an open directory.
    pub(crate) async fn registered(acme: &Acme, algorithm: &str) -> Self {
        let mut client = Client::new(acme, "open", algorithm);
        let made = client.post("new-account", Some(json!({}))).await;
        assert_eq!(made.status, 201, "{made:?}");
        client.kid = made.location;
        client
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{BASE}/acme/{}/{path}", self.directory)
    }

    /// The path of the client's account.
    pub(crate) fn account(&self) -> String {
        let url = self.kid.as_ref().unwrap();
        url.rsplit_once("/acme/open/").unwrap().1.to_owned()
    }

    pub(crate) async fn nonce(&self) -> String {
        let answer = self.send(Method::HEAD, "new-nonce", None, "").await;
        answer.nonce.unwrap()
    }

    /// The header of a correct request.
    pub(crate) async fn header(&self, path: &str) -> Value {
        let mut header = json!({
            "alg": self.key.algorithm(),
            "nonce": self.nonce().await,
            "url": self.url(path),
        });
        match &self.kid {
            Some(kid) => header["kid"] = json!(kid),
            None => header["jwk"] = self.key.jwk(),
        }
        header
    }

    /// A correct request; `None` is POST-as-GET.
    pub(crate) async fn post(&self, path: &str, payload: Option<Value>) -> Answer {
        let payload = payload.map_or_else(String::new, |payload| payload.to_string());
        let jws = self.key.jws(&self.header(path).await, &payload);
        self.send(Method::POST, path, JOSE, &jws.to_string()).await
    }

    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        content_type: Option<&str>,
        body: &str,
    ) -> Answer {
        let whole = format!("{}/{path}", self.directory);
        let (path, query) = match whole.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (whole.as_str(), None),
        };
        let request = Request {
            method,
            base: BASE,
            path,
            query,
            content_type,
            accept: None,
            body: body.to_owned().into(),
            peer: IpAddr::V4(Ipv4Addr::LOCALHOST),
            request_id: "test",
        };
        let reply = self.acme.handle(request, NOW).await;
        Answer {
            status: reply.status,
            nonce: reply.nonce.clone(),
            location: reply.location.clone(),
            links: reply.links.clone(),
            body: serde_json::from_slice(&reply.body).unwrap_or_default(),
            reply,
        }
    }
}
