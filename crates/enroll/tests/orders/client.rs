//! An ACME client (RFC 8555 §6.2, §7.4): signs requests with ES256, remembers a nonce, follows an order to its end.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
use std::time::Duration;

use audit::Timestamp;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use aws_lc_rs::{digest, hmac};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use enroll::{Acme, Reply, Request};
use keys::Signer;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::runtime::Handle;
use x509::ext::{ExtensionValue, SubjectAltName};
use x509::{CsrBuilder, GeneralName, KeyAlgorithm, Name};

pub(crate) const BASE: &str = "https://ca.mercy.example:8443";

pub(crate) struct Client {
    acme: Mutex<Acme>,
    directory: String,
    key: EcdsaKeyPair,
    /// PKCS#8 of the account's key.
    pub(crate) pkcs8: Vec<u8>,
    kid: Mutex<Option<String>>,
    nonce: Mutex<Option<String>>,
    clock: Arc<AtomicI64>,
    /// The threads of the server; its caller's if it has none of its own.
    threads: Mutex<Option<Handle>>,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) json: Value,
    pub(crate) reply: Reply,
}

impl Answer {
    /// The end of the error's type.
    pub(crate) fn error(&self) -> &str {
        let kind = self.json["type"].as_str().unwrap_or_default();
        kind.rsplit(':').next().unwrap_or_default()
    }

    pub(crate) fn text(&self, member: &str) -> String {
        self.json[member].as_str().unwrap_or_default().to_owned()
    }

    pub(crate) fn location(&self) -> String {
        self.reply.location.clone().unwrap_or_default()
    }

    pub(crate) fn ok(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.json);
        self
    }

    /// The URL with a relation.
    pub(crate) fn link(&self, relation: &str) -> Option<String> {
        let end = format!(">;rel=\"{relation}\"");
        let found = self.reply.links.iter().find(|link| link.ends_with(&end))?;
        Some(found[1..].trim_end_matches(&end).to_owned())
    }
}

pub(crate) fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

impl Client {
    pub(crate) fn new(acme: &Acme, directory: &str, clock: Arc<AtomicI64>) -> Self {
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let document = EcdsaKeyPair::generate_pkcs8(algorithm, &SystemRandom::new()).unwrap();
        Client::with_key(acme, directory, clock, document.as_ref())
    }

    /// A client that signs with a key that is there.
    pub(crate) fn with_key(
        acme: &Acme,
        directory: &str,
        clock: Arc<AtomicI64>,
        pkcs8: &[u8],
    ) -> Self {
        Client {
            acme: Mutex::new(acme.clone()),
            directory: directory.to_owned(),
            key: EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8).unwrap(),
            pkcs8: pkcs8.to_vec(),
            kid: Mutex::default(),
            nonce: Mutex::default(),
            clock,
            threads: Mutex::default(),
        }
    }

    /// The same account by another server, or after a restart.
    pub(crate) fn at(&self, acme: &Acme) -> Client {
        let other = Client::with_key(acme, &self.directory, Arc::clone(&self.clock), &self.pkcs8);
        other.kid.lock().clone_from(&self.kid.lock());
        other
    }

    /// Goes to another server with what it has.
    pub(crate) fn turn_to(&self, acme: &Acme) {
        *self.acme.lock() = acme.clone();
        *self.threads.lock() = None;
        *self.nonce.lock() = None;
    }

    /// Requests are worked on by these threads, and are lost with them.
    pub(crate) fn served_by(&self, threads: Handle) {
        *self.threads.lock() = Some(threads);
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{BASE}/acme/{}/{path}", self.directory)
    }

    /// The id of the account.
    pub(crate) fn account(&self) -> String {
        let kid = self.kid.lock().clone().unwrap();
        kid.rsplit('/').next().unwrap().to_owned()
    }

    pub(crate) fn kid(&self) -> String {
        self.kid.lock().clone().unwrap()
    }

    fn jwk(&self) -> Value {
        let point = self.key.public_key().as_ref();
        json!({ "crv": "P-256", "kty": "EC", "x": b64(&point[1..33]), "y": b64(&point[33..65]) })
    }

    /// RFC 7638.
    pub(crate) fn thumbprint(&self) -> String {
        let canonical = self.jwk().to_string();
        b64(digest::digest(&digest::SHA256, canonical.as_bytes()))
    }

    pub(crate) async fn register(&self, bound: Option<(&str, &[u8])>) {
        let mut account = json!({ "termsOfServiceAgreed": true });
        let url = self.url("new-account");
        if let Some((kid, secret)) = bound {
            let protected = b64(json!({ "alg": "HS256", "kid": kid, "url": url }).to_string());
            let payload = b64(self.jwk().to_string());
            let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
            let tag = hmac::sign(&key, format!("{protected}.{payload}").as_bytes());
            account["externalAccountBinding"] =
                json!({ "protected": protected, "payload": payload, "signature": b64(tag) });
        }
        let answer = self.post(&url, Some(account)).await.ok(201);
        *self.kid.lock() = Some(answer.location());
    }

    async fn nonce(&self) -> Option<String> {
        if let Some(nonce) = self.nonce.lock().take() {
            return Some(nonce);
        }
        let url = self.url("new-nonce");
        let reply = self
            .send(http::Method::HEAD, &url, Bytes::new(), None)
            .await?;
        reply.nonce
    }

    /// POST-as-GET.
    pub(crate) async fn get(&self, url: &str) -> Answer {
        self.post(url, None).await
    }

    pub(crate) async fn post(&self, url: &str, payload: Option<Value>) -> Answer {
        self.post_accepting(url, payload, None).await
    }

    pub(crate) async fn post_accepting(
        &self,
        url: &str,
        payload: Option<Value>,
        accept: Option<&str>,
    ) -> Answer {
        let answer = self.try_post_accepting(url, payload, accept).await;
        answer.expect("the server is gone")
    }

    /// `None` if the server is gone.
    pub(crate) async fn try_post(&self, url: &str, payload: Option<Value>) -> Option<Answer> {
        self.try_post_accepting(url, payload, None).await
    }

    pub(crate) async fn try_get(&self, url: &str) -> Option<Answer> {
        self.try_post(url, None).await
    }

    async fn try_post_accepting(
        &self,
        url: &str,
        payload: Option<Value>,
        accept: Option<&str>,
    ) -> Option<Answer> {
        let payload = payload.map_or_else(String::new, |payload| payload.to_string());
        loop {
            let mut header = json!({ "alg": "ES256", "nonce": self.nonce().await?, "url": url });
            match self.kid.lock().as_ref() {
                Some(kid) => header["kid"] = json!(kid),
                None => header["jwk"] = self.jwk(),
            }
            let (protected, payload) = (b64(header.to_string()), b64(&payload));
            let signed = format!("{protected}.{payload}");
            let signature = self
                .key
                .sign(&SystemRandom::new(), signed.as_bytes())
                .unwrap();
            let body =
                json!({ "protected": protected, "payload": payload, "signature": b64(signature) });
            let body = Bytes::from(body.to_string());
            let reply = self.send(http::Method::POST, url, body, accept).await?;
            self.nonce.lock().clone_from(&reply.nonce);
            let answer = Answer {
                status: reply.status,
                json: serde_json::from_slice(&reply.body).unwrap_or(Value::Null),
                reply,
            };
            // RFC 8555 §6.5: once more with a new one.
            if answer.error() != "badNonce" {
                return Some(answer);
            }
        }
    }

    async fn send(
        &self,
        method: http::Method,
        url: &str,
        body: Bytes,
        accept: Option<&str>,
    ) -> Option<Reply> {
        let rest = url.strip_prefix(BASE).unwrap();
        let rest = rest.strip_prefix("/acme/").unwrap().to_owned();
        let accept = accept.map(str::to_owned);
        let acme = self.acme.lock().clone();
        let now = Timestamp(self.clock.load(Relaxed));
        let handle = async move {
            let (path, query) = match rest.split_once('?') {
                Some((path, query)) => (path, Some(query)),
                None => (rest.as_str(), None),
            };
            let request = Request {
                method,
                base: BASE,
                path,
                query,
                content_type: Some("application/jose+json"),
                accept: accept.as_deref(),
                body,
                peer: IpAddr::V4(Ipv4Addr::LOCALHOST),
                request_id: "",
            };
            acme.handle(request, now).await
        };
        let threads = self.threads.lock().clone();
        match threads {
            None => Some(handle.await),
            Some(threads) => threads.spawn(handle).await.ok(),
        }
    }

    /// POST new-order for DNS names (and addresses).
    pub(crate) async fn new_order(&self, names: &[&str]) -> Answer {
        self.new_order_with(names, json!({})).await
    }

    pub(crate) async fn try_new_order(&self, names: &[&str]) -> Option<Answer> {
        self.try_post(&self.url("new-order"), Some(wish(names, json!({}))))
            .await
    }

    /// The same with further members.
    pub(crate) async fn new_order_with(&self, names: &[&str], more: Value) -> Answer {
        self.post(&self.url("new-order"), Some(wish(names, more)))
            .await
    }

    /// An order that is ready: its URL.
    pub(crate) async fn ready(&self, names: &[&str]) -> String {
        let order = self.new_order(names).await.ok(201);
        self.prove(&order).await;
        let url = order.location();
        assert_eq!(self.get(&url).await.text("status"), "ready");
        url
    }

    /// Answers the first challenge of each authorization that is pending.
    pub(crate) async fn prove(&self, order: &Answer) {
        for url in order.json["authorizations"].as_array().unwrap() {
            let url = url.as_str().unwrap();
            let authorization = self.get(url).await.ok(200);
            if authorization.text("status") == "pending" {
                self.answer(&authorization).await;
                self.wait(url, "pending").await;
            }
        }
    }

    /// Answers its first challenge.
    pub(crate) async fn answer(&self, authorization: &Answer) -> Answer {
        let url = authorization.json["challenges"][0]["url"].as_str().unwrap();
        self.post(url, Some(json!({}))).await
    }

    /// Polls until the status is another.
    pub(crate) async fn wait(&self, url: &str, while_it_is: &str) -> Answer {
        for _ in 0..400 {
            let found = self.get(url).await;
            if found.text("status") != while_it_is {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("{url} stays {while_it_is}");
    }

    /// POST finalize.
    pub(crate) async fn finalize(&self, order: &str, csr: &[u8]) -> Answer {
        let url = format!("{order}/finalize");
        self.post(&url, Some(json!({ "csr": b64(csr) }))).await
    }

    pub(crate) async fn try_finalize(&self, order: &str, csr: &[u8]) -> Option<Answer> {
        let url = format!("{order}/finalize");
        self.try_post(&url, Some(json!({ "csr": b64(csr) }))).await
    }

    /// From names to the certificate's URL.
    pub(crate) async fn certify(&self, names: &[&str]) -> String {
        let order = self.ready(names).await;
        let done = self.finalize(&order, &csr(names)).await.ok(200);
        assert_eq!(done.text("status"), "valid", "{}", done.json);
        done.text("certificate")
    }

    /// The leaf behind a certificate's URL.
    pub(crate) async fn leaf(&self, url: &str) -> x509::Certificate {
        let answer = self
            .post_accepting(url, None, Some("application/pkix-cert"))
            .await
            .ok(200);
        x509::Certificate::from_der(&answer.reply.body).unwrap()
    }
}

/// The body of a new order.
fn wish(names: &[&str], more: Value) -> Value {
    let identifier = |name: &&str| match name.parse::<IpAddr>() {
        Ok(_) => json!({ "type": "ip", "value": name }),
        Err(_) => json!({ "type": "dns", "value": name }),
    };
    let mut order = json!({ "identifiers": names.iter().map(identifier).collect::<Vec<_>>() });
    for (member, value) in more.as_object().unwrap() {
        order[member] = value.clone();
    }
    order
}

/// A request for names with a new key.
pub(crate) fn csr(names: &[&str]) -> Vec<u8> {
    csr_of("", names.iter().map(|name| general(name)).collect())
}

pub(crate) fn general(name: &str) -> GeneralName {
    match name.parse() {
        Ok(ip) => GeneralName::Ip(ip),
        Err(_) => GeneralName::Dns(name.to_owned()),
    }
}

pub(crate) fn csr_of(subject: &str, names: Vec<GeneralName>) -> Vec<u8> {
    let (pkcs8, _) = keys::generate_for_subscriber(KeyAlgorithm::EcdsaP256).unwrap();
    signed(subject, names, &pkcs8, |builder| builder)
}

/// A request with a key, and whatever else is put into it.
pub(crate) fn signed(
    subject: &str,
    names: Vec<GeneralName>,
    pkcs8: &[u8],
    more: impl FnOnce(CsrBuilder) -> CsrBuilder,
) -> Vec<u8> {
    let signer = Signer::from_pkcs8(pkcs8).unwrap();
    let subject: Name = match subject {
        "" => Name::empty(),
        text => text.parse().unwrap(),
    };
    let mut builder = CsrBuilder::new(subject, signer.public_key());
    if !names.is_empty() {
        builder = builder.extension(SubjectAltName(names).encode());
    }
    let tbs = more(builder).tbs();
    let algorithm = signer.algorithm().default_signature();
    let signature = signer.sign(algorithm, &tbs).unwrap();
    x509::assemble(&tbs, algorithm, &signature)
}
