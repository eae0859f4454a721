//! What stands beside the content of a pkiMessage (RFC 8894 §3.2.1): its type, its transaction, its nonces, its outcome.

use x509::Oid;
use x509::cms::Attribute;
use x509::der::{Tag, encode};

/// 2.16.840.1.113733.1.9.n: VeriSign's arc, in which SCEP began.
const fn verisign(n: u8) -> Oid {
    Oid::from_bytes(&[0x60, 0x86, 0x48, 0x01, 0x86, 0xf8, 0x45, 0x01, 0x09, n])
}

pub(super) const MESSAGE_TYPE: Oid = verisign(2);
pub(super) const PKI_STATUS: Oid = verisign(3);
pub(super) const FAIL_INFO: Oid = verisign(4);
pub(super) const SENDER_NONCE: Oid = verisign(5);
pub(super) const RECIPIENT_NONCE: Oid = verisign(6);
pub(super) const TRANSACTION_ID: Oid = verisign(7);
/// id-scep-failInfoText, 1.3.6.1.5.5.7.24.1.
pub(super) const FAIL_INFO_TEXT: Oid = Oid::from_bytes(&[0x2b, 6, 1, 5, 5, 7, 0x18, 1]);

/// What a message asks for (RFC 8894 §3.2.1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MessageType {
    RenewalReq,
    /// Of drafts before the RFC: the same device, changed names. Read as a request like any other.
    UpdateReq,
    PkcsReq,
    /// Also known as GetCertInitial.
    CertPoll,
    GetCert,
    GetCrl,
}

impl MessageType {
    /// CertRep, which only a server sends.
    pub(super) const CERT_REP: &str = "3";

    pub(super) fn parse(text: &str) -> Option<Self> {
        Some(match text.trim() {
            "17" => Self::RenewalReq,
            "18" => Self::UpdateReq,
            "19" => Self::PkcsReq,
            "20" => Self::CertPoll,
            "21" => Self::GetCert,
            "22" => Self::GetCrl,
            _ => return None,
        })
    }

    /// The name in metrics and in the log.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::RenewalReq => "RenewalReq",
            Self::UpdateReq => "UpdateReq",
            Self::PkcsReq => "PKCSReq",
            Self::CertPoll => "CertPoll",
            Self::GetCert => "GetCert",
            Self::GetCrl => "GetCRL",
        }
    }
}

/// Why a request failed (RFC 8894 §3.2.1.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::enum_variant_names, reason = "as the RFC names them")]
pub(crate) enum FailInfo {
    /// An algorithm, or a key, that is not accepted.
    BadAlg,
    /// The signature, or what is inside the envelope, does not hold. The answer never says which.
    BadMessageCheck,
    /// Not permitted, or not understood.
    BadRequest,
    /// There is no such certificate, or not for this sender.
    BadCertId,
}

impl FailInfo {
    const fn code(self) -> &'static str {
        match self {
            Self::BadAlg => "0",
            Self::BadMessageCheck => "1",
            Self::BadRequest => "2",
            Self::BadCertId => "4",
        }
    }

    /// The name in metrics and in the log.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::BadAlg => "badAlg",
            Self::BadMessageCheck => "badMessageCheck",
            Self::BadRequest => "badRequest",
            Self::BadCertId => "badCertId",
        }
    }

    /// failInfo, and the sentence that goes with it.
    pub(super) fn attributes(self, text: Option<&str>) -> Vec<Attribute> {
        let mut attributes = vec![Attribute::printable(FAIL_INFO, self.code())];
        if let Some(text) = text {
            let value = encode(Tag::UTF8_STRING, text.as_bytes());
            attributes.push(Attribute::new(FAIL_INFO_TEXT, value));
        }
        attributes
    }
}

/// pkiStatus (RFC 8894 §3.2.1.3).
pub(super) const SUCCESS: &str = "0";
pub(super) const FAILURE: &str = "2";
pub(super) const PENDING: &str = "3";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc8894_3_2_1_object_identifiers() {
        let table = [
            (MESSAGE_TYPE, "2.16.840.1.113733.1.9.2"),
            (PKI_STATUS, "2.16.840.1.113733.1.9.3"),
            (FAIL_INFO, "2.16.840.1.113733.1.9.4"),
            (SENDER_NONCE, "2.16.840.1.113733.1.9.5"),
            (RECIPIENT_NONCE, "2.16.840.1.113733.1.9.6"),
            (TRANSACTION_ID, "2.16.840.1.113733.1.9.7"),
            (FAIL_INFO_TEXT, "1.3.6.1.5.5.7.24.1"),
        ];
        for (oid, dotted) in table {
            assert_eq!(oid.to_string(), dotted);
        }
    }

    #[test]
    fn rfc8894_3_2_1_2_message_types() {
        let table = [
            ("17", Some(MessageType::RenewalReq)),
            ("18", Some(MessageType::UpdateReq)),
            ("19", Some(MessageType::PkcsReq)),
            (" 20", Some(MessageType::CertPoll)),
            ("21", Some(MessageType::GetCert)),
            ("22", Some(MessageType::GetCrl)),
            ("3", None),
            ("019", None),
            ("", None),
        ];
        for (text, expected) in table {
            assert_eq!(MessageType::parse(text), expected, "{text:?}");
        }
    }
}
