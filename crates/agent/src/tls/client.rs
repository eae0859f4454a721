//! One conversation: a hello out, a server's answer in, up to the certificate and not a step further.

use super::Fault;
use super::alert;
use super::handshake::{self as message, Exchange, Joiner, Message, ServerHello};
use super::hello::{Hello, KeyShares, record};
use super::record::{ALERT, APPLICATION_DATA, CHANGE_CIPHER_SPEC, Deframer, HANDSHAKE, Record};
use super::schedule::{self, Keys};
use super::seen::Seen;
use super::suite::{KeyExchange, suite};
use crate::observation::{ClientAuth, Version};
use std::sync::Arc;

/// Warnings that are let pass; a server has at most one to give before its hello (RFC 6066 §3).
const WARNINGS_LIMIT: usize = 8;

/// How far to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    /// Version and suite: the ServerHello is enough.
    Hello,
    /// All that comes before it would be our turn.
    Certificate,
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    More,
    Send(Vec<u8>),
    Done,
}

/// A conversation from our side.
pub struct Client {
    hello: Hello,
    keys: Arc<KeyShares>,
    goal: Goal,
    deframer: Deframer,
    joiner: Joiner,
    /// Messages so far, while they are needed for the key schedule.
    transcript: Vec<u8>,
    retried: bool,
    protected: Option<Keys>,
    warnings: usize,
    seen: Option<Seen>,
    /// The chain's message was read, even if it was empty.
    chain_read: bool,
}

impl Client {
    /// The conversation, and its first bytes.
    pub fn new(hello: Hello, keys: Arc<KeyShares>, goal: Goal) -> (Self, Vec<u8>) {
        let first = hello.record(&keys);
        let transcript = first.get(5..).unwrap_or_default().to_vec();
        let client = Self {
            hello,
            keys,
            goal,
            deframer: Deframer::default(),
            joiner: Joiner::default(),
            transcript,
            retried: false,
            protected: None,
            warnings: 0,
            seen: None,
            chain_read: false,
        };
        (client, first)
    }

    /// Takes what has come, in any pieces.
    pub fn receive(&mut self, bytes: &[u8]) -> Result<Step, Fault> {
        self.deframer.push(bytes)?;
        while let Some(record) = self.deframer.take()? {
            match self.record(record)? {
                Step::More => {}
                step => return Ok(step),
            }
        }
        Ok(Step::More)
    }

    /// The fault that the end of the stream is at this point.
    pub fn closed(&self) -> Fault {
        let what = match (&self.seen, self.deframer.received()) {
            (_, 0) => "the connection was closed without an answer",
            (None, _) => "the connection was closed before a ServerHello",
            (Some(_), _) if !self.deframer.is_between() => {
                "the connection was closed within a record"
            }
            (Some(_), _) => "the connection was closed within the handshake",
        };
        Fault::garbage(what)
    }

    /// Bytes that have come.
    pub fn received(&self) -> usize {
        self.deframer.received()
    }

    pub fn seen(&self) -> Option<&Seen> {
        self.seen.as_ref()
    }

    pub fn into_seen(self) -> Option<Seen> {
        self.seen
    }

    /// A chain was read and has something in it: whatever happens now, there is a certificate.
    pub fn has_chain(&self) -> bool {
        self.chain_read
            && self
                .seen
                .as_ref()
                .is_some_and(|seen| !seen.chain.is_empty())
    }

    /// How to take leave: an alert in the words of what is spoken. TLS 1.3 wants to hear that it was on purpose
    /// (RFC 8446 §6.1); before that close_notify says all.
    pub fn farewell(&mut self) -> Vec<u8> {
        if let Some(keys) = &mut self.protected {
            return [alert::USER_CANCELED, alert::CLOSE_NOTIFY]
                .iter()
                .filter_map(|&description| keys.client.seal(ALERT, &[1, description]))
                .flatten()
                .collect();
        }
        let spoken = self.seen.as_ref().map(|seen| seen.version);
        let version = spoken.unwrap_or(Version::Tls10).min(Version::Tls12);
        record(version, ALERT, &[1, alert::CLOSE_NOTIFY])
    }

    fn record(&mut self, record: Record) -> Result<Step, Fault> {
        let (kind, body) = match (&mut self.protected, record.kind) {
            (Some(keys), APPLICATION_DATA) => keys.server.open(record)?,
            (_, kind) => (kind, record.body),
        };
        match kind {
            ALERT => self.alert(&body),
            HANDSHAKE => {
                self.joiner.push(&body);
                while let Some(message) = self.joiner.next()? {
                    match self.message(&message)? {
                        Step::More => {}
                        step => return Ok(step),
                    }
                }
                Ok(Step::More)
            }
            // For middleboxes only (RFC 8446 §5); before TLS 1.3 it would be the end of a handshake that we
            // are not having.
            CHANGE_CIPHER_SPEC if self.retried || self.protected.is_some() => Ok(Step::More),
            _ => Err(Fault::garbage(format!(
                "a record of type {kind} within the handshake"
            ))),
        }
    }

    fn alert(&mut self, body: &[u8]) -> Result<Step, Fault> {
        let &[level, description] = body else {
            return Err(Fault::garbage("an alert that is not two bytes long"));
        };
        self.warnings += 1;
        let passing = level == 1
            && !matches!(description, alert::CLOSE_NOTIFY | alert::NO_CERTIFICATE)
            && self.warnings <= WARNINGS_LIMIT;
        if passing {
            return Ok(Step::More);
        }
        if self.warnings > WARNINGS_LIMIT {
            return Err(Fault::TooLarge {
                what: "warnings",
                limit: WARNINGS_LIMIT,
            });
        }
        Err(Fault::Alert { level, description })
    }

    fn message(&mut self, message: &Message) -> Result<Step, Fault> {
        match (message.kind, &mut self.seen) {
            (message::HELLO_REQUEST, _) => Ok(Step::More),
            (message::SERVER_HELLO, None) => self.server_hello(message),
            (_, None) => Err(Fault::garbage(format!(
                "handshake message {} where a ServerHello belongs",
                message.kind
            ))),
            (kind, Some(seen)) => {
                let step = later(seen, kind, message.body())?;
                self.chain_read |= kind == message::CERTIFICATE;
                Ok(step)
            }
        }
    }

    fn server_hello(&mut self, message: &Message) -> Result<Step, Fault> {
        let hello = ServerHello::parse(message.body())?;
        if !self.hello.suites.contains(&hello.suite) {
            return Err(Fault::garbage(format!(
                "chose suite {:#06x}, which was not offered",
                hello.suite
            )));
        }
        let newest = hello.version == Version::Tls13;
        if newest && !self.hello.offers(Version::Tls13) {
            return Err(Fault::garbage("chose TLS 1.3, which was not offered"));
        }
        if hello.retry && self.goal == Goal::Certificate {
            return self.retry(&hello, message);
        }
        let mut seen = Seen::new(hello.version, hello.suite);
        seen.beyond = hello.beyond;
        seen.compression = hello.compression;
        seen.alpn.clone_from(&hello.alpn);
        seen.group = hello.share.as_ref().map(|&(group, _)| group);
        if !newest {
            let asked = self.hello.extensions.is_some();
            seen.renegotiation_info = Some(hello.renegotiation_info);
            seen.extended_master_secret = asked.then_some(hello.extended_master_secret);
            seen.session_ticket = asked.then_some(hello.session_ticket);
        }
        self.seen = Some(seen);
        if self.goal == Goal::Hello {
            return Ok(Step::Done);
        }
        if newest {
            self.protect(&hello, message)?;
        }
        Ok(Step::More)
    }

    /// From here on the server's messages are encrypted.
    fn protect(&mut self, hello: &ServerHello, message: &Message) -> Result<(), Fault> {
        let kind = schedule::kind(hello.suite).ok_or_else(|| unreadable("suite", hello.suite))?;
        let (group, theirs) = hello
            .share
            .as_ref()
            .ok_or_else(|| Fault::garbage("a ServerHello of TLS 1.3 without a key share"))?;
        let shared = self.keys.agree(*group, theirs).ok_or_else(|| {
            Fault::garbage(format!("a key share of group {group:#06x} that is none"))
        })?;
        self.transcript.extend(message.whole());
        self.protected = Some(kind.handshake_keys(&shared, &self.transcript)?);
        self.transcript = Vec::new();
        if let Some(seen) = &mut self.seen {
            seen.key_exchange_bits = Some(message::field_bits(*group, theirs));
        }
        Ok(())
    }

    /// A second hello with what the server lacks (RFC 8446 §4.1.4).
    fn retry(&mut self, hello: &ServerHello, message: &Message) -> Result<Step, Fault> {
        if self.retried {
            return Err(Fault::garbage("a second HelloRetryRequest"));
        }
        let kind = schedule::kind(hello.suite).ok_or_else(|| unreadable("suite", hello.suite))?;
        let Some(extensions) = &mut self.hello.extensions else {
            return Err(Fault::garbage(
                "a HelloRetryRequest to a hello without extensions",
            ));
        };
        if let Some((group, _)) = &hello.share {
            if self.keys.public(*group).is_none() {
                return Err(unreadable("group", *group));
            }
            extensions.shares = vec![*group];
        }
        extensions.cookie.clone_from(&hello.cookie);
        self.retried = true;
        let hash = kind.hash(&self.transcript);
        let second = self.hello.message(&self.keys);
        // RFC 8446 §4.4.1: the first hello stands as its hash.
        self.transcript = vec![254, 0, 0, hash.len() as u8];
        self.transcript.extend(hash);
        self.transcript.extend(message.whole());
        self.transcript.extend(&second);
        let mut out = record(Version::Tls12, CHANGE_CIPHER_SPEC, &[1]);
        out.extend(record(Version::Tls12, HANDSHAKE, &second));
        Ok(Step::Send(out))
    }
}

/// A server message after its hello.
fn later(seen: &mut Seen, kind: u8, body: &[u8]) -> Result<Step, Fault> {
    let newest = seen.version == Version::Tls13;
    match kind {
        message::ENCRYPTED_EXTENSIONS if newest => {
            seen.alpn = message::encrypted_extensions(body)?;
        }
        message::CERTIFICATE => {
            let (chain, staple) = message::certificates(body, seen.version)?;
            seen.chain = chain;
            seen.ocsp_staple = staple;
        }
        message::CERTIFICATE_REQUEST => {
            let authorities = message::authorities(body, seen.version)?;
            seen.client_certificate = Some(ClientAuth { authorities });
        }
        message::CERTIFICATE_VERIFY if newest => {
            seen.signature = body.first_chunk().map(|scheme| u16::from_be_bytes(*scheme));
            return Ok(Step::Done);
        }
        message::CERTIFICATE_STATUS if !newest => seen.ocsp_staple = message::status(body)?,
        message::SERVER_KEY_EXCHANGE if !newest => {
            let exchange =
                suite(seen.suite).map_or(KeyExchange::Null, |suite| suite.key_exchange());
            let told = Exchange::parse(body, exchange, seen.version)?;
            seen.group = told.group;
            seen.key_exchange_bits = told.bits;
            seen.signature = told.signature;
        }
        message::SERVER_HELLO_DONE if !newest => return Ok(Step::Done),
        message::NEW_SESSION_TICKET | message::SUPPLEMENTAL_DATA => {}
        other => {
            return Err(Fault::garbage(format!(
                "handshake message {other} out of place"
            )));
        }
    }
    Ok(Step::More)
}

/// A server of TLS 1.3 that insists on what cannot be computed here.
fn unreadable(what: &str, number: u16) -> Fault {
    Fault::NoCertificate(format!(
        "TLS 1.3 with {what} {number:#06x}, under which the certificate cannot be read here"
    ))
}
