//! The readers of what clients send, used to the full on bytes that may be anything: called by the fuzz targets under
//! `fuzz/` and by property tests, and public for that reason only.

use serde::Deserialize;

use super::csr::Finalize;
use super::identifier::{self, Written};
use super::json::{self, Object};
use super::jwk::{Algorithm, Jwk, RawJwk};
use super::jws::Message;
use super::{account, ari, keychange};

/// A signed message: taken apart, its key read, its signature verified.
pub fn jws(data: &[u8]) {
    strict_json(data);
    let Ok(message) = Message::read(data, "the message") else {
        return;
    };
    assert!(message.signing_input().len() <= data.len());
    assert!(message.signature().len() <= data.len());
    let _ = (message.payload(), message.require_url("https://a/"));
    let algorithm = message.algorithm().and_then(Algorithm::parse);
    if let (Some(Object(raw)), Ok(algorithm)) = (&message.header.jwk, algorithm)
        && let Ok(key) = Jwk::read(raw, Some(algorithm))
    {
        same_key(&key);
        let _ = message.verify(algorithm, &key);
    }
}

/// A payload, read as each of those that are known.
pub fn payload(data: &[u8]) {
    #[derive(Deserialize)]
    struct Identifiers {
        identifiers: Vec<Written>,
    }

    strict_json(data);
    account::exercise(data);
    keychange::exercise(data);
    if let Ok(raw) = json::parse::<RawJwk>(data, "key")
        && let Ok(key) = Jwk::read(&raw, None)
    {
        same_key(&key);
        let _ = key.require_strong();
    }
    if let Ok(order) = json::parse::<Identifiers>(data, "order")
        && let Ok(names) = identifier::read(&order.identifiers)
    {
        assert!(names.len() <= identifier::MOST);
        for name in &names {
            let written: Written = match serde_json::to_vec(&name.written())
                .and_then(|json| serde_json::from_slice(&json))
            {
                Ok(written) => written,
                Err(error) => unreachable!("{error}"),
            };
            assert_eq!(
                identifier::read(&[written]).as_deref(),
                Ok(&[name.clone()][..])
            );
        }
    }
    if let Ok(finalize) = json::parse::<Finalize>(data, "finalize") {
        let _ = finalize.request();
    }
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = ari::parse(text);
    }
}

/// What passes the rules is JSON to others too.
fn strict_json(data: &[u8]) {
    if json::check(data).is_ok() {
        assert!(serde_json::from_slice::<serde_json::Value>(data).is_ok());
    }
}

/// A key survives being stored.
fn same_key(key: &Jwk) {
    let again = Jwk::stored(&key.canonical);
    assert!(again.is_some_and(|again| again.thumbprint == key.thumbprint));
}
