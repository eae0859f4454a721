//! Owner rules, owners by hand and carried observations over HTTPS (R17, R21): by who may, by who may not, and what is no
//! observation at all.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod support;

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
