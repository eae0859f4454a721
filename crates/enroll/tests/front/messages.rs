//! Wrong messages, each with the error that the standard gives it, beside a right one (RFC 8555 §6.2 to §6.5, RFC 7515).

use http::Method;
use serde_json::{Value, json};

use crate::client::{BASE, Client, JOSE, Key, b64, sealed};
use crate::support::House;

/// What is wrong, status, type, and the body that says it.
type Row = (&'static str, u16, &'static str, String);

#[tokio::test(flavor = "multi_thread")]
async fn wrong_messages_get_the_error_of_the_standard() {
    let house = House::new(false).await;
    let client = Client::registered(&house.acme, "ES256").await;
    let path = client.account();
    let mut rows = headers(&client, &path).await;
    rows.extend(envelopes(&client, &path).await);
    for (what, status, kind, body) in &rows {
        let answer = client.send(Method::POST, &path, JOSE, body).await;
        assert_eq!(
            (answer.status, answer.problem()),
            (*status, *kind),
            "{what}: {answer:?}"
        );
        if *status >= 400 {
            assert_eq!(answer.body["status"], *status, "{what}");
            let detail = answer.body["detail"].as_str().unwrap();
            assert!(
                detail.contains("RFC ") || detail.contains("larger"),
                "{what}: {detail}"
            );
            assert_eq!(answer.reply.content_type, Some("application/problem+json"));
        }
        if *kind == "badSignatureAlgorithm" {
            let list = json!(["ES256", "ES384", "ES512", "EdDSA", "RS256"]);
            assert_eq!(answer.body["algorithms"], list, "{what}");
        }
        assert!(answer.nonce.is_some(), "{what}");
        assert!(
            answer
                .links
                .iter()
                .any(|link| link.ends_with("rel=\"index\"")),
            "{what}"
        );
    }
    assert!(rows.len() > 40, "{}", rows.len());
}

/// Faults of the protected header; the signature is right.
async fn headers(client: &Client, path: &str) -> Vec<Row> {
    type Alter = fn(&mut Value);
    fn remove(header: &mut Value, name: &str) {
        header.as_object_mut().unwrap().remove(name);
    }
    let table: &[(&str, u16, &str, Alter)] = &[
        ("nothing", 200, "", |_| ()),
        ("an unknown member", 200, "", |h| h["typ"] = json!("x")),
        ("no alg", 400, "malformed", |h| remove(h, "alg")),
        ("alg none", 400, "badSignatureAlgorithm", |h| {
            h["alg"] = json!("none")
        }),
        ("alg HS256", 400, "badSignatureAlgorithm", |h| {
            h["alg"] = json!("HS256")
        }),
        ("alg unknown", 400, "badSignatureAlgorithm", |h| {
            h["alg"] = json!("ES256K")
        }),
        ("alg of another key", 400, "badSignatureAlgorithm", |h| {
            h["alg"] = json!("RS256")
        }),
        ("alg of another curve", 400, "badSignatureAlgorithm", |h| {
            h["alg"] = json!("ES384")
        }),
        ("alg a number", 400, "malformed", |h| h["alg"] = json!(7)),
        ("no nonce", 400, "badNonce", |h| remove(h, "nonce")),
        ("a nonce that is a list", 400, "malformed", |h| {
            h["nonce"] = json!(["a"])
        }),
        ("no url", 400, "malformed", |h| remove(h, "url")),
        ("the url of another resource", 403, "unauthorized", |h| {
            h["url"] = json!(format!("{BASE}/acme/open/new-order"))
        }),
        ("the url of another host", 403, "unauthorized", |h| {
            h["url"] = json!("https://evil.example/acme/open/account/x")
        }),
        ("a relative url", 403, "unauthorized", |h| {
            h["url"] = json!("/acme/open/new-order")
        }),
        ("no kid", 400, "malformed", |h| remove(h, "kid")),
        ("kid and jwk", 400, "malformed", |h| {
            h["jwk"] = Key::new("ES256").jwk()
        }),
        ("jwk where there is an account", 400, "malformed", |h| {
            remove(h, "kid");
            h["jwk"] = Key::new("ES256").jwk();
        }),
        ("a kid of nobody", 400, "accountDoesNotExist", |h| {
            h["kid"] = json!(format!("{BASE}/acme/open/account/00112233445566778899"))
        }),
        ("a kid of another directory", 400, "malformed", |h| {
            let kid = h["kid"].as_str().unwrap().replace("/open/", "/bound/");
            h["kid"] = json!(kid);
        }),
        ("a kid of another host", 400, "malformed", |h| {
            h["kid"] = json!("https://evil.example/acme/open/account/x")
        }),
        ("a kid that is only an id", 400, "malformed", |h| {
            h["kid"] = json!("0011223344")
        }),
        ("crit", 400, "malformed", |h| h["crit"] = json!(["exp"])),
        ("crit null", 400, "malformed", |h| h["crit"] = json!(null)),
        ("b64", 400, "malformed", |h| h["b64"] = json!(false)),
        ("a large header", 400, "malformed", |h| {
            h["typ"] = json!("x".repeat(9000))
        }),
    ];
    let mut rows = Vec::new();
    for (what, status, kind, alter) in table {
        let mut header = client.header(path).await;
        alter(&mut header);
        rows.push((
            *what,
            *status,
            *kind,
            client.key.jws(&header, "").to_string(),
        ));
    }
    rows
}

/// Faults of everything around it.
async fn envelopes(client: &Client, path: &str) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    let good = async || client.key.jws(&client.header(path).await, "");
    let text = |jws: &Value, name: &str| jws[name].as_str().unwrap().to_owned();
    let mut bad = |what, kind, body: String| rows.push((what, 400, kind, body));

    for (what, name, value) in [
        ("an unprotected header", "header", json!({ "kid": "x" })),
        ("an unprotected header that is null", "header", json!(null)),
        ("several signatures", "signatures", json!([])),
        ("a protected header that is a number", "protected", json!(7)),
        ("a payload that is an object", "payload", json!({})),
        ("a signature of zeros", "signature", json!(b64(&[0; 64]))),
        ("a short signature", "signature", json!(b64(&[1; 10]))),
        ("an empty signature", "signature", json!("")),
        (
            "another payload than was signed",
            "payload",
            json!(b64(b"{}")),
        ),
        (
            "a protected header of no JSON",
            "protected",
            json!(b64(b"alg")),
        ),
        (
            "a protected header that is a list",
            "protected",
            json!(b64(b"[]")),
        ),
        ("an empty protected header", "protected", json!("")),
    ] {
        let mut jws = good().await;
        jws[name] = value;
        bad(what, "malformed", jws.to_string());
    }
    for name in ["protected", "payload", "signature"] {
        let mut jws = good().await;
        jws.as_object_mut().unwrap().remove(name);
        bad("a member that is missing", "malformed", jws.to_string());
        let mut jws = good().await;
        jws[name] = json!(format!("{}=", text(&jws, name)));
        bad("padding", "malformed", jws.to_string());
        let mut jws = good().await;
        jws[name] = json!(format!("{}\n", text(&jws, name)));
        bad("a line feed", "malformed", jws.to_string());
    }
    // 86 characters hold 516 bits of 512: the last four must be zero (RFC 4648 §3.5).
    let mut jws = good().await;
    let mut signature = text(&jws, "signature");
    let last = signature.pop().unwrap();
    signature.push(if last == 'A' {
        'B'
    } else {
        char::from(last as u8 + 1)
    });
    jws["signature"] = json!(signature);
    bad("stray bits", "malformed", jws.to_string());

    let jws = good().await;
    let compact = ["protected", "payload", "signature"]
        .map(|name| text(&jws, name))
        .join(".");
    bad("the compact form", "malformed", compact);
    bad(
        "the compact form in a string",
        "malformed",
        json!("a.b.c").to_string(),
    );
    bad(
        "the general form",
        "malformed",
        json!({
            "payload": jws["payload"],
            "signatures": [{ "protected": jws["protected"], "signature": jws["signature"] }],
        })
        .to_string(),
    );
    bad("no JSON", "malformed", "jws".to_owned());
    bad("nothing", "malformed", String::new());
    bad("two values", "malformed", format!("{jws}{jws}"));
    bad("a deep bomb", "malformed", "[".repeat(60_000));
    let twice = jws.to_string().replacen('{', r#"{"payload":"","#, 1);
    bad("a member that stands twice", "malformed", twice);
    let twice = jws.to_string().replacen('{', r#"{"x":1,"x":2,"#, 1);
    bad("an unknown member that stands twice", "malformed", twice);
    for member in [
        r#""alg":"ES256""#,
        r#""nonce":"AAAA""#,
        r#""url":"https://x""#,
        r#""kid":"x""#,
        r#""y":{"a":1,"a":2}"#,
    ] {
        let header = client.header(path).await.to_string();
        let header = header.replacen('{', &format!("{{{member},"), 1);
        let protected = b64(header.as_bytes());
        let signature = b64(&client.key.sign(format!("{protected}.").as_bytes()));
        let jws = json!({ "protected": protected, "payload": "", "signature": signature });
        bad(
            "a header member that stands twice",
            "malformed",
            jws.to_string(),
        );
    }

    let mut jws = good().await;
    jws["comment"] = json!("passed over (RFC 7515 §7.2.1)");
    rows.push(("an unknown member", 200, "", jws.to_string()));
    let mut jws = good().await;
    jws["comment"] = json!("x".repeat(64 * 1024));
    rows.push(("64 KiB and more", 413, "malformed", jws.to_string()));
    rows
}

/// RFC 8555 §6.2: 415 for every other content type.
#[tokio::test(flavor = "multi_thread")]
async fn the_content_type_is_jose_json() {
    let house = House::new(false).await;
    let client = Client::registered(&house.acme, "ES256").await;
    let path = client.account();
    for (content_type, status) in [
        (Some("application/jose+json"), 200),
        (Some("Application/JOSE+JSON; charset=utf-8"), 200),
        (Some("application/json"), 415),
        (Some("application/jose"), 415),
        (Some("text/plain"), 415),
        (None, 415),
    ] {
        let body = client.key.jws(&client.header(&path).await, "").to_string();
        let answer = client.send(Method::POST, &path, content_type, &body).await;
        assert_eq!(answer.status, status, "{content_type:?}");
    }
}

/// RFC 8555 §6.2: keys that are too small, too large, weak, or not public keys at all.
#[tokio::test(flavor = "multi_thread")]
async fn keys_that_cannot_be_used_are_refused() {
    let house = House::new(false).await;
    let client = Client::new(&house.acme, "open", "ES256");
    let good = client.key.jwk();
    let with = |name: &str, value: Value| {
        let mut jwk = good.clone();
        jwk[name] = value;
        jwk
    };
    let modulus = |octets: usize| {
        let mut n = vec![0xAB; octets];
        n[octets - 1] |= 1;
        b64(&n)
    };
    let rsa = |n: String, e: &str| json!({ "kty": "RSA", "n": n, "e": e });
    let table = [
        ("RSA of 1024 bits", rsa(modulus(128), "AQAB"), "RS256"),
        ("RSA of 8192 bits", rsa(modulus(1024), "AQAB"), "RS256"),
        ("RSA with exponent 3", rsa(modulus(256), "Aw"), "RS256"),
        ("RSA with exponent 1", rsa(modulus(256), "AQ"), "RS256"),
        (
            "RSA with a huge exponent",
            rsa(modulus(256), "AQAAAAAAAAAB"),
            "RS256",
        ),
        (
            "RSA with a leading zero",
            rsa(b64(&[&[0][..], &[0xAB; 256]].concat()), "AQAB"),
            "RS256",
        ),
        (
            "RSA without a modulus",
            json!({ "kty": "RSA", "e": "AQAB" }),
            "RS256",
        ),
        (
            "a point off the curve",
            with("y", good["x"].clone()),
            "ES256",
        ),
        (
            "a short coordinate",
            with("x", json!(b64(&[1; 31]))),
            "ES256",
        ),
        (
            "a padded coordinate",
            with("x", json!(format!("{}=", good["x"].as_str().unwrap()))),
            "ES256",
        ),
        (
            "no coordinate",
            json!({ "kty": "EC", "crv": "P-256", "x": good["x"] }),
            "ES256",
        ),
        ("another curve", with("crv", json!("secp256k1")), "ES256"),
        ("a private key", with("d", json!("AAAA")), "ES256"),
        (
            "a symmetric key",
            json!({ "kty": "oct", "k": "AAAA" }),
            "ES256",
        ),
        (
            "a kind of key that is unknown",
            json!({ "kty": "AKP" }),
            "ES256",
        ),
        (
            "X25519",
            json!({ "kty": "OKP", "crv": "X25519", "x": b64(&[9; 32]) }),
            "EdDSA",
        ),
        (
            "a short Ed25519 key",
            json!({ "kty": "OKP", "crv": "Ed25519", "x": b64(&[9; 31]) }),
            "EdDSA",
        ),
    ];
    for (what, jwk, algorithm) in table {
        let header = json!({
            "alg": algorithm, "nonce": client.nonce().await, "url": client.url("new-account"), "jwk": jwk,
        });
        let body = sealed(&header, "{}", |_| vec![0; 64]).to_string();
        let answer = client.send(Method::POST, "new-account", JOSE, &body).await;
        assert_eq!(
            (answer.status, answer.problem()),
            (400, "badPublicKey"),
            "{what}: {answer:?}"
        );
    }
    for (what, alter) in [
        ("kid for a new account", "kid"),
        ("an algorithm that the key says it is not for", "alg"),
    ] {
        let mut header = client.header("new-account").await;
        let expected = match alter {
            "kid" => {
                header.as_object_mut().unwrap().remove("jwk");
                header["kid"] = json!(client.url("account/x"));
                "malformed"
            }
            _ => {
                header["jwk"]["alg"] = json!("ES384");
                "badSignatureAlgorithm"
            }
        };
        let body = client.key.jws(&header, "{}").to_string();
        let answer = client.send(Method::POST, "new-account", JOSE, &body).await;
        assert_eq!((answer.status, answer.problem()), (400, expected), "{what}");
    }
    let made = client.post("new-account", Some(json!({}))).await;
    assert_eq!(made.status, 201, "the twin that is right");
}

/// Payloads of new-account that are no such thing.
#[tokio::test(flavor = "multi_thread")]
async fn payloads_are_read_strictly() {
    let house = House::new(false).await;
    let client = Client::new(&house.acme, "open", "ES256");
    for payload in [
        "",
        "[]",
        "7",
        "{",
        r#"{"contact":"mailto:a@b.example"}"#,
        r#"{"contact":[7]}"#,
        r#"{"onlyReturnExisting":"yes"}"#,
        r#"{"contact":[],"contact":["mailto:a@b.example"]}"#,
        r#"{"x":{"y":1,"y":2}}"#,
    ] {
        let body = client
            .key
            .jws(&client.header("new-account").await, payload)
            .to_string();
        let answer = client.send(Method::POST, "new-account", JOSE, &body).await;
        assert_eq!(
            (answer.status, answer.problem()),
            (400, "malformed"),
            "{payload}: {answer:?}"
        );
    }
    let deep = format!(r#"{{"x":{}{}}}"#, "[".repeat(40), "]".repeat(40));
    let body = client
        .key
        .jws(&client.header("new-account").await, &deep)
        .to_string();
    let answer = client.send(Method::POST, "new-account", JOSE, &body).await;
    assert_eq!(answer.problem(), "malformed");
}

/// RFC 8555 §7.3.2, §6.3: nobody sees another's account, and what can only be shown takes no payload.
#[tokio::test(flavor = "multi_thread")]
async fn resources_belong_to_their_account() {
    let house = House::new(false).await;
    let client = Client::registered(&house.acme, "ES256").await;
    let other = Client::registered(&house.acme, "ES256").await;
    for path in [other.account(), format!("{}/orders", other.account())] {
        let refused = client.post(&path, None).await;
        assert_eq!(
            (refused.status, refused.problem()),
            (403, "unauthorized"),
            "{path}"
        );
    }
    for path in [
        format!("{}/orders", client.account()),
        "order/x".to_owned(),
        format!("certificate/{}", "ab".repeat(32)),
    ] {
        let refused = client.post(&path, Some(json!({}))).await;
        assert_eq!(
            (refused.status, refused.problem()),
            (400, "malformed"),
            "{path}"
        );
    }
}
