//! From a request to the exact bytes to be signed: every rule of the profile, the issuer and the
//! permit is applied here, without I/O. What passes is a [`Plan`]; what does not is a [`Refusal`]
//! that names the rule.

use std::sync::Arc;

use access::{Permit, Refusal};
use audit::Timestamp;
use x509::ext::{BasicConstraints, KeyUsage, SubjectAltName};
use x509::{CertificationRequest, GeneralName, KeyAlgorithm, Name, PublicKey, Time, oids};

use super::names::{self, Names};
use super::request::{Backdate, IssueRequest, Source};
use super::subject;
use super::text::check_text;
use crate::authority::{Authority, AuthorityState, IssuerState, check_standing};
use crate::profile::{AttributeSource, Duration, NameKind, Profile, ProfileVersion};
use crate::state::State;
use crate::{Issuer, Settings};

/// Who issues what under which profile: decided before the key is looked at.
pub(crate) struct Route {
    pub(crate) profile: Arc<ProfileVersion>,
    pub(crate) issuer: Arc<Issuer>,
    pub(crate) settings: Arc<Settings>,
    /// "profile server-tls v3": the source of refusals.
    pub(crate) source: String,
}

/// Everything about a certificate but serial number and signature.
pub(crate) struct Plan {
    pub(crate) route: Route,
    pub(crate) key: PublicKey,
    pub(crate) algorithm: KeyAlgorithm,
    pub(crate) subject: Name,
    pub(crate) names: Names,
    pub(crate) not_before: Time,
    pub(crate) not_after: Time,
}

/// Finds profile and issuer, and holds them against the permit.
pub(crate) fn route(
    state: &State,
    permit: &Permit,
    profile: &str,
    authority: Option<&str>,
) -> Result<Route, Refusal> {
    let Some(profile) = state.profiles.get(profile) else {
        let known: Vec<&str> = state.profiles.keys().map(String::as_str).collect();
        return Err(Refusal::new(
            "profile.unknown",
            "profiles",
            format!("there is no profile `{}`", profile.escape_default()),
        )
        .accepted(known.join(", ")));
    };
    let name = profile.profile.name();
    let source = format!("profile {name} v{}", profile.version);
    permit.check_profile(name)?;
    permit.check_roles(profile.profile.roles(), &source)?;
    let Some(settings) = state.settings.clone() else {
        return Err(
            Refusal::new("hierarchy", "ward init", "there is no hierarchy yet")
                .accepted("`ward init` first"),
        );
    };
    let issuer = issuer(state, &profile.profile, &source, authority)?;
    permit.check_authority(&issuer.record().authority)?;
    Ok(Route {
        profile: Arc::clone(profile),
        issuer,
        settings,
        source,
    })
}

fn issuer(
    state: &State,
    profile: &Profile,
    source: &str,
    authority: Option<&str>,
) -> Result<Arc<Issuer>, Refusal> {
    if profile.usage().ocsp_no_check
        && let Some(issuer) = authority.and_then(|name| state.issuers.get(name))
    {
        return for_status(issuer);
    }
    let chosen = match authority {
        Some(name) => named(state, name)?,
        None => usual(state, profile, source)?,
    };
    let serves = |wanted: &String| *wanted == chosen.purpose || wanted == "*";
    if !profile.issued_by().iter().any(serves) {
        let (name, purpose) = (&chosen.name, &chosen.purpose);
        return Err(Refusal::new(
            "authority.purpose",
            source.to_owned(),
            format!("{name} is for {purpose}, not for this profile"),
        )
        .accepted(wanted(profile)));
    }
    check_standing(state, chosen)?;
    let loaded = state.issuers.get(&chosen.issuer);
    match (chosen.state, loaded) {
        (AuthorityState::Active, Some(issuer)) if issuer.record().state == IssuerState::Active => {
            Ok(Arc::clone(issuer))
        }
        (AuthorityState::Retired, _) => Err(Refusal::new(
            "authority.retired",
            "R01",
            format!("{} is retired and issues no more", chosen.name),
        )),
        _ => Err(offline(&chosen.name)),
    }
}

/// An OCSP responder is certified by the very key whose certificates it answers for (RFC 6960
/// §4.2.2.2): this generation, however old, as long as its key is here.
fn for_status(issuer: &Arc<Issuer>) -> Result<Arc<Issuer>, Refusal> {
    match issuer.record().state {
        IssuerState::Offline => Err(offline(issuer.name())),
        IssuerState::Active | IssuerState::Superseded | IssuerState::Retired => {
            Ok(Arc::clone(issuer))
        }
    }
}

/// An authority by its name, or by the id of the generation that issues now.
fn named<'a>(state: &'a State, name: &str) -> Result<&'a Authority, Refusal> {
    let by_generation = || {
        state
            .authorities
            .values()
            .find(|authority| authority.issuer == name)
    };
    let found = state.authorities.get(name).or_else(by_generation);
    found.ok_or_else(|| {
        let known: Vec<&str> = state.authorities.keys().map(String::as_str).collect();
        Refusal::new(
            "authority.unknown",
            "authorities",
            format!("there is no authority `{}`", name.escape_default()),
        )
        .accepted(known.join(", "))
    })
}

/// The first active authority with the first purpose that has one.
fn usual<'a>(state: &'a State, profile: &Profile, source: &str) -> Result<&'a Authority, Refusal> {
    let active = |purpose: &String| {
        state.authorities.values().find(|authority| {
            authority.purpose == *purpose && authority.state == AuthorityState::Active
        })
    };
    profile.issued_by().iter().find_map(active).ok_or_else(|| {
        Refusal::new(
            "authority.none",
            source.to_owned(),
            "no active authority has a purpose that this profile is issued by",
        )
        .accepted(wanted(profile))
    })
}

fn wanted(profile: &Profile) -> String {
    format!("an authority for {}", profile.issued_by().join(" or "))
}

fn offline(name: &str) -> Refusal {
    Refusal::new(
        "authority.offline",
        "R01",
        format!("the key of {name} is not here"),
    )
    .accepted("an act with the carried key: create, rotate, cross-sign")
}

/// Names and subject as the request brings them.
pub(crate) struct Asked {
    pub(crate) subject: Name,
    pub(crate) names: Vec<GeneralName>,
}

/// What the request asks for, after the CSR has proved that its key is held.
pub(crate) fn asked_by_csr(
    csr: &CertificationRequest,
    profile: &Profile,
    request: &mut IssueRequest,
) -> Result<Asked, Refusal> {
    csr.verify_proof_of_possession().map_err(csr_refusal)?;
    let constraints: Option<BasicConstraints> = requested(csr)?;
    if constraints.is_some_and(|asked| asked.ca) && !profile.is_authority() {
        return Err(Refusal::new(
            "csr.ca",
            "RFC 5280 §4.2.1.9",
            "the request asks to become a CA",
        )
        .accepted("a request without CA:true, or the profile sub-ca"));
    }
    let usage: Option<KeyUsage> = requested(csr)?;
    let signs = |usage: KeyUsage| {
        usage.contains(KeyUsage::KEY_CERT_SIGN) || usage.contains(KeyUsage::CRL_SIGN)
    };
    if usage.is_some_and(signs) && !profile.is_authority() {
        return Err(Refusal::new(
            "csr.ca",
            "RFC 5280 §4.2.1.3",
            "the request asks for a key that signs certificates or CRLs",
        )
        .accepted("a request without keyCertSign and cRLSign, or the profile sub-ca"));
    }
    let subject = request
        .subject
        .take()
        .unwrap_or_else(|| csr.subject().clone());
    let names = match request.names.take() {
        Some(names) => names,
        None => requested::<SubjectAltName>(csr)?.map_or_else(Vec::new, |names| names.0),
    };
    Ok(Asked { subject, names })
}

fn requested<T: x509::ext::ExtensionValue>(
    csr: &CertificationRequest,
) -> Result<Option<T>, Refusal> {
    csr.ext::<T>().map_err(|error| {
        let name = T::OID.name().unwrap_or("extension");
        Refusal::new(
            "csr.extension",
            "RFC 2985 §5.4.2",
            format!("{name}: {error}"),
        )
    })
}

/// What a CSR breaks, as every caller refuses it.
pub fn csr_refusal(error: x509::CsrError) -> Refusal {
    let refusal = Refusal::new(error.rule, error.clause, error.message);
    match error.accepted {
        Some(accepted) => refusal.accepted(accepted),
        None => refusal,
    }
}

/// A key is made here only where the profile says so: one that never travels cannot be lost on the way.
pub(crate) fn check_server_key(
    state: &State,
    route: &Route,
    request: &IssueRequest,
) -> Result<(), Refusal> {
    let generates = matches!(request.source, Source::Generate { .. });
    if !generates || route.profile.profile.server_keys() {
        return Ok(());
    }
    let allowing: Vec<&str> = state
        .profiles
        .values()
        .filter(|known| known.profile.server_keys())
        .map(|known| known.profile.name())
        .collect();
    Err(Refusal::new(
        "key.on-server",
        route.source.clone(),
        "this profile gives no certificate to a key that is made here",
    )
    .accepted(format!(
        "a CSR with a key of the subscriber's own, or a profile with server-keys = true: {}",
        allowing.join(", ")
    )))
}

/// Applies every rule to key, names, subject and validity.
pub(crate) fn plan(
    state: &State,
    permit: &Permit,
    route: Route,
    key: PublicKey,
    mut asked: Asked,
    request: &IssueRequest,
    now: Timestamp,
) -> Result<Plan, Refusal> {
    let profile = &route.profile.profile;
    let algorithm = check_key(state, profile, &route.source, &key)?;
    adopt_common_name(profile, &mut asked);
    let names = names::check(
        profile,
        &route.source,
        asked.names,
        request.sid.as_deref(),
        request.workstation.as_ref(),
    )?;
    let organization = &route.settings.organization;
    let subject = subject::build(profile, &route.source, &asked.subject, &names, organization)?;
    if subject.is_empty() && names.general.is_empty() {
        return Err(Refusal::new(
            "subject.empty",
            "RFC 5280 §4.1.2.6",
            "the request names nobody",
        ));
    }
    check_scope(permit, &subject, &names)?;
    check_constraints(state, &route.issuer, &names)?;
    check_usage(profile, &route, request)?;
    let (not_before, not_after) = validity(profile, &route, request, now)?;
    Ok(Plan {
        route,
        key,
        algorithm,
        subject,
        names,
        not_before,
        not_after,
    })
}

fn check_key(
    state: &State,
    profile: &Profile,
    source: &str,
    key: &PublicKey,
) -> Result<KeyAlgorithm, Refusal> {
    let accepted = || {
        let list: Vec<String> = profile
            .algorithms()
            .iter()
            .map(ToString::to_string)
            .collect();
        list.join(", ")
    };
    if let Some(weakness) = key.weakness() {
        return Err(Refusal::new(
            "key.weak",
            "R03, NIST SP 800-131Ar2 §3",
            weakness.to_string(),
        )
        .accepted(accepted()));
    }
    let algorithm = KeyAlgorithm::of(key).filter(|found| profile.algorithms().contains(found));
    let Some(algorithm) = algorithm else {
        let found = KeyAlgorithm::of(key).map_or_else(
            || format!("a key of kind {:?}", key.kind()),
            |found| format!("a key of kind {found}"),
        );
        return Err(Refusal::new(
            "key.algorithm",
            source.to_owned(),
            format!("{found} is not for this profile"),
        )
        .accepted(accepted()));
    };
    if state.ca_keys.contains(key.spki_der()) {
        return Err(Refusal::new(
            "key.of-authority",
            "R02",
            "this is the key of one of our own CAs: a certificate for it would let it pose as somebody else",
        )
        .accepted("a key of the subscriber's own"));
    }
    Ok(algorithm)
}

/// Old equipment puts its host name into the common name only.
fn adopt_common_name(profile: &Profile, asked: &mut Asked) {
    let from_dns = profile
        .subject()
        .values()
        .any(|rule| rule.from == AttributeSource::Dns);
    if asked.names.is_empty()
        && (from_dns || profile.min_names() > 0)
        && profile.name_rule(NameKind::Dns).is_some()
        && let Some(common_name) = asked.subject.common_name()
        && let Some(name) = names::dns_from_common_name(&common_name)
    {
        asked.names.push(name);
    }
}

/// A token's names bind everything that a peer may take for a name: the alternative names, and of the
/// subject what databases and brokers read as a user: a common name that is none of them, a serial
/// number, a user id.
fn check_scope(permit: &Permit, subject: &Name, names: &Names) -> Result<(), Refusal> {
    if !permit.limits_names() {
        return Ok(());
    }
    permit.check_names(names.texts.iter().map(String::as_str))?;
    for attribute in subject.attributes() {
        let value = attribute.text();
        let known = |text: &String| {
            text.split_once(':')
                .is_some_and(|(_, name)| name.eq_ignore_ascii_case(&value))
        };
        let name = match attribute.oid {
            oids::COMMON_NAME if !names.texts.iter().any(known) => format!("cn:{value}"),
            oids::SERIAL_NUMBER => format!("dn:serialNumber={value}"),
            oids::USER_ID => format!("dn:UID={value}"),
            _ => continue,
        };
        permit.check_names([name.as_str()])?;
    }
    Ok(())
}

/// The constraints of the issuing authority and of those above it.
fn check_constraints(state: &State, issuer: &Issuer, names: &Names) -> Result<(), Refusal> {
    let mut at = state.authorities.get(&issuer.record().authority);
    // A hierarchy is two or three deep; a cycle in the records must not hang.
    for _ in 0..8 {
        let Some(authority) = at else { break };
        authority
            .name_constraints
            .check(&authority.name, &names.texts)?;
        at = authority
            .parent
            .as_ref()
            .and_then(|parent| state.authorities.get(parent));
    }
    Ok(())
}

fn check_usage(profile: &Profile, route: &Route, request: &IssueRequest) -> Result<(), Refusal> {
    if request.must_staple && !profile.usage().tls_feature_on_request {
        return Err(Refusal::new(
            "usage.must-staple",
            route.source.clone(),
            "this profile has no must-staple",
        ));
    }
    if profile.is_authority() && route.issuer.path_length() == Some(0) {
        return Err(Refusal::new(
            "authority.path-length",
            "RFC 5280 §4.2.1.9",
            format!("no CA may stand below {}", route.issuer.name()),
        )
        .accepted("an authority with a path length above 0"));
    }
    if profile.evidence() && request.evidence.is_empty() {
        return Err(Refusal::new(
            "evidence",
            "R07",
            format!("{} asks for evidence of who or what is named", route.source),
        )
        .accepted("at least one item: a ticket, an asset record, an identity check"));
    }
    for item in &request.evidence {
        check_text(&item.kind)?;
        if item.text.len() > 4096 {
            return Err(
                Refusal::new("evidence.size", "R07", "evidence of more than 4096 bytes")
                    .accepted("a reference and the document's SHA-256"),
            );
        }
    }
    Ok(())
}

fn validity(
    profile: &Profile,
    route: &Route,
    request: &IssueRequest,
    now: Timestamp,
) -> Result<(Time, Time), Refusal> {
    let rules = profile.validity();
    let today = now.0.div_euclid(1000);
    let usual = today - rules.backdate.as_seconds();
    let (earliest, begins) = match request.backdate {
        Backdate::Usual => (usual, None),
        Backdate::Day => (usual.min(today - 86_400), Some(usual)),
        Backdate::Issuer => (i64::MIN, Some(usual)),
    };
    let not_before = beginning(route, request, earliest, today)?;
    // What is dated back ends when it would have ended otherwise.
    let counted = Time(begins.map_or(not_before.0, |begins| begins.max(not_before.0)));
    let asked = match request.not_after {
        Some(end) => Duration::seconds(end.0.saturating_sub(counted.0).saturating_add(1)),
        None => request.validity.unwrap_or(rules.default),
    };
    let limit = match (&request.exception, rules.exception_max) {
        (Some(exception), Some(longer)) => {
            check_text(&exception.owner)?;
            check_text(&exception.reason)?;
            longer
        }
        (Some(_), None) => {
            return Err(Refusal::new(
                "validity.exception",
                route.source.clone(),
                "this profile has no exceptions",
            )
            .accepted(format!("at most {}", rules.max)));
        }
        (None, _) => rules.max,
    };
    if asked > limit || asked.as_seconds() <= rules.backdate.as_seconds() {
        let longer = rules.exception_max.filter(|_| request.exception.is_none());
        let with = longer.map_or_else(String::new, |longer| {
            format!("; up to {longer} with an exception: owner, reason, end (R05)")
        });
        return Err(Refusal::new(
            "validity",
            route.source.clone(),
            format!("a validity of {asked}"),
        )
        .accepted(format!(
            "more than {} and at most {limit}{with}",
            rules.backdate
        )));
    }
    // Both ends belong to the validity (RFC 5280 §4.1.2.5).
    let mut not_after = Time(counted.0 + asked.as_seconds() - 1).min(route.issuer.not_after());
    if let Some(end) = request.service_life_ends {
        not_after = not_after.min(end);
    }
    if not_after.0 <= today {
        return Err(Refusal::new(
            "validity.over",
            "R05",
            format!("the issuer or the asset's service life ends at {not_after}"),
        ));
    }
    Ok((not_before, not_after))
}

/// How far ahead a certificate may begin: for a change of equipment that has a date.
const AHEAD_SECONDS: i64 = 30 * 86_400;

/// `earliest` is a little before `today`, because the clocks of those who verify differ.
fn beginning(
    route: &Route,
    request: &IssueRequest,
    earliest: i64,
    today: i64,
) -> Result<Time, Refusal> {
    let earliest = Time(earliest).max(route.issuer.certificate().not_before());
    let latest = Time(today + AHEAD_SECONDS);
    match request.not_before {
        None => Ok(earliest),
        Some(asked) if (earliest..=latest).contains(&asked) => Ok(asked),
        Some(asked) => Err(Refusal::new(
            "validity.begin",
            route.source.clone(),
            format!("a validity from {asked}"),
        )
        .accepted(format!("{earliest} to {latest}"))),
    }
}
