//! An enrolment endpoint: a door for devices, with its own profile, protocols and rules. Its name is EST label, SCEP name
//! and CMP profile label alike.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

use access::Refusal;
use ca::profile::Class;
use ca::{AuthorityState, Ca, Issuer};
use serde::{Deserialize, Serialize};
use store::{Snapshot, Store};

use super::{Chain, CsrAttributes, DeviceError, Webhook};
use crate::acme::Rate;

/// The kind under which endpoints are kept.
pub const ENDPOINT_RECORDS: &str = "enrolment-endpoint";
/// The endpoint that paths without a label belong to.
pub(crate) const DEFAULT: &str = "default";

/// An endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Endpoint {
    pub name: String,
    pub enabled: bool,
    /// `None`: the profile's own.
    pub authority: Option<String>,
    pub profile: String,
    pub protocols: Protocols,
    pub unregistered: Unregistered,
    pub approval: Approval,
    pub names: NamesFrom,
    /// Where a request says which device it is for, in this order.
    pub serial_from: Vec<SerialField>,
    pub renewal: Renewal,
    /// How much of its chain goes along with a certificate.
    pub chain: Chain,
    pub est: EstPolicy,
    pub scep: ScepPolicy,
    pub cmp: CmpPolicy,
    pub webhook: Option<Webhook>,
    /// From where it may be reached; empty means from anywhere.
    pub networks: Vec<Network>,
    pub limits: EndpointLimits,
    pub note: String,
}

impl Default for Endpoint {
    fn default() -> Self {
        Endpoint {
            name: String::new(),
            enabled: true,
            authority: None,
            profile: String::new(),
            protocols: Protocols::default(),
            unregistered: Unregistered::Refuse,
            approval: Approval::Never,
            names: NamesFrom::Register,
            serial_from: SerialField::ALL.to_vec(),
            renewal: Renewal::default(),
            chain: Chain::default(),
            est: EstPolicy::default(),
            scep: ScepPolicy::default(),
            cmp: CmpPolicy::default(),
            webhook: None,
            networks: Vec::new(),
            limits: EndpointLimits::default(),
            note: String::new(),
        }
    }
}

impl Endpoint {
    /// The issuer that its certificates come from now.
    pub fn issuer(&self, ca: &Ca) -> Result<Arc<Issuer>, DeviceError> {
        issuer(ca, self)
    }

    /// Where its devices come in, below a server's address.
    pub fn paths(&self) -> Vec<String> {
        let (name, protocols) = (&self.name, self.protocols);
        let mut paths = Vec::new();
        if protocols.est {
            paths.push(format!("/.well-known/est/{name}"));
        }
        if protocols.scep {
            paths.push(format!("/scep/{name}"));
            if self.scep.ndes {
                paths.push("/certsrv/mscep/mscep.dll".to_owned());
            }
        }
        if protocols.cmp {
            paths.push(format!("/.well-known/cmp/p/{name}"));
        }
        paths
    }
}

/// Which protocols an endpoint speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Protocols {
    pub est: bool,
    pub scep: bool,
    pub cmp: bool,
}

/// What happens to a request for a serial that is not in the register.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unregistered {
    #[default]
    Refuse,
    /// It waits for somebody who looks at the device and then at the request.
    Wait,
}

/// Whether every first enrolment waits for a person.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Approval {
    #[default]
    Never,
    Always,
}

/// Where the names in a certificate come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NamesFrom {
    /// All that the register knows and the profile allows.
    #[default]
    Register,
    /// Those of the request, as far as the register knows them.
    Request,
}

/// A place in a request where the device's serial number may stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SerialField {
    /// The subject's serialNumber attribute (2.5.4.5).
    SubjectSerialNumber,
    /// hardwareModuleName among the alternative names (RFC 4108 §5).
    HardwareModule,
    /// A UDI URI among the alternative names.
    Udi,
    CommonName,
}

impl SerialField {
    pub const ALL: [SerialField; 4] = [
        SerialField::SubjectSerialNumber,
        SerialField::HardwareModule,
        SerialField::Udi,
        SerialField::CommonName,
    ];
}

/// What a renewal is held to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Renewal {
    /// Percent of the certificate's life after which it may be renewed; 0 is at any time.
    pub from: u8,
    /// Seconds after its end during which it still speaks for its device.
    pub grace: u32,
    pub key: RenewalKey,
    pub previous: Previous,
}

impl Default for Renewal {
    fn default() -> Self {
        Renewal {
            from: 0,
            grace: 0,
            key: RenewalKey::Either,
            previous: Previous::default(),
        }
    }
}

/// The key of a renewed certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RenewalKey {
    New,
    Same,
    #[default]
    Either,
}

/// What becomes of the certificate that was renewed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Previous {
    /// Revoked as superseded after so many seconds: the device may need it until it has restarted.
    RevokeAfter(u32),
    RevokeAtOnce,
    Keep,
}

impl Default for Previous {
    fn default() -> Self {
        Previous::RevokeAfter(7 * 86_400)
    }
}

/// EST's own rules.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EstPolicy {
    /// Keys may be made here (RFC 7030 §4.4).
    pub server_keygen: bool,
    /// Answers come in one line of base64, for clients that cannot read lines (strongSwan before 6).
    pub one_line: bool,
    /// What `csrattrs` tells devices to ask for.
    pub csr_attributes: CsrAttributes,
}

/// SCEP's own rules.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ScepPolicy {
    /// 3DES, SHA-1 and MD5, for devices that know nothing better.
    pub legacy: bool,
    /// Answers where a Windows server did: `/certsrv/mscep/mscep.dll`.
    pub ndes: bool,
}

/// CMP's own rules.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CmpPolicy {
    /// A device that asks for it need not confirm its certificate (RFC 9810 §5.1.1.1).
    pub implicit_confirm: bool,
    /// Seconds within which the others have to; an unconfirmed certificate is revoked.
    pub confirm_within: u32,
    /// Seconds by which a device's clock may be wrong; `None` is any number. One that was never set does not count.
    pub clock_tolerance: Option<u32>,
    /// Questions for CA certificates and CRLs, which are published anyway, need no protection.
    pub open_information: bool,
}

impl Default for CmpPolicy {
    fn default() -> Self {
        CmpPolicy {
            implicit_confirm: true,
            confirm_within: 3600,
            clock_tolerance: Some(43_200),
            open_information: false,
        }
    }
}

/// How much may be tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EndpointLimits {
    /// Wrong credentials from one address (IPv6: one /64), after which it gets no answer but "later".
    pub wrong_per_peer: Rate,
    /// Wrong credentials from anywhere.
    pub wrong: Rate,
    /// Requests that wait for a person, at any time.
    pub pending: u32,
    /// Certificates for one asset within 24 hours, and requests of it that wait; 0 is any number.
    pub per_asset_per_day: u32,
}

impl Default for EndpointLimits {
    fn default() -> Self {
        EndpointLimits {
            wrong_per_peer: Rate::new(20, 600),
            wrong: Rate::new(1000, 600),
            pending: 1000,
            per_asset_per_day: 20,
        }
    }
}

/// A range of addresses, `10.20.0.0/16`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

impl Network {
    /// Whether an address is in it. An IPv4 address that came in as `::ffff:a.b.c.d` is one of IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        let bits = |address: IpAddr| match address.to_canonical() {
            IpAddr::V4(v4) => (u128::from(v4.to_bits()) << 96, 32),
            IpAddr::V6(v6) => (v6.to_bits(), 128),
        };
        let ((network, width), (found, found_width)) = (bits(self.address), bits(address));
        let shift = 128 - u32::from(self.prefix);
        let head = |value: u128| value.checked_shr(shift).unwrap_or(0);
        width == found_width && head(network) == head(found)
    }
}

impl FromStr for Network {
    type Err = BadNetwork;

    fn from_str(text: &str) -> Result<Self, BadNetwork> {
        let bad = || BadNetwork(text.chars().take(64).collect());
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| bad())?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            Some(prefix) => prefix.parse().map_err(|_| bad())?,
            None => most,
        };
        match prefix <= most {
            true => Ok(Network { address, prefix }),
            false => Err(bad()),
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

impl Serialize for Network {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Network {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// No range of addresses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no range of addresses; write 10.20.0.0/16, 2001:db8::/32 or one address")]
pub struct BadNetwork(pub String);

/// The issuer that certificates of an endpoint come from now.
pub(crate) fn issuer(ca: &Ca, endpoint: &Endpoint) -> Result<Arc<Issuer>, DeviceError> {
    let authority = match &endpoint.authority {
        Some(name) => ca.authority(name)?,
        None => {
            let profile = ca.profile(&endpoint.profile)?;
            let issued_by = profile.profile.issued_by();
            let serves = |authority: &ca::Authority| {
                authority.state == AuthorityState::Active
                    && issued_by
                        .iter()
                        .any(|wanted| *wanted == authority.purpose || wanted == "*")
            };
            let none = || {
                Refusal::new(
                    "authority.none",
                    "docs/enrolment.md",
                    format!("no authority issues {}", endpoint.profile),
                )
            };
            ca.authorities().into_iter().find(serves).ok_or_else(none)?
        }
    };
    Ok(ca.issuer(&authority.issuer)?)
}

/// Part of URLs and of every line of metrics.
const LONGEST_NAME: usize = 32;
const MOST_NETWORKS: usize = 100;
/// A year: whatever is in storage for longer is enrolled anew.
const LONGEST_GRACE: u32 = 366 * 86_400;
const MOST_PER_DAY: u32 = 1000;
const LONGEST_PREVIOUS: u32 = 90 * 86_400;

/// Refuses the first thing that could not work or would hurt.
pub(crate) fn check(endpoint: &Endpoint, ca: &Ca) -> Result<(), Refusal> {
    let slug = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let name = endpoint.name.as_str();
    // `p` is the first part of a CMP path (RFC 9811 §3.3).
    let reserved = name == "p" || super::door::EST_OPERATIONS.contains(&name);
    if !(1..=LONGEST_NAME).contains(&name.len()) || !name.bytes().all(slug) || reserved {
        return Err(
            refusal("name", "an endpoint's name is part of its URLs").accepted(format!(
                "1 to {LONGEST_NAME} of a-z 0-9 -, and no operation of EST"
            )),
        );
    }
    check_profile(ca, &endpoint.profile)?;
    issuer(ca, endpoint).map_err(|error| refusal("authority", error.to_string()))?;
    let Protocols { est, scep, cmp } = endpoint.protocols;
    if !(est || scep || cmp) {
        return Err(refusal("protocols", "the endpoint speaks no protocol")
            .accepted("at least one of est, scep, cmp"));
    }
    if endpoint.serial_from.is_empty() {
        return Err(
            refusal("serial_from", "there is no place for the serial number").accepted(
                "at least one of subject-serial-number, hardware-module, udi, common-name",
            ),
        );
    }
    if endpoint.networks.len() > MOST_NETWORKS {
        return Err(
            refusal("networks", "too many ranges").accepted(format!("at most {MOST_NETWORKS}"))
        );
    }
    let renewal = &endpoint.renewal;
    if renewal.from > 99 {
        return Err(refusal("renewal.from", "no part of a life").accepted("0 to 99 percent"));
    }
    if renewal.grace > LONGEST_GRACE {
        return Err(refusal("renewal.grace", "too long after the end").accepted("at most 366 days"));
    }
    if endpoint.limits.per_asset_per_day > MOST_PER_DAY {
        return Err(
            refusal("limits.per_asset_per_day", "no limit to a device in a loop")
                .accepted(format!("at most {MOST_PER_DAY}; 0 for any number")),
        );
    }
    if matches!(renewal.previous, Previous::RevokeAfter(seconds) if seconds > LONGEST_PREVIOUS) {
        return Err(refusal("renewal.previous", "two certificates for too long")
            .accepted("revoke-after at most 90 days, or keep"));
    }
    if endpoint.est.server_keygen
        && !ca
            .profile(&endpoint.profile)
            .is_ok_and(|known| known.profile.server_keys())
    {
        let message = format!(
            "profile {} gives no certificate to a key that is made here",
            endpoint.profile
        );
        return Err(refusal("est.server_keygen", message)
            .accepted("a profile with server-keys = true, or keys that devices make"));
    }
    endpoint.est.csr_attributes.check()?;
    match &endpoint.webhook {
        Some(webhook) => check_webhook(webhook),
        None => Ok(()),
    }
}

fn check_webhook(webhook: &Webhook) -> Result<(), Refusal> {
    let url = webhook.url.as_str();
    let is_url = (url.starts_with("https://") || url.starts_with("http://"))
        && url.len() <= 500
        && url.bytes().all(|byte| byte.is_ascii_graphic());
    if !is_url {
        return Err(refusal("webhook.url", "no URL").accepted("https://… or http://…"));
    }
    if !(100..=30_000).contains(&webhook.timeout_ms) {
        return Err(refusal("webhook.timeout_ms", "no time to wait").accepted("100 to 30000"));
    }
    match (1..=100_000).contains(&webhook.per_minute) {
        true => Ok(()),
        false => Err(refusal("webhook.per_minute", "no budget").accepted("1 to 100000")),
    }
}

fn refusal(field: &'static str, message: impl Into<String>) -> Refusal {
    Refusal::new(
        format!("enrolment.endpoint.{field}"),
        "docs/enrolment.md",
        message,
    )
}

/// Refuses profiles that no device may have: an authority's, or one that needs another role than a machine's.
pub(crate) fn check_profile(ca: &Ca, name: &str) -> Result<(), Refusal> {
    let refuse = |message: String| refusal("profile", message);
    let Ok(version) = ca.profile(name) else {
        let known: Vec<String> = ca
            .profiles()
            .iter()
            .map(|known| known.profile.name().to_owned())
            .collect();
        return Err(refuse(format!("there is no profile {name}")).accepted(known.join(", ")));
    };
    let profile = &version.profile;
    if profile.is_authority() || matches!(profile.class(), Class::Person | Class::Signing) {
        return Err(refuse(format!("{name} is not for devices"))
            .accepted("a profile for devices or servers"));
    }
    match profile.roles().contains(&access::Role::Issuer) {
        true => Ok(()),
        false => Err(
            refuse(format!("{name} is not for issuers, and a device is one"))
                .accepted("a profile whose roles contain issuer"),
        ),
    }
}

/// All endpoints, as one snapshot that is swapped whole.
pub(crate) struct Endpoints {
    current: Snapshot<HashMap<String, Arc<Endpoint>>>,
}

impl Endpoints {
    pub(crate) async fn load(store: &Store) -> Result<Self, DeviceError> {
        Ok(Endpoints {
            current: Snapshot::new(read(store).await?),
        })
    }

    /// Reads anew.
    pub(crate) async fn refresh(&self, store: &Store) -> Result<(), DeviceError> {
        self.current.refresh(read(store)).await
    }

    pub(crate) fn find(&self, name: &str) -> Option<Arc<Endpoint>> {
        self.current.get().get(name).cloned()
    }

    /// The endpoint that answers where a Windows server did: the first by name.
    pub(crate) fn ndes(&self, reachable: impl Fn(&Endpoint) -> bool) -> Option<Arc<Endpoint>> {
        let current = self.current.get();
        let mut found: Vec<&Arc<Endpoint>> = current
            .values()
            .filter(|endpoint| endpoint.scep.ndes && endpoint.enabled && reachable(endpoint))
            .collect();
        found.sort_by(|a, b| a.name.cmp(&b.name));
        found.first().map(|endpoint| Arc::clone(endpoint))
    }
}

async fn read(store: &Store) -> Result<HashMap<String, Arc<Endpoint>>, DeviceError> {
    let mut all = HashMap::new();
    for record in store.records(ENDPOINT_RECORDS).await? {
        let endpoint: Endpoint =
            serde_json::from_str(&record.body).map_err(|error| DeviceError::Stored {
                kind: "enrolment endpoint",
                id: record.id.clone(),
                why: error.to_string(),
            })?;
        all.insert(record.id, Arc::new(endpoint));
    }
    Ok(all)
}
