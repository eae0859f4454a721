//! An OpenID provider over plain HTTP on loopback, from OpenID Connect Core 1.0 and Discovery 1.0: it says whatever the test
//! wants it to say, with a key of its own.

use std::sync::{Arc, Mutex};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::authenticator::encoded;

#[derive(Clone)]
pub(crate) struct Provider {
    pub(crate) issuer: String,
    key: Arc<EcdsaKeyPair>,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// What the token endpoint gives.
    token: String,
    /// Bodies of token requests.
    asked: Vec<String>,
    /// How often keys were fetched.
    fetched: usize,
}

impl Provider {
    pub(crate) async fn start() -> Self {
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let how = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(how, &SystemRandom::new()).unwrap();
        let provider = Self {
            issuer: format!("http://127.0.0.1:{}", socket.local_addr().unwrap().port()),
            key: Arc::new(EcdsaKeyPair::from_pkcs8(how, pkcs8.as_ref()).unwrap()),
            state: Arc::default(),
        };
        let serving = provider.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = socket.accept().await {
                let provider = serving.clone();
                tokio::spawn(async move { provider.answer(stream).await });
            }
        });
        provider
    }

    /// The next token's claims, all of them good.
    pub(crate) fn claims(&self, nonce: &str) -> Value {
        let now = server::wall_clock().seconds();
        json!({
            "iss": self.issuer, "aud": "ward", "sub": "subject-1", "nonce": nonce, "iat": now, "exp": now + 300,
            "preferred_username": "Jo.Doe", "name": "Jo Doe",
        })
    }

    pub(crate) fn says(&self, claims: &Value) {
        self.says_with(&json!({ "alg": "ES256", "kid": "k1" }), claims);
    }

    pub(crate) fn says_with(&self, header: &Value, claims: &Value) {
        let text = format!(
            "{}.{}",
            encoded(header.to_string().as_bytes()),
            encoded(claims.to_string().as_bytes())
        );
        let signature = match header["alg"].as_str() {
            Some("none") => Vec::new(),
            // With the public key, as everybody has it, for the secret.
            Some("HS256") => {
                let secret = self.jwks().to_string();
                let key =
                    aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, secret.as_bytes());
                aws_lc_rs::hmac::sign(&key, text.as_bytes())
                    .as_ref()
                    .to_vec()
            }
            _ => self
                .key
                .sign(&SystemRandom::new(), text.as_bytes())
                .unwrap()
                .as_ref()
                .to_vec(),
        };
        self.says_token(format!("{text}.{}", encoded(&signature)));
    }

    pub(crate) fn says_token(&self, token: String) {
        self.state.lock().unwrap().token = token;
    }

    pub(crate) fn asked(&self) -> Vec<String> {
        self.state.lock().unwrap().asked.clone()
    }

    pub(crate) fn fetched(&self) -> usize {
        self.state.lock().unwrap().fetched
    }

    fn jwks(&self) -> Value {
        let point = self.key.public_key().as_ref();
        json!({ "keys": [{
            "kty": "EC", "crv": "P-256", "kid": "k1", "use": "sig", "x": encoded(&point[1..33]), "y": encoded(&point[33..]),
        }]})
    }

    async fn answer(&self, mut stream: TcpStream) {
        let mut seen = Vec::new();
        let (path, body) = loop {
            let mut piece = [0; 4096];
            let read = stream.read(&mut piece).await.unwrap_or(0);
            seen.extend_from_slice(&piece[..read]);
            let text = String::from_utf8_lossy(&seen).into_owned();
            if read == 0 {
                return;
            }
            let Some((head, body)) = text.split_once("\r\n\r\n") else {
                continue;
            };
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-length")
                    .then(|| value.trim().parse::<usize>().unwrap())
            });
            if body.len() >= length.unwrap_or(0) {
                break (head.split(' ').nth(1).unwrap().to_owned(), body.to_owned());
            }
        };
        let issuer = &self.issuer;
        let answer = match path.as_str() {
            "/.well-known/openid-configuration" => json!({
                "issuer": issuer, "authorization_endpoint": format!("{issuer}/authorize"),
                "token_endpoint": format!("{issuer}/token"), "jwks_uri": format!("{issuer}/jwks"),
            }),
            "/jwks" => {
                self.state.lock().unwrap().fetched += 1;
                self.jwks()
            }
            _ => {
                let mut state = self.state.lock().unwrap();
                state.asked.push(body);
                json!({ "access_token": "unused", "token_type": "Bearer", "id_token": state.token })
            }
        };
        let answer = answer.to_string();
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            answer.len()
        );
        stream
            .write_all(format!("{head}{answer}").as_bytes())
            .await
            .ok();
        stream.flush().await.ok();
    }
}
