//! The readers of what devices send, used to the full on bytes that may be anything: called by the fuzz targets under
//! `fuzz/` and by property tests, and public for that reason only.

use super::{est, scep};

/// The body of an EST request.
pub fn est(data: &[u8]) {
    est::exercise::body(data);
}

/// A pkiMessage of SCEP, and the query or body that it comes in.
pub fn scep(data: &[u8]) {
    scep::exercise::message(data);
}
