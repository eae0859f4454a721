//! Sorting of what a token answers: what a fresh session may cure, and what nothing cures.

use cryptoki::error::{Error, RvError};

use crate::KeyError;

pub(super) enum Fault {
    /// The token, the login or a handle went away; worth another try with fresh ones.
    Lost(String),
    /// Logged in, and no such key to be seen.
    NoKey,
    /// Trying again would give the same answer, or do harm.
    Final(KeyError),
}

impl Fault {
    /// An answer of the token to anything but a login.
    pub(super) fn from_token(token: &str, what: &str, error: &Error) -> Self {
        let problem = describe(error);
        match error {
            Error::Pkcs11(code, _) if is_loss(*code) => Self::Lost(problem),
            Error::Pkcs11(code, _) if is_unsupported(*code) => Self::Final(KeyError::Unsupported {
                token: token.to_owned(),
                what: format!("{what} ({problem})"),
            }),
            _ => Self::Final(KeyError::Unavailable {
                token: token.to_owned(),
                problem: format!("{what}: {problem}"),
            }),
        }
    }
}

impl From<KeyError> for Fault {
    fn from(error: KeyError) -> Self {
        Self::Final(error)
    }
}

/// The code's name and the function that gave it. The standard's prose about each code is left out,
/// and so is everything that was passed in.
pub(super) fn describe(error: &Error) -> String {
    match error {
        Error::Pkcs11(code, function) => format!("{code:?} from C_{function}"),
        other => other.to_string(),
    }
}

/// Codes seen when a token is pulled out, restarted, re-initialised, or loses its network.
/// `GeneralError`, `FunctionFailed` and `DeviceError` are what many modules say for just that.
fn is_loss(code: RvError) -> bool {
    matches!(
        code,
        RvError::SessionHandleInvalid
            | RvError::SessionClosed
            | RvError::DeviceRemoved
            | RvError::DeviceError
            | RvError::DeviceMemory
            | RvError::TokenNotPresent
            | RvError::TokenNotRecognized
            | RvError::UserNotLoggedIn
            | RvError::SlotIdInvalid
            | RvError::KeyHandleInvalid
            | RvError::ObjectHandleInvalid
            | RvError::GeneralError
            | RvError::FunctionFailed
            | RvError::FunctionCanceled
            | RvError::OperationActive
            | RvError::OperationNotInitialized
            | RvError::CryptokiNotInitialized
    )
}

fn is_unsupported(code: RvError) -> bool {
    matches!(
        code,
        RvError::MechanismInvalid
            | RvError::MechanismParamInvalid
            | RvError::FunctionNotSupported
            | RvError::CurveNotSupported
            | RvError::DomainParamsInvalid
            | RvError::KeySizeRange
            | RvError::KeyTypeInconsistent
            | RvError::KeyFunctionNotPermitted
            | RvError::AttributeTypeInvalid
            | RvError::AttributeValueInvalid
            | RvError::TemplateInconsistent
            | RvError::TemplateIncomplete
            | RvError::TokenWriteProtected
            | RvError::SessionReadOnly
    )
}
