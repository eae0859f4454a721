//! Recalls: an operator wants certificates replaced now, before anything is revoked (R15). Renewal information then puts
//! their windows into the past (RFC 9773 §4.2), and clients that follow it renew at their next look.

use access::NamePattern;
use ca::StoredCertificate;
use serde::{Deserialize, Serialize};
use store::{Snapshot, Store};

use super::AcmeError;

/// The kind under which recalls are kept.
pub const RECALL_RECORDS: &str = "acme-recall";

/// Which certificates. Every field that is given narrows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Recalled {
    /// Of this authority (every generation) or this generation of one.
    pub issuer: Option<String>,
    pub profile: Option<String>,
    /// With a name that matches one of these.
    pub names: Vec<NamePattern>,
    /// With one of these serial numbers, lower-case hex.
    pub serials: Vec<String>,
    /// Issued before this, Unix milliseconds. Never later than the recall itself, so that a replacement is not recalled.
    pub issued_before: Option<i64>,
}

/// A recall.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recall {
    /// `recall-` and eight hexadecimal digits.
    pub id: String,
    pub which: Recalled,
    pub why: String,
    /// A page for the people behind the clients (RFC 9773 §4.2, `explanationURL`).
    pub explanation: Option<String>,
    /// Unix milliseconds.
    pub created: i64,
    pub created_by: String,
    /// Unix milliseconds.
    pub ended: Option<i64>,
}

impl Recalled {
    /// Whether nothing narrows it.
    pub fn is_everything(&self) -> bool {
        self.issuer.is_none()
            && self.profile.is_none()
            && self.names.is_empty()
            && self.serials.is_empty()
    }

    /// Whether it names this certificate.
    pub fn matches(&self, certificate: &StoredCertificate) -> bool {
        let of_issuer = |issuer: &String| {
            let generation = certificate.issuer.strip_prefix(issuer.as_str());
            generation.is_some_and(|rest| rest.is_empty() || is_generation(rest))
        };
        let named =
            |pattern: &NamePattern| certificate.names.iter().any(|name| pattern.matches(name));
        self.issuer.as_ref().is_none_or(of_issuer)
            && self
                .profile
                .as_ref()
                .is_none_or(|profile| *profile == certificate.profile)
            && (self.names.is_empty() || self.names.iter().any(named))
            && (self.serials.is_empty() || self.serials.contains(&hex::encode(&certificate.serial)))
            && self
                .issued_before
                .is_none_or(|end| certificate.issued_at < end)
    }
}

/// `-g2` and so on: what follows the authority's name in the id of a later generation.
fn is_generation(rest: &str) -> bool {
    rest.strip_prefix("-g").is_some_and(|number| {
        !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
    })
}

impl Recall {
    /// Whether it is in force and names this certificate.
    pub fn covers(&self, certificate: &StoredCertificate) -> bool {
        self.ended.is_none()
            && certificate.issued_at < self.created
            && self.which.matches(certificate)
    }
}

/// The recalls in force, as one snapshot that is swapped whole.
pub(crate) struct Recalls {
    current: Snapshot<Vec<Recall>>,
}

impl Recalls {
    pub(crate) async fn load(store: &Store) -> Result<Self, AcmeError> {
        Ok(Recalls {
            current: Snapshot::new(in_force(store).await?),
        })
    }

    /// Reads anew.
    pub(crate) async fn refresh(&self, store: &Store) -> Result<(), AcmeError> {
        self.current.refresh(in_force(store)).await
    }

    /// The first recall that covers a certificate.
    pub(crate) fn of(&self, certificate: &StoredCertificate) -> Option<Recall> {
        self.current
            .get()
            .iter()
            .find(|recall| recall.covers(certificate))
            .cloned()
    }
}

async fn in_force(store: &Store) -> Result<Vec<Recall>, AcmeError> {
    let all = all(store).await?;
    Ok(all
        .into_iter()
        .map(|(recall, _)| recall)
        .filter(|recall| recall.ended.is_none())
        .collect())
}

/// Every recall with its version, ended ones included.
pub(crate) async fn all(store: &Store) -> Result<Vec<(Recall, u64)>, AcmeError> {
    let records = store.records(RECALL_RECORDS).await?;
    let read = |record: store::Record| Ok((record.parse()?, record.version));
    records.into_iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use ca::CertificateState;
    use x509::Time;

    use super::*;

    fn certificate() -> StoredCertificate {
        StoredCertificate {
            id: 1,
            issuer: "servers-g2".to_owned(),
            serial: vec![0x4f, 0x0a],
            sha256: [0; 32],
            profile: "server-tls".to_owned(),
            profile_version: 1,
            subject: String::new(),
            names: vec!["dns:pacs.example.org".to_owned(), "ip:10.20.0.9".to_owned()],
            not_before: Time(0),
            not_after: Time(1),
            issued_at: 1000,
            partition: 0,
            requester: String::new(),
            state: CertificateState::Issued,
            revoked_at: None,
            reason: None,
            der: Vec::new(),
        }
    }

    #[test]
    fn every_field_narrows() {
        let name = |text: &str| vec![NamePattern::parse(text).unwrap()];
        let which = Recalled::default;
        let table = [
            (which(), true),
            (
                Recalled {
                    issuer: Some("servers".into()),
                    ..which()
                },
                true,
            ),
            (
                Recalled {
                    issuer: Some("servers-g2".into()),
                    ..which()
                },
                true,
            ),
            (
                Recalled {
                    issuer: Some("servers-g1".into()),
                    ..which()
                },
                false,
            ),
            (
                Recalled {
                    issuer: Some("server".into()),
                    ..which()
                },
                false,
            ),
            (
                Recalled {
                    profile: Some("server-tls".into()),
                    ..which()
                },
                true,
            ),
            (
                Recalled {
                    profile: Some("api-tls".into()),
                    ..which()
                },
                false,
            ),
            (
                Recalled {
                    names: name("*.example.org"),
                    ..which()
                },
                true,
            ),
            (
                Recalled {
                    names: name("ip:10.20.0.0/16"),
                    ..which()
                },
                true,
            ),
            (
                Recalled {
                    names: name("*.example.net"),
                    ..which()
                },
                false,
            ),
            (
                Recalled {
                    serials: vec!["4f0a".into()],
                    ..which()
                },
                true,
            ),
            (
                Recalled {
                    serials: vec!["4f0b".into()],
                    ..which()
                },
                false,
            ),
            (
                Recalled {
                    issued_before: Some(1001),
                    ..which()
                },
                true,
            ),
            (
                Recalled {
                    issued_before: Some(1000),
                    ..which()
                },
                false,
            ),
            (
                Recalled {
                    issuer: Some("servers".into()),
                    profile: Some("api-tls".into()),
                    ..which()
                },
                false,
            ),
        ];
        for (which, expected) in table {
            assert_eq!(which.matches(&certificate()), expected, "{which:?}");
        }
    }

    #[test]
    fn a_replacement_is_not_recalled_and_an_ended_recall_covers_nothing() {
        let recall = |created, ended| Recall {
            id: "recall-00000000".into(),
            which: Recalled::default(),
            why: String::new(),
            explanation: None,
            created,
            created_by: String::new(),
            ended,
        };
        assert!(recall(1001, None).covers(&certificate()));
        assert!(!recall(1000, None).covers(&certificate()));
        assert!(!recall(1001, Some(1002)).covers(&certificate()));
    }
}
