//! Authorities and their generations (R01). An **authority** is a CA as people speak of it
//! ("devices"); an **issuer** is one generation of it: one key, one certificate. After a rotation
//! both generations live side by side: the new one issues, the old one keeps its status services.

pub(crate) mod carried;
pub(crate) mod certify;
mod constraints;
mod cross;
mod manage;
mod past;
mod root;
pub(crate) mod rootcrl;
mod rotate;
pub(crate) mod rows;
mod standing;

pub use constraints::Constraints;
pub use cross::CrossSign;
pub use manage::ParentKey;
pub(crate) use standing::check_standing;

use serde::{Deserialize, Serialize};
use x509::{Certificate, KeyAlgorithm};

use keys::KeyId;

use crate::init::AuthorityAnswers;

/// The record kind of authorities.
pub const AUTHORITY_RECORDS: &str = "authority";
/// The record kind of issuers.
pub const ISSUER_RECORDS: &str = "issuer";

/// A CA as people speak of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Authority {
    /// Its name: part of URLs.
    pub name: String,
    /// Its name for people.
    pub title: String,
    /// What it is for: profiles say which purposes may issue them.
    pub purpose: String,
    /// Its subject, RFC 4514.
    pub subject: String,
    /// Where it stands.
    pub state: AuthorityState,
    /// The authority above it; `None` for a root.
    pub parent: Option<String>,
    /// The issuer that issues now.
    pub issuer: String,
    /// Every generation, the oldest first.
    pub generations: Vec<String>,
    /// How many CAs may stand below it.
    pub path_length: Option<u32>,
    /// What its certificates may name, if that is limited.
    pub name_constraints: Constraints,
}

/// Where an authority stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AuthorityState {
    /// Issues.
    Active,
    /// Its key has been carried away; it signs in ceremonies only.
    Offline,
    /// Issues no more; its status goes on.
    Retired,
    /// Its certificate is on hold: issues nothing until that is released.
    Held,
    /// Its certificate is revoked: issues nothing until it is rotated.
    Revoked,
}

/// One generation of an authority.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct IssuerRecord {
    /// Its id: the authority's name, from the second generation on with `-g2`.
    pub id: String,
    /// The authority.
    pub authority: String,
    /// 1, 2, …
    pub generation: u32,
    /// Where it stands.
    pub state: IssuerState,
    /// Its key; `None` when it was made elsewhere (an offline root that Ward only knows).
    pub key: Option<KeyId>,
    /// The key's algorithm.
    pub algorithm: KeyAlgorithm,
    /// Its certificate, base64 DER.
    #[serde(with = "certificate_base64")]
    pub certificate: Certificate,
    /// Other certificates for the same key and name: cross-certificates, base64 DER.
    #[serde(default, with = "certificates_base64")]
    pub cross: Vec<Certificate>,
    /// The issuer that signed its certificate; `None` for a root or a foreign parent.
    pub parent: Option<String>,
    /// Certificates above it that Ward does not hold as issuers.
    #[serde(default, with = "certificates_base64")]
    pub foreign_chain: Vec<Certificate>,
}

/// Where an issuer stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IssuerState {
    /// Issues.
    Active,
    /// A newer generation issues; this one signs CRLs and OCSP answers.
    Superseded,
    /// Issues no more; its status goes on.
    Retired,
    /// Its key is not here.
    Offline,
}

/// The record of a new authority with one generation.
pub(crate) fn authority_of(
    issuer: &IssuerRecord,
    answers: &AuthorityAnswers,
    parent: Option<String>,
) -> Authority {
    Authority {
        name: answers.name.clone(),
        title: common_name(issuer),
        purpose: answers
            .purpose
            .clone()
            .unwrap_or_else(|| answers.name.clone()),
        subject: issuer.certificate.subject().to_string(),
        state: AuthorityState::Active,
        parent,
        issuer: issuer.id.clone(),
        generations: vec![issuer.id.clone()],
        path_length: Some(answers.path_length),
        name_constraints: answers.constraints.clone(),
    }
}

/// The record of a new root.
pub(crate) fn root_authority(issuer: &IssuerRecord, online: bool) -> Authority {
    Authority {
        name: issuer.authority.clone(),
        title: common_name(issuer),
        purpose: "root".to_owned(),
        subject: issuer.certificate.subject().to_string(),
        state: if online {
            AuthorityState::Active
        } else {
            AuthorityState::Offline
        },
        parent: None,
        issuer: issuer.id.clone(),
        generations: vec![issuer.id.clone()],
        path_length: None,
        name_constraints: Constraints::default(),
    }
}

fn common_name(issuer: &IssuerRecord) -> String {
    let subject = issuer.certificate.subject();
    subject.common_name().unwrap_or_default().into_owned()
}

pub(crate) mod certificate_base64 {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};
    use x509::Certificate;

    pub(crate) fn serialize<S: Serializer>(c: &Certificate, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&STANDARD.encode(c.der()))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Certificate, D::Error> {
        let text = String::deserialize(d)?;
        let der = STANDARD.decode(text).map_err(D::Error::custom)?;
        Certificate::from_der(&der).map_err(D::Error::custom)
    }
}

pub(crate) mod certificates_base64 {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};
    use x509::Certificate;

    pub(crate) fn serialize<S: Serializer>(list: &[Certificate], s: S) -> Result<S::Ok, S::Error> {
        s.collect_seq(list.iter().map(|c| STANDARD.encode(c.der())))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        d: D,
    ) -> Result<Vec<Certificate>, D::Error> {
        let texts = Vec::<String>::deserialize(d)?;
        let read = |text: String| {
            let der = STANDARD.decode(text).map_err(D::Error::custom)?;
            Certificate::from_der(&der).map_err(D::Error::custom)
        };
        texts.into_iter().map(read).collect()
    }
}
