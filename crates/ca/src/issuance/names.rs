//! Names in a request against a profile (R04, R08): which kinds, how many, well-formed, within the
//! profile's patterns. What comes out is what goes into the certificate, and its text form
//! (`kind:value`), which scopes and the repository use.

use std::net::IpAddr;

use access::Refusal;
use x509::GeneralName;

use super::text::check_text;
use crate::profile::{NameKind, Profile};

/// Names that have passed.
pub(crate) struct Names {
    /// For subjectAltName, in the order of the request.
    pub(crate) general: Vec<GeneralName>,
    /// All of them, SID and workstation included, as `kind:value`.
    pub(crate) texts: Vec<String>,
}

impl Names {
    /// The values of a kind, without the kind.
    pub(crate) fn values(&self, kind: NameKind) -> impl Iterator<Item = &str> {
        self.texts
            .iter()
            .filter_map(move |text| text.strip_prefix(kind.prefix())?.strip_prefix(':'))
    }
}

/// Holds the names of a request against the profile.
pub(crate) fn check(
    profile: &Profile,
    source: &str,
    requested: Vec<GeneralName>,
    sid: Option<&str>,
    workstation: Option<&[u8; 32]>,
) -> Result<Names, Refusal> {
    let mut names = Names {
        general: Vec::with_capacity(requested.len()),
        texts: Vec::with_capacity(requested.len() + 2),
    };
    // Said before anything is compared with anything: a request may bring a thousand names.
    let most: usize = profile
        .name_rules()
        .map(|(_, rule)| usize::from(rule.max))
        .sum();
    if requested.len() > most && most > 0 {
        let found = requested.len();
        return Err(Refusal::new(
            "names.count",
            source.to_owned(),
            format!("{found} names in all"),
        )
        .accepted(format!("at most {most}")));
    }
    let mut counts = [0_usize; NameKind::ALL.len()];
    for name in requested {
        let (kind, name, text) = normalize(name)?;
        check_rule(profile, source, kind, &text)?;
        if names.texts.contains(&text) {
            continue;
        }
        count(&mut counts, kind);
        names.general.push(name);
        names.texts.push(text);
    }
    if let Some(sid) = sid {
        let text = format!("sid:{sid}");
        check_rule(profile, source, NameKind::Sid, &text)?;
        x509::ext::MsSid::new(sid).map_err(|_| {
            Refusal::new(
                "names.sid",
                "MS-DTYP §2.4.2.1",
                format!("`{sid}` is no SID"),
            )
            .accepted("S-1-5-21-…")
        })?;
        count(&mut counts, NameKind::Sid);
        names.texts.push(text);
    }
    if let Some(hash) = workstation {
        let text = format!("workstation:{}", hex::encode(hash));
        check_rule(profile, source, NameKind::Workstation, &text)?;
        count(&mut counts, NameKind::Workstation);
        names.texts.push(text);
    }
    check_counts(profile, source, &counts)?;
    Ok(names)
}

fn count(counts: &mut [usize; NameKind::ALL.len()], kind: NameKind) {
    let position = NameKind::ALL.iter().position(|known| *known == kind);
    if let Some(count) = position.and_then(|at| counts.get_mut(at)) {
        *count += 1;
    }
}

fn check_counts(
    profile: &Profile,
    source: &str,
    counts: &[usize; NameKind::ALL.len()],
) -> Result<(), Refusal> {
    for (kind, found) in NameKind::ALL.into_iter().zip(counts) {
        let (min, max) = profile.name_rule(kind).map_or((0, 0), |rule| {
            (usize::from(rule.min), usize::from(rule.max))
        });
        if !(min..=max).contains(found) {
            return Err(Refusal::new(
                "names.count",
                source.to_owned(),
                format!("{found} names of kind {kind}"),
            )
            .accepted(format!("{min} to {max}")));
        }
    }
    let total: usize = counts.iter().sum();
    let least = usize::from(profile.min_names());
    if total < least {
        return Err(Refusal::new(
            "names.count",
            source.to_owned(),
            format!("{total} names in all"),
        )
        .accepted(format!("at least {least}, of the kinds {}", kinds(profile))));
    }
    Ok(())
}

fn check_rule(profile: &Profile, source: &str, kind: NameKind, text: &str) -> Result<(), Refusal> {
    let Some(rule) = profile.name_rule(kind) else {
        return Err(Refusal::new(
            "names.kind",
            source.to_owned(),
            format!("{text}: names of kind {kind} are not for this profile"),
        )
        .accepted(kinds(profile)));
    };
    if kind == NameKind::Dns && !rule.wildcard && text.starts_with("dns:*") {
        return Err(Refusal::new(
            "names.wildcard",
            source.to_owned(),
            format!("{text}: wildcards are not for this profile"),
        )
        .accepted("every host by its own name"));
    }
    if rule.matches(text) {
        return Ok(());
    }
    let patterns: Vec<&str> = rule
        .patterns
        .iter()
        .map(|pattern| pattern.as_str())
        .collect();
    Err(Refusal::new(
        "names.pattern",
        source.to_owned(),
        format!("{text} matches none of the profile's patterns"),
    )
    .accepted(patterns.join(", ")))
}

fn kinds(profile: &Profile) -> String {
    let kinds: Vec<&str> = profile.name_rules().map(|(kind, _)| kind.key()).collect();
    if kinds.is_empty() {
        "no alternative names".to_owned()
    } else {
        kinds.join(", ")
    }
}

/// The kind of a name, the name as it will stand, and its text. DNS names and the domains of mail
/// addresses become lower case (RFC 5280 §7.2, §7.5); URIs stay as they are, byte for byte.
fn normalize(name: GeneralName) -> Result<(NameKind, GeneralName, String), Refusal> {
    match name {
        GeneralName::Dns(dns) => {
            let dns = dns.to_ascii_lowercase();
            check_dns(&dns)?;
            let text = format!("dns:{dns}");
            Ok((NameKind::Dns, GeneralName::Dns(dns), text))
        }
        GeneralName::Email(mail) => {
            let mail = check_mailbox(&mail, "names.email", "RFC 5280 §4.2.1.6")?;
            let text = format!("email:{mail}");
            Ok((NameKind::Email, GeneralName::Email(mail), text))
        }
        GeneralName::Uri(uri) => {
            check_uri(&uri)?;
            let text = format!("uri:{uri}");
            Ok((NameKind::Uri, GeneralName::Uri(uri), text))
        }
        GeneralName::Ip(ip) => {
            check_ip(ip)?;
            Ok((NameKind::Ip, GeneralName::Ip(ip), format!("ip:{ip}")))
        }
        other => normalize_other(other),
    }
}

fn normalize_other(name: GeneralName) -> Result<(NameKind, GeneralName, String), Refusal> {
    if let Some(upn) = name.as_upn() {
        let upn = check_mailbox(&upn, "names.upn", "MS-ADTS §5.1.1.1.1")?;
        let text = format!("upn:{upn}");
        return Ok((NameKind::Upn, GeneralName::upn(&upn), text));
    }
    if let Some((hw_type, serial)) = name.as_hardware_module_name() {
        if serial.is_empty() || serial.len() > 64 {
            return Err(Refusal::new(
                "names.hardware-module",
                "RFC 4108 §5",
                "a hardware serial number has 1 to 64 octets",
            ));
        }
        let printable = serial.iter().all(u8::is_ascii_graphic);
        let shown = match std::str::from_utf8(&serial) {
            Ok(text) if printable => text.to_owned(),
            _ => format!("0x{}", hex::encode(&serial)),
        };
        let text = format!("hw:{hw_type}/{shown}");
        return Ok((NameKind::HardwareModule, name, text));
    }
    Err(Refusal::new(
        "names.kind",
        "RFC 5280 §4.2.1.6",
        format!("names of kind {} are not issued", name.kind()),
    )
    .accepted("dNSName, iPAddress, rfc822Name, URI, UPN, hardwareModuleName"))
}

fn check_dns(name: &str) -> Result<(), Refusal> {
    x509::dns::check(name).map_err(|error| {
        Refusal::new(error.rule, error.clause, error.message)
            .accepted("letters, digits and hyphens in labels of 1 to 63, at most 253 in all")
    })
}

fn check_mailbox(mail: &str, rule: &'static str, source: &'static str) -> Result<String, Refusal> {
    let bad = |why: &str| {
        Refusal::new(rule, source, format!("`{}`: {why}", mail.escape_default()))
            .accepted("local@domain.example, in ASCII")
    };
    let (local, domain) = mail.rsplit_once('@').ok_or_else(|| bad("no @"))?;
    let local_ok = (1..=64).contains(&local.len())
        && local
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~.".contains(&b))
        && !local.starts_with('.')
        && !local.ends_with('.')
        && !local.contains("..");
    if !local_ok {
        return Err(bad(
            "the part before the @ is not a dot-atom (RFC 5322 §3.2.3)",
        ));
    }
    let domain = domain.to_ascii_lowercase();
    if domain.starts_with('*') {
        return Err(bad("a wildcard is no mail domain"));
    }
    x509::dns::check(&domain).map_err(|error| bad(&error.to_string()))?;
    Ok(format!("{local}@{domain}"))
}

/// An absolute URI in ASCII (RFC 5280 §4.2.1.6); nothing is normalised, because UDAP compares bytes.
fn check_uri(uri: &str) -> Result<(), Refusal> {
    let scheme = uri.split(':').next().unwrap_or_default();
    let scheme_ok = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
    let rest = uri.get(scheme.len() + 1..).unwrap_or_default();
    let body_ok = uri
        .bytes()
        .all(|b| b.is_ascii_graphic() && !b"<>\"{}|\\^`".contains(&b));
    if scheme_ok && !rest.is_empty() && body_ok && uri.len() <= 2048 {
        return Ok(());
    }
    Err(Refusal::new(
        "names.uri",
        "RFC 5280 §4.2.1.6, RFC 3986 §4.3",
        format!("`{}` is no absolute URI", uri.escape_default()),
    )
    .accepted("scheme:rest in ASCII, without fragments of other text"))
}

fn check_ip(ip: IpAddr) -> Result<(), Refusal> {
    let multicast_or_none = ip.is_multicast() || ip.is_unspecified();
    if multicast_or_none {
        return Err(Refusal::new(
            "names.ip",
            "RFC 5280 §4.2.1.6",
            format!("{ip} is nobody's address"),
        ));
    }
    Ok(())
}

/// A common name that is a host name stands in for a missing DNS name: what old equipment and
/// `openssl req` send. Anything that is not a plain host name is left alone.
pub(crate) fn dns_from_common_name(common_name: &str) -> Option<GeneralName> {
    let name = common_name.trim();
    let is_host = name.contains('.')
        && !name.contains(' ')
        && check_text(name).is_ok()
        && name.parse::<IpAddr>().is_err()
        && x509::dns::check(&name.to_ascii_lowercase()).is_ok();
    is_host.then(|| GeneralName::Dns(name.to_ascii_lowercase()))
}
