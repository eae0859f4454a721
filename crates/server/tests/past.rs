//! `as_of=` over HTTP (R52): a house that was founded a month ago, and what has changed in it since.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests are tests"
)]

mod support;

use std::sync::LazyLock;

use access::{Action, PersonState, Role, Scope};
use audit::Timestamp;
use serde_json::{Value, json};
use support::{Ward, permit};

const DAY_MS: i64 = 86_400_000;

/// The beginning of the day on which the tests began.
static TODAY: LazyLock<i64> = LazyLock::new(|| server::wall_clock().0 / DAY_MS * DAY_MS);

/// The beginning of a day of this house, counted from its founding thirty days ago.
fn day(days: i64) -> Timestamp {
    Timestamp(*TODAY + (days - 30) * DAY_MS)
}

fn at(days: i64) -> String {
    x509::Time(day(days).0 / 1000).to_string()
}

fn parsed<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

/// Day 1: a group, somebody in it with a token, a policy, a profile. Day 11: all of it changes. Day 21: all of it ends.
async fn live(ward: &Ward) {
    let access = &ward.access;
    let people = permit(access, Action::ManagePeople);
    let policies = permit(access, Action::ManagePolicies);
    let grants = |role: &str| json!([{ "role": role }]);
    let group = |role: &str, version: u64| {
        parsed(json!({ "name": "biomed", "grants": grants(role), "version": version }))
    };
    let policy = |needed: u8, version: u64| {
        let policy = json!({ "name": "ending", "action": "revoke-certificate", "needed": needed, "hours": 24, "version": version });
        parsed(policy)
    };
    let made = access.put_group(&people, group("auditor", 0), day(1));
    made.await.unwrap();
    let ada = parsed(json!({ "name": "Ada Lovelace", "groups": ["biomed"] }));
    let ada = access.create_person(&people, "ada", ada, day(1));
    ada.await.unwrap();
    let token = parsed(json!({ "name": "ada", "person": true, "roles": ["auditor"] }));
    let token = access.create_token(permit(access, Action::ManageTokens), token, day(1));
    token.await.unwrap();
    let made = access.put_policy(&policies, policy(1, 0), day(1));
    made.await.unwrap();
    let changed = access.put_group(&people, group("ra-officer", 1), day(11));
    changed.await.unwrap();
    let changed = access.put_policy(&policies, policy(2, 1), day(11));
    changed.await.unwrap();
    let left = access.set_person_state(&people, "ada", PersonState::Left, "moved", day(21));
    left.await.unwrap();
    access
        .remove_group(&people, "biomed", day(21))
        .await
        .unwrap();
    let ended = access.remove_policy(&policies, "ending", day(21));
    ended.await.unwrap();
}

/// A profile of the house's own, in two versions.
async fn write_profiles(ward: &Ward) {
    let built_in = ward.ca.profile("server-tls").unwrap();
    let own = built_in.toml.replacen("\"server-tls\"", "\"own-tls\"", 1);
    for (text, days) in [
        (own.clone(), 1),
        (own.replace("max = \"398d\"", "max = \"200d\""), 11),
    ] {
        let permit = permit(&ward.access, Action::ManageProfiles);
        ward.ca.put_profile(permit, &text, day(days)).await.unwrap();
    }
}

struct Reader<'a> {
    ward: &'a Ward,
    token: String,
}

impl Reader<'_> {
    async fn ask(&self, path: &str, days: i64) -> (u16, Value) {
        let path = format!("/api/v1/{path}?as_of={}", at(days));
        self.ward.curl("GET", &path, Some(&self.token), None).await
    }

    async fn told(&self, path: &str, days: i64) -> Value {
        let (status, body) = self.ask(path, days).await;
        assert_eq!(status, 200, "{path} on day {days}: {body}");
        body
    }

    async fn status(&self, path: &str, days: i64) -> u16 {
        self.ask(path, days).await.0
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn r52_who_could_do_what_is_told_as_it_was() {
    let ward = Ward::start().await;
    live(&ward).await;
    let token = ward.token("reader", &[Role::Admin], Scope::default()).await;
    let reader = Reader { ward: &ward, token };
    for (days, state, roles, needed) in [
        (1, "active", json!(["auditor"]), json!([1])),
        (11, "active", json!(["ra-officer"]), json!([2])),
        (21, "left", json!([]), json!([])),
    ] {
        let ada = reader.told("people/ada", days).await;
        let granted: Value = ada["effective"]
            .as_array()
            .unwrap()
            .iter()
            .map(|grant| grant["role"].clone())
            .collect();
        assert_eq!(
            (&ada["state"], granted),
            (&json!(state), roles),
            "day {days}"
        );
        assert_eq!(
            reader.told("people", days).await,
            json!([ada]),
            "day {days}"
        );
        let policies = reader.told("approval-policies", days).await;
        let found: Value = policies
            .as_array()
            .unwrap()
            .iter()
            .map(|policy| policy["needed"].clone())
            .collect();
        assert_eq!(found, needed, "day {days}");
        let tokens = reader.told("tokens", days).await;
        assert_eq!(
            (
                tokens.as_array().unwrap().len(),
                tokens[0]["revoked"].is_null()
            ),
            (1, days < 21),
            "day {days}"
        );
        assert!(!tokens.to_string().contains("secret"), "{tokens}");
    }
    let biomed = reader.told("groups/biomed", 11).await;
    assert_eq!(
        (&biomed["members"], &biomed["grants"][0]["role"]),
        (&json!(["ada"]), &json!("ra-officer"))
    );
    assert_eq!(reader.told("groups", 11).await, json!([biomed]));
    assert_eq!(
        reader.told("approval-policies/ending", 1).await["needed"],
        1
    );
    // Before it began, and after it ended.
    for (path, one, days) in [
        ("people", "people/ada", 0),
        ("groups", "groups/biomed", 0),
        ("groups", "groups/biomed", 21),
        ("approval-policies", "approval-policies/ending", 0),
        ("approval-policies", "approval-policies/ending", 21),
    ] {
        assert_eq!(
            reader.told(path, days).await,
            json!([]),
            "{path} on day {days}"
        );
        assert_eq!(reader.status(one, days).await, 404, "{one} on day {days}");
    }
    assert_eq!(reader.told("tokens", 0).await, json!([]));
    ward.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r52_by_whom_and_by_what_was_issued_is_told_as_it_was() {
    let ward = Ward::founded(day(0)).await;
    write_profiles(&ward).await;
    let retired = ward.ca.retire_authority(
        permit(&ward.access, Action::ManageAuthorities),
        "people",
        "merged",
        day(11),
    );
    retired.await.unwrap();
    let token = ward
        .token("reader", &[Role::Auditor], Scope::default())
        .await;
    let reader = Reader { ward: &ward, token };
    assert_eq!(reader.told("authorities", -1).await, json!([]));
    assert_eq!(reader.told("issuers", -1).await, json!([]));
    assert_eq!(reader.status("authorities/people", -1).await, 404);
    assert_eq!(reader.status("profiles/own-tls", 0).await, 404);
    for (days, state, key, max) in [
        (1, "active", "active", "398d"),
        (11, "retired", "retired", "200d"),
    ] {
        let people = reader.told("authorities/people", days).await;
        assert_eq!(people["state"], state, "day {days}");
        assert!(
            reader
                .told("authorities", days)
                .await
                .as_array()
                .unwrap()
                .contains(&people)
        );
        let issuers = reader.told("issuers", days).await;
        let of = |id: &str| {
            issuers
                .as_array()
                .unwrap()
                .iter()
                .find(|each| each["id"] == id)
                .unwrap()
                .clone()
        };
        assert_eq!(
            (
                of("people")["state"].as_str(),
                of("people")["key_here"].as_bool()
            ),
            (Some(key), Some(true)),
            "day {days}"
        );
        assert_eq!(of("root")["key_here"], false, "its key was carried away");
        let text = reader.told("profiles/own-tls", days).await;
        assert!(
            text.as_str().unwrap().contains(&format!("max = \"{max}\"")),
            "{text}"
        );
        let profiles = reader.told("profiles", days).await;
        let own = profiles
            .as_array()
            .unwrap()
            .iter()
            .find(|each| each["name"] == "own-tls")
            .unwrap();
        assert_eq!(own["version"], if days == 1 { 1 } else { 2 });
    }
    ward.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r52_what_is_to_come_and_what_is_not_kept_is_refused() {
    let ward = Ward::start().await;
    let token = ward.token("reader", &[Role::Admin], Scope::default()).await;
    let document = ward.curl("GET", "/api/v1/openapi.json", None, None).await.1;
    let takes = |operation: &Value| {
        let parameters = operation["get"]["parameters"].as_array();
        parameters.is_some_and(|all| all.iter().any(|each| each["name"] == "as_of"))
    };
    let filled = |path: &str| {
        path.replace("{id}", "00000000")
            .replace("{name}", "nothing")
            .replace("{sha256}", "00")
            .replace("{seq}", "0")
    };
    let rule = async |path: &str, instant: &str| {
        let path = format!("{}?as_of={instant}", filled(path));
        let (status, body) = ward.curl("GET", &path, Some(&token), None).await;
        (status, body["rule"].as_str().unwrap_or_default().to_owned())
    };
    let refused = |rule: &str| (422, rule.to_owned());
    for (path, operations) in document["paths"].as_object().unwrap() {
        if operations.get("get").is_none() || !path.starts_with("/api/v1/") {
            continue;
        }
        if takes(operations) {
            // Of one asset that is not there nothing else is said.
            let expected = match path.as_str() {
                "/api/v1/assets/{id}" => (404, String::new()),
                _ => refused("as-of.future"),
            };
            assert_eq!(rule(path, "2999-01-01T00:00:00Z").await, expected, "{path}");
        } else {
            assert_eq!(
                rule(path, "2026-01-01T00:00:00Z").await,
                refused("as-of.not-kept"),
                "{path}"
            );
        }
    }
    ward.stop().await;
}
