//! What a certificate calls its device: what the register knows, as far as the profile has a place for it. A renewal
//! keeps what the certificate before it said (RFC 7030 §4.2.2).

use access::Refusal;
use ca::Profile;
use ca::profile::{Attribute, AttributeSource, NameKind};
use fleet::Asset;
use x509::ext::SubjectAltName;
use x509::{Certificate, GeneralName, Name, StringKind, oids};

use super::serial::udi_link;
use super::stop::refusal;
use crate::device::NamesFrom;

/// Subject and alternative names.
pub(super) struct Names {
    pub(super) subject: Name,
    pub(super) alternative: Vec<GeneralName>,
}

/// Who a certificate is for.
pub(super) struct Device<'a> {
    pub(super) serial: &'a str,
    /// `None` for one that is not in the register.
    pub(super) asset: Option<&'a Asset>,
}

/// The names of a first certificate. `asked` are those of the request, `vouched` those of a manufacturer's certificate.
pub(super) fn first(
    profile: &Profile,
    device: &Device<'_>,
    from: NamesFrom,
    asked: &[GeneralName],
    vouched: Option<&Certificate>,
) -> Result<Names, Refusal> {
    let hosts: &[String] = device.asset.map_or(&[], |asset| &asset.host_names);
    let link = device
        .asset
        .and_then(|asset| asset.udi.as_ref())
        .and_then(|udi| udi_link(udi, device.serial));
    let module = |name: &&GeneralName| {
        name.as_hardware_module_name()
            .is_some_and(|(_, serial)| serial == device.serial.as_bytes())
    };
    let vouched: Vec<GeneralName> = match vouched {
        Some(certificate) => {
            certificate
                .ext::<SubjectAltName>()
                .unwrap_or_default()
                .unwrap_or_default()
                .0
        }
        None => Vec::new(),
    };
    let mut known: Vec<GeneralName> = Vec::new();
    // The hardware type is the manufacturer's to say; the serial number in it is the register's.
    known.extend(vouched.iter().chain(asked).find(module).cloned());
    known.extend(link.map(GeneralName::Uri));
    known.extend(hosts.iter().cloned().map(GeneralName::Dns));
    let alternative = match from {
        NamesFrom::Register => within(profile, known),
        NamesFrom::Request => {
            require_known(asked, &known)?;
            within(profile, asked.to_vec())
        }
    };
    Ok(Names {
        subject: subject(profile, device.serial, hosts)?,
        alternative,
    })
}

/// The names of the certificate that is renewed.
pub(super) fn kept(certificate: &Certificate) -> Result<Names, Refusal> {
    let names = certificate.ext::<SubjectAltName>().map_err(|error| {
        refusal(
            "enrolment.renewal.names",
            format!("the certificate's names: {error}"),
        )
    })?;
    Ok(Names {
        subject: certificate.subject().clone(),
        alternative: names.unwrap_or_default().0,
    })
}

/// Refuses the first name that the register does not know.
fn require_known(asked: &[GeneralName], known: &[GeneralName]) -> Result<(), Refusal> {
    let same = |a: &GeneralName, b: &GeneralName| match (a, b) {
        (GeneralName::Dns(a), GeneralName::Dns(b)) => a.eq_ignore_ascii_case(b),
        (a, b) => a == b,
    };
    let unknown = asked
        .iter()
        .find(|name| !known.iter().any(|known| same(name, known)));
    let Some(name) = unknown else { return Ok(()) };
    let known: Vec<String> = known.iter().map(ToString::to_string).collect();
    Err(refusal(
        "enrolment.names",
        format!("the register does not know this device as {name}"),
    )
    .accepted(match known.is_empty() {
        true => "a request without alternative names".to_owned(),
        false => known.join(", "),
    }))
}

/// Those that the profile has a place for.
fn within(profile: &Profile, names: Vec<GeneralName>) -> Vec<GeneralName> {
    let mut left: Vec<(NameKind, u16)> = Vec::new();
    names
        .into_iter()
        .filter(|name| {
            let Some((kind, text)) = kind(name) else {
                return false;
            };
            let Some(rule) = profile.name_rule(kind) else {
                return false;
            };
            if let Some(text) = text
                && !rule.matches(&text)
            {
                return false;
            }
            let at = match left.iter().position(|(known, _)| *known == kind) {
                Some(at) => at,
                None => {
                    left.push((kind, rule.max));
                    left.len() - 1
                }
            };
            let Some((_, left)) = left.get_mut(at) else {
                return false;
            };
            let fits = *left > 0;
            *left = left.saturating_sub(1);
            fits
        })
        .collect()
}

/// The kind of a name, and its text where a pattern can be held against it.
fn kind(name: &GeneralName) -> Option<(NameKind, Option<String>)> {
    match name {
        GeneralName::Dns(dns) => Some((NameKind::Dns, Some(format!("dns:{}", dns.to_lowercase())))),
        GeneralName::Uri(uri) => Some((NameKind::Uri, Some(format!("uri:{uri}")))),
        GeneralName::Ip(ip) => Some((NameKind::Ip, Some(format!("ip:{ip}")))),
        name if name.as_hardware_module_name().is_some() => Some((NameKind::HardwareModule, None)),
        _ => None,
    }
}

/// The host name, or else the serial number, as common name; the serial number as itself (IEEE 802.1AR §8.6).
fn subject(profile: &Profile, serial: &str, hosts: &[String]) -> Result<Name, Refusal> {
    /// X.520: ub-common-name and ub-serial-number.
    const LONGEST: usize = 64;
    if serial.chars().count() > LONGEST {
        return Err(refusal(
            "enrolment.serial.long",
            "the serial number is too long for a certificate",
        )
        .accepted(format!("at most {LONGEST} characters")));
    }
    let host = hosts.iter().find(|host| host.len() <= LONGEST);
    let common_name = match profile.subject().get(&Attribute::CN).map(|rule| rule.from) {
        Some(AttributeSource::Request) => Some(host.map_or(serial, String::as_str)),
        _ => None,
    };
    let bad = |error: x509::Error| refusal("enrolment.serial.text", format!("{serial}: {error}"));
    let mut builder = Name::builder();
    if let Some(common_name) = common_name {
        builder = builder
            .push(oids::COMMON_NAME, common_name, StringKind::Auto)
            .map_err(bad)?;
    }
    let builder = builder
        .push(oids::SERIAL_NUMBER, serial, StringKind::Auto)
        .map_err(bad)?;
    Ok(builder.build())
}
