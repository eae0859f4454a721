//! The readers of what devices send, used to the full on bytes that may be anything: called by the fuzz targets under
//! `fuzz/` and by property tests, and public for that reason only.

use super::est;

/// The body of an EST request.
pub fn est(data: &[u8]) {
    est::exercise::body(data);
}
