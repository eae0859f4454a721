//! A TLS handshake seen from outside: both directions of one connection become what was shown, or why nothing was.

use super::{
    records::{self, Event, Go, Records, garbage, hex},
    search::{Found, Search, starttls},
    tds::Tds,
};
use crate::{
    observation::{ClientAuth, Der, Outcome, StartTls, TlsSeen, Version, VersionSeen},
    tls::{
        Fault,
        handshake::{self, Exchange, ServerHello},
        suite::suite,
    },
};

const CLIENT_HELLO: u8 = 1;
const CLIENT_KEY_EXCHANGE: u8 = 16;

/// Both directions of a connection.
pub(super) struct Session {
    sides: [Side; 2],
    seen: Seen,
}

struct Side {
    state: State,
    tds: Option<Tds>,
    /// The first byte of the connection was seen.
    from_start: bool,
    fed: bool,
}

enum State {
    Search(Search),
    Tls(Records),
    /// Nothing more is to be had here.
    Over,
}

/// What both directions have shown.
#[derive(Default)]
pub(super) struct Seen {
    /// The direction from client to server, once TLS has begun.
    pub(super) client: Option<usize>,
    pub(super) sni: Option<String>,
    pub(super) starttls: Option<StartTls>,
    pub(super) tls: TlsSeen,
    pub(super) chain: Option<Vec<Der>>,
    pub(super) client_chain: Vec<Der>,
    client_hello: bool,
    /// The version of a ServerHello that was no request to try again.
    server_hello: Option<Version>,
    retry: bool,
    /// The server has said all that it says in the clear.
    answered: bool,
    alert: Option<(u8, u8)>,
    /// What somebody did wrong.
    trouble: Option<Outcome>,
}

/// Why a connection is looked at no longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// All was seen that can be.
    Read,
    /// By FIN or RST.
    Closed,
    /// Nothing came for so long.
    Idle { after_ms: u64 },
    /// Segments are missing.
    Lost,
    /// Too much else went on.
    Evicted,
    /// The capture ends.
    Capture,
}

impl Session {
    pub(super) fn new() -> Self {
        let side = || Side {
            state: State::Search(Search::default()),
            tds: None,
            from_start: false,
            fed: false,
        };
        Self {
            sides: [side(), side()],
            seen: Seen::default(),
        }
    }

    /// This direction is seen from its first byte on.
    pub(super) fn begin(&mut self, side: usize) {
        let this = &mut self.sides[side & 1];
        this.from_start |= !this.fed;
    }

    /// The next bytes of a direction.
    pub(super) fn feed(&mut self, side: usize, bytes: &[u8]) {
        let side = side & 1;
        let other_does = self.sides[1 - side].tds.is_some();
        let this = &mut self.sides[side];
        if !this.fed && this.from_start && Tds::begins(bytes, other_does) {
            this.tds = Some(Tds::default());
        }
        this.fed = true;
        match &mut this.tds {
            Some(tds) => {
                let bytes = tds.unwrap(bytes);
                self.read(side, &bytes);
            }
            None => self.read(side, bytes),
        }
    }

    fn read(&mut self, side: usize, bytes: &[u8]) {
        let this = &mut self.sides[side];
        match &mut this.state {
            State::Search(search) => {
                let answering = self.seen.client == Some(1 - side);
                let found = search.feed(bytes, this.from_start, answering);
                self.found(side, found);
            }
            State::Tls(records) => {
                let seen = &mut self.seen;
                let go = records.feed(bytes, |event| seen.event(side, event));
                let go = go.unwrap_or_else(|fault| {
                    self.seen.went_wrong(side, records::outcome(fault));
                    Go::Enough
                });
                if go == Go::Enough {
                    self.sides[side].state = State::Over;
                }
            }
            State::Over => {}
        }
    }

    fn found(&mut self, side: usize, found: Found) {
        let rest = match found {
            Found::NotYet => return,
            Found::Tls(rest) => rest,
            Found::OldHello(rest) => {
                self.seen.client.get_or_insert(side);
                self.seen.client_hello = true;
                rest
            }
        };
        if self.seen.starttls.is_none() {
            self.seen.starttls = self.protocol(side);
        }
        self.sides[side].state = State::Tls(Records::default());
        self.read(side, &rest);
    }

    /// What changed to TLS, told at the moment when a hello is found; the client's comes first as a rule.
    fn protocol(&self, side: usize) -> Option<StartTls> {
        if self.sides.iter().any(|s| s.tds.is_some()) {
            return Some(StartTls::Mssql);
        }
        let (this, other) = (self.plain(side), self.plain(1 - side));
        starttls(this, other).or_else(|| starttls(other, this))
    }

    /// The first plain text of a direction that has not changed to TLS.
    pub(super) fn plain(&self, side: usize) -> &[u8] {
        match &self.sides[side & 1].state {
            State::Search(search) => search.preamble(),
            _ => &[],
        }
    }

    /// Whether nothing more is to be had in a direction.
    pub(super) fn is_over(&self, side: usize) -> bool {
        match &self.sides[side & 1].state {
            State::Search(search) => search.is_over(),
            State::Tls(_) => false,
            State::Over => true,
        }
    }

    /// Whether the direction was seen from its first byte on.
    pub(super) fn is_from_start(&self, side: usize) -> bool {
        self.sides[side & 1].from_start
    }

    pub(super) fn held(&self) -> usize {
        let side = |side: &Side| match &side.state {
            State::Search(search) => search.held(),
            State::Tls(records) => records.held(),
            State::Over => 0,
        };
        size_of::<Self>() + self.sides.iter().map(side).sum::<usize>() + self.seen.held()
    }

    /// What was seen, and the one outcome that it has; none if nobody spoke TLS.
    pub(super) fn conclude(mut self, ended: Ended) -> Option<(Seen, Outcome)> {
        let client = self.seen.client?;
        let outcome = self.outcome(1 - client, ended);
        if let Some((version, suite)) = self.seen.tls.negotiated {
            self.seen.tls.versions = vec![VersionSeen {
                version,
                suites: vec![suite],
                server_order: None,
                complete: false,
            }];
        }
        Some((self.seen, outcome))
    }

    fn outcome(&mut self, server: usize, ended: Ended) -> Outcome {
        let seen = &mut self.seen;
        let no_certificate = |why: &str| Outcome::NoCertificate {
            why: why.to_owned(),
        };
        match &seen.chain {
            Some(chain) if chain.is_empty() => return no_certificate("the chain is empty"),
            Some(_) => return Outcome::Certificate,
            None => {}
        }
        if let Some(trouble) = seen.trouble.take() {
            return trouble;
        }
        if let Some((level, description)) = seen.alert {
            return Outcome::Alert { level, description };
        }
        match seen.server_hello {
            Some(Version::Tls13) => return no_certificate("TLS 1.3 encrypts it"),
            Some(_) if seen.answered => {
                return no_certificate("an anonymous or pre-shared key, or a resumed session");
            }
            _ => {}
        }
        if let State::Search(search) = &self.sides[server].state
            && !search.answer().is_empty()
        {
            let first_bytes = hex(search.answer());
            return Outcome::NotTls { first_bytes };
        }
        let silent = !self.sides[server].fed;
        let failed = |why: &str| Outcome::Failed {
            why: why.to_owned(),
        };
        match ended {
            Ended::Lost => failed("the capture lacks segments of the handshake"),
            Ended::Evicted => failed("more connections at once than the limits of this reader"),
            _ if silent && !self.sides[server].from_start => {
                failed("the capture has the client's direction only")
            }
            Ended::Idle { after_ms } if silent => Outcome::Hung { after_ms },
            Ended::Closed | Ended::Read => {
                garbage("the connection ends in the middle of the handshake".to_owned())
            }
            Ended::Idle { .. } | Ended::Capture => {
                failed("the capture ends in the middle of the handshake")
            }
        }
    }
}

impl Seen {
    /// Certificates and nothing else.
    pub(super) fn chain(chain: Vec<Der>) -> Self {
        Self {
            chain: Some(chain),
            ..Self::default()
        }
    }

    fn event(&mut self, side: usize, event: Event<'_>) -> Result<Go, Fault> {
        let from_client = self.client == Some(side);
        Ok(match event {
            Event::Message { kind, body } => self.message(side, kind, body)?,
            // Between a HelloRetryRequest and the ServerHello it is for middleboxes (RFC 8446 Appendix D.4).
            Event::ChangeCipherSpec
                if !from_client && self.retry && self.server_hello.is_none() =>
            {
                Go::On
            }
            Event::ChangeCipherSpec | Event::ApplicationData => {
                self.answered |= !from_client;
                Go::Enough
            }
            // A warning (unrecognized_name) does not end a handshake; close_notify does.
            Event::Alert {
                level: 1,
                description,
            } if description != 0 => Go::On,
            Event::Alert { level, description } => {
                if !from_client {
                    self.alert = Some((level, description));
                }
                Go::Enough
            }
        })
    }

    fn message(&mut self, side: usize, kind: u8, body: &[u8]) -> Result<Go, Fault> {
        let from_client = self.client == Some(side);
        match kind {
            CLIENT_HELLO if *self.client.get_or_insert(side) == side => {
                let name = records::server_name(body)?;
                // After a HelloRetryRequest it comes again.
                if !self.client_hello {
                    self.sni = name;
                    self.client_hello = true;
                }
            }
            handshake::SERVER_HELLO if *self.client.get_or_insert(1 - side) != side => {
                return Ok(self.server_hello(ServerHello::parse(body)?));
            }
            CLIENT_HELLO | handshake::SERVER_HELLO => {
                let what = "both ends speak as the same".to_owned();
                return Err(Fault::Garbage(what));
            }
            handshake::CERTIFICATE => {
                // A certificate of TLS 1.3 is not in the clear, and none comes before the server's hello.
                let Some((version, _)) = self.tls.negotiated else {
                    return Ok(Go::On);
                };
                let (chain, _) = handshake::certificates(body, version)?;
                match from_client {
                    true => self.client_chain = chain,
                    false => self.chain = Some(chain),
                }
            }
            handshake::SERVER_KEY_EXCHANGE => self.key_exchange(body),
            handshake::CERTIFICATE_REQUEST => {
                if let Some((version, _)) = self.tls.negotiated {
                    let authorities = handshake::authorities(body, version)?;
                    self.tls.client_certificate = Some(ClientAuth { authorities });
                }
            }
            handshake::CERTIFICATE_STATUS => self.tls.ocsp_staple = handshake::status(body)?,
            handshake::SERVER_HELLO_DONE => {
                self.answered = true;
                return Ok(Go::Enough);
            }
            // It comes behind a client's certificate.
            CLIENT_KEY_EXCHANGE => return Ok(Go::Enough),
            _ => {}
        }
        Ok(Go::On)
    }

    fn server_hello(&mut self, hello: ServerHello) -> Go {
        if hello.retry {
            self.retry = true;
            return Go::On;
        }
        self.server_hello = Some(hello.version);
        self.tls.negotiated = Some((hello.version, hello.suite));
        self.tls.beyond = hello.beyond;
        self.tls.group = hello.share.map(|(group, _)| group);
        if hello.version == Version::Tls13 {
            // What follows is encrypted.
            self.answered = true;
            return Go::Enough;
        }
        self.tls.alpn = hello
            .alpn
            .filter(|name| name.bytes().all(|b| b.is_ascii_graphic()));
        self.tls.compression = Some(hello.compression);
        self.tls.renegotiation_info = Some(hello.renegotiation_info);
        self.tls.extended_master_secret = Some(hello.extended_master_secret);
        self.tls.session_ticket = Some(hello.session_ticket);
        Go::On
    }

    /// What cannot be read of it costs the group, not the certificate.
    fn key_exchange(&mut self, body: &[u8]) {
        let exchange = self.tls.negotiated.and_then(|(version, code)| {
            let kind = suite(code)?.key_exchange();
            Exchange::parse(body, kind, version).ok()
        });
        if let Some(exchange) = exchange {
            self.tls.group = exchange.group;
            self.tls.key_exchange_bits = exchange.bits;
            self.tls.signature = exchange.signature;
        }
    }

    fn went_wrong(&mut self, side: usize, trouble: Outcome) {
        let from_client = self.client == Some(side);
        // What a client does wrong behind the server's answer says nothing about the server.
        if !(from_client && self.chain.is_some()) {
            self.trouble.get_or_insert(trouble);
        }
    }

    fn held(&self) -> usize {
        let chains = self.chain.iter().flatten().chain(&self.client_chain);
        chains.map(|der| der.bytes().len()).sum()
    }
}
