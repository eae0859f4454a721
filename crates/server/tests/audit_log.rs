//! The log as the API tells it: what is looked for, page by page, and proofs that anybody can compute (R36, R52).

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod support;

use std::collections::BTreeSet;

use access::{Role, Scope};
use aws_lc_rs::digest::{SHA256, digest};
use serde_json::Value;
use support::Ward;

type Hash = Vec<u8>;

fn sha256(parts: &[&[u8]]) -> Hash {
    digest(&SHA256, &parts.concat()).as_ref().to_vec()
}

/// The largest power of two smaller than n (RFC 9162 §2.1.1).
fn split(n: usize) -> usize {
    n.next_power_of_two() / 2
}

/// MTH of RFC 9162 §2.1.1, of hashes of leaves.
fn root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => sha256(&[]),
        [leaf] => leaf.clone(),
        _ => {
            let (left, right) = leaves.split_at(split(leaves.len()));
            sha256(&[&[1], &root(left), &root(right)])
        }
    }
}

/// PATH(m, D) of RFC 9162 §2.1.3.1.
fn path(m: usize, leaves: &[Hash]) -> Vec<Hash> {
    if leaves.len() == 1 {
        return Vec::new();
    }
    let (left, right) = leaves.split_at(split(leaves.len()));
    let (mut below, beside) = match m < left.len() {
        true => (path(m, left), root(right)),
        false => (path(m - left.len(), right), root(left)),
    };
    below.push(beside);
    below
}

/// SUBPROOF(m, D, b) of RFC 9162 §2.1.4.1.
fn growth(m: usize, leaves: &[Hash], whole: bool) -> Vec<Hash> {
    if m == leaves.len() {
        return if whole {
            Vec::new()
        } else {
            vec![root(leaves)]
        };
    }
    let (left, right) = leaves.split_at(split(leaves.len()));
    let (mut below, beside) = match m <= left.len() {
        true => (growth(m, left, whole), root(right)),
        false => (growth(m - left.len(), right, false), root(left)),
    };
    below.push(beside);
    below
}

fn hex(hashes: &[Hash]) -> Vec<String> {
    let one = |hash: &Hash| hash.iter().map(|byte| format!("{byte:02x}")).collect();
    hashes.iter().map(one).collect()
}

async fn auditor(ward: &Ward) -> String {
    ward.token("noor", &[Role::Auditor], Scope::default()).await
}

async fn get(ward: &Ward, token: &str, path: &str) -> Value {
    let (status, body) = ward.curl("GET", path, Some(token), None).await;
    assert_eq!(status, 200, "{path}: {body}");
    body
}

fn texts(list: &Value) -> Vec<&str> {
    let list = list.as_array().unwrap();
    list.iter().map(|each| each.as_str().unwrap()).collect()
}

fn numbers(page: &Value) -> Vec<u64> {
    let events = page["events"].as_array().unwrap();
    events
        .iter()
        .map(|event| event["seq"].as_u64().unwrap())
        .collect()
}

/// Size and root of a signed note (C2SP tlog-checkpoint): its second and third lines.
fn checkpoint(proof: &Value) -> (usize, String) {
    let mut lines = proof["checkpoint"].as_str().unwrap().lines().skip(1);
    let size = lines.next().unwrap().parse().unwrap();
    (size, lines.next().unwrap().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn r36_proofs_are_those_of_rfc_9162() {
    let ward = Ward::start().await;
    let token = auditor(&ward).await;
    // Ward goes on writing events meanwhile: each proof is of the log of its own checkpoint.
    let (mut proofs, mut size) = (Vec::new(), 1);
    while proofs.len() < size {
        let proof = get(
            &ward,
            &token,
            &format!("/api/v1/audit/proofs/{}", proofs.len()),
        )
        .await;
        size = checkpoint(&proof).0;
        proofs.push(proof);
    }
    assert!(size > 65, "{size} events are too few to tell trees apart");
    let leaves: Vec<Hash> = proofs
        .iter()
        .map(|proof| sha256(&[&[0], proof["entry"].as_str().unwrap().as_bytes()]))
        .collect();
    for (seq, proof) in proofs.iter().enumerate() {
        let (of, signed) = checkpoint(proof);
        let then = &leaves[..of];
        assert_eq!(proof["seq"].as_u64(), Some(seq as u64));
        assert_eq!(texts(&proof["path"]), hex(&path(seq, then)), "event {seq}");
        assert_eq!(proof["leaf"], hex(then)[seq]);
        let body: Value = serde_json::from_str(proof["entry"].as_str().unwrap()).unwrap();
        assert_eq!(proof["event"]["action"], body["action"]);
        assert_eq!(signed, base64(&root(then)));
    }
    for to in [1, 2, 3, 4, 5, 7, 8, 9, 31, 32, 33, 63, 64, 65, leaves.len()] {
        for from in [1, to / 2, to.saturating_sub(1), to] {
            let at = format!("/api/v1/audit/consistency?from={from}&to={to}");
            let proof = get(&ward, &token, &at).await;
            // Everything is a continuation of nothing: there is nothing to prove.
            let expected = match from {
                0 => Vec::new(),
                from => growth(from, &leaves[..to], true),
            };
            assert_eq!(texts(&proof["path"]), hex(&expected), "{at}");
            assert_eq!(
                (proof["from"].as_u64(), proof["size"].as_u64()),
                (Some(from as u64), Some(to as u64))
            );
        }
    }
    ward.stop().await;
}

/// RFC 4648 §4, as the standard tool has it.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let bits = three
            .iter()
            .fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte))
            << (8 * (3 - three.len()));
        for place in 0..4 {
            let is_filled = place <= three.len();
            text.push(if is_filled {
                char::from(ALPHABET[(bits >> (18 - 6 * place) & 63) as usize])
            } else {
                '='
            });
        }
    }
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn r36_filters_find_what_they_name_and_pages_miss_nothing() {
    let ward = Ward::start().await;
    let token = auditor(&ward).await;
    ward.token("rolf", &[Role::RaOfficer], Scope::default())
        .await;
    // A refusal: an auditor makes no tokens.
    let (status, _) = ward
        .curl(
            "POST",
            "/api/v1/groups",
            Some(&token),
            Some(&serde_json::json!({"name": "mine", "grants": []})),
        )
        .await;
    assert_eq!(status, 403);
    let all = get(&ward, &token, "/api/v1/audit/events?from=0&limit=1000").await;
    let events = all["events"].as_array().unwrap();
    let lower = |event: &Value, at: &str| {
        event
            .pointer(at)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_lowercase()
    };
    let part = |event: &Value, of: &str, wanted: &str| {
        lower(event, &format!("/{of}/id")).contains(wanted)
            || lower(event, &format!("/{of}/kind")).contains(wanted)
    };
    type Fits<'a> = Box<dyn Fn(&Value) -> bool + 'a>;
    let cases: Vec<(&str, Fits)> = vec![
        (
            "action=token.create",
            Box::new(|event| event["action"] == "token.create"),
        ),
        (
            "action=token",
            Box::new(|event| lower(event, "/action").starts_with("token.")),
        ),
        ("action=toke", Box::new(|_| false)),
        (
            "outcome=refused",
            Box::new(|event| event["outcome"] == "refused"),
        ),
        (
            "actor=system",
            Box::new(|event| part(event, "actor", "system")),
        ),
        ("actor=NOOR", Box::new(|event| part(event, "actor", "noor"))),
        (
            "object=token",
            Box::new(|event| part(event, "object", "token")),
        ),
        (
            "action=token&outcome=done&object=token",
            Box::new(|event| {
                lower(event, "/action").starts_with("token.")
                    && event["outcome"] == "done"
                    && part(event, "object", "token")
            }),
        ),
        ("since=2020-01-01T00:00:00Z", Box::new(|_| true)),
        ("until=2020-01-01T00:00:00Z", Box::new(|_| false)),
    ];
    for (query, fits) in &cases {
        let mut expected: Vec<u64> = events
            .iter()
            .filter(|event| fits(event))
            .map(|event| event["seq"].as_u64().unwrap())
            .collect();
        expected.reverse();
        let last = events.len() as u64;
        // What the test itself asks is not logged, but a clock-driven event may come in between: the pages begin where the list ended.
        let found = get(
            &ward,
            &token,
            &format!("/api/v1/audit/events?{query}&before={last}&limit=1000"),
        )
        .await;
        assert_eq!(numbers(&found), expected, "{query}");
        let (mut paged, mut before) = (Vec::new(), Some(last));
        while let Some(at) = before {
            let page = get(
                &ward,
                &token,
                &format!("/api/v1/audit/events?{query}&before={at}&limit=3"),
            )
            .await;
            assert!(numbers(&page).len() <= 3);
            paged.extend(numbers(&page));
            before = page["next"].as_u64();
        }
        assert_eq!(paged, expected, "{query}, three a page");
        assert_eq!(paged.iter().collect::<BTreeSet<_>>().len(), paged.len());
    }
    assert!(
        events.iter().any(|event| event["outcome"] == "refused"),
        "the refusal is an event"
    );
    ward.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r52_the_log_as_of_then_and_what_is_no_question() {
    let ward = Ward::start().await;
    let token = auditor(&ward).await;
    let before = get(
        &ward,
        &token,
        "/api/v1/audit/events?as_of=2020-01-01T00:00:00Z",
    )
    .await;
    assert_eq!(
        (before["size"].as_u64(), numbers(&before).len()),
        (Some(0), 0)
    );
    assert!(
        before["began"].as_i64().unwrap() > 1_577_836_800_000,
        "it says when the log began"
    );
    // Instants have whole seconds.
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    let then = x509::Time(server::wall_clock().0 / 1000);
    let was = get(&ward, &token, "/api/v1/audit/events").await["size"]
        .as_u64()
        .unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    ward.token("later", &[Role::Auditor], Scope::default())
        .await;
    let page = get(
        &ward,
        &token,
        &format!("/api/v1/audit/events?as_of={then}&action=token.create"),
    )
    .await;
    assert!(page["size"].as_u64().unwrap() <= was, "{page}");
    assert!(!page.to_string().contains("later"), "{page}");

    let long = format!("audit/events?actor={}", "a".repeat(201));
    let refused = [
        ("audit/events?outcome=maybe", 422, "audit.outcome"),
        (
            "audit/events?as_of=2999-01-01T00:00:00Z",
            422,
            "as-of.future",
        ),
        ("audit/events?as_of=yesterday", 400, "malformed"),
        ("audit/events?since=1", 400, "malformed"),
        (long.as_str(), 400, "malformed"),
        ("audit/events?from=0&action=token", 400, "malformed"),
        ("audit/events?who=noor", 400, "malformed"),
        ("audit/consistency?from=5&to=999999", 422, "audit.longer"),
        ("audit/consistency?from=999999", 422, "audit.longer"),
        ("audit/consistency?from=5&to=3", 422, "audit.longer"),
        ("audit/consistency?from=-1", 400, "malformed"),
        ("audit/proofs/999999", 404, "not-found"),
    ];
    for (at, status, rule) in refused {
        let (said, body) = ward
            .curl("GET", &format!("/api/v1/{at}"), Some(&token), None)
            .await;
        assert_eq!(
            (
                said,
                body["rule"].as_str().or(body["type"]
                    .as_str()
                    .and_then(|kind| kind.rsplit(':').next()))
            ),
            (status, Some(rule)),
            "{at}: {body}"
        );
    }
    for at in [
        "audit/events?outcome=done",
        "audit/consistency",
        "audit/proofs/0",
    ] {
        let nobody = ward
            .token("issuer", &[Role::Issuer], Scope::default())
            .await;
        assert_eq!(
            ward.curl("GET", &format!("/api/v1/{at}"), Some(&nobody), None)
                .await
                .0,
            403,
            "{at}"
        );
        assert_eq!(
            ward.curl("GET", &format!("/api/v1/{at}"), None, None)
                .await
                .0,
            401,
            "{at}"
        );
    }
    ward.stop().await;
}
