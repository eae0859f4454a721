//! R07: what a second person has to agree to.

use std::sync::Arc;

use access::{Action, Evidence, Principal, RequestId, RequestState, Role, Scope};
use audit::Timestamp;
use ca::{IssueRequest, KeyPackage, Outcome};
use x509::KeyAlgorithm;

use crate::support::{House, NOW, csr, dns, on_both, rule};

on_both!(
    r07_a_second_person_approves_and_it_is_issued,
    r07_nobody_approves_their_own_request,
    r07_a_retry_makes_no_second_request,
    r07_a_denied_or_lapsed_request_is_over,
    r11_a_revoked_requester_gets_nothing,
);

pub(crate) fn evidence() -> Vec<Evidence> {
    vec![Evidence {
        kind: "ticket".to_owned(),
        text: "CHG-1".to_owned(),
        sha256: None,
    }]
}

fn gateway() -> IssueRequest {
    let csr = csr(KeyAlgorithm::EcdsaP256, "", vec![dns("hie.example.org")]);
    let mut request = IssueRequest::from_csr("hie-gateway", csr);
    request.evidence = evidence();
    request
}

async fn requester_and_approver(house: &House) -> (Arc<Principal>, Arc<Principal>) {
    (
        house.person("ada", &[Role::Issuer], Scope::default()).await,
        house
            .person("ben", &[Role::Approver], Scope::default())
            .await,
    )
}

async fn ask(house: &House, who: &Arc<Principal>) -> RequestId {
    let permit = house.permit(who, Action::IssueCertificate);
    match house.ca.issue(permit, gateway(), NOW).await.unwrap() {
        Outcome::Pending(id) => id,
        Outcome::Issued(_) => panic!("issued without approval"),
    }
}

async fn r07_a_second_person_approves_and_it_is_issued(postgres: bool) {
    let house = House::new(postgres).await;
    let (ada, ben) = requester_and_approver(&house).await;
    let id = ask(&house, &ada).await;
    let request = house.ca.access().request(&id).await.unwrap();
    assert_eq!(request.state, RequestState::Pending);
    assert_eq!(request.names, ["dns:hie.example.org"]);
    assert_eq!(request.evidence, evidence());
    let permit = house.permit(&ben, Action::ApproveRequests);
    let Outcome::Issued(issued) = house
        .ca
        .approve(permit, &id, Some("checked"), NOW)
        .await
        .unwrap()
    else {
        panic!("still pending");
    };
    let request = house.ca.access().request(&id).await.unwrap();
    assert_eq!(request.state, RequestState::Fulfilled);
    assert_eq!(request.result, Some(hex::encode(issued.sha256)));
    // The requester stands in the certificate's event; the approver in the request's.
    let event = house.events("certificate.issue").await.pop().unwrap();
    assert!(event.actor.id.starts_with("ada/"));
    assert!(
        house.events("request.approve").await[0]
            .actor
            .id
            .starts_with("ben/")
    );
    // An approver alone issues nothing, and twice is not possible.
    assert!(
        house
            .ca
            .access()
            .decide(&ben, Action::IssueCertificate, &access::Target::default())
            .is_err()
    );
    let permit = house.permit(&ben, Action::ApproveRequests);
    assert!(house.ca.approve(permit, &id, None, NOW).await.is_err());
    let permit = house.permit(&ben, Action::ApproveRequests);
    assert!(house.ca.resume(permit, &id, NOW).await.is_err());
}

async fn r07_nobody_approves_their_own_request(postgres: bool) {
    let house = House::new(postgres).await;
    let both = [Role::Issuer, Role::Approver];
    let ada = house.person("ada", &both, Scope::default()).await;
    let also_ada = house.person("ada", &both, Scope::default()).await;
    let id = ask(&house, &ada).await;
    for who in [&ada, &also_ada, &house.ca.access().local_principal("ada")] {
        let permit = house.permit(who, Action::ApproveRequests);
        let refused = house.ca.approve(permit, &id, None, NOW).await.unwrap_err();
        assert_eq!(refused.refusal().unwrap().rule, "request.own");
    }
    assert_eq!(house.events("request.approve").await.len(), 3);
    assert_eq!(
        house.ca.access().request(&id).await.unwrap().state,
        RequestState::Pending
    );
    // A key made here would have to be kept until somebody approves.
    let mut generated = IssueRequest::generate(
        "hie-gateway",
        None,
        KeyPackage::Pem,
        x509::Name::empty(),
        vec![dns("hie.example.org")],
    );
    generated.evidence = evidence();
    assert_eq!(rule(house.issue(generated).await), "approval.csr");
}

async fn r07_a_retry_makes_no_second_request(postgres: bool) {
    let house = House::new(postgres).await;
    let ada = house.person("ada", &[Role::Issuer], Scope::default()).await;
    let eve = house.person("eve", &[Role::Issuer], Scope::default()).await;
    let ask = async |who: &std::sync::Arc<access::Principal>| {
        let mut request = gateway();
        request.idempotency_key = Some("job-1".to_owned());
        let permit = house.permit(who, Action::IssueCertificate);
        match house.ca.issue(permit, request, NOW).await.unwrap() {
            Outcome::Pending(id) => id,
            Outcome::Issued(_) => panic!("issued without approval"),
        }
    };
    assert_eq!(ask(&ada).await, ask(&ada).await);
    assert_ne!(ask(&ada).await, ask(&eve).await);
}

async fn r07_a_denied_or_lapsed_request_is_over(postgres: bool) {
    let house = House::new(postgres).await;
    let (ada, ben) = requester_and_approver(&house).await;
    let access = house.ca.access();
    let denied = ask(&house, &ada).await;
    let permit = house.permit(&ben, Action::ApproveRequests);
    access
        .deny(permit, &denied, Some("wrong host"), NOW)
        .await
        .unwrap();
    let lapsed = ask(&house, &ada).await;
    let late = Timestamp(NOW.0 + 15 * 86_400_000);
    for (id, at) in [(&denied, NOW), (&lapsed, late)] {
        let permit = house.permit(&ben, Action::ApproveRequests);
        let refused = house.ca.approve(permit, id, None, at).await.unwrap_err();
        assert_eq!(refused.refusal().unwrap().rule, "request.state");
    }
    assert_eq!(access.expire_requests(late).await.unwrap(), 1);
    assert_eq!(
        access.request(&lapsed).await.unwrap().state,
        RequestState::Expired
    );
    assert_eq!(
        house.events("certificate.issue").await.len(),
        4,
        "only the hierarchy"
    );
}

async fn r11_a_revoked_requester_gets_nothing(postgres: bool) {
    let house = House::new(postgres).await;
    let (ada, ben) = requester_and_approver(&house).await;
    let id = ask(&house, &ada).await;
    let permit = house.admin(Action::ManageTokens);
    let token = ada.token().unwrap();
    house
        .ca
        .access()
        .revoke_token(permit, token, "left", NOW)
        .await
        .unwrap();
    let permit = house.permit(&ben, Action::ApproveRequests);
    let refused = house.ca.approve(permit, &id, None, NOW).await.unwrap_err();
    assert_eq!(refused.refusal().unwrap().rule, "requester.token");
}
