//! The readers of what devices send, used to the full on bytes that may be anything: called by the fuzz target under
//! `fuzz/` and by property tests.

use super::{body, keygen};

/// A body: decoded, read as a request, its attributes searched.
pub(crate) fn body(data: &[u8]) {
    // A structure goes out and comes in again as the same bytes.
    if let Ok(der) = body::decode(data)
        && der.first() == Some(&body::SEQUENCE)
    {
        let again = body::decode(body::encode(&der, "\n").as_bytes());
        assert_eq!(again.as_deref(), Ok(&der[..]));
    }
    if let Ok(request) = body::request(data) {
        let _ = (
            keygen::algorithm(&request),
            keygen::refuse_encryption(&request),
        );
        let _ = request.verify_proof_of_possession();
    }
}
