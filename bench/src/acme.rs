//! An ACME client that does nothing but orders (RFC 8555 §7.4): new order, authorization, challenge, poll, finalize,
//! download, over one kept connection for each worker. Identifiers are addresses in 127.0.0.0/8 (RFC 8738), so that
//! every order has a name of its own and no server needs a resolver.

use crate::http::{Answer, Connection};
use crate::responder::Tokens;
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::json;
use std::net::Ipv4Addr;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use x509::ext::{ExtensionValue, SubjectAltName};

/// How long an order may stay unfinished before the run is called failed.
const POLLS: u32 = 2_000;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Io(#[from] std::io::Error),
    #[error("{what} answered {status}: {body}")]
    Refused {
        what: &'static str,
        status: u16,
        body: String,
    },
    #[error("{0}: {1}")]
    Unexpected(&'static str, String),
    #[error("key: {0}")]
    Key(&'static str),
}

/// An account's key.
pub struct AccountKey {
    pair: EcdsaKeyPair,
    jwk: String,
    thumbprint: String,
}

impl AccountKey {
    pub fn generate() -> Result<Self, Error> {
        let pair = key(&ECDSA_P256_SHA256_FIXED_SIGNING)?;
        let point = pair.public_key().as_ref();
        // RFC 7638 §3: members in this order, no white space. It is also a JWK as good as any.
        let jwk = format!(
            r#"{{"crv":"P-256","kty":"EC","x":"{}","y":"{}"}}"#,
            b64(&point[1..33]),
            b64(&point[33..65])
        );
        let thumbprint = b64(digest(&SHA256, jwk.as_bytes()).as_ref());
        Ok(AccountKey {
            pair,
            jwk,
            thumbprint,
        })
    }
}

/// The key that certificates are asked for, and the CSRs made with it.
pub struct SubjectKey {
    pair: EcdsaKeyPair,
    public: x509::PublicKey,
}

impl SubjectKey {
    pub fn generate() -> Result<Self, Error> {
        let pair = key(&ECDSA_P256_SHA256_ASN1_SIGNING)?;
        // RFC 5480: id-ecPublicKey with secp256r1, then the uncompressed point.
        let mut spki = b"\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\x00".to_vec();
        spki.extend_from_slice(pair.public_key().as_ref());
        let public = x509::PublicKey::from_spki_der(&spki).map_err(|_| Error::Key("public key"))?;
        Ok(SubjectKey { pair, public })
    }

    fn request(&self, address: Ipv4Addr) -> Result<Vec<u8>, Error> {
        let names = SubjectAltName(vec![x509::GeneralName::Ip(address.into())]);
        let builder = x509::CsrBuilder::new(x509::Name::empty(), &self.public);
        let tbs = builder.extension(names.encode()).tbs();
        let signature = self.pair.sign(&SystemRandom::new(), &tbs);
        let signature = signature.map_err(|_| Error::Key("CSR"))?;
        let algorithm = x509::SignatureAlgorithm::EcdsaSha256;
        Ok(x509::assemble(&tbs, algorithm, signature.as_ref()))
    }
}

fn key(
    algorithm: &'static aws_lc_rs::signature::EcdsaSigningAlgorithm,
) -> Result<EcdsaKeyPair, Error> {
    EcdsaKeyPair::generate(algorithm).map_err(|_| Error::Key("generation"))
}

/// Where a server keeps its resources.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Directory {
    new_nonce: String,
    new_account: String,
    new_order: String,
}

#[derive(Deserialize)]
struct Order {
    status: String,
    #[serde(default)]
    authorizations: Vec<String>,
    finalize: String,
    certificate: Option<String>,
}

#[derive(Deserialize)]
struct Authorization {
    challenges: Vec<Challenge>,
}

#[derive(Deserialize)]
struct Challenge {
    r#type: String,
    url: String,
    token: String,
}

/// One client: a connection, an account, the nonce for its next request.
pub struct Client<'a, S> {
    connection: Connection<S>,
    /// `https://HOST:PORT`, which every URL begins with.
    origin: &'a str,
    key: &'a AccountKey,
    account: String,
    nonce: String,
    directory: Directory,
}

impl<'a, S: AsyncRead + AsyncWrite + Unpin> Client<'a, S> {
    /// Reads the directory and makes or finds the account.
    pub async fn register(
        stream: S,
        origin: &'a str,
        directory: &str,
        key: &'a AccountKey,
    ) -> Result<Self, Error> {
        let mut connection = Connection::new(stream);
        let host = origin.rsplit('/').next().unwrap_or_default();
        let get =
            format!("GET {directory} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: acmegen\r\n\r\n");
        let answer = connection.ask(get.as_bytes()).await?;
        let directory: Directory = read("directory", &expect("directory", answer, 200)?)?;
        let mut client = Client {
            connection,
            origin,
            key,
            account: String::new(),
            nonce: String::new(),
            directory,
        };
        let nonce = client.path(&client.directory.new_nonce)?;
        let get = format!("GET {nonce} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: acmegen\r\n\r\n");
        let answer = client.connection.ask(get.as_bytes()).await?;
        client.keep_nonce(&answer);
        let url = client.directory.new_account.clone();
        let answer = client
            .post(&url, r#"{"termsOfServiceAgreed":true}"#)
            .await?;
        client.account = answer.header("location").unwrap_or_default().to_owned();
        match answer.status {
            200 | 201 if !client.account.is_empty() => Ok(client),
            _ => Err(refused("newAccount", answer)),
        }
    }

    /// One order from beginning to end; returns the certificate's length.
    pub async fn order(
        &mut self,
        address: Ipv4Addr,
        subject: &SubjectKey,
        tokens: &Tokens,
    ) -> Result<usize, Error> {
        let url = self.directory.new_order.clone();
        let wanted = json!({"identifiers": [{"type": "ip", "value": address}]}).to_string();
        let answer = expect("newOrder", self.post(&url, &wanted).await?, 201)?;
        let location = answer.header("location").unwrap_or_default().to_owned();
        let order: Order = read("newOrder", &answer)?;
        for authorization in &order.authorizations {
            self.authorize(authorization, tokens).await?;
        }
        self.poll(&location, &["ready", "valid"]).await?;
        let csr = json!({"csr": b64(&subject.request(address)?)}).to_string();
        let answer = expect("finalize", self.post(&order.finalize, &csr).await?, 200)?;
        let mut order: Order = read("finalize", &answer)?;
        if order.status != "valid" {
            order = self.poll(&location, &["valid"]).await?;
        }
        let Some(certificate) = order.certificate else {
            return Err(Error::Unexpected("order", "no certificate URL".into()));
        };
        let answer = expect("certificate", self.post(&certificate, "").await?, 200)?;
        Ok(answer.body.len())
    }

    async fn authorize(&mut self, url: &str, tokens: &Tokens) -> Result<(), Error> {
        let answer = expect("authorization", self.post(url, "").await?, 200)?;
        let authorization: Authorization = read("authorization", &answer)?;
        let http = authorization
            .challenges
            .into_iter()
            .find(|challenge| challenge.r#type == "http-01");
        let Some(challenge) = http else {
            return Err(Error::Unexpected("authorization", "no http-01".into()));
        };
        let key_authorization = format!("{}.{}", challenge.token, self.key.thumbprint);
        tokens.put(&challenge.token, key_authorization);
        let answer = self.post(&challenge.url, "{}").await?;
        expect("challenge", answer, 200).map(drop)?;
        tokens.remove(&challenge.token);
        Ok(())
    }

    async fn poll(&mut self, url: &str, wanted: &[&str]) -> Result<Order, Error> {
        for attempt in 0..POLLS {
            let answer = expect("order", self.post(url, "").await?, 200)?;
            let order: Order = read("order", &answer)?;
            if wanted.contains(&order.status.as_str()) {
                return Ok(order);
            }
            if order.status == "invalid" {
                let body = String::from_utf8_lossy(&answer.body).into_owned();
                return Err(Error::Unexpected("order", body));
            }
            tokio::time::sleep(Duration::from_millis(u64::from(attempt.min(9)) + 1)).await;
        }
        Err(Error::Unexpected("order", "it does not end".into()))
    }

    /// A signed POST (RFC 8555 §6.2); an empty payload is POST-as-GET.
    async fn post(&mut self, url: &str, payload: &str) -> Result<Answer, Error> {
        let who = match self.account.as_str() {
            "" => format!(r#""jwk":{}"#, self.key.jwk),
            account => format!(r#""kid":"{account}""#),
        };
        let nonce = &self.nonce;
        let protected =
            b64(format!(r#"{{"alg":"ES256",{who},"nonce":"{nonce}","url":"{url}"}}"#).as_bytes());
        let payload = b64(payload.as_bytes());
        let signed = format!("{protected}.{payload}");
        let signature = self.key.pair.sign(&SystemRandom::new(), signed.as_bytes());
        let signature = b64(signature.map_err(|_| Error::Key("JWS"))?.as_ref());
        let body = format!(
            r#"{{"protected":"{protected}","payload":"{payload}","signature":"{signature}"}}"#
        );
        let (path, host) = (
            self.path(url)?,
            self.origin.rsplit('/').next().unwrap_or_default(),
        );
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: acmegen\r\nContent-Type: application/jose+json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let answer = self.connection.ask(request.as_bytes()).await?;
        self.keep_nonce(&answer);
        Ok(answer)
    }

    fn keep_nonce(&mut self, answer: &Answer) {
        if let Some(nonce) = answer.header("replay-nonce") {
            nonce.clone_into(&mut self.nonce);
        }
    }

    fn path<'u>(&self, url: &'u str) -> Result<&'u str, Error> {
        url.strip_prefix(self.origin)
            .ok_or_else(|| Error::Unexpected("URL of another server", url.to_owned()))
    }
}

fn expect(what: &'static str, answer: Answer, status: u16) -> Result<Answer, Error> {
    if answer.status == status {
        return Ok(answer);
    }
    Err(refused(what, answer))
}

fn refused(what: &'static str, answer: Answer) -> Error {
    Error::Refused {
        what,
        status: answer.status,
        body: String::from_utf8_lossy(&answer.body).into_owned(),
    }
}

fn read<'a, T: Deserialize<'a>>(what: &'static str, answer: &'a Answer) -> Result<T, Error> {
    serde_json::from_slice(&answer.body).map_err(|error| Error::Unexpected(what, error.to_string()))
}

fn b64(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
