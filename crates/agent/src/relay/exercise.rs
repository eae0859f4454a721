//! What the core says to an agent and what lies on its disk, on bytes that may be anything: for the fuzz target and the
//! property tests only.

use super::core::{Poll, Polled, Renewed, Taken};
use super::home::{Identity, Ticket};
use super::order::{Ceiling, OrderError, Signed, signed_text};
use super::{Batch, client};
use crate::scan::Range;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::sync::LazyLock;

/// A core's key, and somebody else's.
static KEYS: LazyLock<Option<[Ed25519KeyPair; 2]>> = LazyLock::new(|| {
    let key = |seed: u8| Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).ok();
    Some([key(1)?, key(2)?])
});

/// Every reader there is, on the same bytes.
pub fn read(data: &[u8]) {
    order(data);
    batch(data);
    let said = client::said(data);
    assert!(said.chars().count() <= 300 && !said.contains(char::is_control));
    let _ = serde_json::from_slice::<Poll>(data);
    let _ = serde_json::from_slice::<Polled>(data);
    let _ = serde_json::from_slice::<Taken>(data);
    let _ = serde_json::from_slice::<Renewed>(data);
    let _ = serde_json::from_slice::<Ticket>(data);
    if let Ok(identity) = serde_json::from_slice::<Identity>(data) {
        let _ = identity.order_key();
        let _ = identity.certificate();
    }
}

/// An order that is signed as it should be, whatever it says, and by whom it should not be.
fn order(data: &[u8]) {
    let (Ok(text), Some([core, other])) = (std::str::from_utf8(data), &*KEYS) else {
        return;
    };
    let public = |pair: &Ed25519KeyPair| <[u8; 32]>::try_from(pair.public_key().as_ref());
    let (Ok(key), Ok(wrong)) = (public(core), public(other)) else {
        return;
    };
    let signature = core.sign(signed_text(text).as_bytes());
    let signed = Signed {
        order: text.to_owned(),
        signature: STANDARD.encode(signature.as_ref()),
    };
    assert_eq!(signed.open(&wrong), Err(OrderError::Signature));
    let Ok(order) = signed.open(&key) else { return };
    let within: Option<Range> = "10.0.0.0/8".parse().ok();
    let ceiling = Ceiling {
        ranges: within.into_iter().collect(),
        ports: vec![(1, 1024)],
        rate: Some(10.0),
        raw_print: false,
    };
    assert_eq!(ceiling.is_within(&ceiling), Ok(()));
    let now = order.expires.saturating_sub(1000);
    let limits = order.limits(now);
    let left = limits.window.map(|window| window.as_millis());
    assert!(left.is_some_and(|left| left <= 1000), "{left:?} ms left");
    let Ok(targets) = order.check(&order.agent, &ceiling, now) else {
        return;
    };
    assert!(limits.rate.is_some_and(|rate| rate <= 10.0) && !limits.raw_print);
    let last = targets.len() - 1;
    for number in [0, last / 2, last] {
        let inside = targets.at(number).is_some_and(|target| {
            let mut ranges = ceiling.ranges.iter();
            target.port <= 1024 && ranges.any(|range| range.contains(target.address))
        });
        assert!(inside, "target {number} of {targets} is beyond the ceiling");
    }
}

/// A batch that is read has as many observations as its head says, or says which is wrong.
fn batch(data: &[u8]) {
    let Ok(batch) = Batch::read(data.to_vec()) else {
        return;
    };
    if let Ok(observations) = batch.observations() {
        assert_eq!(observations.len(), batch.head.observations);
    }
    assert_eq!(Batch::read(batch.body.clone()), Ok(batch));
}
