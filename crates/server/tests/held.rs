//! A call that a policy holds back: what may be asked meanwhile, who decides, and that it is made once (R07, R35).

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod support;

use std::time::Duration;

use access::{RequestId, Role, Scope};
use serde_json::{Value, json};
use support::Ward;

/// The answer to a call that must have this status.
async fn told(
    ward: &Ward,
    token: &str,
    call: (&str, &str),
    body: Option<&Value>,
    is: u16,
) -> Value {
    let (status, answer) = ward.curl(call.0, call.1, Some(token), body).await;
    assert_eq!(status, is, "{call:?}: {answer}");
    answer
}

async fn until(ward: &Ward, token: &str, path: &str, holds: impl Fn(&Value) -> bool) -> Value {
    for _ in 0..200 {
        let answer = told(ward, token, ("GET", path), None, 200).await;
        if holds(&answer) {
            return answer;
        }
        tokio::time::sleep(Duration::from_millis(150)).await;
    }
    panic!("{path} did not become what it should")
}

#[tokio::test(flavor = "multi_thread")]
async fn r07_a_mass_revocation_under_a_policy_is_looked_at_freely_and_done_by_two() {
    const REVOKE: (&str, &str) = ("POST", "/api/v1/bulk/revoke");
    const FOUND: &str = "/api/v1/inventory?q=name+~+gateway";
    let ward = Ward::start().await;
    let admin = ward.token("ada", &[Role::Admin], Scope::default()).await;
    let security = ward.token("sam", &[Role::Security], Scope::default()).await;
    let approver = ward.token("ben", &[Role::Approver], Scope::default()).await;
    for name in ["gateway-1.mercy.example", "gateway-2.mercy.example"] {
        let body = json!({"profile": "server-tls", "csr": ward.csr(name).await});
        told(
            &ward,
            &admin,
            ("POST", "/api/v1/certificates"),
            Some(&body),
            201,
        )
        .await;
    }
    let count = |answer: &Value, revoked: bool| {
        let all = answer["certificates"].as_array().unwrap();
        all.iter()
            .filter(|one| one["revoked"].is_null() != revoked)
            .count()
    };
    until(&ward, &admin, FOUND, |answer| count(answer, false) == 2).await;
    let policy =
        json!({"name": "revocation", "action": "revoke-certificate", "needed": 1, "hours": 24});
    told(&ward, &admin, ("POST", POLICIES), Some(&policy), 201).await;

    // To look is not held, and leaves nothing behind.
    let mut bulk = json!({"search": "name ~ gateway", "reason": "superseded", "why": "INC-4711"});
    let dry = told(&ward, &security, REVOKE, Some(&bulk), 200).await;
    let waiting = ("GET", "/api/v1/requests");
    let nothing = json!({"requests": [], "next": null});
    assert_eq!(told(&ward, &security, waiting, None, 200).await, nothing);

    bulk["digest"] = dry["digest"].clone();
    let held = told(&ward, &security, REVOKE, Some(&bulk), 202).await;
    let approve = format!(
        "/api/v1/requests/{}/approve",
        held["request"].as_str().unwrap()
    );
    let found = told(&ward, &admin, ("GET", FOUND), None, 200).await;
    assert_eq!(count(&found, true), 0, "{found}");
    // Nobody decides about their own request.
    told(&ward, &security, ("POST", &approve), Some(&json!({})), 403).await;
    told(&ward, &approver, ("POST", &approve), Some(&json!({})), 200).await;
    until(&ward, &admin, FOUND, |answer| count(answer, true) == 2).await;
    // Where to look when nobody knows what a call has done.
    let made = events(&ward, |event| event["request"] == held["request"]).await;
    assert!(!made.is_empty(), "{held}");
    // It is decided; a second word does nothing.
    let late = told(&ward, &approver, ("POST", &approve), Some(&json!({})), 403).await;
    assert_eq!(late["rule"], "request.state");
    ward.stop().await;
}

async fn events(ward: &Ward, wanted: impl Fn(&Value) -> bool) -> Vec<Value> {
    let entries = ward.ca.store().events(0, 10_000).await.unwrap();
    let parsed = entries
        .iter()
        .map(|entry| serde_json::from_slice::<Value>(&entry.body).unwrap());
    parsed.filter(wanted).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn r07_a_call_that_a_stop_cut_off_is_told_as_what_nobody_knows() {
    const GROUPS: (&str, &str) = ("POST", "/api/v1/groups");
    let ward = Ward::start().await;
    let admin = ward.token("ada", &[Role::Admin], Scope::default()).await;
    let approver = ward.token("ben", &[Role::Approver], Scope::default()).await;
    let policy = json!({"name": "people", "action": "manage-people", "needed": 1, "hours": 24, "execute": "by-asker"});
    let policies = ("POST", "/api/v1/approval-policies");
    told(&ward, &admin, policies, Some(&policy), 201).await;
    let group = json!({"name": "nurses", "label": "Nurses"});
    let held = told(&ward, &admin, GROUPS, Some(&group), 202).await;
    let url = held["url"].as_str().unwrap();
    let approve = format!("{url}/approve");
    told(&ward, &approver, ("POST", &approve), Some(&json!({})), 200).await;

    // A server took it, and was gone before it had made it.
    let id = RequestId::parse(held["request"].as_str().unwrap()).unwrap();
    let system = ward.access.system_principal("approvals");
    let taken = ward
        .access
        .begin_call(&system, &id, None, server::wall_clock());
    taken.await.unwrap();
    let making = told(&ward, &admin, ("GET", url), None, 200).await;
    assert_eq!(making["state"], "executing");
    let ward = Ward::serve(ward.stop().await, "", |_| ()).await;

    let over = told(&ward, &admin, ("GET", url), None, 200).await;
    assert_eq!(over["state"], "failed", "{over}");
    assert_eq!(over["call"]["outcome"]["status"], 0, "{over}");
    let said = over["call"]["outcome"]["body"].as_str().unwrap();
    assert!(
        said.contains("nobody knows whether it was done") && said.contains(id.as_str()),
        "{said}"
    );
    let ended = events(&ward, |event| event["action"] == "request.cut-off").await;
    assert_eq!(ended.len(), 1, "{ended:?}");
    // It is not made again, neither by itself nor by whoever asked.
    let execute = format!("{url}/execute");
    let again = told(&ward, &admin, ("POST", &execute), Some(&json!({})), 403).await;
    assert_eq!(again["rule"], "request.state");
    ward.stop().await;
}

const POLICIES: &str = "/api/v1/approval-policies";

/// A Ward whose policy on people is `policy`, and a group that ada, an administrator, asks for under it.
struct Held {
    ward: Ward,
    ada: String,
    ben: String,
    /// The answer that says that it waits.
    waits: Value,
}

impl Held {
    async fn under(policy: Value) -> Self {
        let ward = Ward::start().await;
        let ada = ward.token("ada", &[Role::Admin], Scope::default()).await;
        let ben = ward.token("ben", &[Role::Approver], Scope::default()).await;
        let mut whole =
            json!({"name": "people", "action": "manage-people", "needed": 1, "hours": 24});
        for (key, value) in policy.as_object().unwrap() {
            whole[key] = value.clone();
        }
        told(&ward, &ada, ("POST", POLICIES), Some(&whole), 201).await;
        let group = json!({"name": "nurses", "label": "Nurses"});
        let groups = ("POST", "/api/v1/groups");
        let waits = told(&ward, &ada, groups, Some(&group), 202).await;
        Held {
            ward,
            ada,
            ben,
            waits,
        }
    }

    /// The answer to `POST {url}/{verb}`, which must have this status.
    async fn say(&self, token: &str, verb: &str, body: Value, is: u16) -> Value {
        let path = format!("{}/{verb}", self.waits["url"].as_str().unwrap());
        told(&self.ward, token, ("POST", &path), Some(&body), is).await
    }

    async fn made(&self) -> usize {
        events(&self.ward, |event| event["action"] == "group.create")
            .await
            .len()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn r07_what_is_done_in_an_emergency_is_looked_at_by_others() {
    let held = Held::under(json!({"emergency": true})).await;
    assert_eq!(held.waits["emergency"], true);
    let other = held.ward.token("bo", &[Role::Admin], Scope::default());
    let (other, why) = (other.await, json!({"reason": "nobody can sign in on 7B"}));
    let no = held.say(&other, "emergency", why.clone(), 403).await;
    assert_eq!(no["rule"], "request.asker");
    let no = held.say(&held.ada, "emergency", json!({"reason": "now"}), 403);
    assert_eq!(no.await["rule"], "request.emergency");
    assert_eq!(held.made().await, 0);

    let made = held.say(&held.ada, "emergency", why, 200).await;
    assert_eq!(
        (&made["state"], held.made().await),
        (&json!("review"), 1),
        "{made}"
    );
    let also_ada = held.ward.token("ada", &[Role::Admin], Scope::default());
    for own in [held.ada.clone(), also_ada.await] {
        for verb in ["approve", "deny"] {
            let no = held.say(&own, verb, json!({}), 403).await;
            assert_eq!(no["rule"], "request.own");
        }
    }
    let objected = held.say(&held.ben, "deny", json!({"comment": "7B could"}), 200);
    assert_eq!(objected.await["state"], "objected");
    let late = held.say(&other, "approve", json!({}), 403).await;
    assert_eq!(late["rule"], "request.state");
    held.ward.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r07_who_may_speak_about_a_held_call_and_hand_it_on() {
    let held = Held::under(json!({"approvers": ["approver"]})).await;
    let sam = held.ward.token("sam", &[Role::Security], Scope::default());
    let sam = sam.await;
    let remark =
        json!({"text": "For which ward?", "evidence": [{"kind": "ticket", "text": "CHG-7"}]});
    let no = held.say(&sam, "comments", remark.clone(), 403).await;
    assert_eq!(no["rule"], "role");
    for who in [&held.ada, &held.ben] {
        held.say(who, "comments", remark.clone(), 200).await;
    }
    let wrong = json!({"text": "x", "by": "sam"});
    held.say(&held.ben, "comments", wrong, 400).await;
    let officer = held.ward.token("ria", &[Role::RaOfficer], Scope::default());
    let no = held.say(&officer.await, "approve", json!({}), 403).await;
    assert_eq!(
        (&no["rule"], &no["accepted"]),
        (&json!("request.approvers"), &json!("approver"))
    );

    for (id, role) in [("dora", Role::Approver), ("ria", Role::RaOfficer)] {
        let new = access::Profile {
            name: id.to_owned(),
            grants: vec![access::Grant::everywhere(role)],
            ..access::Profile::default()
        };
        let may = support::permit(&held.ward.access, access::Action::ManagePeople);
        let now = server::wall_clock();
        let made = held.ward.access.create_person(&may, id, new, now).await;
        made.unwrap();
    }
    let no = held
        .say(&held.ben, "delegate", json!({"to": "ria"}), 403)
        .await;
    assert_eq!(
        (&no["rule"], &no["accepted"]),
        (&json!("request.delegate"), &json!("one of dora")),
        "{no}"
    );
    let handed = held
        .say(&held.ben, "delegate", json!({"to": "dora"}), 200)
        .await;
    assert_eq!(handed["delegations"][0]["to"], "dora");
    assert_eq!(handed["comments"].as_array().unwrap().len(), 2);
    let no = held.say(&held.ben, "approve", json!({}), 403).await;
    assert_eq!(no["rule"], "request.delegated");
    let dora = held.ward.token("dora", &[Role::Approver], Scope::default());
    let done = held.say(&dora.await, "approve", json!({}), 200).await;
    assert_eq!(done["approvals"], 1);
    held.ward.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r07_a_call_of_the_askers_own_is_made_by_them_and_once() {
    let held = Held::under(json!({"execute": "by-asker"})).await;
    let early = held.say(&held.ada, "execute", json!({}), 403).await;
    assert_eq!(early["rule"], "request.state");
    let agreed = held.say(&held.ben, "approve", json!({}), 200).await;
    assert_eq!(
        (&agreed["state"], held.made().await),
        (&json!("approved"), 0)
    );
    let no = held.say(&held.ben, "execute", json!({}), 403).await;
    assert_eq!(no["rule"], "request.asker");
    let made = held.say(&held.ada, "execute", json!({}), 200).await;
    assert_eq!(
        (&made["state"], held.made().await),
        (&json!("fulfilled"), 1)
    );
    let again = held.say(&held.ada, "execute", json!({}), 403).await;
    assert_eq!(again["rule"], "request.state");
    assert_eq!(held.made().await, 1);
    held.ward.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r07_two_who_agree_at_once_have_a_call_made_once() {
    for (needed, heard) in [(1, 1), (2, 2)] {
        let held = Held::under(json!({"needed": needed})).await;
        let cho = held.ward.token("cho", &[Role::Approver], Scope::default());
        let cho = cho.await;
        let url = held.waits["url"].as_str().unwrap();
        let approve = format!("{url}/approve");
        let none = json!({});
        let (one, two) = tokio::join!(
            held.ward
                .curl("POST", &approve, Some(&held.ben), Some(&none)),
            held.ward.curl("POST", &approve, Some(&cho), Some(&none)),
        );
        let good = [&one, &two].iter().filter(|said| said.0 == 200).count();
        assert_eq!(good, heard, "{one:?} {two:?}");
        // Who comes too late is told so.
        for late in [&one, &two].iter().filter(|said| said.0 != 200) {
            assert_eq!((late.0, &late.1["rule"]), (403, &json!("request.state")));
        }
        let over = |answer: &Value| answer["state"] == "fulfilled";
        let done = until(&held.ward, &held.ada, url, over).await;
        assert_eq!((&done["approvals"], held.made().await), (&json!(needed), 1));
        held.ward.stop().await;
    }
}

/// To revoke an authority is to revoke a certificate and to manage an authority: whoever each policy names is asked.
#[tokio::test(flavor = "multi_thread")]
async fn r07_an_authority_under_two_policies_is_revoked_once_both_have_been_asked() {
    let ward = Ward::start().await;
    let ada = ward.token("ada", &[Role::Admin], Scope::default()).await;
    let ben = ward.token("ben", &[Role::Approver], Scope::default()).await;
    let ria = ward
        .token("ria", &[Role::RaOfficer], Scope::default())
        .await;
    for (name, action, role) in [
        ("revocation", "revoke-certificate", "approver"),
        ("authorities", "manage-authorities", "ra-officer"),
    ] {
        let policy =
            json!({"name": name, "action": action, "needed": 1, "hours": 24, "approvers": [role]});
        told(&ward, &ada, ("POST", POLICIES), Some(&policy), 201).await;
    }
    let issuers = told(&ward, &ada, ("GET", "/api/v1/issuers"), None, 200).await;
    let issuers = issuers.as_array().unwrap();
    let devices = issuers.iter().find(|one| one["id"] == "devices").unwrap();
    let revoke = format!(
        "/api/v1/certificates/{}/revoke",
        devices["sha256"].as_str().unwrap()
    );
    let body = json!({"reason": "cACompromise"});
    let state = async || {
        let path = ("GET", "/api/v1/authorities/devices");
        told(&ward, &ada, path, None, 200).await["state"].clone()
    };
    let first = told(&ward, &ada, ("POST", &revoke), Some(&body), 202).await;
    assert_eq!(first["policy"], "revocation");
    let approve = |waits: &Value| format!("{}/approve", waits["url"].as_str().unwrap());
    let no = told(
        &ward,
        &ria,
        ("POST", &approve(&first)),
        Some(&json!({})),
        403,
    )
    .await;
    assert_eq!(no["rule"], "request.approvers");
    let passed = told(
        &ward,
        &ben,
        ("POST", &approve(&first)),
        Some(&json!({})),
        200,
    )
    .await;

    // The first has done its part, and says where the call waits now.
    let outcome = &passed["call"]["outcome"];
    assert_eq!(outcome["status"], 202, "{passed}");
    let second: Value = serde_json::from_str(outcome["body"].as_str().unwrap()).unwrap();
    assert_eq!(second["policy"], "authorities");
    assert_ne!(state().await, "revoked");
    let no = told(
        &ward,
        &ben,
        ("POST", &approve(&second)),
        Some(&json!({})),
        403,
    )
    .await;
    assert_eq!(no["rule"], "request.approvers");
    let done = told(
        &ward,
        &ria,
        ("POST", &approve(&second)),
        Some(&json!({})),
        200,
    )
    .await;
    assert_eq!(
        (&done["state"], &done["own"]),
        (&json!("fulfilled"), &json!(false))
    );
    assert_eq!(done["call"]["outcome"]["status"], 200, "{done}");
    assert_eq!(state().await, "revoked");

    let all = events(&ward, |event| event["action"] == "request.create").await;
    assert_eq!(all.len(), 2, "{all:?}");
    let revoked = events(&ward, |event| event["request"] == second["request"]).await;
    let revoked = revoked
        .iter()
        .filter(|event| event["action"] == "certificate.revoke");
    assert_eq!(revoked.count(), 1);
    ward.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r07_requests_are_listed_by_the_page_the_newest_first() {
    let held = Held::under(json!({})).await;
    let (ward, ada, ben) = (&held.ward, &held.ada, &held.ben);
    for name in ["doctors", "porters", "cooks"] {
        let group = json!({"name": name, "label": name});
        told(ward, ada, ("POST", "/api/v1/groups"), Some(&group), 202).await;
    }
    held.say(ben, "deny", json!({}), 200).await;
    let page = async |who: &str, query: &str| {
        let path = format!("/api/v1/requests?{query}");
        let page = told(ward, who, ("GET", &path), None, 200).await;
        let all = page["requests"].as_array().unwrap().iter();
        let ids = all.map(|one| one["id"].as_str().unwrap().to_owned());
        (ids.collect::<Vec<_>>(), page["next"].clone())
    };
    let (all, next) = page(ben, "").await;
    assert_eq!((all.len(), next), (4, Value::Null));
    let first = held.waits["request"].as_str().unwrap();
    let (denied, _) = page(ben, "state=denied").await;
    assert_eq!(denied, [first]);

    for (state, wanted) in [("", all.clone()), ("state=pending&", without(&all, first))] {
        let (mut found, mut query) = (Vec::new(), format!("{state}limit=2"));
        loop {
            let (ids, next) = page(ben, &query).await;
            found.extend(ids);
            let Some(next) = next.as_str() else { break };
            query = format!("{state}limit=2&after={next}");
        }
        assert_eq!(found, wanted, "{state}");
    }
    // Who asked sees the same; who asked for nothing, none of their own.
    assert_eq!(page(ada, "mine=true").await.0, all);
    assert!(page(ben, "mine=true").await.0.is_empty());
    let nowhere = ("GET", "/api/v1/requests?after=r0000000000000000");
    told(ward, ben, nowhere, None, 404).await;
    held.ward.stop().await;
}

fn without(all: &[String], one: &str) -> Vec<String> {
    all.iter().filter(|id| *id != one).cloned().collect()
}
