//! Orders: signed by the pinned key, for this agent, alive, within the ceiling. Everything that is refused has its twin.

use crate::made::{NOW, ceiling, order, public, signed};
use agent::relay::{Ceiling, Order, OrderError};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

fn opened(order: &Order) -> Result<u64, OrderError> {
    let order = signed(order).open(&public())?;
    Ok(order.check("icu-1", &ceiling(), NOW)?.len())
}

#[test]
fn r17_an_order_is_taken_as_it_was_signed() {
    assert_eq!(opened(&order("o1")), Ok(512));
    let good = signed(&order("o1"));
    let mut changed = good.clone();
    changed.order = changed.order.replacen("10.30.4.0/23", "10.30.0.0/16", 1);
    let mut cut = good.clone();
    cut.signature.pop();
    let mut other = good.clone();
    other.signature = STANDARD.encode([0; 64]);
    let mut none = good.clone();
    none.signature = String::new();
    for wrong in [changed, cut, other, none] {
        assert_eq!(wrong.open(&public()), Err(OrderError::Signature));
    }
    assert_eq!(good.open(&[1; 32]), Err(OrderError::Signature));
    // The same key over the same text for another purpose.
    let mut bare = good;
    bare.signature = STANDARD.encode(crate::made::key().sign(bare.order.as_bytes()));
    assert_eq!(bare.open(&public()), Err(OrderError::Signature));
}

type Change = (&'static str, fn(&mut Order));

#[test]
fn r17_an_order_beyond_the_ceiling_is_refused() {
    let changes: &[Change] = &[
        ("ranges", |order| {
            order.ranges.push("10.31.0.0/24".parse().unwrap())
        }),
        ("a range that reaches out", |order| {
            order.ranges = vec!["10.30.255.0-10.31.0.1".parse().unwrap()]
        }),
        ("limits", |order| {
            order.limits.ranges.push("10.31.0.0/24".parse().unwrap())
        }),
        ("no limits", |order| order.limits.ranges.clear()),
        ("a port", |order| order.services = "443,22".to_owned()),
        ("faster", |order| order.limits.rate = Some(100.5)),
        ("as fast as it goes", |order| order.limits.rate = None),
        ("paper", |order| order.limits.raw_print = true),
    ];
    for (what, change) in changes {
        let mut wrong = order("o1");
        change(&mut wrong);
        let refused = opened(&wrong);
        assert!(
            matches!(refused, Err(OrderError::Beyond(_))),
            "{what}: {refused:?}"
        );
    }
    let mut good = order("o1");
    good.services = "443,8080-8090".to_owned();
    good.limits.rate = Some(1.0);
    assert_eq!(opened(&good), Ok(512 * 12));
}

#[test]
fn r17_an_order_for_somebody_else_or_of_yesterday_is_refused() {
    let mut other = order("o1");
    other.agent = "icu-2".to_owned();
    assert_eq!(opened(&other), Err(OrderError::Other("icu-2".to_owned())));
    let mut late = order("o1");
    late.expires = NOW;
    assert_eq!(
        opened(&late),
        Err(OrderError::Expired {
            expires: NOW,
            now: NOW
        })
    );
    late.expires = NOW + 1;
    assert_eq!(opened(&late), Ok(512));
    let mut seed = order("o1");
    seed.seed.truncate(62);
    assert!(matches!(opened(&seed), Err(OrderError::Form(_))));
    let mut nothing = order("o1");
    nothing.services.clear();
    assert!(matches!(opened(&nothing), Err(OrderError::Targets(_))));
}

#[test]
fn a_ceiling_can_be_lowered_and_not_raised() {
    let whole = ceiling();
    assert_eq!(whole.is_within(&whole), Ok(()));
    let lower = Ceiling {
        ranges: vec!["10.30.4.0/24".parse().unwrap()],
        ports: vec![(443, 443)],
        rate: Some(5.0),
        raw_print: false,
    };
    assert_eq!(lower.is_within(&whole), Ok(()));
    assert!(whole.is_within(&lower).is_err());
    for higher in [
        Ceiling {
            ports: Vec::new(),
            ..lower.clone()
        },
        Ceiling {
            rate: None,
            ..lower.clone()
        },
        Ceiling {
            raw_print: true,
            ..lower.clone()
        },
        Ceiling {
            ranges: vec!["10.0.0.0/8".parse().unwrap()],
            ..lower.clone()
        },
    ] {
        assert!(higher.is_within(&whole).is_err(), "{higher:?}");
    }
    // A ceiling without ranges is one for nothing.
    let none = Ceiling::default();
    let refused = signed(&order("o1"))
        .open(&public())
        .unwrap()
        .check("icu-1", &none, NOW);
    assert!(matches!(refused, Err(OrderError::Beyond(_))));
}
