//! Who is told what about requests (R07): kept with the event, decided by what people may when they are told, and told once.

use access::{Action, Decided, Grant, Moment, NewRequest, Notice, Principal, Request, Role, Scope};
use audit::Timestamp;
use serde_json::Value;
use std::sync::Arc;

use crate::people::profile;
use crate::support::{Door, NOW, on_both};

on_both!(
    whoever_may_decide_is_told_and_whoever_asked_at_the_end,
    who_is_told_follows_from_what_people_may_now,
    somebody_who_could_not_be_told_is_tried_again,
    a_request_that_lapses_is_told_of_once,
    what_was_told_long_ago_is_forgotten_and_what_waits_is_not,
);

const HOUR: i64 = 3_600_000;

/// ada asks; ben and dora may decide, dora about one profile; cleo may not.
async fn house(postgres: bool) -> Door {
    let door = Door::new(postgres).await;
    let admin = door.admin(Action::ManagePeople);
    let limited = Scope {
        profiles: vec!["fhir-*".to_owned()],
        ..Scope::default()
    };
    let dora = Grant {
        role: Role::Approver,
        scope: limited,
    };
    for (id, grant) in [
        ("ada", Grant::everywhere(Role::RaOfficer)),
        ("ben", Grant::everywhere(Role::Approver)),
        ("cleo", Grant::everywhere(Role::Security)),
        ("dora", dora),
    ] {
        let person = profile(&[grant], &[]);
        let created = door.access.create_person(&admin, id, person, NOW);
        created.await.unwrap();
    }
    door
}

async fn principal(door: &Door, id: &str) -> Arc<Principal> {
    let person = door.access.person(id).await.unwrap();
    let principal = door.access.principal_for(&person, "passkey", Some("s1"));
    principal.await.unwrap()
}

async fn asks(door: &Door, profile: &str) -> Request {
    let ada = principal(door, "ada").await;
    let permit = door.permit(&ada, Action::IssueCertificate);
    let new = NewRequest {
        profile: profile.to_owned(),
        authority: "servers".to_owned(),
        summary: "a certificate".to_owned(),
        names: Vec::new(),
        evidence: Vec::new(),
        needed: 1,
        expires: NOW.0 + 8 * HOUR,
        on_behalf_of: Vec::new(),
        payload: Value::Null,
        request_id: None,
    };
    door.access.submit(&permit, new, NOW).await.unwrap()
}

async fn due(door: &Door, now: Timestamp) -> Vec<Notice> {
    door.access.notices_due(now).await.unwrap()
}

async fn receivers(door: &Door, notice: &Notice) -> Vec<String> {
    let people = door.access.people().await.unwrap();
    let them = door.access.notice_for(notice, &people, NOW).await.unwrap();
    let mut ids: Vec<String> = them.into_iter().map(|person| person.id).collect();
    ids.sort();
    ids
}

async fn whoever_may_decide_is_told_and_whoever_asked_at_the_end(postgres: bool) {
    let door = house(postgres).await;
    let request = asks(&door, "fhir-mtls").await;
    let waiting = due(&door, NOW).await;
    assert_eq!(waiting.len(), 1);
    assert_eq!(waiting[0].moment, Moment::Asked);
    assert_eq!(receivers(&door, &waiting[0]).await, ["ben", "dora"]);
    door.access
        .notice_told(&waiting[0], None, NOW)
        .await
        .unwrap();
    assert!(due(&door, NOW).await.is_empty());

    let ben = principal(&door, "ben").await;
    let permit = door.permit(&ben, Action::ApproveRequests);
    let decided = door.access.approve(permit, &request.id, None, NOW).await;
    assert!(matches!(decided.unwrap(), Decided::Approved(..)));
    let told = due(&door, NOW).await;
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].moment, Moment::Decided);
    assert_eq!(receivers(&door, &told[0]).await, ["ada"]);
}

async fn who_is_told_follows_from_what_people_may_now(postgres: bool) {
    let door = house(postgres).await;
    let request = asks(&door, "server-tls").await;
    let waiting = due(&door, NOW).await;
    // dora's scope is another profile.
    assert_eq!(receivers(&door, &waiting[0]).await, ["ben"]);
    let admin = door.admin(Action::ManagePeople);
    let grants = [Grant::everywhere(Role::Approver)];
    for id in ["ada", "cleo"] {
        let (read, new) = (door.access.person(id).await.unwrap(), profile(&grants, &[]));
        let changed = door
            .access
            .change_person(&admin, id, read.version, new, NOW);
        changed.await.unwrap();
    }
    // ada may decide now, but not about what she asked for.
    assert_eq!(receivers(&door, &waiting[0]).await, ["ben", "cleo"]);

    let cleo = principal(&door, "cleo").await;
    let permit = door.permit(&cleo, Action::ApproveRequests);
    door.access
        .deny(permit, &request.id, None, NOW)
        .await
        .unwrap();
    // Nobody is asked to decide what is decided.
    let left: Vec<Moment> = due(&door, NOW).await.iter().map(|one| one.moment).collect();
    assert_eq!(left, [Moment::Decided]);
}

async fn somebody_who_could_not_be_told_is_tried_again(postgres: bool) {
    let door = house(postgres).await;
    asks(&door, "fhir-mtls").await;
    let mut notice = due(&door, NOW).await.remove(0);
    notice.told.push("ben".to_owned());
    let failed = Some("the relay is away");
    door.access.notice_told(&notice, failed, NOW).await.unwrap();
    assert!(due(&door, NOW).await.is_empty());
    let later = Timestamp(NOW.0 + 60_000);
    let again = due(&door, later).await.remove(0);
    assert_eq!(
        (again.told.as_slice(), again.attempts),
        (["ben".to_owned()].as_slice(), 1)
    );
    // It waits in the database, so a crash loses nothing, and after days it is no news.
    let much_later = Timestamp(NOW.0 + 4 * 24 * HOUR);
    assert!(due(&door, much_later).await.is_empty());
    assert!(due(&door, later).await.is_empty());
}

async fn a_request_that_lapses_is_told_of_once(postgres: bool) {
    let door = house(postgres).await;
    asks(&door, "fhir-mtls").await;
    let first = due(&door, NOW).await.remove(0);
    door.access.notice_told(&first, None, NOW).await.unwrap();
    door.access.notice_expiry(NOW).await.unwrap();
    assert!(due(&door, NOW).await.is_empty());
    // A quarter of eight hours is left.
    let late = Timestamp(NOW.0 + 6 * HOUR + 1);
    door.access.notice_expiry(late).await.unwrap();
    door.access.notice_expiry(late).await.unwrap();
    let soon = due(&door, late).await;
    assert_eq!(soon.len(), 1);
    assert_eq!(soon[0].moment, Moment::Soon);
    assert_eq!(receivers(&door, &soon[0]).await, ["ada", "ben", "dora"]);

    let over = Timestamp(NOW.0 + 9 * HOUR);
    assert_eq!(door.access.expire_requests(over).await.unwrap(), 1);
    let told: Vec<Moment> = due(&door, over)
        .await
        .iter()
        .map(|one| one.moment)
        .collect();
    assert_eq!(told, [Moment::Decided]);
}

async fn what_was_told_long_ago_is_forgotten_and_what_waits_is_not(postgres: bool) {
    const COUNT: &str = "SELECT COUNT(*) FROM notices";
    let door = house(postgres).await;
    asks(&door, "fhir-mtls").await;
    asks(&door, "server-tls").await;
    let told = due(&door, NOW).await.remove(0);
    door.access.notice_told(&told, None, NOW).await.unwrap();
    let ninety_days = 90 * 24 * HOUR;
    for (at, left) in [(0, 2), (ninety_days, 2), (ninety_days + 1, 1)] {
        let then = Timestamp(NOW.0 + at);
        door.access.forget_notices(then).await.unwrap();
        let rows = door.store.query(COUNT, store::params![]).await.unwrap();
        assert_eq!(rows[0].int(0).unwrap(), left, "after {at} ms");
    }
}
