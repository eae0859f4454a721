//! PKIStatusInfo and PKIFailureInfo (RFC 9810 §5.2.3).

use crate::{
    Error,
    crmf::{read_small, write_small},
    der::{self, Reader, Tag, Writer},
};

use super::{read_text, write_text};

/// PKIStatus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    Accepted,
    GrantedWithMods,
    Rejection,
    Waiting,
    RevocationWarning,
    RevocationNotification,
    KeyUpdateWarning,
}

impl Status {
    const ALL: [Status; 7] = [
        Self::Accepted,
        Self::GrantedWithMods,
        Self::Rejection,
        Self::Waiting,
        Self::RevocationWarning,
        Self::RevocationNotification,
        Self::KeyUpdateWarning,
    ];

    /// Whether a certificate was given.
    pub fn is_granted(self) -> bool {
        matches!(self, Self::Accepted | Self::GrantedWithMods)
    }
}

/// PKIFailureInfo: bit `n` of ASN.1 is bit `n` here.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FailInfo(pub u32);

impl FailInfo {
    pub const BAD_ALG: FailInfo = FailInfo(1);
    pub const BAD_MESSAGE_CHECK: FailInfo = FailInfo(1 << 1);
    pub const BAD_REQUEST: FailInfo = FailInfo(1 << 2);
    pub const BAD_TIME: FailInfo = FailInfo(1 << 3);
    pub const BAD_CERT_ID: FailInfo = FailInfo(1 << 4);
    pub const BAD_DATA_FORMAT: FailInfo = FailInfo(1 << 5);
    pub const WRONG_AUTHORITY: FailInfo = FailInfo(1 << 6);
    pub const INCORRECT_DATA: FailInfo = FailInfo(1 << 7);
    pub const BAD_POP: FailInfo = FailInfo(1 << 9);
    pub const CERT_REVOKED: FailInfo = FailInfo(1 << 10);
    pub const CERT_CONFIRMED: FailInfo = FailInfo(1 << 11);
    pub const WRONG_INTEGRITY: FailInfo = FailInfo(1 << 12);
    pub const BAD_RECIPIENT_NONCE: FailInfo = FailInfo(1 << 13);
    pub const UNACCEPTED_POLICY: FailInfo = FailInfo(1 << 15);
    pub const UNACCEPTED_EXTENSION: FailInfo = FailInfo(1 << 16);
    pub const ADD_INFO_NOT_AVAILABLE: FailInfo = FailInfo(1 << 17);
    pub const BAD_SENDER_NONCE: FailInfo = FailInfo(1 << 18);
    pub const BAD_CERT_TEMPLATE: FailInfo = FailInfo(1 << 19);
    pub const SIGNER_NOT_TRUSTED: FailInfo = FailInfo(1 << 20);
    pub const TRANSACTION_ID_IN_USE: FailInfo = FailInfo(1 << 21);
    pub const UNSUPPORTED_VERSION: FailInfo = FailInfo(1 << 22);
    pub const NOT_AUTHORIZED: FailInfo = FailInfo(1 << 23);
    pub const SYSTEM_UNAVAIL: FailInfo = FailInfo(1 << 24);
    pub const SYSTEM_FAILURE: FailInfo = FailInfo(1 << 25);
    pub const DUPLICATE_CERT_REQ: FailInfo = FailInfo(1 << 26);

    /// The names of the bits that are set, as RFC 9810 writes them.
    pub fn names(self) -> Vec<&'static str> {
        NAMES
            .iter()
            .enumerate()
            .filter(|(n, _)| self.0 & (1 << n) != 0)
            .map(|(_, name)| *name)
            .collect()
    }

    fn read(r: &mut Reader<'_>) -> Result<FailInfo, Error> {
        let bits = r.bit_string()?;
        let set = (0..32).filter(|n| bits.bit(*n));
        Ok(FailInfo(set.fold(0, |all, n| all | 1 << n)))
    }

    /// A named bit list: trailing zeros left out (X.690 §11.2.2).
    fn write(self, w: &mut Writer) {
        let highest = 31 - (self.0 | 1).leading_zeros() as usize;
        let mut content = vec![0u8; 2 + highest / 8];
        for n in (0..=highest).filter(|n| self.0 & (1 << n) != 0) {
            if let Some(octet) = content.get_mut(1 + n / 8) {
                *octet |= 0x80 >> (n % 8);
            }
        }
        if let Some(unused) = content.first_mut() {
            *unused = 7 - (highest % 8) as u8;
        }
        let empty = self.0 == 0;
        w.element(Tag::BIT_STRING, if empty { &[0] } else { &content });
    }
}

const NAMES: [&str; 27] = [
    "badAlg",
    "badMessageCheck",
    "badRequest",
    "badTime",
    "badCertId",
    "badDataFormat",
    "wrongAuthority",
    "incorrectData",
    "missingTimeStamp",
    "badPOP",
    "certRevoked",
    "certConfirmed",
    "wrongIntegrity",
    "badRecipientNonce",
    "timeNotAvailable",
    "unacceptedPolicy",
    "unacceptedExtension",
    "addInfoNotAvailable",
    "badSenderNonce",
    "badCertTemplate",
    "signerNotTrusted",
    "transactionIdInUse",
    "unsupportedVersion",
    "notAuthorized",
    "systemUnavail",
    "systemFailure",
    "duplicateCertReq",
];

/// PKIStatusInfo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusInfo {
    pub status: Status,
    pub text: Vec<String>,
    pub fail: Option<FailInfo>,
}

impl StatusInfo {
    pub fn of(status: Status) -> StatusInfo {
        StatusInfo {
            status,
            text: Vec::new(),
            fail: None,
        }
    }

    pub fn rejection(fail: FailInfo, text: impl Into<String>) -> StatusInfo {
        StatusInfo {
            status: Status::Rejection,
            text: vec![text.into()],
            fail: Some(fail),
        }
    }

    pub(super) fn read(r: &mut Reader<'_>) -> Result<StatusInfo, Error> {
        let mut info = r.sequence()?;
        let number = read_small(&mut info)?;
        let status = usize::try_from(number)
            .ok()
            .and_then(|n| Status::ALL.get(n).copied())
            .ok_or(der::Error::Integer)?;
        let mut out = StatusInfo::of(status);
        if info.peek() == Some(Tag::SEQUENCE) {
            out.text = read_text(&mut info)?;
        }
        if info.peek() == Some(Tag::BIT_STRING) {
            out.fail = Some(FailInfo::read(&mut info)?);
        }
        info.finish()?;
        Ok(out)
    }

    pub(super) fn write(&self, w: &mut Writer) {
        w.sequence(|w| {
            let number = Status::ALL.iter().position(|s| *s == self.status);
            write_small(w, number.unwrap_or_default() as i64);
            if !self.text.is_empty() {
                write_text(w, &self.text);
            }
            if let Some(fail) = self.fail {
                fail.write(w);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 9810 appendix F: the bit numbers of PKIFailureInfo, of which duplicateCertReq (26) is the last.
    #[test]
    fn failure_bits_survive_and_have_their_names() {
        let table = [
            (FailInfo::BAD_ALG, "badAlg", 0),
            (FailInfo::BAD_POP, "badPOP", 9),
            (FailInfo::WRONG_INTEGRITY, "wrongIntegrity", 12),
            (FailInfo::BAD_CERT_TEMPLATE, "badCertTemplate", 19),
            (FailInfo::TRANSACTION_ID_IN_USE, "transactionIdInUse", 21),
            (FailInfo::SYSTEM_FAILURE, "systemFailure", 25),
            (FailInfo::DUPLICATE_CERT_REQ, "duplicateCertReq", 26),
        ];
        for (fail, name, bit) in table {
            assert_eq!(fail.0, 1 << bit);
            assert_eq!(fail.names(), [name]);
            let mut w = Writer::new();
            fail.write(&mut w);
            let bytes = w.finish();
            assert_eq!(FailInfo::read(&mut Reader::new(&bytes)).unwrap(), fail);
        }
    }
}
