//! What a hospital may set differently. Every number has a default that is somebody's rule.

use std::sync::Arc;

use super::Anchors;

/// Thresholds and trust that rules are held against.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Longest validity where nobody has said how it is renewed: three years (NIST SP 800-52r2 §3.2.1).
    pub longest_days: i64,
    /// Longest validity of a device that renews by itself: two years (R05).
    pub longest_automatic_days: i64,
    /// Longest validity where somebody has to go there: five years (R05).
    pub longest_manual_days: i64,
    /// As many addresses without an asset may show one key before it is remarked on.
    pub same_key_addresses: usize,
    /// Whose word counts.
    pub anchors: Arc<Anchors>,
}

impl Default for Policy {
    fn default() -> Self {
        Policy {
            longest_days: 1096,
            longest_automatic_days: 731,
            longest_manual_days: 1827,
            same_key_addresses: 2,
            anchors: Arc::default(),
        }
    }
}

impl Policy {
    pub fn trusting(anchors: Anchors) -> Self {
        Policy {
            anchors: Arc::new(anchors),
            ..Policy::default()
        }
    }
}
