//! One thing for many (R15): nothing is done that was not shown, and each item is decided and recorded by itself.

use access::{Action, Role, Scope};
use fleet::Asset;
use fleet::bulk::{BulkAction, Wish};

use crate::support::{DAY, House, NOW, on_both, rule};

on_both!(
    r15_a_job_does_what_was_shown_and_nothing_else,
    r15_a_job_that_was_killed_goes_on,
    r37_an_item_takes_the_rights_of_the_moment,
);

async fn enrolled(house: &House, serials: &[&str]) -> Vec<(Asset, String)> {
    let mut made = Vec::new();
    for serial in serials {
        let asset = house.pump(serial).await;
        let issued = house
            .enrol(&asset, "pumps", fleet::Previous::Keep, NOW)
            .await
            .unwrap();
        made.push((asset, hex::encode(issued.sha256)));
    }
    house.fleet.bring_in_all_issued().await.unwrap();
    house.fleet.settle(NOW).await.unwrap();
    made
}

fn revoke(search: &str) -> Wish {
    Wish {
        search: Some(search.to_owned()),
        reason: Some("superseded".to_owned()),
        ..Wish::default()
    }
}

async fn r15_a_job_does_what_was_shown_and_nothing_else(postgres: bool) {
    let house = House::new(postgres).await;
    let pumps = enrolled(&house, &["SN-1", "SN-2", "SN-3"]).await;
    let search = format!("asset in (\"{}\", \"{}\")", pumps[0].0.id, pumps[1].0.id);
    let meant = house.fleet.meant(BulkAction::Revoke, revoke(&search), NOW);
    let meant = meant.await.unwrap();
    let planned = house.fleet.plan(&meant, NOW).await.unwrap();
    assert_eq!((planned.count, planned.blast_radius.assets), (2, 2));
    assert!(
        house.events("certificate.revoke").await.is_empty(),
        "a dry run changes nothing"
    );
    let permit = house.permit(Action::RevokeCertificate);
    let wrong = house
        .fleet
        .start_job(&permit, meant.clone(), &"0".repeat(64), NOW)
        .await;
    assert_eq!(rule(wrong), "bulk.digest");
    let permit = house.permit(Action::ManageAssets);
    let wrong = house
        .fleet
        .start_job(&permit, meant.clone(), &planned.digest, NOW)
        .await;
    assert_eq!(rule(wrong), "permit.action");
    let permit = house.permit(Action::RevokeCertificate);
    let job = house
        .fleet
        .start_job(&permit, meant, &planned.digest, NOW)
        .await
        .unwrap();
    while house.fleet.work_on_jobs(10, NOW).await.unwrap() {}
    let page = house.fleet.job_page(&job.id, None).await.unwrap();
    assert_eq!(
        (page.job.done, page.job.refused, page.job.ended),
        (2, 0, Some(NOW.0))
    );
    let states = [&pumps[0], &pumps[1], &pumps[2]].map(|(asset, _)| house.states(asset));
    let [one, two, three] = states;
    assert_eq!(
        (one.await, two.await, three.await),
        (
            vec!["superseded".to_owned()],
            vec!["superseded".to_owned()],
            vec!["good".to_owned()]
        )
    );
    let events = house.events("certificate.revoke").await;
    assert!(
        events
            .iter()
            .all(|event| event.request_id.as_deref() == Some(job.id.as_str()))
    );
    assert_eq!((events.len(), house.events("job.end").await.len()), (2, 1));
}

async fn r15_a_job_that_was_killed_goes_on(postgres: bool) {
    let house = House::new(postgres).await;
    let pumps = enrolled(&house, &["SN-1", "SN-2", "SN-3"]).await;
    let stranger = "ab".repeat(32);
    let ids: Vec<String> = pumps
        .iter()
        .map(|(_, id)| id.clone())
        .chain([stranger.clone()])
        .collect();
    let wish = Wish {
        ids,
        reason: Some("cessationOfOperation".to_owned()),
        ..Wish::default()
    };
    let meant = house
        .fleet
        .meant(BulkAction::Revoke, wish, NOW)
        .await
        .unwrap();
    let digest = meant.digest();
    let planned = house.fleet.plan(&meant, NOW).await.unwrap();
    assert_eq!(planned.blast_radius.unknown, [stranger.as_str()]);
    let permit = house.permit(Action::RevokeCertificate);
    let job = house
        .fleet
        .start_job(&permit, meant, &digest, NOW)
        .await
        .unwrap();
    assert!(house.fleet.work_on_jobs(2, NOW).await.unwrap());
    // Another process goes on.
    let other = house.elsewhere().await;
    while other.work_on_jobs(10, NOW).await.unwrap() {}
    let page = other.job_page(&job.id, None).await.unwrap();
    assert_eq!((page.job.done, page.job.refused), (3, 1));
    assert_eq!(page.refusals[0].item, stranger);
    assert!(
        page.refusals[0].said.contains("bulk.not-ours"),
        "{:?}",
        page.refusals
    );
    assert_eq!(house.events("certificate.revoke").await.len(), 3);
}

async fn r37_an_item_takes_the_rights_of_the_moment(postgres: bool) {
    let house = House::new(postgres).await;
    let pumps = enrolled(&house, &["SN-1", "SN-2"]).await;
    let officer = house
        .person("officer", Role::Issuer, Scope::default())
        .await;
    let wish = Wish {
        ids: pumps.iter().map(|(_, id)| id.clone()).collect(),
        owner: Some("biomed".to_owned()),
        ..Wish::default()
    };
    let meant = house
        .fleet
        .meant(BulkAction::Owner, wish, NOW)
        .await
        .unwrap();
    let digest = meant.digest();
    let permit = house.permit_of(&officer, Action::ManageInventory);
    let job = house
        .fleet
        .start_job(&permit, meant, &digest, NOW)
        .await
        .unwrap();
    house.fleet.work_on_jobs(1, NOW).await.unwrap();
    // The token is taken away while the job runs.
    let access = house.ca.access();
    let permit = house.permit(Action::ManageTokens);
    access
        .revoke_token(permit, officer.token().unwrap(), "", NOW)
        .await
        .unwrap();
    let later = audit::Timestamp(NOW.0 + DAY);
    while house.fleet.work_on_jobs(10, later).await.unwrap() {}
    let page = house.fleet.job_page(&job.id, None).await.unwrap();
    assert_eq!((page.job.done, page.job.refused), (1, 1));
    assert_eq!(house.events("inventory.set").await.len(), 1);
}
