//! Who may decide about a request, and to whom they may hand that on (R07).

use access::{
    AccessError, Action, ApprovalPolicy, Caught, Grant, Moment, NewRequest, PersonState, Refusal,
    Request, RequestState, Role, Scope,
};
use serde_json::{Value, json};

use crate::people::{profile, rule, signed_in};
use crate::support::{Door, NOW, on_both};

on_both!(
    a_decision_is_handed_on_to_nobody_who_may_not_make_it,
    a_decision_is_not_handed_on_to_whom_a_certificate_is_asked_for,
    a_decision_goes_by_the_roles_of_its_policy,
    a_decision_that_nobody_else_may_make_stays_where_it_is,
    whoever_hands_a_decision_on_is_out_and_who_has_it_is_told,
    a_grant_of_another_profile_lends_its_role_to_none,
);

pub(crate) const HOUR: i64 = 3_600_000;

fn limited(role: Role, profile: &str) -> Grant {
    let scope = Scope {
        profiles: vec![profile.to_owned()],
        ..Scope::default()
    };
    Grant { role, scope }
}

/// ada asks; ben and cleo may decide, dora about other profiles, gus about those as an approver; eve may not, finn is away.
pub(crate) async fn house(postgres: bool) -> Door {
    let door = Door::new(postgres).await;
    let admin = door.admin(Action::ManagePeople);
    let officer = Grant::everywhere(Role::RaOfficer);
    let of_fhir = limited(Role::Approver, "fhir-*");
    for (id, grants) in [
        ("ada", vec![officer.clone()]),
        ("ben", vec![Grant::everywhere(Role::Approver)]),
        ("cleo", vec![officer.clone()]),
        ("dora", vec![of_fhir.clone()]),
        ("eve", vec![Grant::everywhere(Role::Security)]),
        ("finn", vec![Grant::everywhere(Role::Approver)]),
        ("gus", vec![of_fhir, officer]),
    ] {
        let created = door
            .access
            .create_person(&admin, id, profile(&grants, &[]), NOW);
        created.await.unwrap();
    }
    let away =
        door.access
            .set_person_state(&admin, "finn", PersonState::Suspended, "on leave", NOW);
    away.await.unwrap();
    door
}

/// A call of ada's that a policy holds, as `policy` has it for the rest.
pub(crate) async fn held(door: &Door, policy: Value) -> Request {
    let mut whole = json!({"name": "revocation", "action": Action::RevokeCertificate, "needed": 1, "hours": 24});
    for (key, value) in policy.as_object().unwrap() {
        whole[key] = value.clone();
    }
    let policy: ApprovalPolicy = serde_json::from_value(whole).unwrap();
    let caught = Caught {
        policy,
        method: "POST".to_owned(),
        path: "/api/v1/bulk/revoke".to_owned(),
        body: "{}".to_owned(),
        profile: Some("server-tls".to_owned()),
        segment: None,
        diff: Vec::new(),
    };
    let ada = signed_in(door, "ada").await;
    let kept = door.access.keep_call(&ada, caught, "r-1", NOW);
    kept.await.unwrap()
}

async fn hands_on(
    door: &Door,
    request: &Request,
    from: &str,
    to: &str,
) -> Result<Request, Refusal> {
    let who = signed_in(door, from).await;
    let permit = door.permit(&who, Action::ApproveRequests);
    let handed = door.access.delegate(&permit, &request.id, to, NOW).await;
    handed.map_err(|error| match error {
        AccessError::Refused(refusal) => refusal,
        other => panic!("{other}"),
    })
}

/// What `who` is told who wants to approve.
pub(crate) async fn approves(door: &Door, request: &Request, who: &str) -> Result<(), String> {
    let principal = signed_in(door, who).await;
    let permit = door.permit(&principal, Action::ApproveRequests);
    let approved = door.access.approve(permit, &request.id, None, NOW).await;
    approved.map(drop).map_err(rule)
}

pub(crate) async fn now(door: &Door, request: &Request) -> Request {
    door.access.request(&request.id).await.unwrap()
}

async fn a_decision_is_handed_on_to_nobody_who_may_not_make_it(postgres: bool) {
    let door = house(postgres).await;
    let request = held(&door, json!({})).await;
    for (to, why) in [
        ("nobody", "there is no person nobody"),
        ("ada", "ada made this request"),
        ("ben", "themselves"),
        ("dora", "server-tls"),
        ("eve", "no role"),
        ("finn", "suspended"),
    ] {
        let refused = hands_on(&door, &request, "ben", to).await.unwrap_err();
        assert_eq!(refused.rule, "request.delegate", "{refused}");
        assert!(refused.message.contains(why), "{to}: {refused}");
        assert_eq!(refused.accepted.as_deref(), Some("one of cleo, gus"));
    }
    // Each refusal is in the log, and ben has the decision still.
    assert_eq!(door.events("request.delegate").await.len(), 6);
    assert_eq!(now(&door, &request).await, request);
    approves(&door, &request, "ben").await.unwrap();
}

async fn a_decision_is_not_handed_on_to_whom_a_certificate_is_asked_for(postgres: bool) {
    let door = house(postgres).await;
    let ada = signed_in(&door, "ada").await;
    let permit = door.permit(&ada, Action::IssueCertificate);
    let new = NewRequest {
        profile: "server-tls".to_owned(),
        authority: "servers".to_owned(),
        summary: "a certificate".to_owned(),
        names: Vec::new(),
        evidence: Vec::new(),
        needed: 1,
        expires: NOW.0 + 8 * HOUR,
        on_behalf_of: vec!["cleo".to_owned()],
        payload: Value::Null,
        request_id: None,
    };
    let request = door.access.submit(&permit, new, NOW).await.unwrap();
    let refused = hands_on(&door, &request, "ben", "cleo").await.unwrap_err();
    assert!(refused.message.contains("cleo made this request"));
    hands_on(&door, &request, "ben", "gus").await.unwrap();
}

async fn a_decision_goes_by_the_roles_of_its_policy(postgres: bool) {
    let door = house(postgres).await;
    let request = held(&door, json!({"approvers": ["ra-officer"], "needed": 2})).await;
    assert_eq!(
        approves(&door, &request, "ben").await.unwrap_err(),
        "request.approvers"
    );
    let refused = hands_on(&door, &request, "cleo", "ben").await.unwrap_err();
    assert!(refused.message.contains("roles"), "{refused}");
    assert_eq!(refused.accepted.as_deref(), Some("one of gus"));
    approves(&door, &request, "gus").await.unwrap();
    // Nor to whoever has decided.
    let refused = hands_on(&door, &request, "cleo", "gus").await.unwrap_err();
    assert!(refused.message.contains("decided already"), "{refused}");
    approves(&door, &request, "cleo").await.unwrap();
    assert_eq!(now(&door, &request).await.state, RequestState::Approved);
}

async fn a_decision_that_nobody_else_may_make_stays_where_it_is(postgres: bool) {
    let door = house(postgres).await;
    let request = held(&door, json!({"approvers": ["approver"]})).await;
    let refused = hands_on(&door, &request, "ben", "cleo").await.unwrap_err();
    let accepted = refused.accepted.unwrap();
    assert!(accepted.starts_with("your own decision"), "{accepted}");
    approves(&door, &request, "ben").await.unwrap();
}

async fn whoever_hands_a_decision_on_is_out_and_who_has_it_is_told(postgres: bool) {
    let door = house(postgres).await;
    let request = held(&door, json!({"emergency": true})).await;
    let ada = signed_in(&door, "ada").await;
    let why = Some("the ward is dark");
    let begun = door.access.begin_call(&ada, &request.id, why, NOW);
    begun.await.unwrap();
    let ended = door.access.end_call(&request.id, 200, "{}", NOW);
    ended.await.unwrap();

    // Of what was done in an emergency as well: it waits to be looked at.
    hands_on(&door, &request, "ben", "cleo").await.unwrap();
    let due = door.access.notices_due(NOW).await.unwrap();
    let handed = due.iter().find(|one| one.moment == Moment::Handed).unwrap();
    let people = door.access.people().await.unwrap();
    let told = door.access.notice_for(handed, &people, NOW).await.unwrap();
    let told: Vec<&str> = told.iter().map(|person| person.id.as_str()).collect();
    assert_eq!(told, ["cleo"]);
    assert_eq!(
        approves(&door, &request, "ben").await.unwrap_err(),
        "request.delegated"
    );
    // Nor does it come back.
    let refused = hands_on(&door, &request, "cleo", "ben").await.unwrap_err();
    assert_eq!(refused.accepted.as_deref(), Some("one of gus"));
    approves(&door, &request, "cleo").await.unwrap();
    assert_eq!(now(&door, &request).await.state, RequestState::Reviewed);
}

async fn a_grant_of_another_profile_lends_its_role_to_none(postgres: bool) {
    let door = house(postgres).await;
    let request = held(&door, json!({"approvers": ["approver"]})).await;
    // gus is an approver of other profiles, and for this one no more than an RA officer.
    assert_eq!(
        approves(&door, &request, "gus").await.unwrap_err(),
        "scope.profile"
    );
    approves(&door, &request, "ben").await.unwrap();
}
