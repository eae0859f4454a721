//! Saved views: kept as their searches say, whatever changes, without being looked through from one end to the other.

use access::{Action, Role, Scope};
use fleet::search::{Ask, Sort, View};
use store::{Write, params};

use crate::found::small;
use crate::support::{House, NOW, on_both, rule};
use crate::world::{LATER, Row, finding, put, remove};

on_both!(
    r16_views_show_what_their_searches_find,
    r16_views_follow_changes_and_time,
    r16_views_are_saved_changed_and_removed,
    r16_a_large_view_is_walked_in_steps,
);

async fn settle(house: &House, days: i64) {
    while house.fleet.reconcile_views(LATER(days)).await.unwrap() {}
}

async fn members(house: &House, view: &str, days: i64) -> Vec<i64> {
    let mut after: Option<String> = None;
    let mut ids = Vec::new();
    loop {
        let page = house
            .fleet
            .view_page(view, after.as_deref(), Some(2), LATER(days));
        let page = page.await.unwrap();
        assert!(
            page.members.is_some(),
            "{view} is searched for and not read"
        );
        ids.extend(page.certificates.iter().map(|one| one.id));
        match page.next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    let told = house.fleet.view(view).await.unwrap().members;
    assert_eq!(told, Some(i64::try_from(ids.len()).unwrap()), "{view}");
    ids
}

async fn r16_views_show_what_their_searches_find(postgres: bool) {
    let house = small(postgres).await;
    segment(&house, "ICU").await;
    let before = house
        .fleet
        .view_page("unowned", None, None, NOW)
        .await
        .unwrap();
    assert_eq!(
        (before.certificates.len(), before.members),
        (2, None),
        "not worked out yet: searched for"
    );
    settle(&house, 0).await;
    let expected: &[(&str, &[i64])] = &[
        ("expiring-30", &[2]),
        ("expiring-60", &[2, 3]),
        ("expiring-90", &[2, 3, 5]),
        ("expired-in-use", &[4, 6]),
        ("unowned", &[6, 4]),
        ("weak-keys", &[4]),
        ("phi", &[2, 3]),
        ("self-signed", &[4]),
        ("unknown-issuer", &[6, 5]),
        ("segment-ICU", &[4, 2]),
    ];
    for (view, ids) in expected {
        assert_eq!(members(&house, view, 0).await, *ids, "{view}");
        let stored = house.fleet.view(view).await.unwrap();
        let ask = Ask {
            query: stored.view.query.parse().unwrap(),
            sort: stored.view.sort,
            ..Ask::default()
        };
        let searched = house.fleet.search_inventory(&ask, NOW).await.unwrap();
        let searched: Vec<i64> = searched.certificates.iter().map(|one| one.id).collect();
        assert_eq!(searched, *ids, "{view}");
    }
    assert_eq!(house.fleet.views().await.unwrap().len(), expected.len());
}

async fn segment(house: &House, id: &str) {
    let event = audit::Event::new(
        NOW,
        audit::Actor::new(audit::ActorKind::Person, "biomed"),
        "segment.save",
        audit::Object::new("segment", id),
    );
    let write = Write::new(event).unwrap();
    let write = write
        .put_record("segment", id, 0, &serde_json::json!({}), NOW)
        .unwrap();
    house.ca.store().commit(write).await.unwrap();
}

async fn r16_views_follow_changes_and_time(postgres: bool) {
    let house = small(postgres).await;
    save(&house, view("by-rule", "finding = expired", Sort::Expires)).await;
    save(
        &house,
        view("gone-quiet", "last-seen < 30d ago", Sort::LastSeen),
    )
    .await;
    settle(&house, 0).await;
    assert_eq!(members(&house, "expiring-30", 0).await, [2]);
    assert_eq!(members(&house, "by-rule", 0).await, [4]);

    // A change counts `touched` up; the rest is not asked.
    put(
        &house,
        &[Row {
            owner: None,
            expires: 5,
            touched: 2,
            ..Row::new(8, "CN=new")
        }],
    )
    .await;
    settle(&house, 0).await;
    assert_eq!(members(&house, "unowned", 0).await, [6, 4, 8]);
    assert_eq!(members(&house, "expiring-30", 0).await, [8, 2]);
    // Another position, and out of a view.
    put(
        &house,
        &[Row {
            expires: 20,
            touched: 3,
            ..Row::new(8, "CN=new")
        }],
    )
    .await;
    settle(&house, 0).await;
    assert_eq!(members(&house, "unowned", 0).await, [6, 4]);
    assert_eq!(members(&house, "expiring-30", 0).await, [2, 8]);

    // Time passes: nothing was touched.
    settle(&house, 11).await;
    assert_eq!(members(&house, "expiring-30", 11).await, [2, 8, 3]);
    settle(&house, 13).await;
    assert_eq!(members(&house, "expiring-30", 13).await, [8, 3]);
    assert_eq!(members(&house, "expired-in-use", 13).await.len(), 3);
    // A waiver ends, days go by without a sign: found by the walk of the hour.
    settle(&house, 31).await;
    assert_eq!(members(&house, "by-rule", 31).await, [6, 4]);
    assert_eq!(members(&house, "gone-quiet", 31).await.len(), 8);
    finding(&house, "f9", "expired", 4, 2, false, None).await;
    settle(&house, 32).await;
    assert_eq!(members(&house, "by-rule", 32).await, [6, 4, 2]);
    // A certificate that is no more: found by the walk of the day.
    remove(&house, 4).await;
    settle(&house, 34).await;
    assert_eq!(members(&house, "unowned", 34).await, [6]);
}

fn view(name: &str, query: &str, sort: Sort) -> View {
    View {
        name: name.to_owned(),
        query: query.to_owned(),
        sort,
        note: String::new(),
    }
}

async fn save(house: &House, view: View) -> fleet::search::StoredView {
    let permit = house.permit(Action::ManageInventory);
    house.fleet.save_view(permit, view, NOW).await.unwrap()
}

async fn r16_views_are_saved_changed_and_removed(postgres: bool) {
    let house = small(postgres).await;
    let stored = save(&house, view("icu", "segment=ICU  and (phi)", Sort::Risk)).await;
    assert_eq!(
        (stored.version, stored.view.query.as_str()),
        (1, "segment = ICU and phi")
    );
    settle(&house, 0).await;
    assert_eq!(members(&house, "icu", 0).await, [2]);
    let stored = save(&house, view("icu", "segment = icu", Sort::Risk)).await;
    assert_eq!(
        (stored.version, stored.members),
        (2, None),
        "another search is worked out anew"
    );
    settle(&house, 0).await;
    assert_eq!(members(&house, "icu", 0).await, [2, 4]);

    let refused = [
        ("Icu", "phi", "view.name"),
        ("", "phi", "view.name"),
        ("phi", "phi", "view.reserved"),
        ("segment-x", "phi", "view.reserved"),
        ("x", "ph", "search.language"),
        ("x", "expired as of 3d ago", "view.as-of"),
    ];
    for (name, query, why) in refused {
        let permit = house.permit(Action::ManageInventory);
        let done = house
            .fleet
            .save_view(permit, view(name, query, Sort::Risk), NOW)
            .await;
        assert_eq!(rule(done), why, "{name}: {query}");
    }
    let saves = house.events("view.save").await;
    assert_eq!(
        saves.len(),
        2 + refused.len(),
        "every change and every refusal"
    );

    let reader = house
        .person("auditor", Role::Auditor, Scope::default())
        .await;
    let permit = house.permit_of(&reader, Action::ReadInventory);
    let done = house
        .fleet
        .save_view(permit, view("x", "phi", Sort::Risk), NOW)
        .await;
    assert!(done.is_err());

    let remove = |name: &'static str| {
        let permit = house.permit(Action::ManageInventory);
        let fleet = house.fleet.clone();
        async move { fleet.remove_view(permit, name, NOW).await }
    };
    assert_eq!(rule(remove("phi").await), "view.reserved");
    remove("icu").await.unwrap();
    assert!(remove("icu").await.is_err());
    settle(&house, 0).await;
    let sql = "SELECT COUNT(*) FROM view_members WHERE view = $1";
    let left = house.ca.store().query(sql, params!["icu"]).await.unwrap();
    assert_eq!(left[0].int(0).unwrap(), 0);
    assert!(house.fleet.view("icu").await.is_err());
}

async fn r16_a_large_view_is_walked_in_steps(postgres: bool) {
    let house = House::new(postgres).await;
    let rows: Vec<Row> = (1..=12_000)
        .map(|id| Row {
            phi: id % 3 == 0,
            touched: id / 4000,
            ..Row::new(id, "CN=many")
        })
        .collect();
    put(&house, &rows).await;
    settle(&house, 0).await;
    let told = house.fleet.view("phi").await.unwrap();
    assert_eq!(told.members, Some(4000));
    // Half of them change in one write.
    let rows: Vec<Row> = (1..=6000)
        .map(|id| Row {
            touched: 9,
            ..Row::new(id, "CN=many")
        })
        .collect();
    put(&house, &rows).await;
    settle(&house, 0).await;
    let told = house.fleet.view("phi").await.unwrap();
    assert_eq!(told.members, Some(2000));
    let sql = "SELECT COUNT(*) FROM view_members WHERE view = $1";
    let rows = house.ca.store().query(sql, params!["phi"]).await.unwrap();
    assert_eq!(rows[0].int(0).unwrap(), 2000);
}
