//! The access review (R37): who could do what on a date, and who did, whether or not they could by then.

use access::{Action, Grant, Reviewed, Role};
use audit::Timestamp;

use crate::people::profile;
use crate::support::{Door, NOW, on_both, token};

on_both!(
    whoever_did_something_is_in_the_review_after_their_token_has_ended,
    a_grant_that_nobody_used_is_said_to_be_unused,
    a_review_as_a_table_has_a_line_for_whoever_has_no_grant,
);

const DAY: i64 = 86_400_000;

fn after(days: i64) -> Timestamp {
    Timestamp(NOW.0 + days * DAY)
}

/// A machine that wrote somebody down, and whose token was revoked the day after.
async fn house(postgres: bool) -> Door {
    let door = Door::new(postgres).await;
    let access = &door.access;
    let may = || door.admin(Action::ManageTokens);
    let mut new = token("registration", &[Role::Admin]);
    new.person = false;
    let (id, bearer) = access.create_token(may(), new, NOW).await.unwrap();
    let machine = access.authenticate(&bearer, NOW).await.unwrap();
    let permit = door.permit(&machine, Action::ManagePeople);
    let auditor = profile(&[Grant::everywhere(Role::Auditor)], &[]);
    let created = access.create_person(&permit, "noor", auditor, NOW);
    created.await.unwrap();
    let ended = access.revoke_token(may(), &id, "replaced", after(1));
    ended.await.unwrap();
    door
}

async fn of(door: &Door, as_of: Timestamp, holder: &str, kind: &str) -> Reviewed {
    let review = door.access.review(as_of, NOW, after(30)).await.unwrap();
    let found = review
        .holders
        .iter()
        .find(|one| one.holder == holder && one.kind == kind);
    found.cloned().unwrap_or_else(|| panic!("{review:?}"))
}

async fn whoever_did_something_is_in_the_review_after_their_token_has_ended(postgres: bool) {
    let door = house(postgres).await;
    let then = of(&door, NOW, "registration", "machine").await;
    assert_eq!(then.grants.len(), 1);
    assert!(then.grants[0].used && then.actions.contains(&Action::ManagePeople));
    let since = of(&door, after(2), "registration", "machine").await;
    assert!(since.grants.is_empty() && since.actions.is_empty());
    assert_eq!(since.done.get("person.create"), Some(&1));
    assert_eq!(since.last, Some(NOW.0));
    // The command line's people made and ended the token.
    let local = of(&door, after(2), "root", "local").await;
    assert_eq!(local.done.get("token.create"), Some(&1));
    assert_eq!(local.done.get("token.revoke"), Some(&1));
}

async fn a_grant_that_nobody_used_is_said_to_be_unused(postgres: bool) {
    let door = house(postgres).await;
    let noor = of(&door, after(2), "noor", "person").await;
    assert!(!noor.grants[0].used);
    assert_eq!((noor.grants[0].through.as_str(), noor.last), ("own", None));
}

async fn a_review_as_a_table_has_a_line_for_whoever_has_no_grant(postgres: bool) {
    let door = house(postgres).await;
    let review = door.access.review(after(2), NOW, after(30)).await.unwrap();
    let table = review.csv();
    let lines: Vec<&str> = table.lines().collect();
    assert!(lines[0].starts_with("holder,kind,name,state,role,scope,through,used,done,refused,"));
    let starts = |text: &str| lines.iter().any(|line| line.starts_with(text));
    assert!(starts("registration,machine,,,,,,,1,0,"), "{table}");
    assert!(starts("noor,person,"), "{table}");
    assert!(starts("root,local,,,,,,,2,0,"), "{table}");
}
