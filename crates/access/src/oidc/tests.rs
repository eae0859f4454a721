//! Tokens made with aws-lc-rs's own keys and written here by hand, one wrong thing at a time.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use serde_json::json;

use super::*;

const NOW: Timestamp = Timestamp(1_795_348_800_000);
const SECONDS: i64 = 1_795_348_800;

struct Provider {
    key: EcdsaKeyPair,
    keys: Keys,
}

type Tested<T> = Result<T, Box<dyn std::error::Error>>;

fn provider() -> Tested<Provider> {
    let random = SystemRandom::new();
    let how = &ECDSA_P256_SHA256_FIXED_SIGNING;
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(how, &random)?;
    let key = EcdsaKeyPair::from_pkcs8(how, pkcs8.as_ref())?;
    let point = key.public_key().as_ref().to_vec();
    let coordinate =
        |from: usize| URL_SAFE_NO_PAD.encode(point.get(from..from + 32).unwrap_or_default());
    let set = json!({ "keys": [
        { "kty": "oct", "kid": "a", "k": "AAAA" },
        { "kty": "EC", "kid": "a", "crv": "P-256", "use": "sig", "x": coordinate(1), "y": coordinate(33) },
    ]});
    let keys = Keys::parse(set.to_string().as_bytes()).unwrap_or_default();
    Ok(Provider { key, keys })
}

fn good() -> Value {
    json!({
        "iss": "https://id.example.org", "sub": "248289761001", "aud": "ward", "nonce": "n-1",
        "exp": SECONDS + 300, "iat": SECONDS, "email": "jo@example.org", "email_verified": "true",
        "groups": ["pki", 7],
    })
}

fn signed(provider: &Provider, header: &Value, payload: &Value) -> Tested<String> {
    let text = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(header.to_string()),
        URL_SAFE_NO_PAD.encode(payload.to_string())
    );
    let signature = provider.key.sign(&SystemRandom::new(), text.as_bytes())?;
    Ok(format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature)))
}

fn judged(provider: &Provider, token: &str) -> Result<Claims, Untaken> {
    let expected = Expected {
        issuer: "https://id.example.org",
        client_id: "ward",
        nonce: "n-1",
        groups_claim: Some("groups"),
    };
    verify(token, &provider.keys, &expected, NOW)
}

fn rule(result: Result<Claims, Untaken>) -> String {
    match result {
        Ok(_) => "taken".to_owned(),
        Err(Untaken::UnknownKey) => "unknown key".to_owned(),
        Err(Untaken::Refused(refusal)) => refusal.rule.into_owned(),
    }
}

#[test]
fn r37_a_good_token_is_taken_for_what_it_says() -> Tested<()> {
    let provider = provider()?;
    let header = json!({ "alg": "ES256", "kid": "a" });
    let claims = judged(&provider, &signed(&provider, &header, &good())?);
    let claims = claims.map_err(|refused| format!("{refused:?}"))?;
    assert_eq!(claims.subject, "248289761001");
    assert_eq!(claims.groups, ["pki"]);
    // OpenID Connect Core §5.1: a boolean; the text "true" is not one.
    assert!(!claims.email_verified);
    Ok(())
}

/// OpenID Connect Core §3.1.3.7, RFC 8725 §3.
#[test]
fn r37_one_wrong_thing_is_enough() -> Tested<()> {
    let provider = provider()?;
    let header = json!({ "alg": "ES256", "kid": "a" });
    let table = [
        ("iss", json!("https://id.example.org/"), "oidc.issuer"),
        ("iss", json!("https://evil.example"), "oidc.issuer"),
        ("aud", json!("other"), "oidc.audience"),
        ("aud", json!(["other"]), "oidc.audience"),
        ("aud", json!(["ward", "other"]), "oidc.authorized-party"),
        ("aud", json!(["ward"]), "taken"),
        ("azp", json!("other"), "oidc.authorized-party"),
        ("azp", json!("ward"), "taken"),
        ("nonce", json!("n-2"), "oidc.nonce"),
        ("nonce", Value::Null, "oidc.nonce"),
        ("exp", json!(SECONDS - 59), "taken"),
        ("exp", json!(SECONDS - 60), "oidc.time"),
        ("exp", Value::Null, "oidc.time"),
        ("iat", json!(SECONDS + 60), "taken"),
        ("iat", json!(SECONDS + 61), "oidc.time"),
        ("nbf", json!(SECONDS + 61), "oidc.time"),
        ("nbf", json!(SECONDS + 60), "taken"),
        ("sub", json!(""), "oidc.subject"),
        ("sub", json!("x".repeat(256)), "oidc.subject"),
    ];
    for (claim, value, expected) in table {
        let mut payload = good();
        payload[claim] = value.clone();
        let found = rule(judged(&provider, &signed(&provider, &header, &payload)?));
        assert_eq!(found, expected, "{claim} = {value}");
    }
    Ok(())
}

#[test]
fn r37_no_algorithm_but_the_keys_own() -> Tested<()> {
    let provider = provider()?;
    let unsigned = |header: &Value| {
        format!(
            "{}.{}.",
            URL_SAFE_NO_PAD.encode(header.to_string()),
            URL_SAFE_NO_PAD.encode(good().to_string())
        )
    };
    assert_eq!(
        rule(judged(&provider, &unsigned(&json!({ "alg": "none" })))),
        "oidc.algorithm"
    );
    // HS256 with the provider's public key for a secret.
    let text = unsigned(&json!({ "alg": "HS256", "kid": "a" }));
    let text = text.trim_end_matches('.');
    let key = aws_lc_rs::hmac::Key::new(
        aws_lc_rs::hmac::HMAC_SHA256,
        provider.key.public_key().as_ref(),
    );
    let forged = format!(
        "{text}.{}",
        URL_SAFE_NO_PAD.encode(aws_lc_rs::hmac::sign(&key, text.as_bytes()))
    );
    assert_eq!(rule(judged(&provider, &forged)), "oidc.algorithm");
    for (header, expected) in [
        (json!({ "alg": "RS256", "kid": "a" }), "unknown key"),
        (json!({ "alg": "ES256", "kid": "b" }), "unknown key"),
        (
            json!({ "alg": "ES256", "kid": "a", "crit": ["b64"] }),
            "oidc.crit",
        ),
        (json!({ "alg": "ES256" }), "taken"),
    ] {
        let found = rule(judged(&provider, &signed(&provider, &header, &good())?));
        assert_eq!(found, expected, "{header}");
    }
    let mut token = signed(&provider, &json!({ "alg": "ES256", "kid": "a" }), &good())?;
    let last = token
        .pop()
        .map_or('A', |last| if last == 'A' { 'Q' } else { 'A' });
    token.push(last);
    assert_eq!(rule(judged(&provider, &token)), "oidc.signature");
    for text in ["", ".", "..", "a.b.c", "é.é.é"] {
        assert_eq!(rule(judged(&provider, text)), "oidc.malformed", "{text}");
    }
    Ok(())
}
