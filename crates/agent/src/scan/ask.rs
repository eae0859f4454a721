//! Which hellos a scan sends, byte for byte: from its seed and the target, so that a dry run shows them.

use super::Depth;
use super::target::Target;
use crate::observation::{StartTls, Version};
use crate::tls::hello::{Extensions, GROUPS, POST_QUANTUM};
use crate::tls::suite::{KeyExchange, Suite};
use crate::tls::{Hello, alert, suite};
use aws_lc_rs::digest::{SHA256, digest};

/// Suites in one hello. Servers are known that close on more than 128.
const SUITES_LIMIT: usize = 128;

/// Hellos for a certificate that one target is sent at most, each on a connection of its own.
pub(super) const HELLOS_LIMIT: usize = 4;

/// Protocols that are offered by name. A server that knows none of them may decline for that alone
/// (RFC 7301 §3.2); then it is asked again without.
const ALPN: [&str; 3] = ["h2", "http/1.1", "http/1.0"];

/// Hellos for certificates: another is sent only if the one before found no taker, and which one follows from how it was
/// declined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// TLS 1.0 to 1.2, the common suites that show certificates. Not 1.3: there a server has to agree on a key and derive
    /// others before it may show what is wanted, and we to read it; up to 1.2 it costs both of them less, and a server
    /// that speaks 1.3 says so ([`crate::observation::TlsSeen::beyond`]).
    First,
    /// The same with TLS 1.3, for who declined the versions.
    Newest,
    /// The same without protocols by name, for who declined those.
    Plain,
    /// The other suites that show certificates: national ciphers, export, fixed keys. And TLS 1.3, for who speaks
    /// nothing else and does not say so.
    Rest,
    /// TLS 1.0 or SSL 3.0 without a single extension.
    Bare,
    /// Suites without certificates: anonymous, pre-shared keys, passwords.
    Uncertified,
}

impl Style {
    pub(super) const ALL: [Self; 6] = [
        Self::First,
        Self::Newest,
        Self::Plain,
        Self::Rest,
        Self::Bare,
        Self::Uncertified,
    ];

    /// What to try once this was declined, by the description of the alert if there was one.
    pub(super) fn next(self, declined: Option<u8>) -> Option<Self> {
        match (self, declined) {
            // What a server owes who offers nothing that is new enough for it (RFC 8446 §D.2).
            (Self::First, Some(alert::PROTOCOL_VERSION)) => Some(Self::Newest),
            (Self::First | Self::Newest, Some(alert::NO_APPLICATION_PROTOCOL)) => Some(Self::Plain),
            (Self::First, _) => Some(Self::Rest),
            (Self::Newest | Self::Plain | Self::Rest, _) => Some(Self::Bare),
            (Self::Bare, _) => Some(Self::Uncertified),
            (Self::Uncertified, _) => None,
        }
    }
}

/// What some servers want of a hello for one version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Looks {
    /// No extensions.
    pub(super) bare: bool,
    /// Keys for TLS 1.3.
    pub(super) shares: bool,
}

/// Makes hellos for one scan.
pub(super) struct Asker {
    seed: [u8; 32],
    /// Suites of the hellos for certificates, by style: making them takes longer than a connection does.
    suites: [Vec<u16>; 6],
    /// And those of each version, in lists that servers stand.
    lists: [(Version, Vec<Vec<u16>>); 5],
}

impl Asker {
    pub(super) fn new(seed: [u8; 32]) -> Self {
        Self {
            seed,
            suites: Style::ALL.map(suites),
            lists: Version::ALL.map(|version| (version, lists(version))),
        }
    }

    /// `version`'s suites.
    pub(super) fn lists(&self, version: Version) -> &[Vec<u16>] {
        let known = self.lists.iter().find(|(own, _)| *own == version);
        known.map_or(&[], |(_, lists)| lists)
    }

    /// A hello that asks for a certificate.
    pub(super) fn certificate(&self, target: &Target, style: Style) -> Hello {
        let versions = match style {
            Style::Newest | Style::Plain | Style::Rest => &Version::ALL[1..],
            Style::First | Style::Uncertified => &Version::ALL[1..4],
            Style::Bare => &Version::ALL[..2],
        };
        let suites = self.suites.get(style as usize).cloned();
        let mut hello = self.hello(
            target,
            versions.to_vec(),
            suites.unwrap_or_default(),
            style as u8,
        );
        if matches!(style, Style::First | Style::Newest) && target.starttls.is_none() {
            hello.alpn = ALPN.map(str::to_owned).to_vec();
        }
        if style == Style::Bare {
            hello.extensions = None;
            hello.sni = None;
            hello.session_id.clear();
        }
        hello
    }

    /// A hello that asks whether `version` goes with any of `suites`. Without `shares` a server of TLS 1.3 says which in its
    /// request for a key (RFC 8446 §4.1.4), before either side computes anything.
    pub(super) fn version(
        &self,
        target: &Target,
        version: Version,
        suites: Vec<u16>,
        looks: Looks,
    ) -> Hello {
        let Looks { bare, shares } = looks;
        let mark = 16 + version.wire().to_be_bytes()[1];
        let mut hello = self.hello(target, vec![version], suites, mark);
        if let Some(extensions) = &mut hello.extensions
            && version == Version::Tls13
            && !shares
        {
            extensions.shares.clear();
        }
        // SSL 3.0 has no extensions; some of its servers take them for garbage.
        if bare || version == Version::Ssl3 {
            hello.extensions = None;
            hello.session_id.clear();
        }
        hello
    }

    /// A hello that asks which of `groups` the server would take: no key goes along, so it has to say.
    pub(super) fn groups(&self, target: &Target, groups: Vec<u16>) -> Hello {
        let suites = self.lists(Version::Tls13).concat();
        let mut hello = self.hello(target, vec![Version::Tls13], suites, 32);
        hello.extensions = Some(Extensions {
            groups,
            shares: Vec::new(),
            cookie: None,
        });
        hello
    }

    fn hello(&self, target: &Target, versions: Vec<Version>, suites: Vec<u16>, mark: u8) -> Hello {
        let random = |half: u8| -> [u8; 32] {
            let name = target.sni.as_deref().unwrap_or_default();
            let place = format!("{} {} {name}", target.address, target.port);
            let input = [&self.seed[..], &[mark, half], place.as_bytes()].concat();
            let hash = digest(&SHA256, &input);
            let mut random = [0; 32];
            random.copy_from_slice(hash.as_ref());
            random
        };
        Hello {
            versions,
            suites,
            sni: target.sni.clone(),
            alpn: Vec::new(),
            random: random(0),
            session_id: random(1).to_vec(),
            extensions: Some(Extensions::default()),
        }
    }
}

/// Groups of TLS 1.3 that a scan of some depth asks for.
pub(super) fn groups(depth: Depth) -> Vec<u16> {
    match depth {
        Depth::Certificate => Vec::new(),
        Depth::Versions => POST_QUANTUM.to_vec(),
        Depth::Suites => [&POST_QUANTUM, GROUPS].concat(),
    }
}

/// `version`'s suites in lists that servers stand.
fn lists(version: Version) -> Vec<Vec<u16>> {
    let suites = suite::by_likelihood(version);
    suites.chunks(SUITES_LIMIT).map(<[u16]>::to_vec).collect()
}

fn suites(style: Style) -> Vec<u16> {
    // Those whose ciphers are at hand: under another the certificate could not be read.
    let newest = [0x1301, 0x1302, 0x1303];
    let common = suite::certificate_suites();
    match style {
        Style::First => common,
        Style::Newest | Style::Plain => [&newest[..], &common].concat(),
        Style::Rest => {
            let other = |suite: Suite| suite.shows_certificate() && !common.contains(&suite.code);
            let mut suites = [&newest[..], &up_to_tls12(other)].concat();
            suites.truncate(SUITES_LIMIT);
            suites
        }
        Style::Bare => {
            let mut suites = suite::by_likelihood(Version::Tls10);
            // As it was then; and a server whose Diffie-Hellman is broken gets by without.
            let rsa = |suite: Suite| suite.key_exchange() == KeyExchange::Rsa;
            suites.sort_by_cached_key(|&code| !suite::suite(code).is_some_and(rsa));
            suites.truncate(SUITES_LIMIT);
            suites
        }
        Style::Uncertified => up_to_tls12(|suite| !suite.shows_certificate()),
    }
}

/// Suites of TLS 1.2 and before, those last that hardly any server has but by having everything.
fn up_to_tls12(wanted: impl Fn(Suite) -> bool) -> Vec<u16> {
    let suites = suite::by_likelihood(Version::Tls12);
    let mut wanted: Vec<Suite> = suites
        .into_iter()
        .filter_map(suite::suite)
        .filter(|&suite| wanted(suite))
        .collect();
    let rare = |suite: &Suite| {
        use KeyExchange as K;
        let exchange = suite.key_exchange();
        let fixed = matches!(exchange, K::Dh | K::Ecdh | K::RsaPsk | K::SrpCertificate);
        let other = matches!(exchange, K::Krb5 | K::EccPwd | K::Null);
        (fixed || other, suite.name.contains("ARIA"))
    };
    wanted.sort_by_cached_key(rare);
    wanted.truncate(SUITES_LIMIT);
    wanted.into_iter().map(|suite| suite.code).collect()
}

/// The name by which a server is addressed where a protocol wants one before TLS.
pub(super) fn host(target: &Target) -> String {
    let name = target.sni.clone();
    name.unwrap_or_else(|| target.address.to_string())
}

/// Whether the protocol on a port changes to TLS by request, by its registered number.
pub(super) fn usual(port: u16) -> Option<StartTls> {
    let table = [
        (21, StartTls::Ftp),
        (25, StartTls::Smtp),
        (110, StartTls::Pop3),
        (143, StartTls::Imap),
        (389, StartTls::Ldap),
        (587, StartTls::Smtp),
        (1433, StartTls::Mssql),
        (3268, StartTls::Ldap),
        (3306, StartTls::Mysql),
        (3389, StartTls::Rdp),
        (5222, StartTls::Xmpp),
        (5269, StartTls::Xmpp),
        (5432, StartTls::Postgres),
    ];
    let known = table.iter().find(|&&(number, _)| number == port);
    known.map(|&(_, protocol)| protocol)
}
