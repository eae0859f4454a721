//! The profiles that come with Ward (R04), from `crates/ca/profiles/`.

/// Name and text of every built-in profile, by name.
pub const BUILT_IN: &[(&str, &str)] = &[
    ("api-tls", include_str!("../../profiles/api-tls.toml")),
    ("client-tls", include_str!("../../profiles/client-tls.toml")),
    (
        "clinician-logon",
        include_str!("../../profiles/clinician-logon.toml"),
    ),
    (
        "code-signing",
        include_str!("../../profiles/code-signing.toml"),
    ),
    (
        "device-ldevid",
        include_str!("../../profiles/device-ldevid.toml"),
    ),
    ("device-rsa", include_str!("../../profiles/device-rsa.toml")),
    (
        "device-small",
        include_str!("../../profiles/device-small.toml"),
    ),
    ("dicom-node", include_str!("../../profiles/dicom-node.toml")),
    (
        "direct-address",
        include_str!("../../profiles/direct-address.toml"),
    ),
    ("direct-org", include_str!("../../profiles/direct-org.toml")),
    (
        "eap-tls-client",
        include_str!("../../profiles/eap-tls-client.toml"),
    ),
    ("fhir-mtls", include_str!("../../profiles/fhir-mtls.toml")),
    (
        "firmware-signing",
        include_str!("../../profiles/firmware-signing.toml"),
    ),
    (
        "hie-gateway",
        include_str!("../../profiles/hie-gateway.toml"),
    ),
    (
        "legacy-listener",
        include_str!("../../profiles/legacy-listener.toml"),
    ),
    (
        "log-signing",
        include_str!("../../profiles/log-signing.toml"),
    ),
    (
        "ocsp-responder",
        include_str!("../../profiles/ocsp-responder.toml"),
    ),
    (
        "radius-server",
        include_str!("../../profiles/radius-server.toml"),
    ),
    (
        "registration-authority",
        include_str!("../../profiles/registration-authority.toml"),
    ),
    (
        "sdc-consumer",
        include_str!("../../profiles/sdc-consumer.toml"),
    ),
    (
        "sdc-provider",
        include_str!("../../profiles/sdc-provider.toml"),
    ),
    ("server-tls", include_str!("../../profiles/server-tls.toml")),
    ("smime", include_str!("../../profiles/smime.toml")),
    ("sub-ca", include_str!("../../profiles/sub-ca.toml")),
    (
        "time-stamping",
        include_str!("../../profiles/time-stamping.toml"),
    ),
    (
        "tls-gateway",
        include_str!("../../profiles/tls-gateway.toml"),
    ),
    (
        "udap-client",
        include_str!("../../profiles/udap-client.toml"),
    ),
    ("vpn-client", include_str!("../../profiles/vpn-client.toml")),
    (
        "vpn-gateway",
        include_str!("../../profiles/vpn-gateway.toml"),
    ),
    (
        "workstation-session",
        include_str!("../../profiles/workstation-session.toml"),
    ),
];
