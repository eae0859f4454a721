//! What can be asked for, as data: the parser, the compiler, the errors and the table in docs/search-language.md all read
//! this one list.

/// What a field is about. Tests about one place, asset or finding that stand together are about the same one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum About {
    Certificate,
    Place,
    Asset,
    Finding,
}

/// What values a field has, and so what can be asked about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Case aside.
    Text,
    /// Several texts at once; one of them has to be right.
    Lines,
    /// As lines, each with a kind in front: `dns:a.example.org`.
    Names,
    /// Looked into, never compared.
    Prose,
    /// One of these words.
    Words(&'static [&'static str]),
    /// One of these words, which are in order; the first counts as this number.
    Scale(i64, &'static [&'static str]),
    Number,
    Flag,
    /// An instant; in the database so many of them are a second.
    Time {
        per_second: i64,
        past: bool,
    },
    /// A length of time.
    Span,
    /// Bytes, by how they begin.
    Hex,
    Address,
    /// Versions of TLS.
    Version,
    /// Cipher suites.
    Suite,
}

/// One field.
#[derive(Debug)]
pub struct Field {
    pub name: &'static str,
    pub about: About,
    pub kind: Kind,
    /// Known for past instants too (R52).
    pub kept: bool,
    /// For people.
    pub what: &'static str,
    /// Where it is in the database; of a flag, when it is so. `{now}` is the instant of the search in Unix seconds.
    pub(super) sql: &'static str,
    /// There may be none.
    pub(super) optional: bool,
}

impl PartialEq for Field {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Field {}

/// The field of this name.
pub fn field(name: &str) -> Option<&'static Field> {
    FIELDS
        .iter()
        .find(|field| field.name.eq_ignore_ascii_case(name))
}

const fn of(
    about: About,
    name: &'static str,
    kind: Kind,
    sql: &'static str,
    what: &'static str,
) -> Field {
    Field {
        name,
        about,
        kind,
        kept: false,
        what,
        sql,
        optional: false,
    }
}

const fn certificate(
    name: &'static str,
    kind: Kind,
    sql: &'static str,
    what: &'static str,
) -> Field {
    of(About::Certificate, name, kind, sql, what)
}

const fn place(name: &'static str, kind: Kind, sql: &'static str, what: &'static str) -> Field {
    of(About::Place, name, kind, sql, what)
}

const fn asset(name: &'static str, kind: Kind, sql: &'static str, what: &'static str) -> Field {
    of(About::Asset, name, kind, sql, what)
}

const fn finding(name: &'static str, kind: Kind, sql: &'static str, what: &'static str) -> Field {
    of(About::Finding, name, kind, sql, what)
}

impl Field {
    const fn kept(mut self) -> Self {
        self.kept = true;
        self
    }

    const fn optional(mut self) -> Self {
        self.optional = true;
        self
    }
}

use Kind::{
    Address, Flag, Hex, Lines, Names, Number, Prose, Scale, Span, Suite, Text, Version, Words,
};

/// Of a certificate.
const VALIDITY: Kind = Kind::Time {
    per_second: 1,
    past: false,
};
/// Of what was seen.
const SEEN: Kind = Kind::Time {
    per_second: 1000,
    past: true,
};

/// As `inventory.criticality` counts.
pub(super) const CRITICALITY: &[&str] = &["low", "medium", "high", "life-support"];
/// As `inventory.risk` counts (R18).
pub(super) const RISK: &[&str] = &["none", "low", "medium", "high", "critical"];
/// As `findings.severity` counts, from 1.
const SEVERITY: &[&str] = &["note", "low", "medium", "high", "critical"];

/// Every field, in the order in which people read them.
pub const FIELDS: &[Field] = &[
    certificate(
        "text",
        Prose,
        "i.subject || ' ' || i.issuer || ' ' || i.names",
        "subject, issuer and names together; a quoted text alone means this",
    )
    .kept(),
    certificate("subject", Text, "i.subject", "whom it names").kept(),
    certificate(
        "issuer",
        Text,
        "i.issuer",
        "who signed it, by its own words",
    )
    .kept(),
    certificate(
        "name",
        Names,
        "i.names",
        "one of its names: `www.example.org`, or with its kind, `dns:www.example.org`",
    )
    .kept(),
    certificate("serial", Hex, "i.serial", "serial number, or how it begins").kept(),
    certificate(
        "sha256",
        Hex,
        "i.sha256",
        "SHA-256 of the certificate, or how it begins",
    )
    .kept(),
    certificate("expires", VALIDITY, "i.not_after", "end of its validity").kept(),
    certificate("starts", VALIDITY, "i.not_before", "begin of its validity").kept(),
    certificate(
        "expired",
        Flag,
        "i.not_after < {now}",
        "its validity is over",
    )
    .kept(),
    certificate(
        "lifetime",
        Span,
        "i.not_after - i.not_before",
        "from begin to end of its validity",
    )
    .kept(),
    certificate("key", Text, "i.key", "kind of key: `rsa`, `ec-p256`, …").kept(),
    certificate(
        "bits",
        Number,
        "i.key_bits",
        "strength of the key as usually told",
    )
    .kept(),
    certificate(
        "shared-key",
        Flag,
        "EXISTS(SELECT 1 FROM inventory k WHERE k.spki = i.spki AND k.id <> i.id)",
        "another certificate has the same key",
    ),
    certificate(
        "signature",
        Text,
        "i.signature",
        "with which algorithm it was signed",
    )
    .kept(),
    certificate(
        "size",
        Number,
        "CAST(LENGTH(i.der) AS BIGINT)",
        "bytes of the certificate",
    )
    .kept(),
    certificate("ca", Flag, "i.is_ca = 1", "it may sign certificates").kept(),
    certificate(
        "self-signed",
        Flag,
        "i.self_signed = 1",
        "its own key signed it",
    )
    .kept(),
    certificate(
        "signed-by",
        Hex,
        "(SELECT s.sha256 FROM inventory s WHERE s.id = i.issuer_id)",
        "SHA-256 of the certificate whose key signed it, or how it begins",
    )
    .optional(),
    certificate(
        "unknown-issuer",
        Flag,
        "i.issuer_id IS NULL AND i.self_signed = 0 AND i.authority IS NULL",
        "nobody has seen the certificate that signed it",
    ),
    certificate(
        "origin",
        Words(&["ward", "public", "private"]),
        "CASE WHEN i.recorded = 1 OR i.authority IS NOT NULL THEN 'ward' WHEN i.public = 1 THEN 'public' ELSE 'private' END",
        "`ward`: signed by an authority of this Ward; `public`: under the rules of the web's authorities; `private`: anybody else",
    ),
    certificate(
        "authority",
        Text,
        "i.authority",
        "which authority of this Ward signed it",
    )
    .optional(),
    certificate(
        "recorded",
        Flag,
        "i.recorded = 1",
        "this Ward knows that it issued it",
    ),
    certificate(
        "revoked",
        Flag,
        "i.revoked IS NOT NULL",
        "this Ward revoked it",
    ),
    certificate("first-seen", SEEN, "i.first_seen", "when it was found").kept(),
    certificate("last-seen", SEEN, "i.last_seen", "when it was seen last"),
    certificate(
        "how",
        Lines,
        "REPLACE(i.how, ',', '\n')",
        "how it was found, all the ways: `scan`, `capture`, `file`, `import`, `issued`",
    ),
    certificate("places", Number, "i.places", "at how many places it is now"),
    certificate(
        "asset",
        Text,
        "i.asset",
        "id of the asset that it belongs to",
    )
    .optional(),
    certificate("owner", Text, "i.owner", "who answers for it").optional(),
    certificate("unowned", Flag, "i.owner IS NULL", "nobody answers for it"),
    certificate(
        "owner-by",
        Text,
        "i.owner_by",
        "what gave it its owner: `asset`, `rule NAME`, `hand`",
    )
    .optional(),
    certificate("segment", Text, "i.segment", "network segment").optional(),
    certificate("site", Text, "i.site", "site").optional(),
    certificate("vendor", Text, "i.vendor", "who services what it is on").optional(),
    certificate(
        "environment",
        Words(&["production", "test", "development"]),
        "i.environment",
        "what it is for",
    )
    .optional(),
    certificate("tag", Lines, "i.tags", "one of its tags"),
    certificate(
        "criticality",
        Scale(0, CRITICALITY),
        "i.criticality",
        "what depends on it",
    ),
    certificate("phi", Flag, "i.phi = 1", "protects health information"),
    certificate(
        "patient-facing",
        Flag,
        "i.patient_facing = 1",
        "protects what patients depend on",
    ),
    certificate(
        "ehr",
        Flag,
        "i.ehr = 1",
        "serves the electronic health record, or an interface to it",
    ),
    certificate(
        "automated",
        Flag,
        "i.automated = 1",
        "nobody has to be there when it is renewed (docs/radar.md)",
    ),
    certificate("risk", Scale(0, RISK), "i.risk", "risk (docs/risk.md)"),
    certificate(
        "findings",
        Number,
        "i.findings",
        "how many findings are open",
    ),
    place("port", Number, "p.port", "port").kept().optional(),
    place(
        "address",
        Address,
        "p.ip",
        "address, range `10.20.0.0/16` or `10.20.0.5-10.20.0.9`",
    )
    .kept()
    .optional(),
    place("sni", Text, "p.sni", "server name that was asked for")
        .kept()
        .optional(),
    place(
        "starttls",
        Text,
        "p.starttls",
        "protocol that begins in plain text: `smtp`, `ldap`, …",
    )
    .kept()
    .optional(),
    place("host", Text, "p.host", "host on which the file lies")
        .kept()
        .optional(),
    place("path", Text, "p.path", "path of the file")
        .kept()
        .optional(),
    place(
        "alias",
        Text,
        "p.alias",
        "entry in a key store, or server name in a configuration",
    )
    .kept()
    .optional(),
    place("place", Text, "p.place", "the whole place, as it is shown").kept(),
    place(
        "place.kind",
        Text,
        "p.kind",
        "`network`, `client`, `file`, `log`",
    )
    .kept(),
    place("place.segment", Text, "p.segment", "segment of the place").optional(),
    place(
        "place.asset",
        Text,
        "p.asset",
        "id of the asset that stands there",
    )
    .optional(),
    place(
        "place.first-seen",
        SEEN,
        "p.first_seen",
        "when somebody looked there first",
    ),
    place(
        "place.last-seen",
        SEEN,
        "p.last_seen",
        "when somebody looked there last",
    ),
    place(
        "place.changed",
        SEEN,
        "p.changed_at",
        "since when it is as it is",
    ),
    place(
        "seen-by",
        Text,
        "p.seen_by",
        "scanner, agent, capture or import",
    ),
    place(
        "outcome",
        Text,
        "p.outcome",
        "what came of the last look: `certificate`, `closed`, `alert`, …",
    ),
    place(
        "tls",
        Version,
        "p.tls",
        "a version of TLS that is accepted there: `ssl3`, `1.0`, `1.1`, `1.2`, `1.3`",
    )
    .optional(),
    place(
        "suite",
        Suite,
        "p.tls",
        "a cipher suite that is accepted there, by IANA's name",
    )
    .optional(),
    asset(
        "asset.kind",
        Text,
        "a.kind",
        "`device`, `server`, `workstation`, `service`",
    ),
    asset(
        "asset.state",
        Text,
        "a.state",
        "`active`, `stored`, `retired`",
    ),
    asset(
        "asset.serial",
        Text,
        "a.serial",
        "serial number of the asset",
    ),
    asset(
        "asset.department",
        Text,
        "a.department",
        "department of the asset",
    )
    .optional(),
    asset(
        "asset.text",
        Prose,
        "a.words",
        "what the register says of the asset: maker, model, names, places",
    ),
    finding(
        "finding",
        Text,
        "f.rule",
        "rule of an open finding that nobody waived",
    )
    .kept(),
    finding(
        "finding.severity",
        Scale(1, SEVERITY),
        "f.severity",
        "its severity",
    )
    .kept(),
    finding("finding.opened", SEEN, "f.opened", "since when it is open").kept(),
    finding("finding.text", Prose, "f.what", "what it says").kept(),
];
