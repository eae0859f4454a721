//! A directory: one door of the ACME server, with its own authority, profiles, challenges and limits (RFC 8555 §7.1.1).

use std::collections::HashMap;
use std::sync::Arc;

use access::{NamePattern, Refusal, Role};
use agent::control::{ChallengeKind, Rules};
use ca::profile::{AttributeSource, NameKind};
use ca::{AuthorityState, Ca, Profile};
use serde::{Deserialize, Serialize};
use store::{Snapshot, Store};

use super::{AcmeError, Limits, RenewalPolicy};

/// The kind under which directories are kept.
pub const DIRECTORY_RECORDS: &str = "acme-directory";

/// Whether an account must be bound to somebody whom the house knows (RFC 8555 §7.3.4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ExternalAccount {
    #[default]
    Required,
    Optional,
    Off,
}

/// A profile that orders may name (draft-ietf-acme-profiles). Its ACME name is Ward's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Offer {
    pub profile: String,
    #[serde(default)]
    pub description: String,
}

/// A directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Directory {
    pub name: String,
    /// `None`: the profile's own.
    pub authority: Option<String>,
    /// The first is the default.
    pub profiles: Vec<Offer>,
    pub external_account: ExternalAccount,
    pub challenges: Vec<ChallengeKind>,
    /// Empty means any.
    pub names: Vec<NamePattern>,
    pub wildcards: bool,
    pub terms_of_service: Option<String>,
    pub website: Option<String>,
    /// Empty: CAA is not checked.
    pub caa_identities: Vec<String>,
    pub validation: Rules,
    /// Seconds.
    pub order_lifetime: u64,
    /// Seconds; counts for revocation as well (RFC 8555 §7.6).
    pub authorization_lifetime: u64,
    /// Seconds for which a proof serves further orders; 0: every order proves anew.
    pub reuse: u64,
    pub limits: Limits,
    pub renewal: RenewalPolicy,
    pub enabled: bool,
}

impl Default for Directory {
    fn default() -> Self {
        Directory {
            name: String::new(),
            authority: None,
            profiles: Vec::new(),
            external_account: ExternalAccount::Required,
            challenges: ChallengeKind::ALL.to_vec(),
            names: Vec::new(),
            wildcards: true,
            terms_of_service: None,
            website: None,
            caa_identities: Vec::new(),
            validation: Rules::default(),
            order_lifetime: 7 * 86_400,
            authorization_lifetime: 30 * 86_400,
            reuse: 0,
            limits: Limits::default(),
            renewal: RenewalPolicy::default(),
            enabled: true,
        }
    }
}

const MINUTE: u64 = 60;
const DAY: u64 = 86_400;
/// Part of URLs and of every line of metrics.
const LONGEST_NAME: usize = 32;
const MOST_PROFILES: usize = 32;
const MOST_PATTERNS: usize = 1000;

impl Directory {
    /// What this directory offers under `profile`; its first without a name (draft-ietf-acme-profiles §4).
    pub fn offer(&self, profile: Option<&str>) -> Option<&Offer> {
        match profile {
            None => self.profiles.first(),
            Some(name) => self.profiles.iter().find(|offer| offer.profile == name),
        }
    }

    /// Refuses the first thing that could not work or would hurt.
    pub fn check(&self, ca: &Ca) -> Result<(), Refusal> {
        self.check_names()?;
        self.check_times()?;
        if self.profiles.is_empty() || self.profiles.len() > MOST_PROFILES {
            return Err(refusal(
                "profiles",
                "a directory offers certificates of at least one profile",
            )
            .accepted(format!(
                "1 to {MOST_PROFILES} profiles; the first is the default"
            )));
        }
        for (position, offer) in self.profiles.iter().enumerate() {
            if self.profiles[..position]
                .iter()
                .any(|other| other.profile == offer.profile)
            {
                return Err(refusal(
                    "profiles",
                    format!("profile {} stands there twice", offer.profile),
                ));
            }
            let Ok(version) = ca.profile(&offer.profile) else {
                let known = ca
                    .profiles()
                    .iter()
                    .map(|known| known.profile.name().to_owned())
                    .collect::<Vec<_>>();
                return Err(
                    refusal("profiles", format!("there is no profile {}", offer.profile))
                        .accepted(known.join(", ")),
                );
            };
            check_profile(&version.profile)?;
            self.check_authority(ca, &version.profile)?;
        }
        self.validation
            .validate()
            .map_err(|error| refusal("validation", error.to_string()))?;
        self.renewal
            .validate()
            .map_err(|error| refusal("renewal", error.to_string()))
    }

    fn check_names(&self) -> Result<(), Refusal> {
        let slug = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if !(1..=LONGEST_NAME).contains(&self.name.len()) || !self.name.bytes().all(slug) {
            return Err(refusal("name", "a directory's name is part of its URLs")
                .accepted(format!("1 to {LONGEST_NAME} of a-z 0-9 -")));
        }
        if self.names.len() > MOST_PATTERNS {
            return Err(
                refusal("names", "too many patterns").accepted(format!("at most {MOST_PATTERNS}"))
            );
        }
        for (field, url) in [
            ("terms_of_service", &self.terms_of_service),
            ("website", &self.website),
            ("renewal.explanation", &self.renewal.explanation),
        ] {
            let Some(url) = url else { continue };
            let is_url = url.starts_with("https://") || url.starts_with("http://");
            if !is_url
                || url.len() > 500
                || !url
                    .bytes()
                    .all(|byte| byte.is_ascii_graphic() && byte != b'"')
            {
                return Err(refusal(field, format!("{field} is no URL"))
                    .accepted("https://… in printable ASCII"));
            }
        }
        for identity in &self.caa_identities {
            let is_domain = NamePattern::parse(&format!("dns:{identity}")).is_ok()
                && !identity.starts_with(['.', '*']);
            if !is_domain {
                return Err(refusal(
                    "caa_identities",
                    format!("{identity} is no domain (RFC 8659 §4.2)"),
                ));
            }
        }
        if self.challenges.is_empty() {
            return Err(
                refusal("challenges", "there is no way to prove control of a name")
                    .accepted(ChallengeKind::ALL.map(|kind| kind.to_string()).join(", ")),
            );
        }
        Ok(())
    }

    fn check_times(&self) -> Result<(), Refusal> {
        let within =
            |field, found, least: u64, most: u64, accepted| match (least..=most).contains(&found) {
                true => Ok(()),
                false => Err(refusal(field, format!("{field} is {found} s")).accepted(accepted)),
            };
        within(
            "order_lifetime",
            self.order_lifetime,
            5 * MINUTE,
            30 * DAY,
            "300 s (5 minutes) to 2592000 s (30 days)",
        )?;
        within(
            "authorization_lifetime",
            self.authorization_lifetime,
            5 * MINUTE,
            398 * DAY,
            "300 s to 34387200 s (398 days)",
        )?;
        within(
            "reuse",
            self.reuse,
            0,
            self.authorization_lifetime,
            "0, or at most authorization_lifetime",
        )
    }

    fn check_authority(&self, ca: &Ca, profile: &Profile) -> Result<(), Refusal> {
        let serves = |purpose: &str| {
            profile
                .issued_by()
                .iter()
                .any(|wanted| wanted == purpose || wanted == "*")
        };
        let Some(name) = &self.authority else {
            let mut authorities = ca.authorities().into_iter();
            let found = authorities.any(|authority| {
                authority.state == AuthorityState::Active && serves(&authority.purpose)
            });
            return match found {
                true => Ok(()),
                false => Err(refusal(
                    "authority",
                    format!("no authority issues {}", profile.name()),
                )
                .accepted(format!(
                    "an active authority for {}",
                    profile.issued_by().join(" or ")
                ))),
            };
        };
        let Ok(authority) = ca.authority(name) else {
            let known: Vec<String> = ca
                .authorities()
                .into_iter()
                .map(|authority| authority.name)
                .collect();
            return Err(
                refusal("authority", format!("there is no authority {name}"))
                    .accepted(known.join(", ")),
            );
        };
        if authority.state != AuthorityState::Active {
            return Err(refusal("authority", format!("{name} does not issue"))
                .accepted("an active authority"));
        }
        match serves(&authority.purpose) {
            true => Ok(()),
            false => Err(refusal(
                "authority",
                format!(
                    "{name} is for {}, not for profile {}",
                    authority.purpose,
                    profile.name()
                ),
            )
            .accepted(format!(
                "an authority for {}",
                profile.issued_by().join(" or ")
            ))),
        }
    }
}

/// What an ACME client can ask for: names that can be proved, nothing that needs a person.
fn check_profile(profile: &Profile) -> Result<(), Refusal> {
    let name = profile.name();
    if profile.is_authority() {
        return Err(refusal("profiles", format!("{name} makes authorities")));
    }
    if profile.approvals() > 0 {
        return Err(refusal(
            "profiles",
            format!("{name} needs the approval of a person, and a client cannot wait for one"),
        )
        .accepted("a profile with approvals = 0"));
    }
    if !profile.roles().contains(&Role::Issuer) {
        return Err(refusal(
            "profiles",
            format!("{name} is not for issuers, and an account is one"),
        )
        .accepted("a profile whose roles contain issuer"));
    }
    let provable = [NameKind::Dns, NameKind::Ip];
    let may_be_there = |kind| profile.name_rule(kind).is_some_and(|rule| rule.max > 0);
    if !provable.into_iter().any(may_be_there) {
        return Err(refusal(
            "profiles",
            format!("{name} has neither DNS names nor addresses, and ACME proves no others"),
        )
        .accepted("a profile with dns or ip names"));
    }
    let demanded = |kind: &NameKind| profile.name_rule(*kind).is_some_and(|rule| rule.min > 0);
    if let Some(kind) = NameKind::ALL
        .iter()
        .find(|kind| !provable.contains(kind) && demanded(kind))
    {
        return Err(refusal(
            "profiles",
            format!("{name} demands a name of kind {kind}, which ACME cannot prove"),
        ));
    }
    let from_people = profile
        .subject()
        .iter()
        .find(|(_, rule)| rule.required && rule.from == AttributeSource::Request);
    match from_people {
        None => Ok(()),
        Some((attribute, _)) => Err(refusal(
            "profiles",
            format!(
                "{name} demands {attribute} of the request; nothing in an ACME order proves it"
            ),
        )),
    }
}

fn refusal(field: &'static str, message: impl Into<String>) -> Refusal {
    Refusal::new(format!("acme.directory.{field}"), "docs/acme.md", message)
}

/// All directories, as one snapshot that is swapped whole.
pub(crate) struct Directories {
    current: Snapshot<HashMap<String, Arc<Directory>>>,
}

impl Directories {
    pub(crate) async fn load(store: &Store) -> Result<Self, AcmeError> {
        Ok(Directories {
            current: Snapshot::new(read(store).await?),
        })
    }

    /// Reads anew.
    pub(crate) async fn refresh(&self, store: &Store) -> Result<(), AcmeError> {
        self.current.refresh(read(store)).await
    }

    pub(crate) fn find(&self, name: &str) -> Option<Arc<Directory>> {
        self.current.get().get(name).cloned()
    }
}

async fn read(store: &Store) -> Result<HashMap<String, Arc<Directory>>, AcmeError> {
    let mut all = HashMap::new();
    for record in store.records(DIRECTORY_RECORDS).await? {
        let directory: Directory =
            serde_json::from_str(&record.body).map_err(|error| AcmeError::Stored {
                kind: "directory",
                id: record.id.clone(),
                why: error.to_string(),
            })?;
        all.insert(record.id, Arc::new(directory));
    }
    Ok(all)
}
