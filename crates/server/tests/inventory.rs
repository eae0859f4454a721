//! Owner rules, owners by hand and carried observations over HTTPS (R17, R21): by who may, by who may not, and what is no
//! observation at all.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod support;

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::process::Command;

use access::{Role, Scope};
use agent::files::{Look, look};
use serde_json::{Value, json};
use support::Ward;

const RULES: &str = "/api/v1/owner-rules";
const OBSERVATIONS: &str = "/api/v1/inventory/observations";

#[tokio::test(flavor = "multi_thread")]
async fn r21_owner_rules_are_kept_moved_and_ended_by_who_may() {
    let ward = Ward::start().await;
    let issuer = ward.token("issuer", &[Role::Issuer], Scope::default());
    let issuer = issuer.await;
    let reader = ward.token("reader", &[Role::ReadOnly], Scope::default());
    let reader = reader.await;
    let rule = json!({ "name": "icu", "when": { "names": ["*.icu.example"] }, "give": { "owner": "icu" } });
    let (status, _) = ward.curl("POST", RULES, Some(&reader), Some(&rule)).await;
    assert_eq!(status, 403);
    let (status, made) = ward.curl("POST", RULES, Some(&issuer), Some(&rule)).await;
    assert_eq!((status, &made["version"]), (201, &json!(1)));
    let one = format!("{RULES}/icu");
    let to = json!({ "version": 1, "position": 5 });
    let there = format!("{one}/move");
    let (status, moved) = ward.curl("POST", &there, Some(&issuer), Some(&to)).await;
    assert_eq!((status, &moved["rule"]["position"]), (200, &json!(5)));
    assert_eq!(moved["rule"]["give"], json!({ "owner": "icu" }));
    // Version 1 is not in force any more.
    let stale = json!({ "version": 1, "rule": rule });
    let (status, _) = ward.curl("PUT", &one, Some(&issuer), Some(&stale)).await;
    assert_eq!(status, 409);
    let (status, all) = ward.curl("GET", RULES, Some(&reader), None).await;
    assert_eq!((status, all.as_array().map(Vec::len)), (200, Some(1)));
    let (status, _) = ward.curl("DELETE", &one, Some(&issuer), None).await;
    assert_eq!(status, 204);
    let (status, _) = ward.curl("GET", &one, Some(&issuer), None).await;
    assert_eq!(status, 404);
    ward.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r17_observations_are_taken_in_once_and_owned_by_hand() {
    let ward = Ward::start().await;
    let issuer = ward.token("issuer", &[Role::Issuer], Scope::default());
    let issuer = issuer.await;
    let reader = ward.token("reader", &[Role::ReadOnly], Scope::default());
    let reader = reader.await;
    let mut seen: Vec<Value> = Vec::new();
    let here = Look::new("console-3", server::wall_clock().0);
    look(&[ward.path("root.pem")], &here, |one| {
        seen.push(serde_json::to_value(one).unwrap());
    });
    let line = seen.first().unwrap();
    let (status, _) = ward
        .curl("POST", OBSERVATIONS, Some(&reader), Some(line))
        .await;
    assert_eq!(status, 403);
    let (status, taken) = ward
        .curl("POST", OBSERVATIONS, Some(&issuer), Some(line))
        .await;
    assert_eq!((status, &taken["places_new"]), (200, &json!(1)), "{taken}");
    let (_, again) = ward
        .curl("POST", OBSERVATIONS, Some(&issuer), Some(line))
        .await;
    assert_eq!(again["places_new"], json!(0), "{again}");

    let root = ward.ca.issuer("root").unwrap().certificate().fingerprint();
    let digits: String = root.iter().map(|byte| format!("{byte:02x}")).collect();
    let owner = format!("/api/v1/inventory/{digits}/owner");
    let gift = json!({ "owner": "radiology" });
    let (status, _) = ward.curl("PUT", &owner, Some(&reader), Some(&gift)).await;
    assert_eq!(status, 403);
    let (status, hand) = ward.curl("PUT", &owner, Some(&issuer), Some(&gift)).await;
    assert_eq!((status, &hand["gift"]), (200, &gift), "{hand}");
    ward.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_observation_is_counted_and_hurts_nothing() {
    let ward = Ward::start().await;
    let issuer = ward.token("issuer", &[Role::Issuer], Scope::default());
    let issuer = issuer.await;
    let hostile = json!({ "v": 1, "at": "never", "chain": [{}] });
    let (status, taken) = ward
        .curl("POST", OBSERVATIONS, Some(&issuer), Some(&hostile))
        .await;
    assert_eq!((status, &taken["bad"]), (200, &json!(1)), "{taken}");
    assert_eq!(taken["observations"], json!(0));
    let short = json!({ "owner": "x" });
    let path = "/api/v1/inventory/00ff/owner";
    let (status, _) = ward.curl("PUT", path, Some(&issuer), Some(&short)).await;
    assert_eq!(status, 400);
    ward.stop().await;
}

const IMPORT: &str = "/api/v1/inventory/import";
const PASSWORD: &str = "correct horse battery staple";

/// Sends a file as it is.
async fn send(
    ward: &Ward,
    token: &str,
    query: &str,
    file: &str,
    passwords: &[&str],
) -> (u16, Value) {
    let mut command = Command::new("curl");
    command
        .args(["-sS", "-X", "POST", "-w", "\n%{http_code}", "--cacert"])
        .arg(ward.path("root.pem"))
        .args(["-H", &format!("Authorization: Bearer {token}")])
        .args(["-H", "Content-Type: application/octet-stream"])
        .args(["--data-binary", &format!("@{}", ward.path(file).display())]);
    for password in passwords {
        command.args(["-H", &format!("Ward-Store-Password: {password}")]);
    }
    let port = ward.addresses.api.port();
    command.arg(format!("https://localhost:{port}{IMPORT}?{query}"));
    let text = support::run(command).await;
    let (body, status) = text.rsplit_once('\n').unwrap();
    (status.parse().unwrap(), serde_json::from_str(body).unwrap())
}

/// A self-signed certificate of openssl's in every form that tools keep them in.
async fn forms(ward: &Ward) {
    let dir = ward.dir.path().display();
    let script = format!(
        "set -e; cd {dir}
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout k.pem -subj /CN=pacs.example -days 90 -out c.pem
        openssl x509 -in c.pem -outform DER -out c.der
        openssl crl2pkcs7 -nocrl -certfile c.pem -outform DER -out c.p7b
        openssl pkcs12 -export -in c.pem -inkey k.pem -passout 'pass:{PASSWORD}' -out c.p12
        keytool -importcert -noprompt -alias pacs -file c.pem -keystore c.jks -storetype JKS -storepass changeit 2>/dev/null
        (echo 'Server,Port,Certificate,Application owner'; printf '10.30.0.7,443,\"%s\",radiology\\n10.30.0.8,443,none,\\n' \"$(cat c.pem)\") > c.csv
        head -c 300 c.jks > cut.jks; echo nothing > none.txt"
    );
    let mut command = Command::new("sh");
    command.args(["-c", &script]);
    support::run(command).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r16_files_of_other_tools_are_taken_in_over_rest_in_every_form() {
    let ward = Ward::start().await;
    let issuer = ward
        .token("issuer", &[Role::Issuer], Scope::default())
        .await;
    let reader = ward
        .token("reader", &[Role::ReadOnly], Scope::default())
        .await;
    forms(&ward).await;
    let (status, _) = send(&ward, &reader, "name=c.pem", "c.pem", &[]).await;
    assert_eq!(status, 403);
    let (status, would) = send(&ward, &issuer, "name=c.pem&dry_run=true", "c.pem", &[]).await;
    assert_eq!(
        (status, &would["certificates_new"]),
        (200, &json!(1)),
        "{would}"
    );
    for (number, file) in ["c.pem", "c.der", "c.p7b", "c.p12", "c.jks"]
        .iter()
        .enumerate()
    {
        let passwords = ["wrong", PASSWORD];
        let (status, taken) = send(&ward, &issuer, &format!("name={file}"), file, &passwords).await;
        assert_eq!(
            (status, &taken["kind"]),
            (200, &json!("store")),
            "{file}: {taken}"
        );
        // One certificate, whoever brings it; a place for each file.
        let new = u64::from(number == 0);
        assert_eq!(taken["certificates_new"], json!(new), "{file}: {taken}");
        assert_eq!(taken["places_new"], json!(1), "{file}: {taken}");
    }
    let (status, taken) = send(&ward, &issuer, "name=c.csv&source=old-tool", "c.csv", &[]).await;
    assert_eq!((status, &taken["kind"]), (200, &json!("table")), "{taken}");
    assert_eq!(
        (&taken["said"], &taken["bad"]),
        (&json!(1), &json!(1)),
        "{taken}"
    );
    let bad = taken["bad_lines"][0].as_str().unwrap();
    assert!(bad.starts_with("old-tool, line 3: "), "{bad}");
    ward.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_taken_in_is_refused_by_name_and_passwords_are_nowhere() {
    let ward = Ward::start().await;
    let issuer = ward
        .token("issuer", &[Role::Issuer], Scope::default())
        .await;
    let admin = ward.token("admin", &[Role::Admin], Scope::default()).await;
    forms(&ward).await;
    let wrong = "hunter2-of-nobody";
    for (file, rule) in [
        ("c.p12", "import.locked"),
        ("cut.jks", "import.damaged"),
        ("k.pem", "import.format"),
        ("none.txt", "import.format"),
    ] {
        let (status, problem) = send(&ward, &issuer, &format!("name={file}"), file, &[wrong]).await;
        assert_eq!(
            (status, &problem["rule"]),
            (422, &json!(rule)),
            "{file}: {problem}"
        );
        assert!(!problem.to_string().contains(wrong), "{problem}");
    }
    // Nothing of any of them is in the inventory; the twin that must be taken in is the test above.
    let (_, places) = ward
        .curl("GET", "/api/v1/places", Some(&issuer), None)
        .await;
    let places = places.to_string();
    assert!(
        !places.contains("c.p12") && !places.contains("k.pem"),
        "{places}"
    );
    let (_, events) = ward
        .curl("GET", "/api/v1/audit/events?limit=1000", Some(&admin), None)
        .await;
    let events = events.to_string();
    assert!(events.contains("import.locked"), "{events}");
    assert!(!events.contains(wrong), "{events}");
    let (status, _) = send(&ward, &issuer, "name=a%0ab", "c.pem", &[]).await;
    assert_eq!(status, 400);
    let (status, _) = send(&ward, &issuer, "name=c.p12", "c.p12", &["x"; 17]).await;
    assert_eq!(status, 400);
    ward.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r21_rules_are_tried_over_rest_and_change_nothing() {
    let ward = Ward::start().await;
    let issuer = ward
        .token("issuer", &[Role::Issuer], Scope::default())
        .await;
    let reader = ward
        .token("reader", &[Role::ReadOnly], Scope::default())
        .await;
    forms(&ward).await;
    // A rule may have the name of the path.
    for (name, names) in [
        ("icu", json!(["*.icu.example"])),
        ("test", json!(["pacs.*"])),
    ] {
        let rule = json!({ "name": name, "when": { "names": names }, "give": { "owner": "x" } });
        let (status, _) = ward.curl("POST", RULES, Some(&issuer), Some(&rule)).await;
        assert_eq!(status, 201);
    }
    let path = format!("{RULES}/test");
    let pem = std::fs::read_to_string(ward.path("c.pem")).unwrap();
    let given = json!({ "certificate": pem });
    let (status, tried) = ward.curl("POST", &path, Some(&reader), Some(&given)).await;
    assert_eq!((status, &tried["rule"]), (200, &json!("test")), "{tried}");
    assert_eq!(tried["tried"][0]["matches"], json!(false), "{tried}");
    let (status, rule) = ward.curl("GET", &path, Some(&reader), None).await;
    assert_eq!((status, &rule["rule"]["name"]), (200, &json!("test")));
    let unknown = json!({ "sha256": "00".repeat(32) });
    let (status, _) = ward
        .curl("POST", &path, Some(&reader), Some(&unknown))
        .await;
    assert_eq!(status, 404);
    let (status, _) = ward
        .curl("POST", &path, Some(&reader), Some(&json!({})))
        .await;
    assert_eq!(status, 400);
    let (status, _) = ward
        .curl("POST", &format!("{RULES}/icu"), Some(&reader), Some(&given))
        .await;
    assert_eq!(status, 405);
    ward.stop().await;
}

/// Lines of observations of different addresses, then whatever else.
fn upload(ward: &Ward, count: u32, more: impl FnOnce(&mut BufWriter<File>)) -> PathBuf {
    let path = ward.path("upload.jsonl");
    let mut file = BufWriter::new(File::create(&path).unwrap());
    let mut look_here = Vec::new();
    let here = Look::new("console-3", server::wall_clock().0);
    look(&[ward.path("root.pem")], &here, |one| {
        look_here.push(serde_json::to_value(one).unwrap());
    });
    let mut line = look_here.remove(0);
    for number in 0..count {
        line["place"] =
            json!({ "kind": "file", "host": format!("host-{number}"), "path": "/root.pem" });
        writeln!(file, "{line}").unwrap();
    }
    more(&mut file);
    file.flush().unwrap();
    path
}

#[tokio::test(flavor = "multi_thread")]
async fn r17_what_an_upload_that_breaks_off_leaves_is_said_and_not_taken_in_twice() {
    let ward = Ward::start().await;
    let issuer = ward.token("issuer", &[Role::Issuer], Scope::default());
    let issuer = issuer.await;
    // 2,000 are a batch, and the last of these is none; a line of more than 4 MiB ends it.
    let path = upload(&ward, 2_001, |file| {
        file.write_all(&vec![b' '; (4 << 20) + 1]).unwrap();
    });
    let (status, problem) = ward.curl_file(OBSERVATIONS, &issuer, &path, &[]).await;
    assert_eq!(
        (status, &problem["type"]),
        (413, &json!("urn:ward:problem:too-large")),
        "{problem}"
    );
    let kept = &problem["kept"];
    assert_eq!(
        (&kept["observations"], &kept["places_new"]),
        (&json!(2_000), &json!(2_000)),
        "{problem}"
    );
    assert_eq!(kept["through_line"], json!(2_000), "{problem}");
    let said = problem["detail"].as_str().unwrap();
    assert!(said.contains("2000 observations up to line 2000"), "{said}");
    // Sent again, whole this time: what was kept is not new.
    let path = upload(&ward, 2_001, |_| {});
    let (status, taken) = ward.curl_file(OBSERVATIONS, &issuer, &path, &[]).await;
    assert_eq!(
        (
            status,
            &taken["observations"],
            &taken["places_new"],
            &taken["through_line"]
        ),
        (200, &json!(2_001), &json!(1), &json!(2_001)),
        "{taken}"
    );
    ward.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_is_over_full_keeps_nothing_if_it_said_so_and_says_what_it_keeps_if_not() {
    let ward = Ward::start().await;
    let issuer = ward.token("issuer", &[Role::Issuer], Scope::default());
    let issuer = issuer.await;
    // 256 MiB of lines with nothing in them, behind a batch that has something: some 4 MiB too many.
    let path = upload(&ward, 2_000, |file| {
        let mut blank = vec![b' '; (4 << 20) - 1];
        blank.push(b'\n');
        for _ in 0..64 {
            file.write_all(&blank).unwrap();
        }
    });
    // Over HTTP/1.1, where curl asks first (RFC 9110 §10.1.1): some of its releases give a stream up that is answered and
    // reset before its body has ended, though RFC 9113 §8.1 allows that.
    let asked = ["--http1.1"];
    let (status, problem) = ward.curl_file(OBSERVATIONS, &issuer, &path, &asked).await;
    assert_eq!((status, &problem["kept"]), (413, &Value::Null), "{problem}");
    let chunked = ["-H", "Transfer-Encoding: chunked", "--http1.1"];
    let (status, problem) = ward.curl_file(OBSERVATIONS, &issuer, &path, &chunked).await;
    assert_eq!(
        (status, &problem["kept"]["places_new"]),
        (413, &json!(2_000)),
        "{problem}"
    );
    ward.stop().await;
}
