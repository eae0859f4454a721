//! How an agent comes in: a ticket that is good once, a certificate for a key that it made itself, its renewal.

use std::sync::Arc;

use access::{Action, NamePattern, Permit, Principal, Refusal, Scope, Target};
use agent::observation::Form;
use agent::relay::{Ceiling, Renewed, Ticket};
use agent::scan::Service;
use audit::merkle::sha256;
use audit::{Event, Object, Timestamp};
use ca::profile::Duration;
use ca::revocation::Revocation;
use ca::{Along, CaError, IssueRequest, Outcome};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::{StoreError, Write};
use x509::crl::Reason;
use x509::{Certificate, CertificationRequest, GeneralName, Name};

use super::{
    AGENT_RECORDS, Agent, AgentState, Held, SOURCE, Spendable, StoredAgent, check_name, note_fits,
};
use crate::{Fleet, FleetError, Result, StoredSegment, random};

/// What agents are certified by: clients of Ward's own, known by a name that nothing else has.
const PROFILE: &str = "client-tls";
/// Renewed after two thirds of it, so an agent may be cut off for ten days and come back by itself.
const LIFETIME: &str = "30d";
/// How a ticket's secret begins, so that one that is lost is known for what it is.
const SECRET: &str = "wardagent_";

/// An agent to be invited.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Invitation {
    pub name: String,
    pub segment: String,
    #[serde(default)]
    pub note: String,
    /// When the ticket ends, Unix milliseconds.
    pub expires: i64,
    /// How long its certificates live: `30d`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifetime: Option<String>,
    /// `https://` and where the agent reaches this Ward.
    pub core: String,
}

/// An agent that has shown the certificate that stands in its record.
#[derive(Clone, Debug)]
pub struct KnownAgent {
    pub stored: StoredAgent,
    pub(super) principal: Arc<Principal>,
    request_id: Option<String>,
}

impl Fleet {
    /// Makes a ticket for an agent: for a new one, or for one that lost its folder. The agent's segment says how far it may
    /// ever be ordered.
    pub async fn invite_agent(
        &self,
        permit: Permit,
        wanted: Invitation,
        now: Timestamp,
    ) -> Result<(StoredAgent, Ticket)> {
        let action = "agent.invite";
        let object = Object::new("agent", wanted.name.chars().take(63).collect::<String>());
        let segment = self.segment(&wanted.segment).await;
        let checked = permit
            .require(Action::RunDiscovery)
            .and_then(|()| check_name(&wanted.name))
            .and_then(|()| check_invitation(&wanted, now));
        self.checked(&permit, action, &object, checked, now).await?;
        let segment = segment?;
        let known = self.store().record(AGENT_RECORDS, &wanted.name).await?;
        let known = known.as_ref().map(super::read).transpose()?;
        let secret = format!("{SECRET}{}", hex::encode(random::<32>()?));
        let mut agent = match &known {
            Some(known) => known.agent.clone(),
            None => Agent {
                name: wanted.name.clone(),
                segment: String::new(),
                note: String::new(),
                state: AgentState::Invited,
                ceiling: Ceiling::default(),
                lifetime: LIFETIME.to_owned(),
                enrolments: 0,
                certificates: Vec::new(),
                ticket: None,
                why: None,
            },
        };
        agent.segment.clone_from(&wanted.segment);
        agent.note.clone_from(&wanted.note);
        agent.ceiling = ceiling(&segment);
        agent.lifetime = wanted
            .lifetime
            .clone()
            .unwrap_or_else(|| LIFETIME.to_owned());
        agent.ticket = Some(Spendable {
            sha256: hex::encode(sha256(secret.as_bytes())),
            expires: wanted.expires,
            spent_on: None,
        });
        let ticket = Ticket {
            v: Form,
            core: wanted.core,
            agent: agent.name.clone(),
            segment: agent.segment.clone(),
            token: secret,
            roots: self.roots(),
            order_key: hex::encode(self.ca.notary().await?.verifier_key().public()),
            ceiling: agent.ceiling.clone(),
        };
        let version = known.as_ref().map_or(0, |known| known.version);
        let mut event = Event::new(now, permit.actor().clone(), action, object)
            .after(json!(agent.clone().without_hash()));
        if let Some(known) = known {
            event = event.before(json!(known.agent.without_hash()));
        }
        let write = Write::new(permit.joined(event))?;
        let write = write.put_record(AGENT_RECORDS, &agent.name, version, &agent, now)?;
        self.store().commit(write).await?;
        Ok((self.agent(&agent.name).await?, ticket))
    }

    /// Certifies the key of an agent that comes with its ticket. With the same ticket and the same key again, the same
    /// certificate: the answer may have been lost.
    pub async fn enrol_agent(
        &self,
        name: &str,
        token: &str,
        csr: &str,
        request_id: Option<&str>,
        now: Timestamp,
    ) -> Result<Renewed> {
        // Who is not invited is not told so, and nothing is written: anybody can ask.
        let stored = match check_name(name) {
            Ok(()) => self.agent(name).await,
            Err(_) => Err(FleetError::not_found("agent", "")),
        };
        let stored = match stored {
            Err(FleetError::NotFound { .. }) => return Err(no_ticket().into()),
            other => other?,
        };
        let known = self.known(stored, request_id);
        let permit = known.permit(self, Action::IssueCertificate)?;
        let agent = &known.stored.agent;
        let spent = match check_ticket(agent, token, now) {
            Ok(spent) => spent,
            // An agent without a live ticket has nothing to guess: that is no event, or anybody could fill the log.
            Err(refusal) if agent.ticket.as_ref().is_none_or(|it| it.expires <= now.0) => {
                return Err(refusal.into());
            }
            Err(refusal) => {
                return Err(self
                    .agent_refused(&permit, "agent.enrol", name, refusal, now)
                    .await);
            }
        };
        let csr = match request(csr) {
            Ok(csr) => csr,
            Err(refusal) => {
                return Err(self
                    .agent_refused(&permit, "agent.enrol", name, refusal, now)
                    .await);
            }
        };
        let key = hex::encode(sha256(csr.public_key().spki_der()));
        if let Some(spent_on) = spent {
            let held = agent.certificates.first().filter(|held| held.key == key);
            return match held.filter(|_| spent_on == key) {
                Some(held) => self.again(held).await,
                None => Err(self
                    .agent_refused(&permit, "agent.enrol", name, no_ticket(), now)
                    .await),
            };
        }
        let before = agent.clone();
        let mut after = agent.clone();
        after.state = AgentState::Active;
        after.why = None;
        after.enrolments += 1;
        after.certificates.clear();
        if let Some(ticket) = &mut after.ticket {
            ticket.spent_on = Some(key);
        }
        let renewed = self
            .certify(permit, &known, after, csr, "agent.enrol", now)
            .await?;
        // Whoever enrols anew has lost what it was: its old keys are no longer good for anything.
        if !before.certificates.is_empty() {
            let system = self.access().system_principal("agents");
            let permit = self
                .access()
                .decide(&system, Action::RunDiscovery, &Target::default())?;
            self.revoke_certificates(&permit, &before, "the agent has enrolled anew", now)
                .await?;
        }
        Ok(renewed)
    }

    /// Certifies the next key of an agent. The certificate before is good until the new one is used.
    pub async fn renew_agent(
        &self,
        known: &KnownAgent,
        csr: &str,
        now: Timestamp,
    ) -> Result<Renewed> {
        let permit = known.permit(self, Action::IssueCertificate)?;
        let agent = &known.stored.agent;
        let csr = match request(csr) {
            Ok(csr) => csr,
            Err(refusal) => {
                return Err(self
                    .agent_refused(&permit, "agent.renew", &agent.name, refusal, now)
                    .await);
            }
        };
        let key = hex::encode(sha256(csr.public_key().spki_der()));
        if let Some(held) = agent.certificates.first().filter(|held| held.key == key) {
            return self.again(held).await;
        }
        self.certify(permit, known, agent.clone(), csr, "agent.renew", now)
            .await
    }

    /// Who shows `leaf`: the agent in whose record it stands, alive.
    pub async fn agent_of(
        &self,
        leaf: &[u8],
        request_id: Option<&str>,
        now: Timestamp,
    ) -> Result<KnownAgent> {
        let name = Certificate::from_der(leaf).ok().and_then(|certificate| {
            let lives = certificate.is_valid_at(x509::Time(now.seconds()));
            name_in(&certificate).filter(|_| lives)
        });
        let stored = match name {
            Some(name) => self.agent(&name).await,
            None => Err(FleetError::not_found("agent", "")),
        };
        let stored = match stored {
            Err(FleetError::NotFound { .. }) => return Err(unknown().into()),
            other => other?,
        };
        let digest = hex::encode(sha256(leaf));
        let agent = &stored.agent;
        let position = agent
            .certificates
            .iter()
            .position(|held| held.sha256 == digest);
        match position {
            Some(position) if agent.state == AgentState::Active => {
                let known = self.known(stored, request_id);
                match position == 0 && known.stored.agent.certificates.len() > 1 {
                    true => self.drop_previous(known, now).await,
                    false => Ok(known),
                }
            }
            _ => Err(unknown().into()),
        }
    }

    /// The new certificate is in use: the one before is not needed any more.
    async fn drop_previous(&self, known: KnownAgent, now: Timestamp) -> Result<KnownAgent> {
        let mut agent = known.stored.agent.clone();
        let previous = agent.certificates.split_off(1);
        let permit = known.permit(self, Action::RunDiscovery)?;
        let object = Object::new("agent", agent.name.as_str());
        let event = Event::new(now, permit.actor().clone(), "agent.renewed", object)
            .after(json!({ "over": previous }));
        let write = Write::new(permit.joined(event))?;
        let version = known.stored.version;
        let write = write.put_record(AGENT_RECORDS, &agent.name, version, &agent, now)?;
        match self.store().commit(write).await {
            // Another of its requests was faster.
            Ok(_) | Err(StoreError::Conflict(_)) => {}
            Err(error) => return Err(error.into()),
        }
        let stored = self.agent(&agent.name).await?;
        Ok(KnownAgent { stored, ..known })
    }

    fn known(&self, stored: StoredAgent, request_id: Option<&str>) -> KnownAgent {
        let name = &stored.agent.name;
        // A name of an agent is a pattern of itself.
        let names = [format!("uri:{}", uri(name)), format!("cn:{name}")];
        let scope = Scope {
            profiles: vec![PROFILE.to_owned()],
            authorities: Vec::new(),
            names: names
                .iter()
                .flat_map(|name| NamePattern::parse(name))
                .collect(),
            ..Scope::default()
        };
        KnownAgent {
            principal: self
                .access()
                .enrolled_principal(&format!("agent-{name}"), scope),
            request_id: request_id.map(str::to_owned),
            stored,
        }
    }

    /// Issues, and keeps the agent as it is with the certificate, in one write.
    async fn certify(
        &self,
        permit: Permit,
        known: &KnownAgent,
        mut after: Agent,
        csr: CertificationRequest,
        action: &'static str,
        now: Timestamp,
    ) -> Result<Renewed> {
        let name = after.name.clone();
        let key = hex::encode(sha256(csr.public_key().spki_der()));
        let mut request = IssueRequest::from_csr(PROFILE, csr);
        let subject: Name = format!("CN={name}")
            .parse()
            .map_err(|_| FleetError::Damaged("agent.name"))?;
        request.subject = Some(subject);
        request.names = Some(vec![GeneralName::Uri(uri(&name))]);
        request.validity = Duration::parse(&after.lifetime);
        request.request_id = known.request_id.clone();
        let version = known.stored.version;
        let actor = permit.actor().clone();
        let joined = known.request_id.clone();
        request.along = Along::new(Ok, move |write, sha256| {
            after.certificates.insert(
                0,
                Held {
                    sha256: hex::encode(sha256),
                    key,
                    issued: now.0,
                },
            );
            after.certificates.truncate(2);
            let object = Object::new("agent", after.name.as_str());
            let mut event = Event::new(now, actor, action, object)
                .digest(*sha256)
                .after(json!(after.clone().without_hash()));
            if let Some(id) = joined {
                event = event.request_id(id);
            }
            write
                .event(event)?
                .put_record(AGENT_RECORDS, &after.name, version, &after, now)
        });
        match self.ca.issue(permit, request, now).await? {
            Outcome::Issued(issued) => Ok(Renewed {
                chain: issued.chain_pem(),
                roots: self.roots(),
            }),
            Outcome::Pending(_) => {
                Err(CaError::Internal("an agent's certificate waits for approval").into())
            }
        }
    }

    /// A certificate that was issued already.
    async fn again(&self, held: &Held) -> Result<Renewed> {
        let mut digest = [0; 32];
        hex::decode_to_slice(&held.sha256, &mut digest)
            .map_err(|_| FleetError::Damaged("agent.certificates"))?;
        let certificate = self.ca.certificate(&digest).await?;
        let certificate = certificate.ok_or(FleetError::Damaged("agent.certificates"))?;
        let mut chain = x509::pem::encode(x509::pem::CERTIFICATE, &certificate.der);
        for above in self.ca.issuer(&certificate.issuer)?.chain().iter() {
            chain.push_str(&above.to_pem());
        }
        Ok(Renewed {
            chain,
            roots: self.roots(),
        })
    }

    /// Ward's own roots, which its listeners' certificates come from.
    fn roots(&self) -> String {
        let issuers = self.ca.issuers();
        let certificates = issuers.iter().map(|issuer| issuer.certificate());
        let roots =
            certificates.filter(|certificate| certificate.subject() == certificate.issuer());
        roots.map(Certificate::to_pem).collect()
    }

    pub(super) async fn revoke_certificates(
        &self,
        permit: &Permit,
        agent: &Agent,
        why: &str,
        now: Timestamp,
    ) -> Result<()> {
        for held in &agent.certificates {
            let certificate = self.ca.find_certificate(&held.sha256).await?;
            if certificate.not_after.0 < now.seconds() {
                continue;
            }
            let target = Target::default();
            let permit = self
                .access()
                .permit(
                    permit.principal(),
                    Action::RevokeCertificate,
                    &target,
                    permit.request_id(),
                    now,
                )
                .await?;
            let revocation = Revocation {
                reason: Reason::CessationOfOperation,
                invalid_since: None,
                why: Some(format!("agent {}: {why}", agent.name)),
                request_id: permit.request_id().map(str::to_owned),
            };
            match self.ca.revoke(permit, &certificate, revocation, now).await {
                Ok(_) => {}
                // A crash came between this and the record, or somebody was faster.
                Err(CaError::Refused(refusal)) if refusal.rule == "revocation.repeated" => {}
                Err(CaError::Store(StoreError::Conflict(_))) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

impl KnownAgent {
    /// What the agent itself may do.
    pub(super) fn permit(&self, fleet: &Fleet, action: Action) -> Result<Permit> {
        // Without a name: those of a certificate are held against its scope when it is issued.
        Ok(fleet
            .access()
            .decide(&self.principal, action, &Target::default())?)
    }
}

/// The name in an agent's certificate.
fn uri(name: &str) -> String {
    format!("urn:ward:agent:{name}")
}

fn name_in(certificate: &Certificate) -> Option<String> {
    let names = certificate.ext::<x509::ext::SubjectAltName>().ok()??;
    names.0.iter().find_map(|name| match name {
        GeneralName::Uri(uri) => uri.strip_prefix("urn:ward:agent:").map(str::to_owned),
        _ => None,
    })
}

/// The most that the segment allows, whatever the hour.
fn ceiling(segment: &StoredSegment) -> Ceiling {
    let segment = &segment.segment;
    let services = Service::list(&segment.ports.join(",")).unwrap_or_default();
    let mut ports: Vec<(u16, u16)> = services.iter().map(|it| (it.port, it.port)).collect();
    ports.sort_unstable();
    ports.dedup();
    // To an agent an empty list is any port, and a segment without ports allows none.
    if ports.is_empty() {
        ports.push((0, 0));
    }
    Ceiling {
        ranges: segment.ranges.clone(),
        ports,
        rate: Some(segment.rate),
        raw_print: segment.raw_print,
    }
}

fn check_invitation(wanted: &Invitation, now: Timestamp) -> Result<(), Refusal> {
    note_fits(&wanted.note)?;
    let life = wanted.expires.saturating_sub(now.0);
    if !(1..=30 * 86_400_000).contains(&life) {
        return Err(
            Refusal::new("agent.ticket", SOURCE, "a ticket ends within 30 days")
                .accepted("1 to 30 days from now"),
        );
    }
    let lifetime = wanted.lifetime.as_deref().unwrap_or(LIFETIME);
    if Duration::parse(lifetime).is_none_or(|it| it.as_seconds() < 3600) {
        let message = format!(
            "`{}` is no life of a certificate",
            lifetime.chars().take(20).collect::<String>().escape_debug()
        );
        return Err(Refusal::new("agent.lifetime", SOURCE, message)
            .accepted("an hour (`1h`) or more; 30d unless said otherwise"));
    }
    let host = wanted.core.strip_prefix("https://").unwrap_or_default();
    if host.is_empty()
        || host.contains(['/', '?', '#', '@'])
        || host.chars().any(|c| c.is_control() || c.is_whitespace())
    {
        return Err(Refusal::new("agent.core", SOURCE, "agents come over HTTPS")
            .accepted("https:// with a host and a port: https://ward.example.org:8443"));
    }
    Ok(())
}

/// Whether a ticket is this agent's, and what it was spent on.
fn check_ticket(agent: &Agent, token: &str, now: Timestamp) -> Result<Option<String>, Refusal> {
    let ticket = agent.ticket.as_ref().ok_or_else(no_ticket)?;
    let given = sha256(token.as_bytes());
    let mut expected = [0; 32];
    let readable = hex::decode_to_slice(&ticket.sha256, &mut expected).is_ok();
    let same = aws_lc_rs::constant_time::verify_slices_are_equal(&given, &expected).is_ok();
    match readable && same && now.0 < ticket.expires {
        true => Ok(ticket.spent_on.clone()),
        false => Err(no_ticket()),
    }
}

fn request(csr: &str) -> Result<CertificationRequest, Refusal> {
    let csr = CertificationRequest::from_pem(csr.as_bytes()).map_err(ca::csr_refusal)?;
    csr.verify_proof_of_possession().map_err(ca::csr_refusal)?;
    Ok(csr)
}

fn no_ticket() -> Refusal {
    Refusal::new(
        "agent.ticket",
        SOURCE,
        "this ticket is not good here: it is unknown, spent or over",
    )
    .accepted("a ticket made by `ward agent invite`, used once within its time")
}

fn unknown() -> Refusal {
    Refusal::new(
        "agent.unknown",
        SOURCE,
        "no agent is known by this certificate: it was revoked, has expired, or is another's",
    )
    .accepted("the certificate that the agent was last given; or a new enrolment")
}
