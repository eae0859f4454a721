//! Certificates that Ward issues to itself: OCSP responders, its own listener. They take the same road as everybody
//! else's: a key, a CSR, a permit, the issuance cycle, the log.

use access::{Action, Target};
use audit::{Actor, Event, Object, Timestamp};
use keys::{Backend, KeyId, Signer};
use serde_json::json;
use store::Write;
use x509::ext::{ExtensionValue, SubjectAltName};
use x509::{Certificate, CertificationRequest, GeneralName, KeyAlgorithm, Name};

use crate::keyrecords::{KEY_RECORDS, KeyState, StoredKey};
use crate::{Ca, CaError, IssueRequest, Outcome};

/// A certificate of Ward's own, and the key that it certifies.
#[derive(Clone, Debug)]
pub struct OwnCertificate {
    pub certificate: Certificate,
    /// The issuer's certificate and what is above it, the root left out.
    pub chain: Vec<Certificate>,
    pub key: KeyId,
}

impl Ca {
    /// Makes a key that stays here and has it certified by an authority, or by one generation of it.
    pub async fn issue_to_ward(
        &self,
        authority: &str,
        profile: &str,
        algorithm: KeyAlgorithm,
        common_name: &str,
        names: Vec<GeneralName>,
        now: Timestamp,
    ) -> Result<OwnCertificate, CaError> {
        let purpose = format!("{profile} {common_name}");
        let record =
            self.keyring()
                .generate(algorithm, &Backend::Software, &purpose, now.seconds())?;
        let signer = self.keyring().load(&record)?;
        let key = record.id.clone();
        let event = Event::new(
            now,
            Actor::system("ward"),
            "key.generate",
            Object::new("key", key.as_str()),
        )
        .after(json!({ "algorithm": algorithm, "purpose": purpose }));
        let stored = StoredKey {
            record,
            purpose,
            state: KeyState::Active,
        };
        self.store()
            .commit(Write::new(event)?.put_record(KEY_RECORDS, key.as_str(), 0, &stored, now)?)
            .await?;
        let (certificate, chain) = self
            .certify_for_ward(authority, profile, &signer, common_name, names, now)
            .await?;
        Ok(OwnCertificate {
            certificate,
            chain,
            key,
        })
    }

    /// Has a key of Ward's own certified that is no key record: one that a library has to hold itself. The certificate,
    /// then the issuer's and what is above it, the root left out.
    pub async fn certify_for_ward(
        &self,
        authority: &str,
        profile: &str,
        signer: &Signer,
        common_name: &str,
        names: Vec<GeneralName>,
        now: Timestamp,
    ) -> Result<(Certificate, Vec<Certificate>), CaError> {
        let subject: Name = format!("CN={common_name}").parse()?;
        let mut builder = x509::CsrBuilder::new(subject, signer.public_key());
        if !names.is_empty() {
            builder = builder.extension(SubjectAltName(names).encode());
        }
        let tbs = builder.tbs();
        let how = signer.algorithm().default_signature();
        let der = x509::assemble(&tbs, how, &signer.sign(how, &tbs)?);
        let csr = CertificationRequest::from_der(&der)
            .map_err(|_| CaError::Internal("Ward's own CSR is refused"))?;

        let principal = self.access().system_principal("ward");
        let target = Target {
            profile: Some(profile),
            authority: Some(authority),
            names: &[],
            ..Target::default()
        };
        let permit = self
            .access()
            .permit(&principal, Action::IssueCertificate, &target, None, now)
            .await?;
        let mut request = IssueRequest::from_csr(profile, csr);
        request.authority = Some(authority.to_owned());
        match self.issue(permit, request, now).await? {
            Outcome::Issued(issued) => {
                Ok((Certificate::from_der(&issued.der)?, issued.chain.to_vec()))
            }
            Outcome::Pending(_) => Err(CaError::Internal(
                "a profile for Ward itself must not wait for approval",
            )),
        }
    }
}
