//! Bodies, headers, methods and paths that make no sense (RFC 8259, RFC 9110, RFC 9457).

use serde_json::json;

use crate::{Target, Verdict, problem};

/// Method, path, headers, body; status and kind of problem.
type Line<'a> = (&'a str, &'a str, &'a [&'a str], &'a [u8], u16, &'a str);

const ISSUE: &str = "/api/v1/certificates";

#[tokio::test(flavor = "multi_thread")]
async fn r37_bodies_that_cannot_be_read() {
    let target = Target::start().await;
    let csr = target.ward.csr("web.example.org").await;
    let sound = json!({ "profile": "server-tls", "csr": csr }).to_string();
    let with = |more: &str| sound.replacen('{', &format!("{{{more},"), 1).into_bytes();
    let deep = format!("{{\"evidence\":{}", "[".repeat(100_000));
    let large = format!("{{\"profile\":\"{}\"}}", "x".repeat(300 * 1024));
    let mut not_utf8 = sound.clone().into_bytes();
    not_utf8[5] = 0xff;
    let table: Vec<(&str, &str, Vec<u8>, u16, &str)> = vec![
        ("nothing", ISSUE, Vec::new(), 400, "malformed"),
        (
            "no JSON",
            ISSUE,
            b"profile=server-tls".to_vec(),
            400,
            "malformed",
        ),
        (
            "cut off",
            ISSUE,
            sound.as_bytes()[..40].to_vec(),
            400,
            "malformed",
        ),
        (
            "something after it",
            ISSUE,
            [sound.as_bytes(), b"{}"].concat(),
            400,
            "malformed",
        ),
        ("no UTF-8", ISSUE, not_utf8, 400, "malformed"),
        (
            "a lone surrogate",
            ISSUE,
            with(r#""subject":"\ud800""#),
            400,
            "malformed",
        ),
        ("a list", ISSUE, b"[1,2]".to_vec(), 400, "malformed"),
        ("null", ISSUE, b"null".to_vec(), 400, "malformed"),
        (
            "an unknown member",
            ISSUE,
            with(r#""colour":"blue""#),
            400,
            "malformed",
        ),
        (
            "a member twice",
            ISSUE,
            with(r#""profile":"sub-ca""#),
            400,
            "malformed",
        ),
        (
            "a number for a text",
            ISSUE,
            with(r#""subject":7"#),
            400,
            "malformed",
        ),
        (
            "a text for a number",
            ISSUE,
            with(r#""days":"90""#),
            400,
            "malformed",
        ),
        (
            "negative days",
            ISSUE,
            with(r#""days":-1"#),
            400,
            "malformed",
        ),
        ("half a day", ISSUE, with(r#""days":0.5"#), 400, "malformed"),
        (
            "more days than 32 bits",
            ISSUE,
            with(r#""days":4294967296"#),
            400,
            "malformed",
        ),
        (
            "a number without end",
            ISSUE,
            with(&format!(r#""days":{}"#, "9".repeat(5000))),
            400,
            "malformed",
        ),
        ("1e999", ISSUE, with(r#""days":1e999"#), 400, "malformed"),
        ("NaN", ISSUE, with(r#""days":NaN"#), 400, "malformed"),
        (
            "an unknown key algorithm",
            ISSUE,
            br#"{"profile":"server-tls","generate":"rot13"}"#.to_vec(),
            400,
            "malformed",
        ),
        (
            "100,000 levels deep",
            ISSUE,
            deep.into_bytes(),
            400,
            "malformed",
        ),
        ("300 KiB", ISSUE, large.into_bytes(), 413, "too-large"),
        (
            "evidence with an unknown member",
            ISSUE,
            with(r#""evidence":[{"kind":"a","text":"b","c":1}]"#),
            400,
            "malformed",
        ),
        (
            "an unknown reason",
            "/api/v1/certificates/00000000/revoke",
            br#"{"reason":"boredom"}"#.to_vec(),
            400,
            "malformed",
        ),
        (
            "a certificate that is not there",
            "/api/v1/certificates/0000000000/revoke",
            br#"{"reason":"superseded"}"#.to_vec(),
            404,
            "not-found",
        ),
        (
            "an id that is none",
            "/api/v1/certificates/..%2f..%2fetc/revoke",
            br#"{"reason":"superseded"}"#.to_vec(),
            404,
            "not-found",
        ),
        (
            "an id of no UTF-8",
            "/api/v1/certificates/%ff%fe/hold",
            b"{}".to_vec(),
            400,
            "malformed",
        ),
        (
            "an id of 5,000 characters",
            concat_id(),
            b"{}".to_vec(),
            404,
            "not-found",
        ),
        (
            "no such request",
            "/api/v1/requests/r0000000000000000/approve",
            b"{}".to_vec(),
            403,
            "refused",
        ),
    ];
    let mut verdict = Verdict::default();
    for (number, (what, path, body, status, kind)) in table.iter().enumerate() {
        let id = format!("body-{number}");
        let answer = target.post(path, &target.issuer, &id, body).await;
        verdict.note(what, problem(&answer, *status, kind));
        let rule = match *kind {
            "refused" => "role",
            kind => kind,
        };
        verdict.note(what, target.logged(&id, rule).await);
    }
    verdict.assert();
    target.assert_unharmed(0).await;
    target.ward.stop().await;
}

fn concat_id() -> &'static str {
    let id = "0".repeat(5000);
    Box::leak(format!("/api/v1/certificates/{id}/hold").into_boxed_str())
}

#[tokio::test(flavor = "multi_thread")]
async fn r37_methods_paths_and_headers_that_are_not() {
    let target = Target::start().await;
    let bearer = format!("Authorization: Bearer {}", target.issuer);
    let basic = format!("Authorization: Basic {}", target.issuer);
    let lower = format!("Authorization: bearer {}", target.issuer);
    let form = "Content-Type: application/x-www-form-urlencoded";
    let text = "Content-Type: text/plain";
    let like = "Content-Type: application/jsonx";
    let json = "Content-Type: application/json; charset=utf-8";
    let table: &[Line] = &[
        ("PUT", ISSUE, &[&bearer], b"{}", 405, "method"),
        ("DELETE", ISSUE, &[&bearer], b"", 405, "method"),
        ("PATCH", "/api/v1/tokens", &[&bearer], b"{}", 405, "method"),
        ("BREW", ISSUE, &[&bearer], b"", 405, "method"),
        (
            "GET",
            "/api/v1/requests/r0/approve",
            &[&bearer],
            b"",
            405,
            "method",
        ),
        (
            "GET",
            "/api/v2/certificates",
            &[&bearer],
            b"",
            404,
            "not-found",
        ),
        (
            "GET",
            "/api/v1/certificates/",
            &[&bearer],
            b"",
            404,
            "not-found",
        ),
        (
            "GET",
            "/api/v1/../../etc/passwd",
            &[&bearer],
            b"",
            404,
            "not-found",
        ),
        (
            "GET",
            "/API/V1/certificates",
            &[&bearer],
            b"",
            404,
            "not-found",
        ),
        (
            "GET",
            "/api/v1/certificates/%ff",
            &[&bearer],
            b"",
            400,
            "malformed",
        ),
        (
            "GET",
            "/api/v1/certificates/%00",
            &[&bearer],
            b"",
            404,
            "not-found",
        ),
        (
            "GET",
            "/api/v1/certificates/zz",
            &[&bearer],
            b"",
            404,
            "not-found",
        ),
        (
            "GET",
            "/api/v1/authorities/..%2f..",
            &[&bearer],
            b"",
            404,
            "not-found",
        ),
        (
            "GET",
            "/api/v1/profiles/nothing",
            &[&bearer],
            b"",
            404,
            "not-found",
        ),
        (
            "GET",
            "/api/v1/requests/r1",
            &[&bearer],
            b"",
            404,
            "not-found",
        ),
        (
            "GET",
            "/api/v1/certificates?limit=-1",
            &[&bearer],
            b"",
            400,
            "malformed",
        ),
        (
            "GET",
            "/api/v1/certificates?limit=99999999999",
            &[&bearer],
            b"",
            400,
            "malformed",
        ),
        (
            "GET",
            "/api/v1/certificates?after=x",
            &[&bearer],
            b"",
            400,
            "malformed",
        ),
        (
            "GET",
            "/api/v1/certificates?limit=1&limit=2",
            &[&bearer],
            b"",
            400,
            "malformed",
        ),
        (
            "GET",
            "/api/v1/certificates?colour=blue",
            &[&bearer],
            b"",
            400,
            "malformed",
        ),
        ("POST", ISSUE, &[&bearer, form], b"{}", 415, "media-type"),
        ("POST", ISSUE, &[&bearer, text], b"{}", 415, "media-type"),
        ("POST", ISSUE, &[&bearer, like], b"{}", 415, "media-type"),
        ("POST", ISSUE, &[&bearer, json], b"{}", 400, "malformed"),
        ("POST", ISSUE, &[json], b"{}", 401, "unauthenticated"),
        (
            "POST",
            ISSUE,
            &[&basic, json],
            b"{}",
            401,
            "unauthenticated",
        ),
        (
            "POST",
            ISSUE,
            &["Authorization: Bearer", json],
            b"{}",
            401,
            "unauthenticated",
        ),
        (
            "POST",
            ISSUE,
            &[
                "Authorization: Bearer ward_t000000000000_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
                json,
            ],
            b"{}",
            401,
            "unauthenticated",
        ),
        (
            "GET",
            "/api/v1/audit/proofs/99999999999999999999",
            &[&bearer],
            b"",
            400,
            "malformed",
        ),
        (
            "GET",
            "/log/tile/../../etc/passwd",
            &[],
            b"",
            404,
            "not-found",
        ),
        (
            "GET",
            "/log/tile/0/..%2f..%2f000",
            &[],
            b"",
            404,
            "not-found",
        ),
        ("GET", "/log/tile/0/x999/999", &[], b"", 404, "not-found"),
        ("GET", "/log/tile/99/000", &[], b"", 404, "not-found"),
        ("GET", "/log/tile/0/000.p/999", &[], b"", 404, "not-found"),
        ("GET", "/log/tile/0/%ff", &[], b"", 400, "malformed"),
        ("POST", "/log/checkpoint", &[], b"x", 405, "method"),
    ];
    let mut verdict = Verdict::default();
    for (method, path, headers, body, status, kind) in table {
        let what = format!("{method} {path} {headers:?}");
        let answer = target.send(method, path, headers, body).await;
        verdict.note(&what, problem(&answer, *status, kind));
    }
    verdict.assert();
    // RFC 9110 §11.1: the scheme's name is case-insensitive.
    let answer = target.send("GET", ISSUE, &[&lower], b"").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    target.assert_unharmed(0).await;
    target.ward.stop().await;
}

/// Numbers at the ends of their ranges are answered, not overflowed.
#[tokio::test(flavor = "multi_thread")]
async fn r12_extreme_pages() {
    let target = Target::start().await;
    let auditor = target
        .ward
        .token(
            "eve",
            &[access::Role::Auditor, access::Role::ReadOnly],
            access::Scope::default(),
        )
        .await;
    let bearer = format!("Authorization: Bearer {auditor}");
    for (path, status) in [
        ("/api/v1/certificates?limit=0", 200),
        ("/api/v1/certificates?limit=4294967295", 200),
        ("/api/v1/certificates?after=-9223372036854775808", 200),
        ("/api/v1/certificates?after=9223372036854775807", 200),
        ("/api/v1/certificates?expires_within=4294967295", 200),
        ("/api/v1/certificates?contains=%25%27%3B--", 200),
        ("/api/v1/audit/events?from=18446744073709551615", 200),
        (
            "/api/v1/audit/events?from=9223372036854775807&limit=18446744073709551615",
            200,
        ),
        ("/api/v1/audit/events?limit=0", 200),
        ("/api/v1/audit/proofs/18446744073709551615", 404),
        ("/api/v1/audit/proofs/9223372036854775807", 404),
    ] {
        let answer = target.send("GET", path, &[&bearer], b"").await;
        assert_eq!(answer.status, status, "{path}: {answer:?}");
    }
    target.assert_unharmed(0).await;
    target.ward.stop().await;
}
