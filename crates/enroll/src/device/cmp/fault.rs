//! What is wrong with a message, in CMP's words (RFC 9810 §5.2.3), and what is wrong with us.

use std::borrow::Cow;

use access::Refusal;
use store::StoreError;
use x509::cmp::{Body, ErrorMessage, FailInfo, StatusInfo};

use crate::device::DeviceError;

/// An answer of "no": the bit that says why, and a line for people.
#[derive(Clone, Debug)]
pub(super) struct Fault {
    pub(super) fail: FailInfo,
    pub(super) text: Cow<'static, str>,
}

/// Why there is no other answer.
#[derive(Debug)]
pub(super) enum Stop {
    Fault(Fault),
    /// Ours; the client hears that it may try later.
    Failed(DeviceError),
}

impl Fault {
    pub(super) fn new(fail: FailInfo, text: impl Into<Cow<'static, str>>) -> Self {
        Fault {
            fail,
            text: text.into(),
        }
    }

    pub(super) fn bad_request(text: impl Into<Cow<'static, str>>) -> Self {
        Fault::new(FailInfo::BAD_REQUEST, text)
    }

    /// A refusal by the registration, to somebody who has proved something: the rule's bit and its words.
    pub(super) fn refused(refusal: &Refusal) -> Self {
        Fault::new(bit(refusal.rule.as_ref()), refusal.to_string())
    }

    pub(super) fn status(&self) -> StatusInfo {
        StatusInfo::rejection(self.fail, self.text.as_ref())
    }

    pub(super) fn body(&self) -> Body {
        Body::Error(ErrorMessage {
            status: self.status(),
            code: None,
            details: Vec::new(),
        })
    }

    /// What a failure of ours looks like from outside.
    pub(super) fn failure(error: &DeviceError) -> Self {
        let passes = matches!(
            error,
            DeviceError::Store(
                StoreError::Busy(_) | StoreError::Unavailable(_) | StoreError::Full(_)
            )
        );
        match passes {
            true => Fault::new(FailInfo::SYSTEM_UNAVAIL, "try again later"),
            false => Fault::new(FailInfo::SYSTEM_FAILURE, "the authority cannot answer now"),
        }
    }
}

/// The bit for a rule of the registration, the profile or the authority.
fn bit(rule: &str) -> FailInfo {
    match rule {
        "enrolment.transaction.key" => FailInfo::TRANSACTION_ID_IN_USE,
        "enrolment.transaction.unknown" => FailInfo::BAD_REQUEST,
        "enrolment.profile" => FailInfo::UNACCEPTED_POLICY,
        "enrolment.names" | "enrolment.renewal.names" | "enrolment.renewal.key" => {
            FailInfo::BAD_CERT_TEMPLATE
        }
        "enrolment.revoke" => FailInfo::BAD_CERT_ID,
        _ if rule.starts_with("enrolment.serial.") => FailInfo::BAD_CERT_TEMPLATE,
        _ if rule.starts_with("enrolment.limit") => FailInfo::SYSTEM_UNAVAIL,
        _ if rule.starts_with("csr-signature") => FailInfo::BAD_ALG,
        _ => match rule.split(['.', '-']).next().unwrap_or_default() {
            "names" | "subject" | "extension" | "validity" | "key" | "csr" => {
                FailInfo::BAD_CERT_TEMPLATE
            }
            "authority" | "clock" => FailInfo::SYSTEM_UNAVAIL,
            _ => FailInfo::NOT_AUTHORIZED,
        },
    }
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Stop::Fault(fault)
    }
}

impl<E: Into<DeviceError>> From<E> for Stop {
    fn from(error: E) -> Self {
        match error.into() {
            DeviceError::Refused(refusal) => Stop::Fault(Fault::refused(&refusal)),
            other => Stop::Failed(other),
        }
    }
}
