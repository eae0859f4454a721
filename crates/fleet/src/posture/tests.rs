//! The radar by hand-computed tables, and by what must hold for any counts.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

/// Nothing at all is nothing to judge; the log and the absence of incidents are always judged.
#[test]
fn r39_an_empty_house_has_few_axes() {
    let radar = Radar::of(&Counts::default());
    let values: Vec<(&str, Option<f64>)> = radar
        .axes
        .iter()
        .map(|axis| (axis.id, axis.value))
        .collect();
    let expected = [
        ("coverage", None),
        ("ownership", None),
        ("expiry", None),
        ("crypto", None),
        ("tls", None),
        ("trust", Some(100.0)),
        ("clinical", None),
        ("access", None),
    ];
    assert_eq!(values, expected);
    assert_eq!(radar.score, Some(100.0));
    assert!(radar.levers.iter().all(|lever| lever.effects.is_empty()));
}

/// A house that can be reckoned on paper.
fn house() -> Counts {
    let found = |rule: &str, count: u64| (rule.to_owned(), count);
    Counts {
        certificates: Tally {
            all: 200,
            phi: 50,
            critical: 40,
            owned: 150,
            grave: 80,
            owned_grave: 60,
            standing: 160,
            critical_standing: 40,
            phi_standing: 40,
            automated: 80,
            phi_automated: 10,
            near: 30,
            near_by_hand: 16,
            near_critical_by_hand: 4,
            served: 100,
            over_served: 10,
            weak_keys: 20,
            weak_signatures: 10,
            ..Tally::default()
        },
        findings: [
            found("tls.version", 5),
            found("tls.suite-broken", 2),
            found("self-signed", 20),
            found("revoked.in-use", 5),
            found("validity.long", 50),
        ]
        .into(),
        addresses: 1000,
        looked_at: 250,
        hosts: 100,
        outside: 10,
        tls_places: 50,
        lists: 4,
        fresh_lists: 3,
        responders: 2,
        sound_responders: 2,
        segments: 4,
        signed: 3,
        phi_flows: 10,
        protected_flows: 6,
        by_hand: 8,
        with_spare: 2,
        tokens: 10,
        ending_tokens: 5,
        administrators: 2,
        checkpoint: Share { have: 1, of: 1 },
        ..Counts::default()
    }
}

#[test]
fn r39_axes_by_hand() {
    let radar = Radar::of(&house());
    let expected = [
        // (3 × 25 + 1 × 90) ÷ 4; no agents.
        ("coverage", 41.25),
        // (3 × 75 + 2 × 75) ÷ 5; no assets.
        ("ownership", 75.0),
        // (3 × 90 + 2 × 90 + 3 × 50 + 2 × 25) ÷ 10.
        ("expiry", 65.0),
        // (3 × 90 + 2 × 95 + 1 × 100 + 1 × 75) ÷ 7.
        ("crypto", 635.0 / 7.0),
        // (3 × 90 + 2 × 96 + 1 × 100 + 1 × 100 + 1 × 100) ÷ 8.
        ("tls", 95.25),
        // (2 × 90 + 3 × 75 + 2 × 100 + 2 × 95 + 3 × 100) ÷ 12.
        ("trust", 1095.0 / 12.0),
        // (3 × 60 + 3 × 90 + 2 × 25 + 2 × 75) ÷ 10.
        ("clinical", 65.0),
        // (2 × 100 + 2 × 50 + 1 × 80) ÷ 5; no requests, no alerts.
        ("access", 76.0),
    ];
    for (axis, (id, value)) in radar.axes.iter().zip(expected) {
        assert_eq!(axis.id, id);
        let found = axis.value.unwrap();
        assert!((found - value).abs() < 1e-9, "{id}: {found}, not {value}");
    }
    // 1 + 1 + 1.5 + 1.5 + 1 + 1 + 1.5 + 1 = 9.5.
    let sum = 41.25 + 75.0 + 1.5 * 65.0 + 1.5 * 635.0 / 7.0 + 95.25 + 91.25 + 1.5 * 65.0 + 76.0;
    assert!(
        (radar.score.unwrap() - sum / 9.5).abs() < 1e-9,
        "{:?}",
        radar.score
    );
}

/// Seven axes at 100 do not outweigh one at 0.
#[test]
fn r39_the_weakest_axis_bounds_the_score() {
    let counts = Counts {
        addresses: 1000,
        ..Counts::default()
    };
    let radar = Radar::of(&counts);
    assert_eq!(radar.axes[0].value, Some(0.0));
    assert_eq!(radar.score, Some(40.0));
}

#[test]
fn r39_what_pulls_an_axis_down_is_told_with_where_to_look() {
    let mut counts = house();
    counts.waived.insert("tls.version".to_owned(), 2);
    let radar = Radar::of(&counts);
    let tls = &radar.axes[4];
    let first = &tls.pulls[0];
    assert_eq!(
        (first.rule.as_deref(), first.count, first.waived),
        (Some("tls.version"), 5, 2)
    );
    assert_eq!(first.link.search["rule"], "tls.version");
    let clinical: Vec<u64> = radar.axes[6].pulls.iter().map(|pull| pull.count).collect();
    assert_eq!(
        clinical,
        [6, 4, 1],
        "spares, near, limits; flows have findings of their own"
    );
}

/// Automation of everything: expiry has 100 in three of four parts.
#[test]
fn r39_a_lever_by_hand() {
    let radar = Radar::of(&house());
    let (values, score) = recomputed(&radar, &[("automate", 100.0)].into());
    assert!(
        (values[2].unwrap() - 97.0).abs() < 1e-9,
        "(3 × 90 + 7 × 100) ÷ 10"
    );
    assert!(
        (values[6].unwrap() - 68.0).abs() < 1e-9,
        "(3 × 60 + 3 × 100 + 50 + 150) ÷ 10"
    );
    assert!(score > radar.score);
    let (half, _) = recomputed(&radar, &[("automate", 50.0)].into());
    // 90, 95, 75, 62.5.
    assert!((half[2].unwrap() - 81.0).abs() < 1e-9, "{half:?}");
}

/// The tables name each other and what there is.
#[test]
fn the_tables_hold_together() {
    let parts: Vec<&Part> = AXES.iter().flat_map(|axis| axis.parts).collect();
    let ids: BTreeSet<&str> = parts.iter().map(|part| part.id).collect();
    assert_eq!(ids.len(), parts.len());
    for part in &parts {
        assert!(
            part.rules.is_empty() != part.lacking.is_empty(),
            "{}",
            part.id
        );
        for rule in part.rules {
            assert!(crate::finding::rule(rule).is_some(), "{rule}");
        }
    }
    for effect in LEVERS.iter().flat_map(|lever| lever.effects) {
        assert!(ids.contains(effect.part), "{}", effect.part);
    }
    let links = parts.iter().filter(|part| part.rules.is_empty());
    let links = links.map(|part| (part.link)());
    for link in links.chain(LEVERS.iter().map(|lever| (lever.link)())) {
        if let Some(query) = link.search.get("q") {
            let read: Result<crate::search::Query, _> = query.parse();
            assert!(read.is_ok(), "{query}: {read:?}");
        }
    }
}

/// docs/radar.md has each axis, part and lever with its weight.
#[test]
fn the_documentation_says_the_same() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/radar.md");
    let document = std::fs::read_to_string(path).unwrap();
    for axis in AXES {
        assert!(
            document.contains(&format!("## {} (weight {})", axis.title, axis.weight)),
            "{}",
            axis.id
        );
        for part in axis.parts {
            let row = format!("| `{}` | {} | {} |", part.id, part.title, part.weight);
            assert!(document.contains(&row), "{row}");
        }
    }
    for lever in LEVERS {
        assert!(
            document.contains(&format!("| `{}` | {} |", lever.id, lever.title)),
            "{}",
            lever.id
        );
    }
}

/// Counts that contradict themselves are counts all the same: nothing may leave its bounds.
fn any_counts() -> impl Strategy<Value = Counts> {
    let numbers = proptest::collection::vec(0_u64..500, 40);
    let rules: Vec<&'static str> = crate::finding::rules().map(|rule| rule.id).collect();
    let found = proptest::collection::btree_map(proptest::sample::select(rules), 0_u64..300, 0..12);
    (numbers, found).prop_map(|(n, found)| Counts {
        certificates: Tally {
            all: n[0],
            phi: n[1],
            critical: n[2],
            owned: n[3],
            grave: n[4],
            owned_grave: n[5],
            standing: n[6],
            critical_standing: n[7],
            phi_standing: n[8],
            automated: n[9],
            phi_automated: n[10],
            near: n[11],
            near_by_hand: n[12],
            near_critical_by_hand: n[13],
            served: n[14],
            over_served: n[15],
            weak_keys: n[16],
            weak_signatures: n[17],
            ..Tally::default()
        },
        findings: found
            .into_iter()
            .map(|(rule, count)| (rule.to_owned(), count))
            .collect(),
        addresses: n[18],
        looked_at: n[19],
        segments: n[20],
        signed: n[21],
        agents: n[22],
        heard: n[23],
        hosts: n[24],
        outside: n[25],
        assets: n[26],
        owned_assets: n[27],
        tls_places: n[28],
        lists: n[29],
        fresh_lists: n[30],
        responders: n[31],
        sound_responders: n[32],
        by_hand: n[33],
        with_spare: n[34],
        phi_flows: n[35],
        protected_flows: n[36],
        tokens: n[37],
        ending_tokens: n[38],
        administrators: n[39],
        ..Counts::default()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn r39_everything_is_from_0_to_100_and_no_lever_makes_it_worse(
        counts in any_counts(),
        low in proptest::collection::vec(0.0_f64..100.0, LEVERS.len()),
        which in 0..LEVERS.len(),
        more in 0.0_f64..100.0,
    ) {
        let radar = Radar::of(&counts);
        let at_rest = recomputed(&radar, &BTreeMap::new());
        let shown: Vec<Option<f64>> = radar.axes.iter().map(|axis| axis.value).collect();
        // The page begins where the server ends.
        prop_assert_eq!(&at_rest.0, &shown);
        prop_assert_eq!(at_rest.1, radar.score);
        let mut levers: BTreeMap<&str, f64> =
            LEVERS.iter().map(|lever| lever.id).zip(low.iter().copied()).collect();
        let before = recomputed(&radar, &levers);
        if let Some(at) = levers.get_mut(LEVERS[which].id) {
            *at = (*at + more).min(100.0);
        }
        let after = recomputed(&radar, &levers);
        for (before, after) in before.0.iter().chain([&before.1]).zip(after.0.iter().chain([&after.1])) {
            prop_assert_eq!(before.is_some(), after.is_some());
            let (Some(before), Some(after)) = (before, after) else { continue };
            prop_assert!((0.0..=100.0).contains(before) && (0.0..=100.0).contains(after));
            prop_assert!(*after >= before - 1e-9, "{} then {}", before, after);
        }
    }
}
