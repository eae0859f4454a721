//! Certificates that came with the device, the distribution or the example: whoever has one has the keys of all others of
//! the series, or at least a name that says nothing (R17).
//!
//! The table holds what their makers document or ship openly. Names of medical devices belong here as soon as somebody has
//! one in hand; none was guessed.

use serde::Serialize;
use x509::{Name, Oid, oids};

use super::{Look, Rule, Severity::*, of_certificate};

pub(super) static RULES: &[Rule] = &[of_certificate(
    High,
    (
        "vendor.default",
        "the certificate that it was delivered with",
    ),
    "R17; NIST SP 800-53r5 IA-5e (change default authenticators)",
    "replace it: a default is often the same, key included, in every device of its kind",
    default,
)];

/// A certificate that many have.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Default {
    /// Of what.
    pub product: &'static str,
    /// Attributes that a name has, all of them: name of the attribute and what it begins with.
    pub attributes: &'static [(&'static str, &'static str)],
    /// Whether the issuer's name is meant, and not the subject's.
    pub issuer: bool,
    /// Where it is known from.
    pub source: &'static str,
}

const fn subject(
    product: &'static str,
    attributes: &'static [(&'static str, &'static str)],
    source: &'static str,
) -> Default {
    Default {
        product,
        attributes,
        issuer: false,
        source,
    }
}

const fn issuer(
    product: &'static str,
    attributes: &'static [(&'static str, &'static str)],
    source: &'static str,
) -> Default {
    Default {
        product,
        attributes,
        issuer: true,
        source,
    }
}

/// Every default that is known.
pub fn vendor_defaults() -> &'static [Default] {
    DEFAULTS
}

static DEFAULTS: &[Default] = &[
    subject(
        "OpenSSL's example configuration",
        &[("O", "Internet Widgits Pty Ltd")],
        "OpenSSL, apps/openssl.cnf",
    ),
    subject(
        "Apache httpd on Red Hat and its kin",
        &[("O", "SomeOrganization"), ("L", "SomeCity")],
        "mod_ssl, httpd-ssl-gencerts",
    ),
    subject(
        "Apache httpd's snake oil",
        &[("O", "Snake Oil, Ltd")],
        "mod_ssl, example certificates",
    ),
    subject(
        "Java keytool, questions unanswered",
        &[("CN", "Unknown"), ("O", "Unknown")],
        "keytool, -genkeypair",
    ),
    subject(
        "Go's example generator",
        &[("O", "Acme Co")],
        "Go, crypto/tls/generate_cert.go",
    ),
    subject(
        "Kubernetes ingress-nginx",
        &[("CN", "Kubernetes Ingress Controller Fake Certificate")],
        "ingress-nginx, user guide on TLS",
    ),
    subject(
        "Traefik",
        &[("CN", "TRAEFIK DEFAULT CERT")],
        "Traefik, documentation on TLS",
    ),
    subject(
        "IIS web management",
        &[("CN", "WMSvc-")],
        "Microsoft, Web Management Service",
    ),
    subject(
        "VMware ESX",
        &[("OU", "VMware ESX Server Default Certificate")],
        "VMware, ESX security guide",
    ),
    issuer(
        "VMware installer",
        &[("O", "VMware Installer")],
        "VMware, vCenter certificates",
    ),
    subject(
        "Cisco IOS",
        &[("CN", "IOS-Self-Signed-Certificate-")],
        "Cisco, IOS PKI configuration guide",
    ),
    subject(
        "Fortinet FortiGate",
        &[("O", "Fortinet"), ("OU", "FortiGate")],
        "Fortinet, FortiOS administration guide (factory certificates)",
    ),
    subject(
        "pfSense",
        &[("O", "pfSense webConfigurator Self-Signed Certificate")],
        "pfSense, etc/inc/certs.inc",
    ),
    subject(
        "Ubiquiti UniFi",
        &[("O", "Ubiquiti Networks"), ("CN", "UniFi")],
        "UniFi Network, default key store",
    ),
    subject(
        "Dell iDRAC",
        &[("O", "Dell Inc."), ("OU", "Remote Access Group")],
        "Dell, iDRAC user's guide",
    ),
    issuer(
        "HPE iLO",
        &[("CN", "Default Issuer (Do not trust)")],
        "HPE, iLO user guide",
    ),
    subject(
        "Supermicro BMC",
        &[("O", "Super Micro Computer"), ("CN", "IPMI")],
        "Supermicro, BMC user's guide",
    ),
    subject(
        "APC network management card",
        &[("OU", "Internally Generated Certificate")],
        "APC, NMC security handbook",
    ),
    subject(
        "HP JetDirect printers",
        &[("CN", "HP Jetdirect")],
        "HP, JetDirect administrator's guide",
    ),
    subject(
        "Brother printers",
        &[("CN", "Preset Certificate")],
        "Brother, network security guide",
    ),
    issuer(
        "Xerox printers",
        &[("CN", "Xerox Generic Root")],
        "Xerox, system administrator guide",
    ),
    subject(
        "Synology DSM",
        &[("O", "Synology Inc."), ("CN", "synology")],
        "Synology, DSM help on certificates",
    ),
    subject(
        "QNAP",
        &[("O", "QNAP Systems"), ("CN", "QNAP NAS")],
        "QNAP, QTS user guide",
    ),
];

fn default(look: &Look<'_>) -> Option<String> {
    if !look.is_leaf() {
        return None;
    }
    let certificate = look.certificate();
    let found = DEFAULTS.iter().find(|known| {
        let name = match known.issuer {
            true => certificate.issuer(),
            false => certificate.subject(),
        };
        known
            .attributes
            .iter()
            .all(|(kind, start)| has(name, kind, start))
    })?;
    Some(format!("the default of {}", found.product))
}

/// One of the name's attributes of this kind begins so, case aside.
fn has(name: &Name, kind: &str, start: &str) -> bool {
    let oid: Oid = match kind {
        "CN" => oids::COMMON_NAME,
        "O" => oids::ORGANIZATION,
        "OU" => oids::ORGANIZATIONAL_UNIT,
        "L" => oids::LOCALITY,
        _ => return false,
    };
    let begins = |text: &str| {
        let head = text.as_bytes().get(..start.len());
        head.is_some_and(|head| head.eq_ignore_ascii_case(start.as_bytes()))
    };
    name.attributes()
        .filter(|attribute| attribute.oid == oid)
        .any(|attribute| begins(&attribute.text()))
}
