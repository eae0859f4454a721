//! Segments, scans within their limits, and coverage, on both databases (R17). What is sent is counted at the sockets of
//! whoever receives it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests are tests"
)]

#[path = "../register/support.rs"]
#[allow(dead_code, reason = "the register's tests need more of it")]
mod support;

mod running;
mod segments;

use access::Action;
use fleet::{Segment, StoredSegment};
use support::{House, NOW};

impl House {
    /// Limits that one person wrote and another signed.
    async fn signed(&self, segment: Segment) -> StoredSegment {
        let name = segment.name.clone();
        let permit = self.permit(Action::ManageSegments);
        let expected = match self.fleet.segment(&name).await {
            Ok(stored) => stored.version,
            Err(_) => 0,
        };
        let stored = self
            .fleet
            .put_segment(permit, segment, expected, NOW)
            .await
            .unwrap();
        let second = self.ca.access().local_principal("safety");
        let permit = self.permit_of(&second, Action::SignSegments);
        self.fleet
            .sign_segment(permit, &name, stored.version, "agreed", NOW)
            .await
            .unwrap()
    }
}

/// A segment with one range that may be looked at on one port at any time.
fn segment(name: &str, range: &str, port: u16) -> Segment {
    Segment {
        name: name.to_owned(),
        ranges: vec![range.parse().unwrap()],
        ports: vec![format!("{port}/tls")],
        rate: 200.0,
        pause_ms: 0,
        hours: vec!["always".parse().unwrap()],
        ..Segment::default()
    }
}
