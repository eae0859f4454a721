//! What follows from what is known: issuers, owners, segments, risk and findings; and what is looked at again when.

use access::Action;
use audit::Timestamp;
use ca::revocation::Revocation;
use fleet::inventory::rule::{Gift, OwnerRule, When};
use fleet::{Asset, Criticality, Previous};

use crate::lab::{Lab, at, seen};
use crate::support::{DAY, House, NOW, on_both, pump};

on_both!(
    r20_who_signed_is_known_by_the_signature_whichever_comes_first,
    r16_what_ward_issued_is_in_the_inventory_with_its_authority_and_revocation,
    r20_a_certificate_by_our_key_that_the_log_does_not_know_is_an_incident,
    r21_the_register_a_rule_and_a_hand_give_owners,
    r21_a_change_of_rules_or_of_an_asset_is_followed,
    r18_risk_changes_when_time_passes,
    r16_settling_twice_writes_nothing,
    r16_what_ward_last_deployed_is_expected_where_something_else_is_served,
);

impl House {
    async fn settled(&self) -> fleet::inventory::Settled {
        self.fleet.bring_in_all_issued().await.unwrap();
        self.fleet.settle(NOW).await.unwrap()
    }

    async fn one(&self, sql: &'static str) -> Vec<store::Value> {
        let rows = self.rows(sql).await;
        assert_eq!(rows.len(), 1, "{sql}");
        rows.into_iter().next().unwrap().into_values()
    }

    async fn rule(&self, name: &str, when: When, owner: &str) {
        let rule = OwnerRule {
            name: name.to_owned(),
            when,
            give: Gift {
                owner: Some(owner.to_owned()),
                tags: vec!["found".to_owned()],
                ..Gift::default()
            },
            ..OwnerRule::default()
        };
        let permit = self.permit(Action::ManageInventory);
        let put = self.fleet.put_owner_rule(&permit, rule, 0, NOW).await;
        put.unwrap();
    }
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

fn text(value: &store::Value) -> &str {
    match value {
        store::Value::Text(text) => text,
        other => panic!("no text: {other:?}"),
    }
}

async fn r20_who_signed_is_known_by_the_signature_whichever_comes_first(postgres: bool) {
    let (house, lab) = (House::new(postgres).await, Lab::new());
    let root = lab.root("R");
    let leaf = lab.leaf("R", "a.example.org", &[]);
    // Another with the same name that signed nothing.
    let other = Lab::new().root("R");
    house
        .ingest(&[seen(at("10.30.0.1", 443), &[&leaf, &other], 0)])
        .await;
    house.settled().await;
    let link = "SELECT l.issuer_id, r.id FROM inventory l LEFT JOIN inventory r ON r.id = l.issuer_id \
        WHERE l.names LIKE '%a.example.org%'";
    assert_eq!(house.one(link).await[0], store::Value::Null);
    house
        .ingest(&[seen(at("10.30.0.2", 443), &[&root], 0)])
        .await;
    house.settled().await;
    let sha256 = audit::merkle::sha256(&root);
    let facts = house
        .fleet
        .facts(&audit::merkle::sha256(&leaf))
        .await
        .unwrap();
    assert_eq!(facts.issuers.len(), 1);
    assert_eq!(facts.issuers[0].fingerprint(), sha256);
    assert_ne!(house.one(link).await[0], store::Value::Null);
}

async fn r16_what_ward_issued_is_in_the_inventory_with_its_authority_and_revocation(
    postgres: bool,
) {
    let house = House::new(postgres).await;
    let asset = house.pump("SN-1").await;
    let issued = house
        .enrol(&asset, "est", Previous::Keep, NOW)
        .await
        .unwrap();
    house.settled().await;
    let row = "SELECT i.recorded, i.revoked, i.authority, i.asset, i.how FROM inventory i \
        JOIN holdings h ON h.sha256 = i.sha256";
    let found = house.one(row).await;
    assert_eq!(found[..2], [store::Value::Int(1), store::Value::Null]);
    assert_eq!(text(&found[3]), asset.id);
    assert_eq!(text(&found[4]), "issued");
    let sha256 = issued.sha256;
    let facts = house.fleet.facts(&sha256).await.unwrap();
    assert_eq!(facts.authority.as_deref(), Some(text(&found[2])));
    let stored = house.ca.certificate(&sha256).await.unwrap().unwrap();
    let permit = house.permit(Action::RevokeCertificate);
    let revocation = Revocation {
        reason: x509::crl::Reason::Superseded,
        invalid_since: None,
        why: None,
        request_id: None,
    };
    house
        .ca
        .revoke(permit, &stored, revocation, NOW)
        .await
        .unwrap();
    house.settled().await;
    // superseded is 4 (RFC 5280 §5.3.1).
    assert_eq!(house.one(row).await[1], store::Value::Int(4));
    let unknown = "SELECT COUNT(*) FROM inventory WHERE authority IS NOT NULL AND recorded = 0";
    assert_eq!(house.one(unknown).await[0], store::Value::Int(0));
    let incidents = "SELECT COUNT(*) FROM findings WHERE rule = 'ca.unrecorded'";
    assert_eq!(house.one(incidents).await[0], store::Value::Int(0));
}

async fn r20_a_certificate_by_our_key_that_the_log_does_not_know_is_an_incident(postgres: bool) {
    let (house, lab) = (House::new(postgres).await, Lab::new());
    // The root's key is on a stick, and whoever finds that and the note with its passphrase has it.
    let issuers = house.ca.issuers();
    let root = issuers
        .iter()
        .find(|issuer| issuer.certificate().is_self_issued())
        .unwrap();
    let key = format!("{}-key.pem", root.record().id);
    let key = std::fs::read(house.directory.path().join("stick").join(key)).unwrap();
    lab.write("stolen.pem", root.certificate().to_pem().as_bytes());
    lab.write("locked.key", &key);
    let passphrase = "pass:correct horse battery staple";
    lab.openssl(&[
        "pkey",
        "-in",
        "locked.key",
        "-passin",
        passphrase,
        "-out",
        "stolen.key",
    ]);
    let forged = lab.leaf("stolen", "portal.example.org", &[]);
    house
        .ingest(&[seen(at("10.30.0.1", 443), &[&forged], 0)])
        .await;
    house.settled().await;
    let found = house
        .one("SELECT authority, recorded FROM inventory WHERE names LIKE '%portal%'")
        .await;
    assert_eq!(text(&found[0]), root.record().authority);
    assert_eq!(found[1], store::Value::Int(0));
    let events = house.events("incident.misissuance").await;
    assert_eq!(events.len(), 1);
}

async fn r21_the_register_a_rule_and_a_hand_give_owners(postgres: bool) {
    let (house, lab) = (House::new(postgres).await, Lab::new());
    let _ = lab.root("R");
    let [a, b, c] =
        ["a.example.org", "b.example.org", "c.example.org"].map(|name| lab.leaf("R", name, &[]));
    house
        .put(Asset {
            host_names: texts(&["a.example.org"]),
            owner: Some("biomed".to_owned()),
            phi: true,
            criticality: Criticality::LifeSupport,
            ..pump("SN-1")
        })
        .await
        .unwrap();
    house
        .rule(
            "ours",
            When {
                names: texts(&["*.example.org"]),
                ..When::default()
            },
            "network",
        )
        .await;
    house
        .ingest(&[
            seen(at("10.30.0.1", 443), &[&a], 0),
            seen(at("10.30.0.2", 443), &[&b], 0),
            seen(at("10.30.0.3", 443), &[&c], 0),
        ])
        .await;
    let permit = house.permit(Action::ManageInventory);
    let gift = Gift {
        owner: Some("people".to_owned()),
        ..Gift::default()
    };
    let sha256 = audit::merkle::sha256(&c);
    let set = house.fleet.set_by_hand(&permit, &sha256, gift, NOW);
    set.await.unwrap();
    house.settled().await;
    let rows = house
        .rows("SELECT owner, owner_by, criticality, phi, tags, vendor FROM inventory WHERE names LIKE '%example.org%' ORDER BY names")
        .await;
    let told: Vec<(&str, &str, i64, i64)> = rows
        .iter()
        .map(|row| {
            (
                row.text(0).unwrap(),
                row.text(1).unwrap(),
                row.int(2).unwrap(),
                row.int(3).unwrap(),
            )
        })
        .collect();
    let expected = [
        ("biomed", "asset", 3, 1),
        ("network", "rule ours", 1, 0),
        ("people", "hand", 1, 0),
    ];
    assert_eq!(told, expected);
    assert_eq!(rows[0].text(5).unwrap(), "Fluidic");
    assert_eq!(rows[1].text(4).unwrap(), "found");
}

async fn r21_a_change_of_rules_or_of_an_asset_is_followed(postgres: bool) {
    let (house, lab) = (House::new(postgres).await, Lab::new());
    let _ = lab.root("R");
    let leaf = lab.leaf("R", "a.example.org", &[]);
    house
        .ingest(&[seen(at("10.30.0.1", 443), &[&leaf], 0)])
        .await;
    house.settled().await;
    let owner = "SELECT owner FROM inventory WHERE names LIKE '%a.example.org%'";
    assert_eq!(house.one(owner).await[0], store::Value::Null);
    house.rule("all", When::default(), "network").await;
    house.settled().await;
    assert_eq!(text(&house.one(owner).await[0]), "network");
    let stored = house
        .put(Asset {
            host_names: texts(&["a.example.org"]),
            owner: Some("biomed".to_owned()),
            ..pump("SN-1")
        })
        .await
        .unwrap();
    house.settled().await;
    assert_eq!(text(&house.one(owner).await[0]), "biomed");
    let asset = Asset {
        owner: Some("cardiology".to_owned()),
        ..stored.asset
    };
    let permit = house.permit(Action::ManageAssets);
    house
        .fleet
        .put(permit, asset, stored.version, NOW)
        .await
        .unwrap();
    house.settled().await;
    assert_eq!(text(&house.one(owner).await[0]), "cardiology");
    let permit = house.permit(Action::ManageInventory);
    house
        .fleet
        .remove_owner_rule(&permit, "all", NOW)
        .await
        .unwrap();
    house.settled().await;
    assert_eq!(text(&house.one(owner).await[0]), "cardiology");
}

async fn r18_risk_changes_when_time_passes(postgres: bool) {
    let (house, lab) = (House::new(postgres).await, Lab::new());
    let _ = lab.root("R");
    let leaf = lab.leaf("R", "a.example.org", &["-days", "9000"]);
    let end = x509::Certificate::from_der(&leaf).unwrap().not_after().0 * 1000;
    house
        .put(Asset {
            host_names: texts(&["a.example.org"]),
            phi: true,
            ..pump("SN-1")
        })
        .await
        .unwrap();
    let before = Timestamp(end - 31 * DAY);
    house
        .ingest_at(&[seen(at("10.30.0.1", 443), &[&leaf], 0)], before)
        .await;
    let risk = "SELECT risk FROM inventory WHERE names LIKE '%a.example.org%'";
    house.fleet.settle(before).await.unwrap();
    // R18: PHI and more than 30 days left is High, less is Critical.
    assert_eq!(house.one(risk).await[0], store::Value::Int(3));
    let after = Timestamp(end - 30 * DAY + 1000);
    house.fleet.settle(after).await.unwrap();
    assert_eq!(house.one(risk).await[0], store::Value::Int(4));
}

async fn r16_settling_twice_writes_nothing(postgres: bool) {
    let (house, lab) = (House::new(postgres).await, Lab::new());
    let root = lab.root("R");
    let leaf = lab.leaf("R", "a.example.org", &[]);
    house
        .ingest(&[seen(at("10.30.0.1", 443), &[&leaf, &root], 0)])
        .await;
    house.settled().await;
    house.settled().await;
    let all = "SELECT id, touched, settled FROM inventory ORDER BY id";
    let before = house.rows(all).await;
    let again = house.settled().await;
    assert_eq!((again.looked_at, again.changed), (0, 0));
    assert_eq!(house.rows(all).await, before);
}

async fn r16_what_ward_last_deployed_is_expected_where_something_else_is_served(postgres: bool) {
    let house = House::new(postgres).await;
    let asset = house.pump("SN-1").await;
    let old = house
        .enrol(&asset, "est", Previous::Keep, NOW)
        .await
        .unwrap();
    let place = || at("10.30.0.1", 443);
    house.ingest(&[seen(place(), &[&old.der], 0)]).await;
    house.settled().await;
    let expected = async |sha256: [u8; 32]| {
        let facts = house.fleet.facts(&sha256).await.unwrap();
        facts.places[0].expected
    };
    let served = old.sha256;
    assert_eq!(expected(served).await, None);
    let new = house
        .enrol(&asset, "est", Previous::Keep, NOW)
        .await
        .unwrap();
    house.settled().await;
    assert_eq!(expected(served).await, Some(new.sha256));
}
