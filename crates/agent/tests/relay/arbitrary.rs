//! Arbitrary bytes and nearly right ones, through the function that the fuzz target calls.

use crate::made::{draft, order};
use agent::relay::exercise::read;
use agent::relay::{Order, Queue};
use proptest::prelude::*;

/// An order that the exercise's agent would take: within 10.0.0.0/8, ports up to 1024, ten a second.
fn fine() -> Order {
    let mut order = order("o1");
    order.limits.rate = Some(5.0);
    order
}

#[test]
fn an_order_and_a_batch_that_are_right_go_all_the_way() {
    read(serde_json::to_string(&fine()).unwrap().as_bytes());
    let folder = tempfile::tempdir().unwrap();
    let mut queue = Queue::open(folder.path(), "icu-1", &[3; 32], u64::MAX).unwrap();
    queue.push(&draft(&[1, 2, 3])).unwrap();
    read(&queue.oldest().unwrap().unwrap().body);
}

proptest! {
    #[test]
    fn any_bytes_are_an_order_or_none(data in proptest::collection::vec(any::<u8>(), 0..400)) {
        read(&data);
    }

    #[test]
    fn an_order_that_was_damaged_is_read_or_refused(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut text = serde_json::to_string(&fine()).unwrap().into_bytes();
        let at = at.index(text.len());
        text[at] = byte;
        read(&text);
        read(&text[..at]);
    }

    #[test]
    fn an_order_for_anything_stays_within_the_ceiling(
        first in any::<[u8; 4]>(),
        size in 8u8..=32,
        services in "[0-9]{1,5}(-[0-9]{1,5}|/(tls|smtp|rdp))?",
        expires in any::<i64>(),
        rate in proptest::option::of(any::<f64>()),
    ) {
        let mut order = fine();
        let range = format!("{}.{}.{}.{}/{size}", first[0] % 12, first[1], first[2], first[3]);
        order.ranges = range.parse().into_iter().collect();
        order.limits.ranges = order.ranges.clone();
        order.services = services;
        order.expires = expires;
        order.limits.rate = rate;
        read(serde_json::to_string(&order).unwrap().as_bytes());
    }
}
