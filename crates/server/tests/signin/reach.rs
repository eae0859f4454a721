//! What somebody sees of the inventory whose grants are limited to a part of the house (R37): certificates in two segments
//! of two sites, and one that nobody knows the place of.

use std::process::Command;
use std::time::Duration;

use access::{Action, Grant, Profile, Role, Scope};
use agent::observation::{Der, How, Observation, Outcome, Place};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use crate::House;
use crate::browser::Browser;
use crate::support::{Ward, permit, run};

const PATIENCE: Duration = Duration::from_secs(60);

struct Seen {
    house: House,
    issuer: String,
    pump: String,
    portal: String,
    lost: String,
}

/// A self-signed certificate of openssl's that was seen at an address; its SHA-256.
async fn seen(ward: &Ward, token: &str, name: &str, address: &str) -> String {
    let (key, der) = (ward.path("made.key"), ward.path("made.der"));
    let mut command = Command::new("openssl");
    command.args([
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
    ]);
    command.args([
        "-outform",
        "DER",
        "-days",
        "20",
        "-subj",
        &format!("/CN={name}"),
    ]);
    command.args(["-addext", "basicConstraints=critical,CA:FALSE"]);
    command.arg("-keyout").arg(&key).arg("-out").arg(&der);
    run(command).await;
    let der = std::fs::read(der).unwrap();
    let place = Place::Network {
        address: address.parse().unwrap(),
        port: 443,
        sni: None,
        starttls: None,
    };
    let now = server::wall_clock().0;
    let mut one = Observation::new(now, "span-1", How::Capture, place, Outcome::Certificate);
    one.chain = vec![Der::from(der.clone())];
    let line = serde_json::to_value(&one).unwrap();
    let path = "/api/v1/inventory/observations";
    let (status, taken) = ward.curl("POST", path, Some(token), Some(&line)).await;
    assert_eq!((status, &taken["places_new"]), (200, &json!(1)), "{taken}");
    let digest = audit::merkle::sha256(&der);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

async fn segments_with_certificates() -> Seen {
    let house = House::start().await;
    let ward = &house.ward;
    let issuer = ward.token("issuer", &[Role::Admin], Scope::default()).await;
    for (name, site, range) in [
        ("icu-1", "North", "10.20.1.0/24"),
        ("dmz", "Main", "10.30.0.0/24"),
    ] {
        let segment = json!({ "name": name, "site": site, "ranges": [range] });
        let made = ward.curl("POST", "/api/v1/segments", Some(&issuer), Some(&segment));
        let (status, made) = made.await;
        assert_eq!(status, 201, "{made}");
    }
    let pump = seen(ward, &issuer, "pump-7.example", "10.20.1.7").await;
    let portal = seen(ward, &issuer, "portal.example", "10.30.0.7").await;
    let lost = seen(ward, &issuer, "lost.example", "192.0.2.7").await;
    let settled = async {
        loop {
            // Those in segments, and the root, which Ward puts in by itself.
            let path = "/api/v1/inventory?q=segment%20and%20site%20or%20ca%20and%20self-signed";
            let (_, page) = ward.curl("GET", path, Some(&issuer), None).await;
            if page["certificates"].as_array().map(Vec::len) == Some(3) {
                break;
            }
            sleep(Duration::from_millis(200)).await;
        }
    };
    timeout(PATIENCE, settled).await.unwrap();
    Seen {
        house,
        issuer,
        pump,
        portal,
        lost,
    }
}

impl Seen {
    /// What counts from the next request on.
    async fn grant(&self, grants: &[(Role, Scope)]) {
        let access = &self.house.ward.access;
        let person = access.person("ada").await.unwrap();
        let profile = Profile {
            grants: grants
                .iter()
                .map(|(role, scope)| Grant {
                    role: *role,
                    scope: scope.clone(),
                })
                .collect(),
            ..person.profile()
        };
        let (permit, now) = (permit(access, Action::ManagePeople), server::wall_clock());
        access
            .change_person(&permit, "ada", person.version, profile, now)
            .await
            .unwrap();
    }
}

fn segment(glob: &str) -> Scope {
    Scope {
        segments: vec![glob.to_owned()],
        ..Scope::default()
    }
}

fn site(glob: &str) -> Scope {
    Scope {
        sites: vec![glob.to_owned()],
        ..Scope::default()
    }
}

async fn get(browser: &mut Browser<'_>, path: &str) -> Value {
    let answer = browser.get(path).await;
    assert_eq!(answer.status, 200, "{path}: {answer:?}");
    answer.body
}

/// The SHA-256 of every certificate of a page, sorted.
async fn found(browser: &mut Browser<'_>, query: &str) -> Vec<String> {
    let page = get(browser, &format!("/api/v1/inventory?{query}")).await;
    let certificates = page["certificates"].as_array().unwrap();
    let digits = |one: &Value| one["sha256"].as_str().unwrap().to_owned();
    let mut found: Vec<String> = certificates.iter().map(digits).collect();
    found.sort_unstable();
    found
}

fn sorted(digests: &[&String]) -> Vec<String> {
    let mut sorted: Vec<String> = digests.iter().map(|one| (*one).clone()).collect();
    sorted.sort_unstable();
    sorted
}

#[tokio::test(flavor = "multi_thread")]
async fn r37_who_is_limited_to_a_part_of_the_house_sees_the_inventory_of_that_part() {
    let seen = segments_with_certificates().await;
    let (mut ada, _) = seen.house.at_work("ada", &[Role::Auditor]).await;
    // The whole house: Ward's own too.
    assert!(found(&mut ada, "").await.contains(&seen.lost));

    seen.grant(&[(Role::ClinicalEngineering, segment("icu-*"))])
        .await;
    let inside = sorted(&[&seen.pump]);
    for query in [
        "",
        "q=expired%20or%20not%20expired",
        "q=segment%20%3D%20icu-1%20or%20segment%20%3D%20dmz",
        "q=not%20segment%20%3D%20dmz",
        "view=segment-icu-1",
        "view=self-signed",
        "sort=risk&limit=1000",
    ] {
        assert_eq!(found(&mut ada, query).await, inside, "{query}");
    }
    assert_eq!(found(&mut ada, "q=segment%20%3D%20dmz").await, [""; 0]);
    limited_answers(&seen, &mut ada).await;
    limited_topology(&mut ada).await;

    // A limit on owners says nothing of segments.
    let owner = Scope {
        owners: vec!["*".to_owned()],
        ..Scope::default()
    };
    seen.grant(&[(Role::ClinicalEngineering, owner)]).await;
    assert_eq!(nodes(&mut ada, "").await, [""; 0]);

    // Two grants: what either opens; globs as scopes have them.
    seen.grant(&[
        (Role::ClinicalEngineering, segment("icu-*")),
        (Role::Integration, site("Ma*")),
    ])
    .await;
    let both = sorted(&[&seen.pump, &seen.portal]);
    assert_eq!(found(&mut ada, "").await, both);
    assert_eq!(found(&mut ada, "view=self-signed").await, both);
    seen.grant(&[(Role::ClinicalEngineering, segment("ICU-*"))])
        .await;
    assert_eq!(found(&mut ada, "").await, [""; 0]);
    // One for the whole house is enough.
    seen.grant(&[
        (Role::ClinicalEngineering, segment("icu-*")),
        (Role::Auditor, Scope::default()),
    ])
    .await;
    assert!(found(&mut ada, "").await.contains(&seen.lost));
    drop(ada);
    seen.house.ward.stop().await;
}

/// Whatever else tells of certificates, to somebody who sees the segment icu-1.
async fn limited_answers(seen: &Seen, ada: &mut Browser<'_>) {
    let places = get(ada, "/api/v1/places?q=port%20or%20not%20port").await;
    let places = places["places"].as_array().unwrap();
    assert_eq!(places.len(), 1, "{places:?}");
    assert_eq!(places[0]["segment"], "icu-1");
    let issuers = get(ada, "/api/v1/inventory/issuers").await;
    let issuers = issuers.as_array().unwrap();
    assert_eq!(issuers.len(), 1, "{issuers:?}");
    assert!(
        issuers[0]["issuer"].as_str().unwrap().contains("pump-7"),
        "{issuers:?}"
    );
    assert_eq!(get(ada, "/api/v1/inventory/keys").await["keys"], json!([]));
    for query in ["q=phi%20or%20not%20phi", "view=expiring-30"] {
        let export = get(
            ada,
            &format!("/api/v1/inventory/export?format=json&{query}"),
        )
        .await;
        let rows = export.as_array().unwrap();
        assert_eq!(rows.len(), 1, "{query}: {export}");
        assert_eq!(rows[0]["sha256"], json!(seen.pump));
    }
    // One certificate: inside, outside, of nobody, and an authority's, which is outside and in a chain.
    for path in ["", "/risk"] {
        get(ada, &format!("/api/v1/inventory/{}{path}", seen.pump)).await;
        for outside in [&seen.portal, &seen.lost] {
            let answer = ada.get(&format!("/api/v1/inventory/{outside}{path}")).await;
            assert_eq!(
                (answer.status, answer.rule()),
                (403, "scope.place"),
                "{answer:?}"
            );
        }
        let nobody = "0".repeat(64);
        let answer = ada.get(&format!("/api/v1/inventory/{nobody}{path}")).await;
        assert_eq!(answer.status, 404, "{answer:?}");
    }
    let root = seen
        .house
        .ward
        .ca
        .issuer("root")
        .unwrap()
        .certificate()
        .fingerprint();
    let root: String = root.iter().map(|byte| format!("{byte:02x}")).collect();
    let shown = get(ada, &format!("/api/v1/inventory/{root}")).await;
    assert_eq!((&shown["at"], &shown["history"]), (&json!([]), &json!([])));
    // Views, without what they count in the whole house, and without other segments.
    let views = get(ada, "/api/v1/inventory/views").await;
    let views = views.as_array().unwrap();
    let named = |name: &str| views.iter().find(|view| view["name"] == name);
    assert!(
        named("segment-icu-1").is_some() && named("segment-dmz").is_none(),
        "{views:?}"
    );
    assert!(
        views.iter().all(|view| view["members"].is_null()),
        "{views:?}"
    );
    for path in [
        "/api/v1/inventory/views/segment-dmz",
        "/api/v1/inventory?view=segment-dmz",
    ] {
        let answer = ada.get(path).await;
        assert_eq!(
            (answer.status, answer.rule()),
            (403, "scope.segment"),
            "{answer:?}"
        );
    }
    // What is counted in the whole house stays closed.
    for path in [
        "/api/v1/overview",
        "/api/v1/radar",
        "/api/v1/risk",
        "/api/v1/inventory/cbom",
    ] {
        let answer = ada.get(path).await;
        assert_eq!(
            (answer.status, answer.rule()),
            (403, "scope.place"),
            "{path}: {answer:?}"
        );
    }
    let issuer = &seen.issuer;
    let (_, all) = seen
        .house
        .ward
        .curl("GET", "/api/v1/inventory/views", Some(issuer), None)
        .await;
    assert!(all.to_string().contains("segment-dmz"), "{all}");
}

/// The ids of a level.
async fn nodes(browser: &mut Browser<'_>, under: &str) -> Vec<String> {
    let level = get(browser, &format!("/api/v1/topology{under}")).await;
    let nodes = level["nodes"].as_array().unwrap();
    let id = |node: &Value| node["id"].as_str().unwrap().to_owned();
    nodes.iter().map(id).collect()
}

async fn limited_topology(ada: &mut Browser<'_>) {
    assert_eq!(nodes(ada, "").await, ["site:North"]);
    assert_eq!(nodes(ada, "?under=site:North").await, ["segment:icu-1"]);
    assert_eq!(nodes(ada, "?under=site:Main").await, [""; 0]);
    assert_eq!(nodes(ada, "?under=segment:icu-1").await, ["rest:icu-1"]);
    assert_eq!(nodes(ada, "?under=rest:icu-1").await.len(), 1);
    for under in ["segment:dmz", "rest:dmz", "rest:"] {
        let answer = ada.get(&format!("/api/v1/topology?under={under}")).await;
        assert_eq!(
            (answer.status, answer.rule()),
            (403, "scope.segment"),
            "{under}: {answer:?}"
        );
    }
}
