//! The one call that all device protocols end in: who asks → for which asset → may it → permit → certificate.

mod claim;

use access::Refusal;
use audit::Timestamp;
use ca::Ca;
use x509::{Certificate, Name, PublicKey, crl::Reason};
use zeroize::Zeroizing;

pub(crate) use claim::{Asked, Claim, Decision, Holder, KeyAndNames, Proof, Transaction};
pub use claim::{Protocol, RegistrationState};

use super::{Ask, DeviceError, Endpoint, RightId};

/// Decides. One for all protocols.
pub(crate) struct Registration {
    ca: Ca,
    fleet: fleet::Fleet,
    ask: Ask,
}

/// Nothing is registered yet.
fn none() -> Refusal {
    Refusal::new(
        "enrolment.none",
        "docs/enrolment.md",
        "no device may enrol here yet",
    )
}

impl Registration {
    pub(crate) fn new(ca: Ca, fleet: fleet::Fleet, ask: Ask) -> Self {
        Registration { ca, fleet, ask }
    }

    /// Decides about a request. Refusals that matter are in the log when this returns. An `Err` is a failure of ours
    /// (answer "later"), never a "no".
    pub(crate) async fn enrol(
        &self,
        _claim: Claim,
        _now: Timestamp,
    ) -> Result<Decision, DeviceError> {
        Ok(Decision::Refused(none()))
    }

    /// What became of a request that waited. `key` is the one that the poll is signed with, where the protocol has
    /// the device sign it with the key that it asked for (SCEP).
    pub(crate) async fn poll(
        &self,
        _endpoint: &Endpoint,
        _protocol: Protocol,
        _transaction: &Transaction,
        _key: Option<&PublicKey>,
        _now: Timestamp,
    ) -> Result<Decision, DeviceError> {
        Ok(Decision::Refused(none()))
    }

    /// The secret behind the reference (senderKID) of a MAC-protected CMP message; `None` if there is no such right, or it
    /// may not be used. Answer both alike, and a wrong MAC too: [`Registration::wrong`].
    pub(crate) async fn shared_secret(
        &self,
        _endpoint: &Endpoint,
        _reference: &[u8],
        _now: Timestamp,
    ) -> Result<Option<(RightId, Zeroizing<Vec<u8>>)>, DeviceError> {
        Ok(None)
    }

    /// Counts a credential that a protocol found to be wrong (a MAC that does not verify) against its peer.
    pub(crate) async fn wrong(
        &self,
        _endpoint: &Endpoint,
        _peer: std::net::IpAddr,
        _now: Timestamp,
    ) {
    }

    /// Whose certificate of ours this is, leaf first: valid or within grace, not revoked, its asset in use.
    pub(crate) async fn holder(
        &self,
        _endpoint: &Endpoint,
        _chain: &[Certificate],
        _now: Timestamp,
    ) -> Result<Result<Holder, Refusal>, DeviceError> {
        Ok(Err(none()))
    }

    /// Revokes a certificate of the holder's own asset, by its issuer and serial number.
    pub(crate) async fn revoke(
        &self,
        _holder: &Holder,
        _issuer: &Name,
        _serial: &[u8],
        _reason: Reason,
        _request_id: &str,
        _now: Timestamp,
    ) -> Result<Result<(), Refusal>, DeviceError> {
        Ok(Err(none()))
    }

    /// The device's word on a certificate that it was given (CMP certConf): a rejected one is revoked.
    pub(crate) async fn confirm(
        &self,
        _endpoint: &Endpoint,
        _sha256: &[u8; 32],
        _accepted: bool,
        _now: Timestamp,
    ) -> Result<(), DeviceError> {
        Ok(())
    }
}
