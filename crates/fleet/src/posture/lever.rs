//! Levers: what could be done, and what it would add to which part if all of it were done.

use super::radar::{Counts, Link};

/// One lever.
pub struct Lever {
    pub id: &'static str,
    pub title: &'static str,
    pub what: &'static str,
    pub unit: &'static str,
    /// How many there are to mend: 100 %.
    pub total: fn(&Counts) -> u64,
    pub effects: &'static [Effect],
    pub link: fn() -> Link,
}

/// What the whole of a lever adds to a part.
pub struct Effect {
    pub part: &'static str,
    pub gain: fn(&Counts) -> u64,
}

const fn on(part: &'static str, gain: fn(&Counts) -> u64) -> Effect {
    Effect { part, gain }
}

/// Every lever, what helps most houses most first. What two of them add to one part is never the same things twice.
pub static LEVERS: &[Lever] = &[
    Lever {
        id: "automate",
        title: "Automate renewal",
        what: "so much of what waits for a person is renewed by ACME, EST, SCEP or CMP",
        unit: "certificates",
        total: |c| c.certificates.standing - c.certificates.automated.min(c.certificates.standing),
        effects: &[
            on("expiry.automated", |c| {
                c.certificates
                    .standing
                    .saturating_sub(c.certificates.automated)
            }),
            on("expiry.phi-automated", |c| {
                c.certificates
                    .phi_standing
                    .saturating_sub(c.certificates.phi_automated)
            }),
            on("expiry.in-time", |c| c.certificates.near_by_hand),
            on("clinical.near", |c| c.certificates.near_critical_by_hand),
        ],
        link: || Link::inventory("not expired and not automated"),
    },
    Lever {
        id: "renew",
        title: "Renew what is over",
        what: "so much of what is served after its end, or revoked, is replaced",
        unit: "certificates",
        total: |c| c.certificates.over_served,
        effects: &[
            on("expiry.in-force", |c| c.certificates.over_served),
            on("trust.revoked", |c| c.found(&["revoked.in-use"])),
        ],
        link: || Link::inventory("expired and places > 0"),
    },
    Lever {
        id: "owners",
        title: "Give owners",
        what: "so many certificates and assets get a team that answers for them",
        unit: "certificates",
        total: |c| c.certificates.all.saturating_sub(c.certificates.owned),
        effects: &[
            on("ownership.certificates", |c| {
                c.certificates.all.saturating_sub(c.certificates.owned)
            }),
            on("ownership.grave", |c| {
                c.certificates
                    .grave
                    .saturating_sub(c.certificates.owned_grave)
            }),
            on("ownership.assets", |c| {
                c.assets.saturating_sub(c.owned_assets)
            }),
        ],
        link: || Link::inventory("unowned"),
    },
    Lever {
        id: "keys",
        title: "Replace weak keys and signatures",
        what: "so many certificates with weak or shared keys or SHA-1 are issued anew",
        unit: "certificates",
        total: |c| {
            let shared = c.found(&["key.shared", "key.many-places", "vendor.default"]);
            c.certificates.weak_keys + c.certificates.weak_signatures + shared
        },
        effects: &[
            on("crypto.keys", |c| c.certificates.weak_keys),
            on("crypto.signatures", |c| c.certificates.weak_signatures),
            on("crypto.own-keys", |c| {
                c.found(&["key.shared", "key.many-places", "vendor.default"])
            }),
        ],
        link: || Link::to("/inventory").with("view", "weak-keys"),
    },
    Lever {
        id: "validity",
        title: "Shorten validity",
        what: "so many certificates that live longer than policy allows come from a profile with a shorter life",
        unit: "certificates",
        total: |c| {
            c.found(&[
                "validity.long",
                "validity.public",
                "validity.outlives-asset",
            ])
        },
        effects: &[on("crypto.validity", |c| {
            c.found(&[
                "validity.long",
                "validity.public",
                "validity.outlives-asset",
            ])
        })],
        link: || Link::to("/findings").with("rule", "validity.long"),
    },
    Lever {
        id: "tls",
        title: "Leave old TLS behind",
        what: "so many listeners give up SSL, TLS 1.0, TLS 1.1 and broken suites",
        unit: "places",
        total: |c| c.found(&["tls.version", "tls.suite-broken"]),
        effects: &[
            on("tls.version", |c| c.found(&["tls.version"])),
            on("tls.suites", |c| c.found(&["tls.suite-broken"])),
            on("tls.forward-secrecy", |c| c.found(&["tls.forward-secrecy"])),
        ],
        link: || Link::to("/findings").with("rule", "tls.version"),
    },
    Lever {
        id: "coverage",
        title: "Look everywhere",
        what: "so many of the addresses that were not looked at are",
        unit: "addresses",
        total: |c| c.addresses.saturating_sub(c.looked_at),
        effects: &[
            on("coverage.addresses", |c| {
                c.addresses.saturating_sub(c.looked_at)
            }),
            on("coverage.hosts", |c| c.outside),
            on("coverage.agents", |c| c.agents.saturating_sub(c.heard)),
        ],
        link: || Link::to("/discovery"),
    },
    Lever {
        id: "trust",
        title: "Bring strangers under authorities",
        what: "so many self-signed and untrusted certificates are issued by an authority of the house",
        unit: "certificates",
        total: |c| c.found(&["issuer.untrusted", "self-signed"]),
        effects: &[on("trust.issuers", |c| {
            c.found(&["issuer.untrusted", "self-signed"])
        })],
        link: || Link::to("/inventory").with("view", "self-signed"),
    },
    Lever {
        id: "flows",
        title: "Protect flows of health information",
        what: "so many flows that lack one get a certificate in force",
        unit: "flows",
        total: |c| c.phi_flows.saturating_sub(c.protected_flows),
        effects: &[on("clinical.flows", |c| {
            c.phi_flows.saturating_sub(c.protected_flows)
        })],
        link: || Link::to("/topology").with("flows", "gaps"),
    },
    Lever {
        id: "spares",
        title: "Prepare spares",
        what: "so many critical devices that cannot renew themselves get a spare",
        unit: "assets",
        total: |c| c.by_hand.saturating_sub(c.with_spare),
        effects: &[on("clinical.spares", |c| {
            c.by_hand.saturating_sub(c.with_spare)
        })],
        link: Link::by_hand,
    },
];
