//! The risk of everything at once says what the table of R18 says of each, on both databases.

use fleet::risk::{Level, Light, SOON, Within};
use store::{Write, params};

use crate::support::{House, NOW, on_both};

on_both!(r18_everything_at_once_agrees_with_the_table);

const DAY: i64 = 86_400;
const LEFT: [i64; 6] = [-1, 0, SOON - 1, SOON, 89 * DAY, 400 * DAY];

const ADD: &str = "INSERT INTO inventory(sha256, der, spki, subject, issuer, serial, names, key, key_bits, signature, \
    not_before, not_after, is_ca, self_signed, recorded, revoked, first_seen, last_seen, how, places, owner, segment, \
    environment, tags, criticality, phi, patient_facing, ehr, risk, findings, touched) \
    VALUES($1, $1, $1, '', '', $1, '', 'ec-p256', 256, 'ecdsa', 0, $2, 0, 0, 0, $3, 0, 0, 'scan', $4, $5, 'icu', $6, \
    '', $7, $8, $9, $10, 0, 0, 0)";

struct Row {
    light: Light,
    hold: bool,
    environment: Option<&'static str>,
}

/// Every combination of what the level depends on.
fn combinations() -> Vec<Row> {
    let mut rows = Vec::new();
    for bits in 0..128_u32 {
        let bit = |n: u32| bits & 1 << n != 0;
        for seconds_left in LEFT {
            for environment in [None, Some("production"), Some("test"), Some("development")] {
                let light = Light {
                    seconds_left,
                    phi: bit(0),
                    patient_facing: bit(1),
                    ehr: bit(2),
                    life_support: bit(3),
                    test: environment.is_some_and(|word| word != "production"),
                    revoked: bit(4) && !bit(5),
                    somewhere: bit(6),
                };
                rows.push(Row {
                    light,
                    hold: bit(4) && bit(5),
                    environment,
                });
            }
        }
    }
    rows
}

async fn add(house: &House, rows: &[Row]) {
    let mut write = Write::derived();
    for (
        number,
        Row {
            light,
            hold,
            environment,
        },
    ) in rows.iter().enumerate()
    {
        let revoked = match (light.revoked, hold) {
            (true, _) => Some(4_i64),
            (_, true) => Some(6),
            _ => None,
        };
        let key = number.to_be_bytes().to_vec();
        let owner = (number % 2 == 0).then_some("biomed");
        write = write.run(
            ADD,
            params![
                key,
                NOW.0 / 1000 + light.seconds_left,
                revoked,
                i64::from(light.somewhere),
                owner,
                *environment,
                if light.life_support { 3_i64 } else { 2 },
                light.phi,
                light.patient_facing,
                light.ehr
            ],
        );
    }
    house.ca.store().commit(write).await.unwrap();
}

async fn r18_everything_at_once_agrees_with_the_table(postgres: bool) {
    let house = House::new(postgres).await;
    let rows = combinations();
    add(&house, &rows).await;
    let done = house.fleet.assess_all(NOW).await.unwrap();
    assert_eq!(done.certificates, rows.len() as u64);
    let sql = "SELECT risk, touched FROM inventory ORDER BY sha256";
    let found = house.ca.store().query(sql, vec![]).await.unwrap();
    let mut changed = 0;
    for (row, found) in rows.iter().zip(&found) {
        let level = row.light.level();
        assert_eq!(
            found.int(0).unwrap(),
            level.number(),
            "{:?} {:?}",
            row.light,
            row.environment
        );
        // Who follows the inventory sees what has changed.
        let is_none = level == Level::None;
        assert_eq!(found.int(1).unwrap() == 0, is_none);
        changed += u64::from(!is_none);
    }
    assert_eq!(done.changed, changed);
    let again = house.fleet.assess_all(NOW).await.unwrap();
    assert_eq!((again.certificates, again.changed), (done.certificates, 0));
    counts(&house, &rows).await;
}

async fn counts(house: &House, rows: &[Row]) {
    let counts = house.fleet.risk_counts(NOW).await.unwrap();
    assert_eq!(counts.certificates, rows.len() as u64);
    assert!(!counts.cut);
    for level in Level::ALL {
        let count = rows.iter().filter(|row| row.light.level() == level).count();
        assert_eq!(
            counts.risks.get(level.name()).copied().unwrap_or(0),
            count as u64,
            "{level}"
        );
    }
    let within = |within: Within| counts.within.get(within.name()).copied().unwrap_or(0);
    let each = rows.len() as u64 / LEFT.len() as u64;
    let all = Within::ALL.map(within);
    assert_eq!(all, [each, 2 * each, each, each, each]);
    assert!(
        counts
            .counts
            .iter()
            .any(|one| one.owner.as_deref() == Some("biomed"))
    );
    assert!(counts.counts.iter().any(|one| one.owner.is_none()));
}
