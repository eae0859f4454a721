//! Calls whose server went away while it made them (R07): ended, told of, never made again by themselves.

use access::{
    Access, Action, ApprovalPolicy, Caught, Execute, Moment, REQUEST_RECORDS, Request, RequestState,
};
use audit::Timestamp;
use serde_json::{Value, json};
use store::Write;

use crate::support::{Door, NOW, on_both};

on_both!(
    a_call_that_was_cut_off_is_ended_once_nobody_can_be_making_it,
    at_the_start_of_a_lone_server_every_call_that_is_being_made_was_cut_off,
    what_was_done_in_an_emergency_is_reviewed_although_nobody_saw_its_end,
    an_answer_that_comes_after_all_is_written_down,
    an_answer_to_what_was_done_in_an_emergency_leaves_its_review,
    a_call_of_before_the_instant_was_kept_is_cut_off_too,
    a_call_that_nobody_took_has_no_end,
);

const MINUTE: i64 = 60_000;

fn after(minutes: i64) -> Timestamp {
    Timestamp(NOW.0 + minutes * MINUTE)
}

/// A call that a policy holds and that nobody else has to agree to before it is made in an emergency.
async fn held(door: &Door, emergency: bool) -> Request {
    let asker = door.access.local_principal("ada");
    let policy: ApprovalPolicy = serde_json::from_value(json!({
        "name": "revocation", "action": Action::RevokeCertificate, "needed": 1, "hours": 24, "emergency": emergency,
    }))
    .unwrap();
    assert_eq!(policy.execute, Execute::AtApproval);
    let caught = Caught {
        policy,
        method: "POST".to_owned(),
        path: "/api/v1/bulk/revoke".to_owned(),
        body: "{}".to_owned(),
        profile: None,
        segment: None,
        diff: Vec::new(),
    };
    let kept = door.access.keep_call(&asker, caught, "r-1", NOW);
    kept.await.unwrap()
}

/// The same, agreed to and taken at [`NOW`].
async fn taken(door: &Door) -> Request {
    let request = held(door, false).await;
    let ben = door.access.local_principal("ben");
    let permit = door.permit(&ben, Action::ApproveRequests);
    let approved = door.access.approve(permit, &request.id, None, NOW).await;
    approved.unwrap();
    let system = door.access.system_principal("approvals");
    let begun = door.access.begin_call(&system, &request.id, None, NOW);
    begun.await.unwrap()
}

async fn now(access: &Access, request: &Request) -> Request {
    access.request(&request.id).await.unwrap()
}

async fn a_call_that_was_cut_off_is_ended_once_nobody_can_be_making_it(postgres: bool) {
    let door = Door::new(postgres).await;
    let request = taken(&door).await;
    let ended = door.access.end_cut_off_calls(false, after(9)).await;
    assert_eq!(ended.unwrap(), 0);
    assert_eq!(
        now(&door.access, &request).await.state,
        RequestState::Executing
    );

    let ended = door.access.end_cut_off_calls(false, after(10)).await;
    assert_eq!(ended.unwrap(), 1);
    let request = now(&door.access, &request).await;
    assert_eq!(request.state, RequestState::Failed);
    let call = request.call.unwrap();
    let outcome = call.outcome.unwrap();
    assert_eq!((outcome.status, outcome.at), (0, after(10).0));
    for part in ["nobody knows whether it was done", request.id.as_str()] {
        assert!(outcome.body.contains(part), "{}", outcome.body);
    }
    assert_eq!(call.body, "", "what it sent may be a secret");
    let events = door.events("request.cut-off").await;
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].object.id, request.id.as_str());
    let news = door.access.notices_due(after(10)).await.unwrap();
    assert!(
        news.iter()
            .any(|one| one.moment == Moment::Decided && one.created == after(10).0)
    );

    assert_eq!(
        door.access
            .end_cut_off_calls(true, after(20))
            .await
            .unwrap(),
        0
    );
    assert!(door.access.calls_due(after(20)).await.unwrap().is_empty());
}

async fn at_the_start_of_a_lone_server_every_call_that_is_being_made_was_cut_off(postgres: bool) {
    let door = Door::new(postgres).await;
    let waits = held(&door, false).await;
    let request = taken(&door).await;
    assert_eq!(
        door.access.end_cut_off_calls(true, after(0)).await.unwrap(),
        1
    );
    assert_eq!(
        now(&door.access, &request).await.state,
        RequestState::Failed
    );
    assert_eq!(now(&door.access, &waits).await.state, RequestState::Pending);
}

async fn what_was_done_in_an_emergency_is_reviewed_although_nobody_saw_its_end(postgres: bool) {
    let door = Door::new(postgres).await;
    let request = held(&door, true).await;
    let ada = door.access.local_principal("ada");
    let why = Some("the ward is dark");
    door.access
        .begin_call(&ada, &request.id, why, NOW)
        .await
        .unwrap();
    door.access.end_cut_off_calls(true, after(1)).await.unwrap();
    let request = now(&door.access, &request).await;
    assert_eq!(request.state, RequestState::Review);
    assert_eq!(request.call.unwrap().emergency.as_deref(), why);
    let news = door.access.notices_due(after(1)).await.unwrap();
    assert!(news.iter().any(|one| one.moment == Moment::Review));
}

async fn an_answer_that_comes_after_all_is_written_down(postgres: bool) {
    let door = Door::new(postgres).await;
    let request = taken(&door).await;
    door.access
        .end_cut_off_calls(false, after(10))
        .await
        .unwrap();
    door.access
        .end_call(&request.id, 200, "{}", after(11))
        .await
        .unwrap();
    let request = now(&door.access, &request).await;
    assert_eq!(request.state, RequestState::Fulfilled);
    assert_eq!(request.call.unwrap().outcome.unwrap().status, 200);
    // Nothing is taken back in silence: neither in the log nor before whoever asked.
    let events = door.events("request.fulfil").await;
    let before = json!({"status": 0, "state": "failed"});
    assert_eq!(serde_json::to_value(&events[0].before).unwrap(), before);
    let news = door.access.notices_due(after(11)).await.unwrap();
    assert!(
        news.iter()
            .any(|one| one.moment == Moment::Decided && one.created == after(11).0)
    );
    let again = door.access.end_call(&request.id, 500, "", after(12)).await;
    assert!(again.is_err(), "what is known is known");
}

async fn an_answer_to_what_was_done_in_an_emergency_leaves_its_review(postgres: bool) {
    let door = Door::new(postgres).await;
    let request = held(&door, true).await;
    let ada = door.access.local_principal("ada");
    let why = Some("the ward is dark");
    let begun = door.access.begin_call(&ada, &request.id, why, NOW);
    begun.await.unwrap();
    let ended = door.access.end_cut_off_calls(false, after(10)).await;
    ended.unwrap();
    let late = door.access.end_call(&request.id, 200, "{}", after(11));
    late.await.unwrap();
    let request = now(&door.access, &request).await;
    assert_eq!(request.state, RequestState::Review);
    assert_eq!(request.call.unwrap().outcome.unwrap().status, 200);
}

async fn a_call_of_before_the_instant_was_kept_is_cut_off_too(postgres: bool) {
    let door = Door::new(postgres).await;
    let request = taken(&door).await;
    let kept = door.store.record(REQUEST_RECORDS, request.id.as_str());
    let kept = kept.await.unwrap().unwrap();
    let mut old: Value = kept.parse().unwrap();
    old["call"].as_object_mut().unwrap().remove("taken");
    let id = request.id.as_str();
    let write = Write::derived()
        .put_record(REQUEST_RECORDS, id, kept.version, &old, NOW)
        .unwrap();
    door.store.commit(write).await.unwrap();
    let ended = door.access.end_cut_off_calls(false, after(1)).await;
    assert_eq!(ended.unwrap(), 1);
    let request = now(&door.access, &request).await;
    assert_eq!(request.state, RequestState::Failed);
    let late = door.access.end_call(&request.id, 200, "{}", after(2)).await;
    assert!(late.is_err(), "nobody knows which server says so");
}

async fn a_call_that_nobody_took_has_no_end(postgres: bool) {
    let door = Door::new(postgres).await;
    let request = held(&door, false).await;
    let ended = door.access.end_call(&request.id, 200, "{}", NOW).await;
    assert!(ended.is_err());
    assert_eq!(
        now(&door.access, &request).await.state,
        RequestState::Pending
    );
}
