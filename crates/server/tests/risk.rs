//! Risk, calls and owners as a running server tells them (R16, R18, R36), the scan that a segment asks for by itself, and the
//! alert that reaches whoever is on call when a device falls silent (R17, R25).

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod support;

use std::net::TcpListener;
use std::process::Command;
use std::time::Duration;

use access::{Role, Scope};
use agent::observation::{Der, How, Observation, Outcome, Place};
use serde_json::{Value, json};
use server::config::Alerts;
use support::Ward;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

const PATIENCE: Duration = Duration::from_secs(60);

/// A self-signed certificate of openssl's, as DER.
async fn certificate(ward: &Ward, name: &str, days: &str) -> Vec<u8> {
    let (key, der) = (ward.path("made.key"), ward.path("made.der"));
    let mut command = Command::new("openssl");
    command.args([
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
    ]);
    command.args([
        "-nodes",
        "-outform",
        "DER",
        "-days",
        days,
        "-subj",
        &format!("/CN={name}"),
    ]);
    command.arg("-keyout").arg(&key).arg("-out").arg(&der);
    support::run(command).await;
    std::fs::read(der).unwrap()
}

async fn seen(ward: &Ward, token: &str, place: Place, der: &[u8]) {
    let now = server::wall_clock().0;
    let mut one = Observation::new(now, "span-1", How::Capture, place, Outcome::Certificate);
    one.chain = vec![Der::from(der.to_vec())];
    let line = serde_json::to_value(&one).unwrap();
    let path = "/api/v1/inventory/observations";
    let (status, taken) = ward.curl("POST", path, Some(token), Some(&line)).await;
    assert_eq!((status, &taken["places_new"]), (200, &json!(1)), "{taken}");
}

async fn get(ward: &Ward, token: &str, path: &str) -> Value {
    let (status, body) = ward.curl("GET", path, Some(token), None).await;
    assert_eq!(status, 200, "{path}: {body}");
    body
}

/// Asks until the answer is as it should be: the server works things out in the background.
async fn until(ward: &Ward, token: &str, path: &str, is: impl Fn(&Value) -> bool) -> Value {
    let asked = async {
        loop {
            let body = get(ward, token, path).await;
            if is(&body) {
                return body;
            }
            sleep(Duration::from_millis(300)).await;
        }
    };
    let last = timeout(PATIENCE, asked).await;
    match last {
        Ok(body) => body,
        Err(_) => panic!("{path}: {}", get(ward, token, path).await),
    }
}

async fn metrics(ward: &Ward) -> String {
    let mut command = Command::new("curl");
    let port = ward.addresses.status.port();
    command.args(["-sS", &format!("http://127.0.0.1:{port}/metrics")]);
    support::run(command).await
}

fn network(address: &str) -> Place {
    Place::Network {
        address: address.parse().unwrap(),
        port: 443,
        sni: None,
        starttls: None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn r18_risk_is_counted_explained_and_labelled_with_its_owner() {
    let ward = Ward::start().await;
    let issuer = ward
        .token("issuer", &[Role::Issuer], Scope::default())
        .await;
    let rule = |name: &str, glob: &str, phi: bool| json!({ "name": name, "when": { "names": [glob] }, "give": { "owner": name, "phi": phi } });
    for rule in [
        rule("radiology", "*.phi.example", true),
        rule("canteen", "*.menu.example", false),
    ] {
        let path = "/api/v1/owner-rules";
        let (status, _) = ward.curl("POST", path, Some(&issuer), Some(&rule)).await;
        assert_eq!(status, 201);
    }
    let soon = certificate(&ward, "pacs.phi.example", "10").await;
    let twin = certificate(&ward, "today.menu.example", "10").await;
    seen(&ward, &issuer, network("10.30.0.7"), &soon).await;
    seen(&ward, &issuer, network("10.30.0.8"), &twin).await;
    // Ward's own stand beside them, and nobody owns those.
    let counts = until(&ward, &issuer, "/api/v1/risk", |counts| {
        let text = counts.to_string();
        text.contains("radiology") && text.contains("canteen")
    })
    .await;
    assert_eq!(counts["risks"]["critical"], 1, "{counts}");
    let of = |owner: &str| {
        let counts = counts["counts"].as_array().unwrap();
        let mine = counts.iter().find(|one| one["owner"] == owner).unwrap();
        assert_eq!(mine["within"], "30-days", "{mine}");
        (mine["risk"].clone(), mine["certificates"].clone())
    };
    assert_eq!(of("radiology"), (json!("critical"), json!(1)));
    assert_eq!(of("canteen"), (json!("medium"), json!(1)));
    let sha256: String = audit::merkle::sha256(&soon)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let why = get(&ward, &issuer, &format!("/api/v1/inventory/{sha256}/risk")).await;
    assert_eq!(
        (&why["level"], &why["action"]),
        (&json!("critical"), &json!("renew now"))
    );
    let text = why["text"].as_str().unwrap();
    assert!(text.starts_with("Critical because: PHI by "), "{text}");
    // Ten days in the second in which it was made.
    let left = ["9 days left", "10 days left"];
    assert!(
        text.contains("radiology") && left.iter().any(|left| text.contains(left)),
        "{text}"
    );

    // A call with a certificate of its own, seen in a capture; the map says nothing of it.
    let caller = certificate(&ward, "portal.menu.example", "200").await;
    let place = Place::Client {
        address: "10.20.0.9".parse().unwrap(),
        server: "10.30.0.7".parse().unwrap(),
        port: 443,
    };
    seen(&ward, &issuer, place, &caller).await;
    let calls = until(&ward, &issuer, "/api/v1/flow-calls?off_map=true", |calls| {
        calls.to_string().contains("10.20.0.9")
    })
    .await;
    assert!(calls.to_string().contains("10.30.0.7"), "{calls}");

    until(&ward, &issuer, "/api/v1/risk", |counts| {
        counts.to_string().matches("canteen").count() == 2
    })
    .await;
    // Figures are told once a minute, and when a server starts.
    let ward = Ward::serve(ward.stop().await, "", |_| ()).await;
    let told = async {
        loop {
            let told = metrics(&ward).await;
            let all = [
                r#"ward_inventory_certificates{owner="radiology",risk="critical"} 1"#,
                r#"ward_inventory_certificates{owner="canteen",risk="medium"} 2"#,
                r#"ward_inventory_certificates{owner="canteen",risk="critical"} 0"#,
                r#"ward_inventory_expiry{owner="radiology",within="30-days"} 1"#,
            ];
            if all.iter().all(|line| told.contains(line)) && told.lines().any(is_finding) {
                return;
            }
            sleep(Duration::from_millis(300)).await;
        }
    };
    if timeout(PATIENCE, told).await.is_err() {
        panic!("{}", metrics(&ward).await);
    }
    ward.stop().await;
}

fn is_finding(line: &str) -> bool {
    line.starts_with("ward_findings_open{")
        && line.contains(r#"rule="expiring.30""#)
        && line.contains(r#"owner="radiology""#)
}

/// The program on call: gives on what it is told.
async fn receiver() -> (String, mpsc::Receiver<String>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/alerts", listener.local_addr().unwrap());
    let (told, heard) = mpsc::channel(8);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut text = String::new();
            let mut piece = [0; 4096];
            // The body of an alert is one object, and the last thing that comes.
            while !text.trim_end().ends_with('}') {
                match stream.read(&mut piece).await {
                    Ok(length) if length > 0 => {
                        text.push_str(&String::from_utf8_lossy(&piece[..length]));
                    }
                    _ => break,
                }
            }
            let answer = b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n";
            stream.write_all(answer).await.ok();
            told.send(text).await.ok();
        }
    });
    (url, heard)
}

/// A device that answers once, and never again.
fn frail() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        use std::io::Write;
        if let Ok((mut stream, _)) = listener.accept() {
            stream.write_all(b"ready\n").ok();
        }
    });
    port
}

#[tokio::test(flavor = "multi_thread")]
async fn r17_a_scan_runs_by_itself_and_a_device_that_falls_silent_is_alerted() {
    let ward = Ward::start().await;
    let issuer = ward
        .token("issuer", &[Role::Issuer], Scope::default())
        .await;
    let approver = ward
        .token("approver", &[Role::Approver], Scope::default())
        .await;
    let port = frail();
    let pump = json!({ "serial": "SN-1", "manufacturer": "Acme Medical", "model": "Drip 3",
        "host_names": ["localhost"] });
    let (status, made) = ward
        .curl("POST", "/api/v1/assets", Some(&issuer), Some(&pump))
        .await;
    assert_eq!(status, 201, "{made}");
    let segment = json!({ "name": "icu", "ranges": ["127.0.0.1"], "ports": [format!("{port}/tls")], "rate": 50.0,
        "pause_ms": 0, "hours": ["always"], "zone": "UTC", "every_hours": 24 });
    let (status, made) = ward
        .curl("POST", "/api/v1/segments", Some(&issuer), Some(&segment))
        .await;
    assert_eq!(status, 201, "{made}");
    let sign = json!({ "version": 1 });
    let path = "/api/v1/segments/icu/sign";
    let (status, signed) = ward.curl("POST", path, Some(&approver), Some(&sign)).await;
    assert_eq!(status, 200, "{signed}");

    let dir = ward.stop().await;
    let (url, mut heard) = receiver().await;
    let secret_file = dir.path().join("alerts.secret");
    std::fs::write(&secret_file, "between us\n").unwrap();
    let ward = Ward::serve(dir, "", |config| {
        config.alerts = Some(Alerts {
            url,
            secret_file,
            requests: false,
        });
    })
    .await;
    let alert = timeout(PATIENCE, heard.recv()).await.unwrap().unwrap();
    assert!(alert.contains(r#""action":"scan.silenced""#), "{alert}");
    assert!(
        alert.contains("Drip 3") && alert.contains("127.0.0.1"),
        "{alert}"
    );
    assert!(
        alert.to_lowercase().contains("ward-signature: t="),
        "{alert}"
    );
    let scans = until(&ward, &issuer, "/api/v1/scans?segment=icu", |scans| {
        scans["scans"][0]["state"] == "done"
    })
    .await;
    assert_eq!(scans["scans"].as_array().map(Vec::len), Some(1), "{scans}");
    assert_eq!(scans["scans"][0]["done"], json!(1), "{scans}");
    ward.stop().await;
}
