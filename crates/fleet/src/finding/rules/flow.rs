//! Gaps in the map of PHI data flows (R16). They are judged where the map is (`crate::flow`), and described here.

use super::{Rule, Severity::*, elsewhere};

pub(super) static RULES: &[Rule] = &[
    elsewhere(
        High,
        ("flow.plaintext", "PHI travels unencrypted"),
        "45 CFR 164.312(e)(1), (e)(2)(ii); R16",
        "speak TLS there, or put a TLS gateway in front of the legacy end (R31)",
    ),
    elsewhere(
        High,
        ("flow.unprotected", "no certificate protects the flow"),
        "45 CFR 164.312(e)(1); R16",
        "issue a certificate for the service that the flow ends in",
    ),
    elsewhere(
        High,
        ("flow.expired", "what protects the flow does not hold"),
        "RFC 5280 §6.1.3; R16, R18",
        "renew the certificate now; the flow fails at every peer that checks",
    ),
    elsewhere(
        Medium,
        (
            "flow.unknown",
            "nobody has looked at what protects the flow",
        ),
        "R16, R17",
        "scan the segment, or say with the flow where the service is",
    ),
    elsewhere(
        Medium,
        (
            "flow.no-client-certificate",
            "the client of the flow proves nothing",
        ),
        "45 CFR 164.312(d); NIST SP 800-52r2 §3.2.2; R31",
        "give the client a certificate and have the server ask for it",
    ),
];
