//! Online certificate status (RFC 6960), with the lightweight profile (RFC 5019) and nonces (RFC 9654).
//!
//! Both sides of the protocol: [`Request::parse`] and [`ResponseData`] for a responder, [`Request::encode`] and
//! [`Response`] for a client. Requests come from anybody, so their size and their number of questions are bounded.

mod cert_id;
mod http;
mod request;
mod response;
mod verify;

pub use cert_id::{CertId, HashAlgorithm, IssuerId};
pub use http::decode_get_path;
pub use request::{MAX_REQUEST, MAX_REQUESTS, Nonce, Request};
pub use response::{
    BasicResponse, MAX_RESPONSE, ResponderId, Response, ResponseData, ResponseStatus,
    SingleResponse, SingleStatus, assemble_response,
};
pub use verify::{Answer, Query, VerifyError};

/// OCSPResponses without a body: `SEQUENCE { ENUMERATED responseStatus }` (RFC 6960 §4.2.1).
pub mod errors {
    /// The request does not follow the syntax.
    pub const MALFORMED_REQUEST: [u8; 5] = [0x30, 3, 0x0a, 1, 1];
    /// The responder is in an inconsistent state; another one may help.
    pub const INTERNAL_ERROR: [u8; 5] = [0x30, 3, 0x0a, 1, 2];
    /// The responder works but cannot answer at the moment.
    pub const TRY_LATER: [u8; 5] = [0x30, 3, 0x0a, 1, 3];
    /// Requests must be signed here.
    pub const SIG_REQUIRED: [u8; 5] = [0x30, 3, 0x0a, 1, 5];
    /// The responder has no authoritative record (RFC 5019 §2.2.3).
    pub const UNAUTHORIZED: [u8; 5] = [0x30, 3, 0x0a, 1, 6];
}
