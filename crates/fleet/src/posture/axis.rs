//! The axes, as a table: what each part counts, of how many, from where on it is well, and which findings pull it down.

use super::radar::{Counts, Link, Share};

/// One axis.
pub struct Axis {
    pub id: &'static str,
    pub title: &'static str,
    pub what: &'static str,
    /// Weight within the score.
    pub weight: f64,
    pub parts: &'static [Part],
}

/// What an axis is made of.
pub struct Part {
    /// `axis.part`.
    pub id: &'static str,
    pub title: &'static str,
    /// Weight within the axis.
    pub weight: f64,
    pub unit: &'static str,
    pub limit: &'static str,
    pub share: fn(&Counts) -> Share,
    /// Rules whose findings pull it down; none: `lacking` says what does.
    pub rules: &'static [&'static str],
    pub lacking: &'static str,
    pub link: fn() -> Link,
}

fn none() -> Link {
    Link::to("/findings")
}

/// A part that findings explain.
const fn found(
    id: &'static str,
    title: &'static str,
    (weight, unit): (f64, &'static str),
    limit: &'static str,
    rules: &'static [&'static str],
    share: fn(&Counts) -> Share,
) -> Part {
    Part {
        id,
        title,
        weight,
        unit,
        limit,
        share,
        rules,
        lacking: "",
        link: none,
    }
}

/// A part that no rule of findings speaks of.
const fn counted(
    id: &'static str,
    title: &'static str,
    (weight, unit): (f64, &'static str),
    limit: &'static str,
    (lacking, link): (&'static str, fn() -> Link),
    share: fn(&Counts) -> Share,
) -> Part {
    Part {
        id,
        title,
        weight,
        unit,
        limit,
        share,
        rules: &[],
        lacking,
        link,
    }
}

const CERTIFICATES: &str = "certificates";
const PLACES: &str = "places";

/// The axes, in the order in which they are drawn, clockwise from the top.
pub static AXES: &[Axis] = &[
    Axis {
        id: "coverage",
        title: "Inventory coverage",
        what: "is everything known that there is (R16, R17)",
        weight: 1.0,
        parts: &[
            counted(
                "coverage.addresses",
                "addresses looked at",
                (3.0, "addresses"),
                "every address of every segment within 30 days (R17; NPRM 90 FR 898 asks for six months)",
                ("addresses not looked at for 30 days", || {
                    Link::to("/discovery")
                }),
                |c| Share::so_many(c.looked_at, c.addresses),
            ),
            counted(
                "coverage.hosts",
                "hosts within segments",
                (1.0, "hosts"),
                "no host with a certificate outside every segment",
                ("hosts with certificates in no segment", || {
                    Link::inventory("not place.segment")
                }),
                |c| Share::without(c.outside, c.hosts),
            ),
            counted(
                "coverage.agents",
                "agents heard from",
                (1.0, "agents"),
                "every agent within the hour",
                ("agents that have been silent for an hour", || {
                    Link::to("/discovery").with("tab", "agents")
                }),
                |c| Share::so_many(c.heard, c.agents),
            ),
        ],
    },
    Axis {
        id: "ownership",
        title: "Ownership",
        what: "does somebody answer for it (R16)",
        weight: 1.0,
        parts: &[
            found(
                "ownership.certificates",
                "certificates with an owner",
                (3.0, CERTIFICATES),
                "no certificate without an owner (R16)",
                &["owner.none"],
                |c| Share::so_many(c.certificates.owned, c.certificates.all),
            ),
            counted(
                "ownership.grave",
                "those of PHI or of critical things with an owner",
                (2.0, CERTIFICATES),
                "no certificate without an owner (R16)",
                (
                    "certificates of PHI or critical things without an owner",
                    || Link::inventory("unowned and (phi or criticality >= high)"),
                ),
                |c| Share::so_many(c.certificates.owned_grave, c.certificates.grave),
            ),
            counted(
                "ownership.assets",
                "assets with an owner",
                (1.0, "assets"),
                "a team for each asset",
                ("assets without an owner", || Link::to("/assets")),
                |c| Share::so_many(c.owned_assets, c.assets),
            ),
        ],
    },
    Axis {
        id: "expiry",
        title: "Expiry control",
        what: "does anything end unexpectedly (R18, R22)",
        weight: 1.5,
        parts: &[
            found(
                "expiry.in-force",
                "certificates in use that are in force",
                (3.0, CERTIFICATES),
                "none in use after its end (RFC 5280 §4.1.2.5)",
                &["expired.in-use"],
                |c| Share::without(c.certificates.over_served, c.certificates.served),
            ),
            counted(
                "expiry.in-time",
                "nothing by hand within 30 days",
                (2.0, CERTIFICATES),
                "30 days before its end, or renewed by itself (R18)",
                (
                    "certificates that end within 30 days and wait for a person",
                    || Link::inventory("not expired and expires < 30d and not automated"),
                ),
                |c| Share::without(c.certificates.near_by_hand, c.certificates.standing),
            ),
            counted(
                "expiry.automated",
                "renewed by themselves",
                (3.0, CERTIFICATES),
                "by ACME, EST, SCEP, CMP or the tag renewal-automatic (R22)",
                ("certificates that wait for a person", || {
                    Link::inventory("not expired and not automated")
                }),
                |c| Share::so_many(c.certificates.automated, c.certificates.standing),
            ),
            counted(
                "expiry.phi-automated",
                "those of PHI renewed by themselves",
                (2.0, CERTIFICATES),
                "High risk: automate renewal (R18)",
                ("certificates of PHI that wait for a person", || {
                    Link::inventory("phi and not expired and not automated")
                }),
                |c| Share::so_many(c.certificates.phi_automated, c.certificates.phi_standing),
            ),
        ],
    },
    Axis {
        id: "crypto",
        title: "Cryptographic strength",
        what: "can keys or signatures be broken (R03, R19)",
        weight: 1.5,
        parts: &[
            found(
                "crypto.keys",
                "keys of sufficient size",
                (3.0, CERTIFICATES),
                "RSA 2048, EC 256 bits (SP 800-131A)",
                &["key.weak", "key.flawed"],
                |c| Share::without(c.certificates.weak_keys, c.certificates.all),
            ),
            found(
                "crypto.signatures",
                "signatures by SHA-2",
                (2.0, CERTIFICATES),
                "neither MD5 nor SHA-1 (R03)",
                &["signature.weak"],
                |c| Share::without(c.certificates.weak_signatures, c.certificates.all),
            ),
            found(
                "crypto.own-keys",
                "a key of its own for each device",
                (1.0, CERTIFICATES),
                "no key at several devices (R08)",
                &["key.shared", "key.many-places", "vendor.default"],
                |c| {
                    let shared = c.found(&["key.shared", "key.many-places", "vendor.default"]);
                    Share::without(shared, c.certificates.all)
                },
            ),
            found(
                "crypto.validity",
                "validity within policy",
                (1.0, CERTIFICATES),
                "R05; CA/B Forum BR §6.3.2",
                &[
                    "validity.long",
                    "validity.public",
                    "validity.outlives-asset",
                ],
                |c| {
                    let long = c.found(&[
                        "validity.long",
                        "validity.public",
                        "validity.outlives-asset",
                    ]);
                    Share::without(long, c.certificates.all)
                },
            ),
        ],
    },
    Axis {
        id: "tls",
        title: "TLS posture",
        what: "what the listeners of the house take (R19)",
        weight: 1.0,
        parts: &[
            found(
                "tls.version",
                "TLS 1.2 and 1.3 only",
                (3.0, PLACES),
                "SP 800-52r2 §3.1",
                &["tls.version"],
                |c| Share::without(c.found(&["tls.version"]), c.tls_places),
            ),
            found(
                "tls.suites",
                "no broken suite",
                (2.0, PLACES),
                "SP 800-52r2 §3.3.1",
                &["tls.suite-broken"],
                |c| Share::without(c.found(&["tls.suite-broken"]), c.tls_places),
            ),
            found(
                "tls.forward-secrecy",
                "forward secrecy",
                (1.0, PLACES),
                "ephemeral keys (R19)",
                &["tls.forward-secrecy"],
                |c| Share::without(c.found(&["tls.forward-secrecy"]), c.tls_places),
            ),
            found(
                "tls.names",
                "names match",
                (1.0, PLACES),
                "RFC 9525 §6",
                &["name.mismatch"],
                |c| Share::without(c.found(&["name.mismatch"]), c.tls_places),
            ),
            found(
                "tls.chains",
                "complete chains",
                (1.0, PLACES),
                "RFC 8446 §4.4.2",
                &["chain.incomplete", "chain.order", "chain.expired"],
                |c| {
                    let broken = c.found(&["chain.incomplete", "chain.order", "chain.expired"]);
                    Share::without(broken, c.tls_places)
                },
            ),
        ],
    },
    Axis {
        id: "trust",
        title: "Trust and revocation",
        what: "who vouches for it, and can it be taken back (R13, R20, R21)",
        weight: 1.0,
        parts: &[
            found(
                "trust.issuers",
                "vouched for by somebody whom we trust",
                (2.0, CERTIFICATES),
                "an authority of ours or in a trust bundle (R21)",
                &["issuer.untrusted", "self-signed"],
                |c| {
                    let alone = c.found(&["issuer.untrusted", "self-signed"]);
                    Share::without(alone, c.certificates.all)
                },
            ),
            counted(
                "trust.lists",
                "revocation lists up to date",
                (3.0, "lists"),
                "none past its nextUpdate (RFC 5280 §5.1.2.5)",
                ("revocation lists past their next update", || {
                    Link::to("/authorities")
                }),
                |c| Share::so_many(c.fresh_lists, c.lists),
            ),
            counted(
                "trust.responders",
                "OCSP responders in order",
                (2.0, "responders"),
                "a certificate that does not end within three days (RFC 6960 §4.2.2.2)",
                (
                    "OCSP responders whose certificate is over or nearly so",
                    || Link::to("/authorities"),
                ),
                |c| Share::so_many(c.sound_responders, c.responders),
            ),
            found(
                "trust.revoked",
                "nothing revoked in use",
                (2.0, CERTIFICATES),
                "none (R13)",
                &["revoked.in-use"],
                |c| Share::without(c.found(&["revoked.in-use"]), c.certificates.served),
            ),
            found(
                "trust.misissuance",
                "no misissuance",
                (3.0, "the house"),
                "no open incident: one is enough (R20)",
                &["ca.unrecorded"],
                |c| Share::without(c.found(&["ca.unrecorded"]).min(1), 1),
            ),
        ],
    },
    Axis {
        id: "clinical",
        title: "Clinical safety",
        what: "can a certificate hurt a patient, or a scan a device (R16, R18, R24)",
        weight: 1.5,
        parts: &[
            found(
                "clinical.flows",
                "flows of health information protected",
                (3.0, "flows"),
                "a certificate in force at each (45 CFR 164.312(e)(1))",
                &[
                    "flow.plaintext",
                    "flow.unprotected",
                    "flow.expired",
                    "flow.unknown",
                ],
                |c| Share::so_many(c.protected_flows, c.phi_flows),
            ),
            counted(
                "clinical.near",
                "critical things not about to lose theirs",
                (3.0, CERTIFICATES),
                "30 days before its end, or renewed by itself (R18)",
                (
                    "certificates of critical things that end within 30 days by hand",
                    || {
                        Link::inventory(
                            "criticality >= high and not expired and expires < 30d and not automated",
                        )
                    },
                ),
                |c| {
                    let near = c.certificates.near_critical_by_hand;
                    Share::without(near, c.certificates.critical_standing)
                },
            ),
            counted(
                "clinical.spares",
                "a spare for each critical device that cannot renew itself",
                (2.0, "assets"),
                "R24",
                ("critical devices renewed by hand without a spare", || {
                    Link::by_hand()
                }),
                |c| Share::so_many(c.with_spare, c.by_hand),
            ),
            counted(
                "clinical.limits",
                "limits of scans signed off",
                (2.0, "segments"),
                "by another person than the one who wrote them (R17, R37)",
                ("segments whose limits nobody has signed", || {
                    Link::to("/discovery").with("tab", "segments")
                }),
                |c| Share::so_many(c.signed, c.segments),
            ),
        ],
    },
    Axis {
        id: "access",
        title: "Audit and access",
        what: "who may what, and can it be proved (R35, R36, R37)",
        weight: 1.0,
        parts: &[
            counted(
                "access.log",
                "signed head of the log",
                (2.0, "the house"),
                "less than an hour old (R36)",
                ("the log has no signed head of the last hour", || {
                    Link::to("/audit")
                }),
                |c| c.checkpoint,
            ),
            counted(
                "access.tokens",
                "credentials that end",
                (2.0, "tokens"),
                "within 400 days (R37)",
                ("tokens without an end within 400 days", || {
                    Link::to("/settings").with("tab", "tokens")
                }),
                |c| Share::so_many(c.ending_tokens, c.tokens),
            ),
            counted(
                "access.least",
                "credentials that are no administrator's",
                (1.0, "tokens"),
                "least privilege (R37)",
                ("tokens with the role admin", || {
                    Link::to("/settings").with("tab", "tokens")
                }),
                |c| Share::without(c.administrators, c.tokens),
            ),
            counted(
                "access.prompt",
                "requests answered in time",
                (1.0, "requests"),
                "within three days (R07)",
                ("requests that have waited for more than three days", || {
                    Link::to("/requests")
                }),
                |c| Share::so_many(c.prompt, c.waiting),
            ),
            counted(
                "access.alerts",
                "alerts taken",
                (1.0, "alerts"),
                "by whoever is told (R25)",
                ("alerts that nobody has taken", || Link::to("/settings")),
                |c| Share::so_many(c.alerts_taken, c.alerts),
            ),
        ],
    },
];
