//! What searches find, said by a person, certificate by certificate.

use fleet::search::{Ask, Query, Sort};

use crate::support::{House, NOW, on_both, pump, rule};
use crate::world::{Row, finding, lies, put, revoked, seconds, served};

on_both!(
    r16_searches_find_what_a_person_would,
    r16_places_are_searched_one_by_one,
    r52_as_of_shows_what_was_there,
    r52_what_was_revoked_later_was_in_force,
    r16_pages_leave_nothing_out_and_show_nothing_twice,
    r16_one_certificate_with_everything,
    keys_and_issuers,
    a_search_that_takes_too_long_says_so,
);

const TLS_OLD: &str = r#"{"versions":[{"version":"tls1.0","suites":[47,53]},{"version":"tls1.2","suites":[49199]}],"negotiated":["tls1.2",49199]}"#;
const TLS_NEW: &str = r#"{"versions":[{"version":"tls1.2","suites":[49199]},{"version":"tls1.3","suites":[4865]}],"negotiated":["tls1.3",4865]}"#;

/// 1 the authority, 2 a pump, 3 a portal, 4 a self-signed switch, 5 a public site, 6 a forgotten one, 7 the portal's twin.
pub(crate) async fn small(postgres: bool) -> House {
    let house = House::new(postgres).await;
    let asset = house.put(pump("SN-4711")).await.unwrap().asset;
    put(
        &house,
        &[
            Row {
                ca: true,
                self_signed: true,
                issuer: "CN=Mercy Root",
                issuer_id: None,
                expires: 3000,
                places: 0,
                how: "issued",
                ..Row::new(1, "CN=Mercy Root")
            },
            Row {
                names: "cn:pump 7\nip:10.20.0.7",
                expires: 12,
                asset: Some(asset.id.clone()),
                segment: Some("ICU"),
                tags: "infusion\nward-3",
                criticality: 3,
                phi: true,
                risk: 4,
                how: "issued,scan",
                ..Row::new(2, "CN=Pump 7,serialNumber=SN-4711")
            },
            Row {
                names: "cn:portal.mercy.example\ndns:portal.mercy.example\ndns:www.mercy.example",
                expires: 40,
                owner: Some("EHR team"),
                segment: Some("DMZ"),
                phi: true,
                risk: 3,
                places: 2,
                ..Row::new(3, "CN=portal.mercy.example")
            },
            Row {
                names: "dns:switch_1",
                issuer: "CN=Switch",
                key: "rsa",
                bits: 1024,
                expires: -20,
                self_signed: true,
                issuer_id: None,
                recorded: false,
                owner: None,
                segment: Some("icu"),
                environment: Some("test"),
                risk: 1,
                ..Row::new(4, "CN=Switch")
            },
            Row {
                names: "dns:www.mercy.example",
                issuer: "CN=Web CA",
                recorded: false,
                public: true,
                issuer_id: None,
                expires: 80,
                how: "import",
                places: 0,
                last_seen: -40,
                ..Row::new(5, "CN=www.mercy.example")
            },
            Row {
                names: "dns:100%.example\nuri:urn:x",
                issuer: "CN=Unknown",
                key: "rsa",
                bits: 2048,
                recorded: false,
                issuer_id: None,
                owner: None,
                expires: -400,
                starts: -4000,
                places: 1,
                how: "file",
                ..Row::new(6, "CN=Old")
            },
            Row {
                names: "dns:portal.mercy.example",
                spki: 3,
                expires: 400,
                places: 0,
                first_seen: -2,
                ..Row::new(7, "CN=portal.mercy.example")
            },
        ],
    )
    .await;
    served(&house, 1, 2, "10.20.0.7", 2762, Some(TLS_OLD)).await;
    served(&house, 2, 3, "192.168.1.5", 443, Some(TLS_NEW)).await;
    served(&house, 3, 3, "2001:db8::5", 8443, Some(TLS_OLD)).await;
    served(&house, 4, 4, "10.20.1.9", 443, None).await;
    lies(&house, 5, 6, "engine-1", "/etc/ssl/old.pem", None).await;
    lies(&house, 6, 3, "engine-1", "/opt/portal.pem", Some(5)).await;
    finding(&house, "f1", "tls.version", 3, 2, false, None).await;
    finding(&house, "f2", "expired", 4, 4, false, None).await;
    finding(&house, "f3", "expired", 4, 6, false, Some(30)).await;
    finding(&house, "f4", "weak-key", 4, 4, true, None).await;
    house
}

async fn found(house: &House, text: &str) -> Vec<i64> {
    let ask = Ask {
        query: text
            .parse()
            .unwrap_or_else(|error| panic!("{text}: {error}")),
        ..Ask::default()
    };
    let page = house.fleet.search_inventory(&ask, NOW).await;
    let page = page.unwrap_or_else(|error| panic!("{text}: {error}"));
    let mut ids: Vec<i64> = page.certificates.iter().map(|one| one.id).collect();
    ids.sort_unstable();
    ids
}

async fn r16_searches_find_what_a_person_would(postgres: bool) {
    let house = small(postgres).await;
    let cases: &[(&str, &[i64])] = &[
        ("", &[1, 2, 3, 4, 5, 6, 7]),
        ("expires < 30d and phi and segment = icu", &[2]),
        ("expires < 30d", &[2, 4, 6]),
        ("expires < 30d and not expired", &[2]),
        ("expired", &[4, 6]),
        ("expires > 2030-01-01", &[1]),
        ("segment = icu", &[2, 4]),
        ("segment != icu", &[1, 3, 5, 6, 7]),
        ("not segment = icu", &[1, 3, 5, 6, 7]),
        ("segment in (icu, dmz)", &[2, 3, 4]),
        ("segment", &[2, 3, 4]),
        ("not segment", &[1, 5, 6, 7]),
        ("unowned", &[4, 6]),
        ("not owner", &[4, 6]),
        ("owner = \"ehr team\"", &[3]),
        ("owner ~ TEAM", &[3]),
        ("name = www.mercy.example", &[3, 5]),
        ("name = dns:www.mercy.example", &[3, 5]),
        ("name = WWW.mercy.example", &[3, 5]),
        ("name = ip:www.mercy.example", &[]),
        ("name = mercy.example", &[]),
        ("name ~ mercy.example", &[3, 5, 7]),
        ("name = 10.20.0.7", &[2]),
        ("name = \"pump 7\"", &[2]),
        ("name = switch_1", &[4]),
        ("name = switchx1", &[]),
        ("name ~ \"%\"", &[6]),
        ("name ~ _", &[4]),
        ("not name", &[1]),
        ("\"portal\"", &[3, 7]),
        ("\"sn-4711\"", &[2]),
        ("subject ~ \"'; DROP TABLE inventory; --\"", &[]),
        ("tag = infusion", &[2]),
        ("tag = infus", &[]),
        ("tag = ward-3 and tag = infusion", &[2]),
        ("tag", &[2]),
        ("tag in (nothing, ward-3)", &[2]),
        ("how = scan", &[2, 3, 4, 7]),
        ("how = issued and how = scan", &[2]),
        ("key = rsa", &[4, 6]),
        ("key = rsa and bits < 2048", &[4]),
        ("key ~ ec-", &[1, 2, 3, 5, 7]),
        ("bits in (1024, 2048)", &[4, 6]),
        ("shared-key", &[3, 7]),
        ("self-signed", &[1, 4]),
        ("self-signed and not ca", &[4]),
        ("unknown-issuer", &[5, 6]),
        ("origin = ward", &[1, 2, 3, 7]),
        ("origin = public", &[5]),
        ("origin in (public, private)", &[4, 5, 6]),
        ("signed-by = 01", &[2, 3, 7]),
        ("lifetime > 9y", &[6]),
        ("lifetime = 140d", &[3]),
        ("risk >= high", &[2, 3]),
        ("risk = critical", &[2]),
        ("risk != medium", &[2, 3, 4]),
        ("criticality >= high", &[2]),
        ("environment = test", &[4]),
        ("environment != test", &[1, 2, 3, 5, 6, 7]),
        ("last-seen < 30d ago", &[5]),
        ("first-seen > -7d", &[7]),
        ("places = 0", &[1, 5, 7]),
        ("places", &[2, 3, 4, 6]),
        ("sha256 = 02", &[2]),
        ("sha256 = 0", &[1, 2, 3, 4, 5, 6, 7]),
        ("serial = 4f0a03", &[3, 7]),
        ("serial = 4f0", &[1, 2, 3, 4, 5, 6, 7]),
        ("size > 1", &[1, 2, 3, 4, 5, 6, 7]),
        // Places: tests that stand together are about one place.
        ("port = 443", &[3, 4]),
        ("port = 443 and tls < 1.2", &[]),
        ("port = 8443 and tls < 1.2", &[3]),
        ("port = 443 and (tls < 1.2 or tls >= 1.3)", &[3]),
        ("tls < 1.2", &[2, 3]),
        ("tls = 1.3", &[3]),
        ("not tls < 1.2", &[1, 4, 5, 6, 7]),
        ("suite = TLS_RSA_WITH_AES_128_CBC_SHA", &[2, 3]),
        ("suite = TLS_AES_128_GCM_SHA256", &[3]),
        ("suite ~ _CBC_", &[2, 3]),
        ("suite ~ nonsense", &[]),
        ("address = 10.20.0.7", &[2]),
        ("address in 10.20.0.0/16", &[2, 4]),
        ("address in 10.20.0.0/24", &[2]),
        ("address in 10.20.0.0/9", &[2, 4]),
        ("address in 0.0.0.0/0", &[2, 3, 4]),
        ("address = 10.20.0.8-10.20.1.9", &[4]),
        ("address in 2001:db8::/32", &[3]),
        ("address in (192.168.0.0/16, 10.20.1.9)", &[3, 4]),
        ("not address in 10.0.0.0/8", &[1, 3, 5, 6, 7]),
        ("host = engine-1", &[6]),
        ("path ~ portal", &[]),
        ("host and not port", &[6]),
        ("port = 443 and phi", &[3]),
        ("phi and (port = 2762 or expires > 30d)", &[2, 3]),
        // Assets and findings.
        ("asset", &[2]),
        ("asset.serial = sn-4711", &[2]),
        ("asset.text ~ fluidic and asset.kind = device", &[2]),
        ("not asset.state = active", &[1, 3, 4, 5, 6, 7]),
        ("finding", &[2, 4]),
        ("finding = expired", &[4]),
        ("finding = weak-key", &[]),
        ("finding.severity >= high", &[4]),
        ("finding.severity >= low", &[2, 4]),
        ("finding.opened < 5d ago", &[2, 4]),
        ("not finding", &[1, 3, 5, 6, 7]),
    ];
    for (text, expected) in cases {
        assert_eq!(found(&house, text).await, *expected, "{text}");
    }
}

async fn r16_places_are_searched_one_by_one(postgres: bool) {
    let house = small(postgres).await;
    let cases: &[(&str, &[i64])] = &[
        ("", &[1, 2, 3, 4, 5, 6]),
        ("port = 443", &[2, 4]),
        ("not port = 443", &[1, 3, 5, 6]),
        ("port != 443", &[1, 3, 5, 6]),
        ("tls < 1.2", &[1, 3]),
        ("not tls < 1.2", &[2, 4, 5, 6]),
        ("phi and port", &[1, 2, 3]),
        ("expired", &[4, 5]),
        ("not phi", &[4, 5]),
        ("place.kind = file", &[5, 6]),
        ("finding = expired or address in 2001:db8::/32", &[3, 4]),
    ];
    for (text, expected) in cases {
        let query: Query = text.parse().unwrap();
        let page = house.fleet.search_places(&query, None, None, NOW).await;
        let ids: Vec<i64> = page.unwrap().places.iter().map(|place| place.id).collect();
        assert_eq!(ids, *expected, "{text}");
    }
    let all = Query::default();
    let first = house.fleet.search_places(&all, None, Some(4), NOW).await;
    let next = first.unwrap().next.unwrap().parse().unwrap();
    let rest = house
        .fleet
        .search_places(&all, Some(next), Some(4), NOW)
        .await;
    assert_eq!(rest.unwrap().places.len(), 2);
}

async fn r52_as_of_shows_what_was_there(postgres: bool) {
    let house = small(postgres).await;
    let cases: &[(&str, &[i64])] = &[
        ("as of 3d ago", &[1, 2, 3, 4, 5, 6]),
        ("as of 60d ago", &[]),
        ("expired as of 30d ago", &[6]),
        ("expires < 30d as of 30d ago", &[4, 6]),
        ("path ~ portal as of 6d ago", &[3]),
        ("path ~ portal as of 4d ago", &[]),
        ("finding = weak-key as of 5d ago", &[4]),
        ("finding as of 11d ago", &[]),
    ];
    for (text, expected) in cases {
        assert_eq!(found(&house, text).await, *expected, "{text}");
    }
}

async fn r52_what_was_revoked_later_was_in_force(postgres: bool) {
    let house = small(postgres).await;
    revoked(&house, &Row::new(2, ""), 4, -10).await;
    let state = async |text: &str| {
        let ask = Ask {
            query: text.parse().unwrap(),
            ..Ask::default()
        };
        let page = house.fleet.search_inventory(&ask, NOW).await.unwrap();
        let one = page.certificates.iter().find(|one| one.id == 2).unwrap();
        (one.revoked, one.revoked_at)
    };
    let since = (Some(4), Some(seconds(-10)));
    assert_eq!(state("").await, since);
    assert_eq!(state("as of 9d ago").await, since);
    assert_eq!(state("as of 10d ago").await, since);
    assert_eq!(state("as of 11d ago").await, (None, None));
    let shown = house.fleet.inventory_certificate("02").await.unwrap();
    assert_eq!(shown.certificate.revoked_at, since.1);
}

async fn r16_pages_leave_nothing_out_and_show_nothing_twice(postgres: bool) {
    let house = small(postgres).await;
    for sort in Sort::ALL {
        for limit in [1, 2, 3, 7, 8] {
            let mut ask = Ask {
                sort,
                limit: Some(limit),
                ..Ask::default()
            };
            let mut ids = Vec::new();
            loop {
                let page = house.fleet.search_inventory(&ask, NOW).await.unwrap();
                ids.extend(page.certificates.iter().map(|one| one.id));
                match page.next {
                    Some(next) => ask.after = Some(next),
                    None => break,
                }
            }
            let in_order = ids.clone();
            ids.sort_unstable();
            assert_eq!(ids, [1, 2, 3, 4, 5, 6, 7], "{} by {limit}", sort.name());
            match sort {
                Sort::Expires => assert_eq!(in_order, [6, 4, 2, 3, 5, 7, 1]),
                Sort::Risk => assert_eq!(in_order[..2], [2, 3]),
                _ => {}
            }
        }
    }
    let ask = Ask {
        after: Some("'; --".to_owned()),
        ..Ask::default()
    };
    let refused = house.fleet.search_inventory(&ask, NOW).await;
    assert_eq!(rule(refused), "search.cursor");
}

async fn r16_one_certificate_with_everything(postgres: bool) {
    let house = small(postgres).await;
    let shown = house.fleet.inventory_certificate("03").await.unwrap();
    assert_eq!(shown.certificate.subject, "CN=portal.mercy.example");
    assert_eq!(shown.certificate.names.len(), 3);
    assert_eq!(shown.at.len(), 3);
    assert_eq!(shown.history.len(), 3);
    assert_eq!(shown.same_key.len(), 1);
    assert!(shown.same_key[0].starts_with("07"));
    assert!(shown.signed_by.unwrap().starts_with("01"));
    assert!(shown.pem.starts_with("-----BEGIN CERTIFICATE-----"));
    let switch = house.fleet.inventory_certificate("04").await.unwrap();
    assert_eq!(switch.open_findings.len(), 1);
    let refused = house.fleet.inventory_certificate("0").await;
    assert_eq!(rule(refused), "inventory.ambiguous");
    let refused = house.fleet.inventory_certificate("no").await;
    assert_eq!(rule(refused), "inventory.sha256");
    assert!(house.fleet.inventory_certificate("ff").await.is_err());
}

async fn keys_and_issuers(postgres: bool) {
    let house = small(postgres).await;
    let keys = house.fleet.shared_keys(None, None, None).await.unwrap();
    assert_eq!(keys.keys.len(), 1);
    assert_eq!(
        (keys.keys[0].certificates, keys.keys[0].spki.as_str()),
        (2, "03".repeat(32).as_str())
    );
    let issuers = house
        .fleet
        .issuers(&Query::default(), None, NOW)
        .await
        .unwrap();
    let told: Vec<_> = issuers
        .iter()
        .map(|one| (one.issuer.as_str(), one.certificates, one.expired))
        .collect();
    assert_eq!(told[0], ("CN=Mercy Devices", 3, 0));
    assert!(told.contains(&("CN=Switch", 1, 1)));
    let of_expired: Query = "expired".parse().unwrap();
    let issuers = house.fleet.issuers(&of_expired, None, NOW).await.unwrap();
    assert_eq!(issuers.len(), 2);
}

async fn a_search_that_takes_too_long_says_so(postgres: bool) {
    let house = House::new(postgres).await;
    let rows: Vec<Row> = (1..30_000)
        .map(|id| Row {
            names: "dns:a.example\ndns:b.example",
            ..Row::new(id, "CN=a")
        })
        .collect();
    put(&house, &rows).await;
    let ask = Ask {
        query: "text ~ \"nowhere\" and shared-key".parse().unwrap(),
        ..Ask::default()
    };
    let patience = std::time::Duration::from_millis(1);
    let refused = house.fleet.search_for(&ask, patience, NOW).await;
    assert_eq!(rule(refused), "search.budget");
    let page = house.fleet.search_inventory(&ask, NOW).await.unwrap();
    assert!(page.certificates.is_empty());
}
