//! What becomes of a call that a policy holds (R07): agreed to, made once, made in an emergency, lapsed, talked about.

use access::{Access, Action, Evidence, Request, RequestState};
use audit::Timestamp;
use serde_json::json;
use store::{Store, Write, params};

use crate::deciders::{HOUR, approves, held, house, now};
use crate::people::{rule, signed_in};
use crate::support::{Door, NOW, on_both};

on_both!(
    what_is_done_in_an_emergency_is_reviewed_by_others,
    what_is_done_in_an_emergency_can_be_objected_to,
    an_emergency_has_a_reason_and_a_policy_that_knows_it,
    who_agreed_before_the_emergency_has_spoken,
    two_who_agree_at_once_are_both_heard_and_the_call_is_taken_once,
    of_two_where_one_is_needed_one_comes_too_late,
    a_call_of_the_askers_own_is_made_by_nobody_else_and_once,
    what_nobody_decides_lapses_for_good,
    what_is_agreed_to_and_not_made_in_time_lapses_too,
    what_people_say_is_kept_and_has_its_limits,
    where_a_call_goes_on_is_kept_and_what_it_answers_otherwise_is_not,
    what_is_over_is_read_by_no_loop,
    the_newest_requests_come_first_and_each_once,
    requests_of_before_are_found_after_the_upgrade,
);

const WHY: Option<&str> = Some("two pumps do not connect");

fn after(hours: i64) -> Timestamp {
    Timestamp(NOW.0 + hours * HOUR)
}

/// The rule by which `who` may not take the call, if so.
async fn takes(door: &Door, request: &Request, who: &str, why: Option<&str>) -> Option<String> {
    let who = signed_in(door, who).await;
    let taken = door.access.begin_call(&who, &request.id, why, NOW).await;
    taken.err().map(rule)
}

async fn denies(door: &Door, request: &Request, who: &str) -> Option<String> {
    let who = signed_in(door, who).await;
    let permit = door.permit(&who, Action::ApproveRequests);
    let denied = door.access.deny(permit, &request.id, Some("no"), NOW).await;
    denied.err().map(rule)
}

/// Made in an emergency by ada, and answered with `status`.
async fn in_an_emergency(door: &Door, needed: u8, status: u16) -> Request {
    let request = held(door, json!({"emergency": true, "needed": needed})).await;
    assert_eq!(takes(door, &request, "ada", WHY).await, None);
    let ended = door.access.end_call(&request.id, status, "answer", NOW);
    ended.await.unwrap()
}

async fn what_is_done_in_an_emergency_is_reviewed_by_others(postgres: bool) {
    let door = house(postgres).await;
    let request = in_an_emergency(&door, 2, 200).await;
    assert_eq!(request.state, RequestState::Review);
    let call = request.call.as_ref().unwrap();
    assert_eq!((call.emergency.as_deref(), call.body.as_str()), (WHY, ""));
    let begun = door.events("request.emergency").await;
    assert!(begun[0].actor.id.starts_with("ada/"), "{begun:?}");
    assert_eq!(begun[0].why.as_deref(), WHY);

    // Whoever did it looks at it least of all, in whichever way.
    let own = Some("request.own".to_owned());
    assert_eq!(approves(&door, &request, "ada").await.err(), own);
    assert_eq!(denies(&door, &request, "ada").await, own);
    let eve = signed_in(&door, "eve").await;
    let target = access::Target::default();
    let may = door.access.decide(&eve, Action::ApproveRequests, &target);
    assert_eq!(may.unwrap_err().rule, "role");

    approves(&door, &request, "ben").await.unwrap();
    assert_eq!(now(&door, &request).await.state, RequestState::Review);
    // A review has no time that ends it.
    assert_eq!(door.access.expire_requests(after(1000)).await.unwrap(), 0);
    approves(&door, &request, "cleo").await.unwrap();
    assert_eq!(now(&door, &request).await.state, RequestState::Reviewed);
    let late = approves(&door, &request, "gus").await;
    assert_eq!(late.unwrap_err(), "request.state");
}

async fn what_is_done_in_an_emergency_can_be_objected_to(postgres: bool) {
    let door = house(postgres).await;
    // That it failed changes nothing: somebody tried.
    let request = in_an_emergency(&door, 1, 409).await;
    assert_eq!(request.state, RequestState::Review);
    assert_eq!(denies(&door, &request, "ben").await, None);
    let request = now(&door, &request).await;
    assert_eq!(request.state, RequestState::Objected);
    assert_eq!(request.decisions[0].why.as_deref(), Some("no"));
    let outcome = request.call.as_ref().unwrap().outcome.as_ref().unwrap();
    assert_eq!((outcome.status, outcome.body.as_str()), (409, "answer"));
    let late = approves(&door, &request, "cleo").await;
    assert_eq!(late.unwrap_err(), "request.state");
}

async fn an_emergency_has_a_reason_and_a_policy_that_knows_it(postgres: bool) {
    let door = house(postgres).await;
    let strict = held(&door, json!({})).await;
    let refused = takes(&door, &strict, "ada", WHY).await;
    assert_eq!(refused.as_deref(), Some("request.emergency"));
    let request = held(&door, json!({"emergency": true})).await;
    for (who, why, rule) in [
        ("ada", Some("now"), "request.emergency"),
        ("ada", Some("          "), "request.emergency"),
        ("ada", None, "request.state"),
        ("ben", WHY, "request.asker"),
    ] {
        let refused = takes(&door, &request, who, why).await;
        assert_eq!(refused.as_deref(), Some(rule), "{who} {why:?}");
    }
    assert_eq!(now(&door, &request).await.state, RequestState::Pending);
    // There is none any more once it is decided.
    assert_eq!(denies(&door, &request, "ben").await, None);
    let refused = takes(&door, &request, "ada", WHY).await;
    assert_eq!(refused.as_deref(), Some("request.state"));
}

async fn who_agreed_before_the_emergency_has_spoken(postgres: bool) {
    let door = house(postgres).await;
    let request = held(&door, json!({"emergency": true, "needed": 2})).await;
    approves(&door, &request, "ben").await.unwrap();
    assert_eq!(takes(&door, &request, "ada", WHY).await, None);
    let ended = door.access.end_call(&request.id, 200, "", NOW);
    ended.await.unwrap();
    let again = approves(&door, &request, "ben").await;
    assert_eq!(again.unwrap_err(), "request.twice");
    approves(&door, &request, "cleo").await.unwrap();
    assert_eq!(now(&door, &request).await.state, RequestState::Reviewed);
}

async fn two_who_agree_at_once_are_both_heard_and_the_call_is_taken_once(postgres: bool) {
    let door = house(postgres).await;
    let request = held(&door, json!({"needed": 2})).await;
    let (ben, cleo) = tokio::join!(
        approves(&door, &request, "ben"),
        approves(&door, &request, "cleo")
    );
    assert_eq!((ben, cleo), (Ok(()), Ok(())));
    let agreed = now(&door, &request).await;
    assert_eq!(
        (agreed.state, agreed.approvals()),
        (RequestState::Approved, 2)
    );
    let due = door.access.calls_due(NOW).await.unwrap();
    assert_eq!(due, std::slice::from_ref(&request.id));

    // Each server that saw it due wants to make it.
    let system = door.access.system_principal("approvals");
    let take = || door.access.begin_call(&system, &request.id, None, NOW);
    let (one, two, three, four) = tokio::join!(take(), take(), take(), take());
    let taken = [one, two, three, four]
        .iter()
        .filter(|one| one.is_ok())
        .count();
    assert_eq!(taken, 1);
    assert!(door.access.calls_due(NOW).await.unwrap().is_empty());
}

async fn of_two_where_one_is_needed_one_comes_too_late(postgres: bool) {
    let door = house(postgres).await;
    let request = held(&door, json!({})).await;
    let (ben, cleo) = tokio::join!(
        approves(&door, &request, "ben"),
        approves(&door, &request, "cleo")
    );
    let late = [ben, cleo].into_iter().filter_map(Result::err);
    assert_eq!(late.collect::<Vec<_>>(), ["request.state"]);
    assert_eq!(now(&door, &request).await.approvals(), 1);
}

async fn a_call_of_the_askers_own_is_made_by_nobody_else_and_once(postgres: bool) {
    let door = house(postgres).await;
    let request = held(&door, json!({"execute": "by-asker"})).await;
    let early = takes(&door, &request, "ada", None).await;
    assert_eq!(early.as_deref(), Some("request.state"));
    approves(&door, &request, "ben").await.unwrap();
    assert!(door.access.calls_due(NOW).await.unwrap().is_empty());
    let other = takes(&door, &request, "ben", None).await;
    assert_eq!(other.as_deref(), Some("request.asker"));
    assert_eq!(takes(&door, &request, "ada", None).await, None);
    let ended = door.access.end_call(&request.id, 204, "", NOW);
    assert_eq!(ended.await.unwrap().state, RequestState::Fulfilled);
    let again = takes(&door, &request, "ada", None).await;
    assert_eq!(again.as_deref(), Some("request.state"));
}

async fn what_nobody_decides_lapses_for_good(postgres: bool) {
    let door = house(postgres).await;
    let request = held(&door, json!({"emergency": true, "hours": 2})).await;
    assert_eq!(door.access.expire_requests(after(1)).await.unwrap(), 0);
    // Over as soon as its time is, before a loop has said so.
    let ben = signed_in(&door, "ben").await;
    let permit = door.permit(&ben, Action::ApproveRequests);
    let late = door.access.approve(permit, &request.id, None, after(2));
    let told = late.await.unwrap_err();
    assert!(told.to_string().contains("is expired"), "{told}");
    let ada = signed_in(&door, "ada").await;
    let late = door.access.begin_call(&ada, &request.id, WHY, after(2));
    let told = late.await.unwrap_err();
    assert!(told.to_string().contains("is expired"), "{told}");
    assert_eq!(door.access.expire_requests(after(2)).await.unwrap(), 1);
    assert_eq!(door.access.expire_requests(after(3)).await.unwrap(), 0);
    assert_eq!(now(&door, &request).await.state, RequestState::Expired);
    assert_eq!(door.events("request.expire").await.len(), 1);
}

async fn what_is_agreed_to_and_not_made_in_time_lapses_too(postgres: bool) {
    let door = house(postgres).await;
    for execute in ["by-asker", "at-approval"] {
        let request = held(&door, json!({"execute": execute, "hours": 2})).await;
        approves(&door, &request, "ben").await.unwrap();
        let ada = signed_in(&door, "ada").await;
        let late = door.access.begin_call(&ada, &request.id, None, after(2));
        let told = late.await.unwrap_err();
        assert!(told.to_string().contains("is expired"), "{told}");
        assert!(door.access.calls_due(after(2)).await.unwrap().is_empty());
        assert_eq!(door.access.expire_requests(after(2)).await.unwrap(), 1);
        assert_eq!(now(&door, &request).await.state, RequestState::Expired);
    }
}

async fn what_people_say_is_kept_and_has_its_limits(postgres: bool) {
    let door = house(postgres).await;
    let request = held(&door, json!({})).await;
    let ticket = Evidence {
        kind: "ticket".to_owned(),
        text: "CHG-7".to_owned(),
        sha256: None,
    };
    let says = async |who: &str, text: &str, evidence: Vec<Evidence>| {
        let who = signed_in(&door, who).await;
        let said = door
            .access
            .comment(&who, &request.id, text, evidence, NOW)
            .await;
        said.err().map(rule)
    };
    assert_eq!(says("ben", "Which pumps?", vec![]).await, None);
    assert_eq!(says("ada", &"x".repeat(4000), vec![ticket; 20]).await, None);
    let too_much = Some("request.comment".to_owned());
    assert_eq!(says("ada", &"x".repeat(4001), vec![]).await, too_much);
    let known = now(&door, &request).await;
    let said: Vec<_> = known
        .comments
        .iter()
        .map(|one| (one.by.id.as_str(), one.evidence.len()))
        .collect();
    assert_eq!(said, [("ben/s1", 0), ("ada/s1", 20)]);
    let events = door.events("request.comment").await;
    assert_eq!(events.len(), 2);
    let text = serde_json::to_value(&events[0].after).unwrap();
    assert_eq!(text["text"], "Which pumps?");
    // To say something decides nothing.
    assert_eq!(
        (known.state, known.decisions.len()),
        (RequestState::Pending, 0)
    );
}

async fn where_a_call_goes_on_is_kept_and_what_it_answers_otherwise_is_not(postgres: bool) {
    let door = house(postgres).await;
    for (status, kept) in [(200, ""), (201, ""), (202, "answer"), (422, "answer")] {
        let request = held(&door, json!({})).await;
        approves(&door, &request, "ben").await.unwrap();
        assert_eq!(takes(&door, &request, "ada", None).await, None);
        let ended = door.access.end_call(&request.id, status, "answer", NOW);
        let outcome = ended.await.unwrap().call.unwrap().outcome.unwrap();
        assert_eq!((outcome.status, outcome.body.as_str()), (status, kept));
    }
}

/// The ids of what is open, and of what is due.
async fn open(door: &Door) -> (Vec<String>, Vec<String>) {
    let open = door.access.open_requests().await.unwrap();
    let due = door.access.calls_due(NOW).await.unwrap();
    (
        open.iter().map(|one| one.id.to_string()).collect(),
        due.iter().map(ToString::to_string).collect(),
    )
}

async fn what_is_over_is_read_by_no_loop(postgres: bool) {
    let door = house(postgres).await;
    let none: (Vec<String>, Vec<String>) = Default::default();
    let request = held(&door, json!({})).await;
    let id = vec![request.id.to_string()];
    assert_eq!(open(&door).await, (id.clone(), vec![]));
    approves(&door, &request, "ben").await.unwrap();
    assert_eq!(open(&door).await, (id.clone(), id.clone()));
    assert_eq!(takes(&door, &request, "ada", None).await, None);
    assert_eq!(open(&door).await, (id, vec![]));
    let ended = door.access.end_call(&request.id, 200, "", NOW);
    ended.await.unwrap();
    assert_eq!(open(&door).await, none);

    let denied = held(&door, json!({})).await;
    assert_eq!(denies(&door, &denied, "ben").await, None);
    assert_eq!(open(&door).await, none);
    let lapsed = held(&door, json!({"hours": 1})).await;
    door.access.expire_requests(after(1)).await.unwrap();
    assert_eq!(now(&door, &lapsed).await.state, RequestState::Expired);
    let review = in_an_emergency(&door, 1, 200).await;
    assert_eq!(open(&door).await, (vec![review.id.to_string()], vec![]));
    approves(&door, &review, "ben").await.unwrap();
    assert_eq!(open(&door).await, none);
    assert_eq!(door.access.requests().await.unwrap().len(), 4);
}

async fn the_newest_requests_come_first_and_each_once(postgres: bool) {
    let door = house(postgres).await;
    // All of the same instant: the id decides.
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(held(&door, json!({})).await.id.to_string());
    }
    ids.sort();
    ids.reverse();
    let (mut found, mut last) = (Vec::new(), None);
    loop {
        let page = door.access.newest_requests(last.as_ref(), 2).await.unwrap();
        found.extend(page.iter().map(|one| one.id.to_string()));
        match page.last() {
            Some(one) => last = Some(one.clone()),
            None => break,
        }
    }
    assert_eq!(found, ids);
}

async fn requests_of_before_are_found_after_the_upgrade(postgres: bool) {
    let door = house(postgres).await;
    let waits = held(&door, json!({})).await;
    let over = held(&door, json!({})).await;
    assert_eq!(denies(&door, &over, "ben").await, None);
    // As a Ward without the table left it.
    let before = Write::derived().run("DROP TABLE requests", params![]).run(
        "DELETE FROM schema_migrations WHERE room = $1 AND version = $2",
        params!["access", 3_i64],
    );
    door.store.commit(before).await.unwrap();
    let store = Store::open(&door.url, access::MIGRATIONS).await.unwrap();
    let upgraded = Access::open(store);
    let open = upgraded.open_requests().await.unwrap();
    assert_eq!(open, [waits]);
}
