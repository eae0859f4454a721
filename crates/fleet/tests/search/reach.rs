//! What somebody finds whose grants are limited to a part of the house, and that nothing they write reaches further (R37).

use std::sync::Arc;

use access::{Action, Grant, Principal, Role, Scope, Target};
use fleet::Segment;
use fleet::search::{Ask, Query, Reach, Source, source};
use serde_json::json;
use store::{Write, params};

use crate::found::small;
use crate::support::{House, NOW, on_both};

on_both!(
    r37_a_limited_search_finds_what_is_inside,
    r37_nothing_that_is_written_reaches_further,
    r37_places_are_those_inside,
    r37_one_certificate_is_found_or_not,
    r37_issuers_and_keys_are_of_what_is_inside,
    r37_an_export_ends_where_the_search_does,
    r37_whoever_sees_the_house_has_no_reach,
);

fn scope(kind: &str, globs: &[&str]) -> Scope {
    let globs = globs.iter().map(|glob| (*glob).to_owned()).collect();
    let mut scope = Scope::default();
    match kind {
        "site" => scope.sites = globs,
        "segment" => scope.segments = globs,
        "department" => scope.departments = globs,
        _ => scope.owners = globs,
    }
    scope
}

/// The reach of somebody with these grants.
async fn reach(house: &House, scopes: &[Scope]) -> Option<Reach> {
    let grants: Vec<Grant> = scopes
        .iter()
        .map(|scope| Grant {
            role: Role::ClinicalEngineering,
            scope: scope.clone(),
        })
        .collect();
    let principal: Principal = serde_json::from_value(json!({
        "actor": { "kind": "person", "id": "ada" },
        "grants": grants,
    }))
    .unwrap();
    let access = house.ca.access();
    let permit = access.decide(
        &Arc::new(principal),
        Action::ReadInventory,
        &Target::later(),
    );
    house.fleet.reach(&permit.unwrap()).await.unwrap()
}

/// The small inventory, with a segment at each of two sites; the pump of 2 stands in intensive care, place 2 is in dmz, 4 and 6
/// are in icu, and 6 is gone.
async fn house(postgres: bool) -> House {
    let house = small(postgres).await;
    for (name, site, range) in [
        ("icu", "North", "10.98.0.0/24"),
        ("dmz", "Main_1", "10.99.0.0/24"),
    ] {
        let segment: Segment =
            serde_json::from_value(json!({ "name": name, "site": site, "ranges": [range] }))
                .unwrap();
        let permit = house.permit(Action::ManageSegments);
        house
            .fleet
            .put_segment(permit, segment, 0, NOW)
            .await
            .unwrap();
    }
    let mut write = Write::derived()
        .run("UPDATE assets SET site = 'North', department = 'Intensive care', owner = 'biomed', segment = NULL", params![])
        .run("UPDATE inventory SET site = 'North' WHERE segment = 'ICU'", params![]);
    for (place, segment) in [(2, "dmz"), (4, "icu"), (6, "icu")] {
        write = write.run(
            "UPDATE places SET segment = $1 WHERE id = $2",
            params![segment, place],
        );
    }
    // Somebody else's certificate lies on the pump too.
    write = write.run(
        "UPDATE places SET asset = (SELECT id FROM assets) WHERE id = 5",
        params![],
    );
    house.ca.store().commit(write).await.unwrap();
    house
}

async fn found(house: &House, text: &str, reach: &Option<Reach>) -> Vec<i64> {
    let mut query: Query = text.parse().unwrap();
    query.reach = reach.clone();
    let ask = Ask {
        query,
        ..Ask::default()
    };
    let page = house.fleet.search_inventory(&ask, NOW).await.unwrap();
    let mut ids: Vec<i64> = page.certificates.iter().map(|one| one.id).collect();
    ids.sort_unstable();
    ids
}

async fn r37_a_limited_search_finds_what_is_inside(postgres: bool) {
    let house = house(postgres).await;
    let both = |one: Scope, other: Scope| Scope {
        owners: other.owners,
        ..one
    };
    let cases: &[(&[Scope], &[i64])] = &[
        // By its own segment, or that of its place; what is gone from there counts no more (3).
        (&[scope("segment", &["ICU"])], &[2]),
        (&[scope("segment", &["icu"])], &[4]),
        (&[scope("segment", &["dmz"])], &[3]),
        (&[scope("segment", &["I*", "i*"])], &[2, 4]),
        (&[scope("segment", &["*MZ"])], &[3]),
        (&[scope("segment", &["d*z", "none"])], &[3]),
        // What is a wildcard elsewhere is none here.
        (&[scope("segment", &["I_U"])], &[]),
        (&[scope("segment", &["I%"])], &[]),
        (&[scope("segment", &["I?U"])], &[]),
        (&[scope("segment", &["[I]CU"])], &[]),
        (&[scope("segment", &["' OR 1=1 --"])], &[]),
        // What has no segment is outside a limit on segments, whatever the limit.
        (&[scope("segment", &["*"])], &[2, 3, 4]),
        (&[scope("site", &["Main_*"])], &[3]),
        (&[scope("site", &["Main*1"])], &[3]),
        // By its own site, by its asset (2), by the site of its place's segment (4), by the asset at its place (6).
        (&[scope("site", &["North"])], &[2, 4, 6]),
        (&[scope("site", &["Nowhere"])], &[]),
        (&[scope("department", &["Intensive*"])], &[2, 6]),
        (&[scope("owner", &["EHR team"])], &[3]),
        (&[scope("owner", &["ehr team"])], &[]),
        (&[scope("owner", &["EHR*"])], &[3]),
        (&[scope("owner", &["biomed"])], &[1, 2, 5, 6, 7]),
        // All limits of one grant, at one and the same thing.
        (
            &[both(
                scope("segment", &["dmz"]),
                scope("owner", &["EHR team"]),
            )],
            &[3],
        ),
        (
            &[both(
                scope("segment", &["dmz"]),
                scope("owner", &["biomed"]),
            )],
            &[],
        ),
        // Any of several grants.
        (
            &[
                scope("segment", &["dmz"]),
                scope("department", &["Intensive care"]),
            ],
            &[2, 3, 6],
        ),
    ];
    for (scopes, expected) in cases {
        let reach = reach(&house, scopes).await;
        assert_eq!(found(&house, "", &reach).await, *expected, "{scopes:?}");
    }
}

async fn r37_nothing_that_is_written_reaches_further(postgres: bool) {
    let house = house(postgres).await;
    let dmz = reach(&house, &[scope("segment", &["dmz"])]).await;
    for text in [
        "phi or not phi",
        "phi or segment = ICU or expired",
        "segment = icu or segment = dmz",
        "not segment = dmz or segment = dmz",
        "places or not places",
        "address in 0.0.0.0/0 or not address in 0.0.0.0/0",
        "name = portal.mercy.example or name = \"pump 7\"",
        "expired or not expired as of 3d ago",
        "finding or not finding",
    ] {
        assert_eq!(found(&house, text, &dmz).await, [3], "{text}");
    }
    for text in [
        "segment = icu",
        "not segment = dmz",
        "name = \"pump 7\"",
        "finding",
        "address = 10.20.0.7",
    ] {
        assert_eq!(found(&house, text, &dmz).await, [0; 0], "{text}");
    }
}

async fn r37_places_are_those_inside(postgres: bool) {
    let house = house(postgres).await;
    let cases: &[(Scope, &str, &[i64])] = &[
        (scope("segment", &["dmz"]), "", &[2]),
        (scope("segment", &["icu"]), "port or not port", &[4, 6]),
        (scope("site", &["North"]), "", &[4, 5, 6]),
        (scope("department", &["*care"]), "", &[5]),
        (scope("owner", &["EHR team"]), "", &[2, 3, 6]),
    ];
    for (scope, text, expected) in cases {
        let mut query: Query = text.parse().unwrap();
        query.reach = reach(&house, std::slice::from_ref(scope)).await;
        let page = house.fleet.search_places(&query, None, None, NOW).await;
        let ids: Vec<i64> = page.unwrap().places.iter().map(|place| place.id).collect();
        assert_eq!(ids, *expected, "{scope:?} {text}");
    }
}

async fn r37_one_certificate_is_found_or_not(postgres: bool) {
    let house = house(postgres).await;
    let dmz = reach(&house, &[scope("segment", &["dmz"])]).await;
    let shown = house
        .fleet
        .certificate_within("03", dmz.as_ref())
        .await
        .unwrap();
    // Whole: with its places elsewhere.
    assert_eq!((shown.certificate.id, shown.at.len()), (3, 3));
    // Of several that begin so, one is inside.
    let shown = house
        .fleet
        .certificate_within("0", dmz.as_ref())
        .await
        .unwrap();
    assert_eq!(shown.certificate.id, 3);
    assert!(
        house
            .fleet
            .certificate_within("02", dmz.as_ref())
            .await
            .is_err()
    );
}

async fn r37_issuers_and_keys_are_of_what_is_inside(postgres: bool) {
    let house = house(postgres).await;
    let dmz = reach(&house, &[scope("segment", &["dmz"])]).await;
    let query = Query {
        reach: dmz.clone(),
        ..Query::default()
    };
    let issuers = house.fleet.issuers(&query, None, NOW).await.unwrap();
    let told: Vec<_> = issuers
        .iter()
        .map(|one| (one.issuer.as_str(), one.certificates))
        .collect();
    assert_eq!(told, [("CN=Mercy Devices", 1)]);
    // 3 is inside, 7 with the same key is not.
    let keys = house
        .fleet
        .shared_keys(None, None, dmz.as_ref())
        .await
        .unwrap();
    assert_eq!((keys.keys.len(), keys.keys[0].certificates), (1, 2));
    let icu = reach(&house, &[scope("segment", &["icu"])]).await;
    let keys = house
        .fleet
        .shared_keys(None, None, icu.as_ref())
        .await
        .unwrap();
    assert!(keys.keys.is_empty());
}

async fn r37_an_export_ends_where_the_search_does(postgres: bool) {
    let house = house(postgres).await;
    let Source::Search(mut query, sort) =
        source(Some("phi or not phi"), None, fleet::search::Sort::Expires).unwrap()
    else {
        panic!("a search");
    };
    query.reach = reach(&house, &[scope("segment", &["dmz"])]).await;
    let export = house.fleet.export_inventory(
        Source::Search(query, sort),
        fleet::search::Format::Json,
        NOW,
    );
    let mut export = export.await.unwrap();
    while export.next().await.unwrap().is_some() {}
    assert_eq!(export.rows(), 1);
}

async fn r37_whoever_sees_the_house_has_no_reach(postgres: bool) {
    let house = house(postgres).await;
    let names = Scope {
        profiles: vec!["server-*".into()],
        ..Scope::default()
    };
    assert_eq!(
        reach(&house, &[scope("segment", &["dmz"]), names]).await,
        None
    );
}
