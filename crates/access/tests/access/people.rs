//! People and groups (R37, R11): what they are granted counts at their next request, and ends with them.

use std::sync::Arc;

use access::{
    AccessError, Action, ApprovalPolicy, Grant, Group, Link, PersonState, Place, Principal,
    Profile, Request, Role, Scope, Target,
};
use audit::{Outcome, Timestamp};
use serde_json::json;
use store::Write;

use crate::support::{Door, NOW, on_both, token};

on_both!(
    a_person_acts_by_their_own_grants_and_their_groups,
    what_is_taken_away_counts_at_the_next_request,
    nobody_changes_what_they_themselves_may,
    whoever_leaves_ends_with_all_their_tokens,
    clinical_engineering_and_security_stay_two_people,
    people_that_make_no_sense_are_refused,
    claims_put_people_into_groups_and_out_again,
    grants_of_two_scopes_are_not_mixed,
    a_part_of_the_house_is_not_the_whole,
    records_of_before_there_were_people_are_read,
    r52_people_groups_tokens_and_policies_are_as_they_were_then,
);

pub(crate) fn profile(grants: &[Grant], groups: &[&str]) -> Profile {
    Profile {
        name: "Ada Lovelace".to_owned(),
        email: Some("ada@hospital.example".to_owned()),
        grants: grants.to_vec(),
        groups: groups.iter().map(|name| (*name).to_owned()).collect(),
    }
}

fn group(name: &str, grants: &[Grant], version: u64) -> Group {
    Group {
        name: name.to_owned(),
        label: "A group".to_owned(),
        grants: grants.to_vec(),
        claims: vec![format!("CN={name}")],
        version,
    }
}

fn of_segment(role: Role, segment: &str) -> Grant {
    let scope = Scope {
        segments: vec![segment.to_owned()],
        ..Scope::default()
    };
    Grant { role, scope }
}

pub(crate) async fn signed_in(door: &Door, id: &str) -> Arc<Principal> {
    let person = door.access.person(id).await.unwrap();
    let principal = door.access.principal_for(&person, "passkey", Some("s1"));
    principal.await.unwrap()
}

pub(crate) fn rule(error: AccessError) -> String {
    match error {
        AccessError::Refused(refusal) => refusal.rule.into_owned(),
        other => panic!("{other}"),
    }
}

async fn a_person_acts_by_their_own_grants_and_their_groups(postgres: bool) {
    let door = Door::new(postgres).await;
    let admin = door.admin(Action::ManagePeople);
    let officers = group("officers", &[Grant::everywhere(Role::RaOfficer)], 0);
    door.access.put_group(&admin, officers, NOW).await.unwrap();
    let ada = profile(&[Grant::everywhere(Role::Auditor)], &["officers"]);
    let ada = door
        .access
        .create_person(&admin, "ada", ada, NOW)
        .await
        .unwrap();
    assert_eq!((ada.version, ada.state), (1, PersonState::Active));
    let who = signed_in(&door, "ada").await;
    assert_eq!(who.actor().id, "ada/s1");
    for action in [Action::ReadAudit, Action::IssueCertificate] {
        let permit = door.access.decide(&who, action, &Target::default());
        assert_eq!(permit.unwrap().actor().id, "ada/s1");
    }
    let refused = door
        .access
        .decide(&who, Action::ManageTokens, &Target::default());
    assert_eq!(refused.unwrap_err().rule, "role");
    assert_eq!(door.events("person.create").await.len(), 1);
    assert_eq!(door.events("group.create").await.len(), 1);
}

async fn what_is_taken_away_counts_at_the_next_request(postgres: bool) {
    let door = Door::new(postgres).await;
    let admin = door.admin(Action::ManagePeople);
    let wide = profile(&[Grant::everywhere(Role::Security)], &[]);
    door.access
        .create_person(&admin, "ada", wide, NOW)
        .await
        .unwrap();
    let may = |who: Arc<Principal>| {
        door.access
            .decide(&who, Action::ManageFindings, &Target::default())
    };
    assert!(may(signed_in(&door, "ada").await).is_ok());
    let nothing = profile(&[], &[]);
    let wrong = door
        .access
        .change_person(&admin, "ada", 7, nothing.clone(), NOW)
        .await;
    assert!(
        matches!(wrong, Err(AccessError::Store(_))),
        "another version"
    );
    door.access
        .change_person(&admin, "ada", 1, nothing, NOW)
        .await
        .unwrap();
    assert!(may(signed_in(&door, "ada").await).is_err());

    // The same through a group, and through the end of a group.
    let findings = group("soc", &[Grant::everywhere(Role::Security)], 0);
    door.access.put_group(&admin, findings, NOW).await.unwrap();
    let member = profile(&[], &["soc"]);
    door.access
        .change_person(&admin, "ada", 2, member, NOW)
        .await
        .unwrap();
    assert!(may(signed_in(&door, "ada").await).is_ok());
    door.access
        .put_group(&admin, group("soc", &[], 1), NOW)
        .await
        .unwrap();
    assert!(may(signed_in(&door, "ada").await).is_err());
    let full = door
        .access
        .remove_group(&admin, "soc", NOW)
        .await
        .unwrap_err();
    assert_eq!(rule(full), "group.members");
    door.access
        .change_person(&admin, "ada", 3, profile(&[], &[]), NOW)
        .await
        .unwrap();
    door.access.remove_group(&admin, "soc", NOW).await.unwrap();
    assert!(door.access.groups().await.unwrap().is_empty());
}

async fn nobody_changes_what_they_themselves_may(postgres: bool) {
    let door = Door::new(postgres).await;
    let root = door.admin(Action::ManagePeople);
    let admins = group("admins", &[Grant::everywhere(Role::Admin)], 0);
    door.access.put_group(&root, admins, NOW).await.unwrap();
    for id in ["ada", "ben"] {
        let admin = profile(&[], &["admins"]);
        door.access
            .create_person(&root, id, admin, NOW)
            .await
            .unwrap();
    }
    let ada = door.permit(&signed_in(&door, "ada").await, Action::ManagePeople);
    let wider = profile(&[Grant::everywhere(Role::Security)], &["admins"]);
    let own = door
        .access
        .change_person(&ada, "ada", 1, wider.clone(), NOW)
        .await;
    assert_eq!(rule(own.unwrap_err()), "person.own");
    let through = group("admins", &[Grant::everywhere(Role::Auditor)], 1);
    let through = door.access.put_group(&ada, through, NOW).await.unwrap_err();
    assert_eq!(rule(through), "person.own");
    let suspend = door
        .access
        .set_person_state(&ada, "ada", PersonState::Suspended, "", NOW);
    assert_eq!(rule(suspend.await.unwrap_err()), "person.own");
    let tokens = door.permit(&signed_in(&door, "ada").await, Action::ManageTokens);
    let token = token("ada", &[Role::Security]);
    let token = door
        .access
        .create_token(tokens, token, NOW)
        .await
        .unwrap_err();
    assert_eq!(rule(token), "person.own");
    // What is refused is written down; a name is not a grant; others may.
    let refused = door.events("person.change").await;
    assert_eq!(refused[0].outcome, Outcome::Refused);
    let mut renamed = profile(&[], &["admins"]);
    renamed.name = "Augusta".to_owned();
    door.access
        .change_person(&ada, "ada", 1, renamed, NOW)
        .await
        .unwrap();
    door.access
        .change_person(&ada, "ben", 1, wider, NOW)
        .await
        .unwrap();
}

async fn whoever_leaves_ends_with_all_their_tokens(postgres: bool) {
    let door = Door::new(postgres).await;
    let admin = door.admin(Action::ManagePeople);
    let ada = profile(&[Grant::everywhere(Role::Auditor)], &[]);
    door.access
        .create_person(&admin, "ada", ada, NOW)
        .await
        .unwrap();
    let mut bearers = Vec::new();
    for person in [true, false] {
        let permit = door.admin(Action::ManageTokens);
        let mut new = token("ada", &[Role::Issuer]);
        new.person = person;
        bearers.push(door.access.create_token(permit, new, NOW).await.unwrap().1);
    }
    assert!(door.access.authenticate(&bearers[0], NOW).await.is_ok());
    let person = door.access.person("ada").await.unwrap();
    let suspended = door
        .access
        .set_person_state(&admin, "ada", PersonState::Suspended, "ill", NOW);
    assert_eq!(suspended.await.unwrap().version, 2);
    let ill = door.access.person("ada").await.unwrap();
    let session = door.access.principal_for(&ill, "oidc", None);
    assert!(
        matches!(session.await, Err(AccessError::Unauthenticated(r)) if r.rule == "person.state")
    );
    assert!(door.access.authenticate(&bearers[0], NOW).await.is_err());
    assert!(
        door.access.authenticate(&bearers[1], NOW).await.is_ok(),
        "a machine of that name"
    );
    let permit = door.admin(Action::ManageTokens);
    let new = token("ada", &[Role::Issuer]);
    let refused = door
        .access
        .create_token(permit, new, NOW)
        .await
        .unwrap_err();
    assert_eq!(rule(refused), "person.state");

    let back = door
        .access
        .set_person_state(&admin, "ada", PersonState::Active, "well", NOW);
    back.await.unwrap();
    assert!(
        door.access
            .principal_for(&person, "oidc", None)
            .await
            .is_ok()
    );
    assert!(
        door.access.authenticate(&bearers[0], NOW).await.is_err(),
        "revoked for good"
    );
    let left = door
        .access
        .set_person_state(&admin, "ada", PersonState::Left, "left", NOW);
    left.await.unwrap();
    let back = door
        .access
        .set_person_state(&admin, "ada", PersonState::Active, "", NOW);
    assert_eq!(rule(back.await.unwrap_err()), "person.state");
    for verb in [
        "person.suspend",
        "person.resume",
        "person.leave",
        "token.revoke",
    ] {
        assert_eq!(door.events(verb).await[0].outcome, Outcome::Done, "{verb}");
    }
}

async fn clinical_engineering_and_security_stay_two_people(postgres: bool) {
    let door = Door::new(postgres).await;
    let admin = door.admin(Action::ManagePeople);
    let clinical = Grant::everywhere(Role::ClinicalEngineering);
    let security = Grant::everywhere(Role::Security);
    let both = profile(&[clinical.clone(), security.clone()], &[]);
    let both = door
        .access
        .create_person(&admin, "ada", both, NOW)
        .await
        .unwrap_err();
    assert_eq!(rule(both), "grants.duties");
    door.access
        .put_group(
            &admin,
            group("biomed", std::slice::from_ref(&clinical), 0),
            NOW,
        )
        .await
        .unwrap();
    let mixed = profile(std::slice::from_ref(&security), &["biomed"]);
    let mixed = door
        .access
        .create_person(&admin, "ada", mixed, NOW)
        .await
        .unwrap_err();
    assert_eq!(rule(mixed), "grants.duties");
    // Nor through a group that changes under its people.
    door.access
        .put_group(&admin, group("staff", &[], 0), NOW)
        .await
        .unwrap();
    let ada = profile(&[], &["biomed", "staff"]);
    door.access
        .create_person(&admin, "ada", ada, NOW)
        .await
        .unwrap();
    let staff = group("staff", &[security], 1);
    let staff = door.access.put_group(&admin, staff, NOW).await.unwrap_err();
    assert_eq!(rule(staff), "grants.duties");
    let permit = door.admin(Action::ManageTokens);
    let new = token("eve", &[Role::Security, Role::ClinicalEngineering]);
    let token = door
        .access
        .create_token(permit, new, NOW)
        .await
        .unwrap_err();
    assert_eq!(rule(token), "grants.duties");
}

async fn people_that_make_no_sense_are_refused(postgres: bool) {
    let door = Door::new(postgres).await;
    let admin = door.admin(Action::ManagePeople);
    let good = profile(&[], &[]);
    let with = |change: fn(&mut Profile)| {
        let mut profile = good.clone();
        change(&mut profile);
        profile
    };
    let table = [
        ("person.id", "Ada", good.clone()),
        ("person.id", "", good.clone()),
        ("person.id", "a/b", good.clone()),
        ("person.name", "ada", with(|p| p.name.clear())),
        ("person.name", "ada", with(|p| p.name = "x".repeat(201))),
        (
            "person.name",
            "ada",
            with(|p| p.name = "ada\u{202e}nimda".to_owned()),
        ),
        (
            "person.email",
            "ada",
            with(|p| p.email = Some("nobody".to_owned())),
        ),
        (
            "person.email",
            "ada",
            with(|p| p.email = Some("a@b\r\nBcc: c@d".to_owned())),
        ),
        (
            "person.groups",
            "ada",
            with(|p| p.groups = vec!["nothing".to_owned()]),
        ),
        (
            "person.grants",
            "ada",
            with(|p| p.grants = vec![Grant::everywhere(Role::Auditor); 17]),
        ),
        (
            "scope.form",
            "ada",
            with(|p| p.grants = vec![of_segment(Role::Auditor, "")]),
        ),
    ];
    for (expected, id, profile) in table {
        let refused = door.access.create_person(&admin, id, profile, NOW).await;
        assert_eq!(rule(refused.unwrap_err()), expected);
    }
    door.access
        .create_person(&admin, "ada", good.clone(), NOW)
        .await
        .unwrap();
    let again = door
        .access
        .create_person(&admin, "ada", good.clone(), NOW)
        .await;
    assert_eq!(rule(again.unwrap_err()), "person.id");
    let wrong = door.admin(Action::ManageTokens);
    let wrong = door
        .access
        .create_person(&wrong, "ben", good, NOW)
        .await
        .unwrap_err();
    assert_eq!(rule(wrong), "permit.action");
    let missing = door.access.person("ben").await.unwrap_err();
    assert!(matches!(
        missing,
        AccessError::NotFound { kind: "person", .. }
    ));
}

async fn claims_put_people_into_groups_and_out_again(postgres: bool) {
    let door = Door::new(postgres).await;
    let admin = door.admin(Action::ManagePeople);
    let auditors = group("auditors", &[Grant::everywhere(Role::Auditor)], 0);
    door.access.put_group(&admin, auditors, NOW).await.unwrap();
    for id in ["ada", "ben"] {
        door.access
            .create_person(&admin, id, profile(&[], &[]), NOW)
            .await
            .unwrap();
    }
    let link = Link {
        provider: "hospital".to_owned(),
        subject: "248289761001".to_owned(),
    };
    door.access
        .link_person(&admin, "ada", link.clone(), NOW)
        .await
        .unwrap();
    let taken = door
        .access
        .link_person(&admin, "ben", link, NOW)
        .await
        .unwrap_err();
    assert_eq!(rule(taken), "person.link");
    let found = door
        .access
        .person_by_link("hospital", "248289761001")
        .await
        .unwrap();
    assert_eq!(found.unwrap().id, "ada");
    assert_eq!(
        door.access
            .person_by_link("other", "248289761001")
            .await
            .unwrap(),
        None
    );

    let system = door.access.system_principal("sign-in");
    let system = door.permit(&system, Action::ManagePeople);
    let claims = ["CN=auditors".to_owned(), "CN=everybody".to_owned()];
    door.access
        .claim_groups(&system, "ada", &claims, NOW)
        .await
        .unwrap();
    let who = signed_in(&door, "ada").await;
    assert!(
        door.access
            .decide(&who, Action::ReadAudit, &Target::default())
            .is_ok()
    );
    door.access
        .claim_groups(&system, "ada", &[], NOW)
        .await
        .unwrap();
    let who = signed_in(&door, "ada").await;
    assert!(
        door.access
            .decide(&who, Action::ReadAudit, &Target::default())
            .is_err()
    );
    assert_eq!(door.events("person.claim").await.len(), 2);
    door.access
        .unlink_person(&admin, "ada", "hospital", NOW)
        .await
        .unwrap();
    assert_eq!(
        door.access
            .person_by_link("hospital", "248289761001")
            .await
            .unwrap(),
        None
    );
}

async fn grants_of_two_scopes_are_not_mixed(postgres: bool) {
    let door = Door::new(postgres).await;
    let admin = door.admin(Action::ManagePeople);
    let of_profile = |profile: &str, name: &str| Grant {
        role: Role::RaOfficer,
        scope: Scope {
            profiles: vec![profile.to_owned()],
            names: vec![access::NamePattern::parse(name).unwrap()],
            ..Scope::default()
        },
    };
    let grants = [
        of_profile("server-*", ".web.example"),
        of_profile("device-*", ".icu.example"),
    ];
    door.access
        .create_person(&admin, "ada", profile(&grants, &[]), NOW)
        .await
        .unwrap();
    let who = signed_in(&door, "ada").await;
    let permit = || door.permit(&who, Action::IssueCertificate);
    let web = ["dns:a.web.example"];
    let both = permit();
    both.check_profile("device-rsa").unwrap();
    assert_eq!(both.check_names(web).unwrap_err().rule, "scope.name");
    both.check_names(["dns:a.icu.example"]).unwrap();
    let server = permit();
    server.check_profile("server-tls").unwrap();
    server.check_names(web).unwrap();
    // Of many objects each may be another grant's.
    let many = permit();
    for (profile, name) in [
        ("server-tls", "dns:a.web.example"),
        ("device-rsa", "dns:a.icu.example"),
    ] {
        let names = [name.to_owned()];
        let target = Target {
            profile: Some(profile),
            names: &names,
            ..Target::default()
        };
        many.covers(&target).unwrap();
    }
}

async fn a_part_of_the_house_is_not_the_whole(postgres: bool) {
    let door = Door::new(postgres).await;
    let admin = door.admin(Action::ManagePeople);
    let grants = [of_segment(Role::ClinicalEngineering, "icu-*")];
    door.access
        .create_person(&admin, "ada", profile(&grants, &[]), NOW)
        .await
        .unwrap();
    let who = signed_in(&door, "ada").await;
    let decide = |action, target: Target<'_>| door.access.decide(&who, action, &target);
    let at = |segment| {
        Target::at(Place {
            segment,
            ..Place::default()
        })
    };
    assert!(decide(Action::ManageAssets, at(Some("icu-1"))).is_ok());
    for segment in [Some("lab"), None] {
        let refused = decide(Action::ManageAssets, at(segment)).unwrap_err();
        assert_eq!(refused.rule, "scope.segment");
    }
    let whole = decide(Action::ManageAssets, Target::default()).unwrap_err();
    assert_eq!(whole.rule, "scope.place");
    assert!(decide(Action::ReadAuthorities, Target::default()).is_ok());
    assert!(decide(Action::ReadAssets, Target::default()).is_err());
    let list = decide(Action::ReadAssets, Target::later()).unwrap();
    let scopes = list.places().unwrap();
    assert_eq!(scopes[0].segments, ["icu-*"]);
}

/// Bodies as version 0.1 of Ward wrote them, before there were people.
async fn records_of_before_there_were_people_are_read(postgres: bool) {
    let door = Door::new(postgres).await;
    let token = r#"{"id":"t0123456789ab","name":"ada","person":true,"roles":["approver","issuer"],"scope":{"profiles":["server-*"],"authorities":[],"names":["*.example.org"]},"created":1795348800000,"created_by":"root","expires":null,"revoked":null,"secret_sha256":"2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"}"#;
    let request = r#"{"id":"r0123456789abcdef","profile":"server-tls","authority":"issuing","summary":"server-tls for a.example.org","names":["dns:a.example.org"],"requester":{"actor":{"kind":"person","id":"ada/t0123456789ab"},"roles":["approver","issuer"],"scope":{"profiles":["server-*"],"authorities":[],"names":["*.example.org"]},"token":"t0123456789ab"},"evidence":[],"needed":1,"created":1795348800000,"expires":1795435200000,"state":"pending","decisions":[],"result":null,"payload":null}"#;
    for (kind, id, body) in [
        (access::TOKEN_RECORDS, "t0123456789ab", token),
        (access::REQUEST_RECORDS, "r0123456789abcdef", request),
    ] {
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        let event = audit::Event::new(
            NOW,
            audit::Actor::system("test"),
            "test.write",
            audit::Object::new(kind, id),
        );
        let write = Write::new(event)
            .unwrap()
            .put_record(kind, id, 0, &body, NOW);
        door.store.commit(write.unwrap()).await.unwrap();
    }
    assert_eq!(
        door.access.tokens().await.unwrap()[0].roles,
        [Role::Approver, Role::Issuer]
    );
    let request: Request = door.access.requests().await.unwrap().remove(0);
    let roles: Vec<Role> = request
        .requester
        .grants()
        .iter()
        .map(|grant| grant.role)
        .collect();
    assert_eq!(roles, [Role::Approver, Role::Issuer]);
    let grants = request.requester.grants();
    assert!(
        grants
            .iter()
            .all(|grant| grant.scope.profiles == ["server-*"])
    );
    // And it can still be decided: the token behind it is asked anew.
    let second = door.access.local_principal("ben");
    let permit = door.permit(&second, Action::ApproveRequests);
    let decided = door
        .access
        .approve(permit, &request.id, None, NOW)
        .await
        .unwrap();
    let access::Decided::Approved(_, permit) = decided else {
        panic!("{decided:?}");
    };
    assert!(permit.check_names(["dns:other.net"]).is_err());
    permit.check_names(["dns:b.example.org"]).unwrap();
}

/// A day each: ada comes and gets a token, her group is given another role, and she leaves.
async fn r52_people_groups_tokens_and_policies_are_as_they_were_then(postgres: bool) {
    let door = Door::new(postgres).await;
    let access = &door.access;
    let admin = door.admin(Action::ManagePeople);
    let rules = door.admin(Action::ManagePolicies);
    let day = |days: i64| Timestamp(NOW.0 + days * 86_400_000);
    let officers = |role, version| group("officers", &[Grant::everywhere(role)], version);
    let policy = |needed, version| {
        let policy = json!({ "name": "ending", "action": "revoke-certificate", "needed": needed, "hours": 24, "version": version });
        serde_json::from_value::<ApprovalPolicy>(policy).unwrap()
    };
    let made = access.put_group(&admin, officers(Role::Auditor, 0), day(1));
    made.await.unwrap();
    let ada = access.create_person(&admin, "ada", profile(&[], &["officers"]), day(1));
    ada.await.unwrap();
    let new = token("ada", &[Role::Auditor]);
    let made = access.create_token(door.admin(Action::ManageTokens), new, day(1));
    made.await.unwrap();
    access
        .put_policy(&rules, policy(1, 0), day(1))
        .await
        .unwrap();
    let changed = access.put_group(&admin, officers(Role::RaOfficer, 1), day(2));
    changed.await.unwrap();
    access
        .put_policy(&rules, policy(2, 1), day(2))
        .await
        .unwrap();
    let left = access.set_person_state(&admin, "ada", PersonState::Left, "moved", day(3));
    left.await.unwrap();
    access
        .remove_policy(&rules, "ending", day(3))
        .await
        .unwrap();
    let emptied = access.change_person(&admin, "ada", 2, profile(&[], &[]), day(4));
    assert!(emptied.await.is_err(), "who has left stays as they were");
    access
        .remove_group(&admin, "officers", day(4))
        .await
        .unwrap();

    let roles = |grants: Vec<Grant>| grants.iter().map(|grant| grant.role).collect::<Vec<_>>();
    let table = [
        (
            1,
            PersonState::Active,
            vec![Role::Auditor],
            vec!["ada"],
            vec![1],
        ),
        (
            2,
            PersonState::Active,
            vec![Role::RaOfficer],
            vec!["ada"],
            vec![2],
        ),
        (3, PersonState::Left, vec![Role::RaOfficer], vec![], vec![]),
        (4, PersonState::Left, vec![], vec![], vec![]),
    ];
    for (days, state, granted, members, needed) in table {
        let then = access.staff(Some(day(days))).await.unwrap();
        let ada = then.person("ada").unwrap();
        assert_eq!(
            (ada.state, roles(then.grants(ada))),
            (state, granted),
            "day {days}"
        );
        let found: Vec<&str> = then
            .members("officers")
            .map(|one| one.id.as_str())
            .collect();
        assert_eq!(
            (found, then.groups.len()),
            (members, usize::from(days < 4)),
            "day {days}"
        );
        let tokens = access.tokens_as_of(day(days)).await.unwrap();
        assert_eq!(
            (tokens.len(), tokens[0].revoked.is_none()),
            (1, days < 3),
            "day {days}"
        );
        let policies = access.policies_as_of(day(days)).await.unwrap();
        let found: Vec<u8> = policies.iter().map(|policy| policy.needed).collect();
        assert_eq!(found, needed, "day {days}");
    }
    let before = access.staff(Some(NOW)).await.unwrap();
    assert!(before.people.is_empty() && before.groups.is_empty());
    assert!(matches!(
        before.person("ada"),
        Err(AccessError::NotFound { .. })
    ));
    assert!(access.tokens_as_of(NOW).await.unwrap().is_empty());
    assert!(access.policies_as_of(NOW).await.unwrap().is_empty());
    let now = access.staff(None).await.unwrap();
    assert_eq!(now.people, access.staff(Some(day(4))).await.unwrap().people);
}
