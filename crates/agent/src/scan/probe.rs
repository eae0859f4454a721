//! Looking at one place: the certificate, and if wanted the versions and suites. One connection after the
//! other, each opened only when the one before is closed.

use super::ask::{self, Asker, Looks, Style};
use super::line::{End, Line};
use super::pace::Pace;
use super::starttls;
use super::target::Target;
use super::{Depth, Timing};
use crate::observation::{Der, Outcome, TlsSeen, Version, VersionSeen};
use crate::tls::suite::{self, KeyExchange};
use crate::tls::{Client, Fault, Goal, Hello, KeyShares, Seen, alert};
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep};

/// What probing needs, for a whole scan.
pub(super) struct Prober {
    pub(super) asker: Asker,
    pub(super) keys: Arc<KeyShares>,
    pub(super) depth: Depth,
    pub(super) timing: Timing,
    pub(super) pace: Pace,
    /// Places for answers that are large.
    pub(super) large: Arc<Semaphore>,
}

/// Answers of more than 64 KiB at a time, from the conversation until the report is taken: with up to 3 MiB
/// each they are what a scan's memory is, however many targets are hostile.
pub(super) const LARGE_ANSWERS: usize = 32;

/// What probing one place came to.
pub(super) struct Found {
    pub(super) outcome: Outcome,
    pub(super) tls: Option<TlsSeen>,
    pub(super) chain: Vec<Der>,
    /// The place accepted a connection.
    pub(super) connected: bool,
    /// It accepted one, and a later one not: the reason to stop (R17).
    pub(super) silent: bool,
    /// Given back when the report is taken.
    _place: Option<OwnedSemaphorePermit>,
}

/// How one conversation went.
struct Talked {
    end: Result<(), End>,
    seen: Option<Seen>,
}

/// What a server declined.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Decline {
    /// None of the suites, it says.
    Suites,
    /// The version, whatever the suites.
    Version,
    /// It hung up: it may also have stumbled over what it chose.
    Unsaid,
}

/// What came of one list of suites.
struct Choices {
    /// In the order in which they were chosen.
    found: Vec<u16>,
    /// Nothing was left open.
    whole: bool,
    /// Another list need not be tried.
    over: bool,
}

/// Which suite a server chose, or how it declined.
enum Choice {
    Suite(u16),
    Declined(Decline),
    /// No word on whether it would: hung, or not to be connected to.
    Unknown,
}

impl Prober {
    /// Looks at `target`. Takes as long as its timing allows, and not longer.
    pub(super) async fn probe(&self, target: &Target) -> Found {
        let mut visit = Visit {
            prober: self,
            target,
            end: Instant::now() + self.timing.target,
            connected: 0,
            silent: false,
            no_tls: false,
            place: None,
            looks: Looks::default(),
        };
        let (outcome, seen) = visit.certificate().await;
        let (mut tls, chain) = match seen {
            Some(seen) => {
                let (tls, chain) = seen.split();
                (Some(tls), chain)
            }
            None => (None, Vec::new()),
        };
        let worthwhile = outcome.is_tls() && !visit.no_tls && !visit.silent;
        if self.depth != Depth::Certificate && worthwhile {
            let versions = visit.versions(tls.as_ref()).await;
            let newest = versions.iter().any(|seen| seen.version == Version::Tls13);
            let groups = if newest {
                visit.groups().await
            } else {
                Vec::new()
            };
            if !versions.is_empty() {
                let tls = tls.get_or_insert_default();
                tls.versions = versions;
                tls.groups = groups;
            }
        }
        Found {
            outcome,
            tls,
            chain,
            connected: visit.connected > 0,
            silent: visit.silent,
            _place: visit.place,
        }
    }

    /// Whether the place still accepts a connection; nothing is said on it.
    pub(super) async fn alive(&self, target: &Target) -> bool {
        self.pace.turn().await;
        let timing = &self.timing;
        match Line::open(target, timing.connect, timing.answer).await {
            Ok(line) => {
                line.leave(&[]).await;
                true
            }
            // No word about the device.
            Err(Outcome::Failed { .. }) => true,
            Err(_) => false,
        }
    }
}

/// One place being looked at.
struct Visit<'a> {
    prober: &'a Prober,
    target: &'a Target,
    /// When its time is over.
    end: Instant,
    connected: usize,
    silent: bool,
    /// The protocol does not change to TLS.
    no_tls: bool,
    place: Option<OwnedSemaphorePermit>,
    /// What the server wants of hellos.
    looks: Looks,
}

impl Visit<'_> {
    /// The certificate, by at most four hellos. The server's own refusal is the outcome before our guesses.
    async fn certificate(&mut self) -> (Outcome, Option<Seen>) {
        let mut first: Option<(Outcome, Option<Seen>)> = None;
        let mut next = Some(Style::First);
        for _ in 0..ask::HELLOS_LIMIT {
            let Some(style) = next else {
                break;
            };
            let hello = self.prober.asker.certificate(self.target, style);
            let talked = match self.converse(hello, Goal::Certificate).await {
                Ok(talked) => talked,
                Err(outcome) => return first.unwrap_or((outcome, None)),
            };
            let again = talked.end.as_ref().err().is_some_and(worth_another);
            next = style.next(talked.end.as_ref().err().and_then(declined));
            let has_chain = talked
                .seen
                .as_ref()
                .is_some_and(|seen| !seen.chain.is_empty());
            let result = (judge(talked.end, talked.seen.as_ref()), talked.seen);
            if has_chain || !again {
                self.looks.bare = style == Style::Bare && result.1.is_some();
                let better = first.is_none() || result.0.is_tls();
                return if better {
                    result
                } else {
                    first.unwrap_or(result)
                };
            }
            let known = first.as_ref().map(|(outcome, _)| telling(outcome));
            if known.is_none_or(|known| telling(&result.0) > known) {
                first = Some(result);
            }
        }
        first.unwrap_or((
            Outcome::Failed {
                why: "no hello to send".to_owned(),
            },
            None,
        ))
    }

    /// Which versions the server speaks, newest first.
    async fn versions(&mut self, seen: Option<&TlsSeen>) -> Vec<VersionSeen> {
        let known = seen.and_then(|seen| seen.negotiated);
        let beyond = seen.and_then(|seen| seen.beyond);
        let mut found = Vec::new();
        for version in Version::ALL.into_iter().rev() {
            if self.silent {
                break;
            }
            let seen = match (self.prober.depth, known) {
                // That much the certificate's handshake has told.
                (Depth::Versions, Some((spoken, suite))) if spoken == version => {
                    Some(VersionSeen {
                        version,
                        suites: vec![suite],
                        server_order: None,
                        complete: false,
                    })
                }
                _ => {
                    let said = known.is_some_and(|(spoken, _)| spoken == version);
                    self.spoken(version, said || beyond == Some(version)).await
                }
            };
            found.extend(seen);
        }
        found.sort_by_key(|seen| seen.version);
        found
    }

    /// [`Self::version`], and again with keys if a server that spoke TLS 1.3 before (or said that it does) declines to
    /// without.
    async fn spoken(&mut self, version: Version, before: bool) -> Option<VersionSeen> {
        let seen = self.version(version).await;
        if seen.is_some() || version != Version::Tls13 || !before || self.silent {
            return seen;
        }
        self.looks.shares = true;
        self.version(version).await
    }

    /// Whether the server speaks `version`, and under which suites: each choice is struck off the list and
    /// the rest offered again, until it declines.
    async fn version(&mut self, version: Version) -> Option<VersionSeen> {
        let mut suites = Vec::new();
        let mut complete = true;
        let mut lists_with_any = 0;
        let prober = self.prober;
        for list in prober.asker.lists(version) {
            let choices = self.choices(version, list.clone()).await;
            lists_with_any += usize::from(!choices.found.is_empty());
            suites.extend(choices.found);
            complete &= choices.whole;
            if choices.over {
                break;
            }
        }
        if suites.is_empty() {
            return None;
        }
        let mut server_order = None;
        if self.prober.depth == Depth::Suites && suites.len() > 1 && complete {
            server_order = self.ordered_by_server(version, &suites).await;
            if server_order == Some(true) && lists_with_any > 1 {
                // Each list came out in the server's order, but not one list beside the other.
                let again = self.choices(version, suites.clone()).await;
                if again.whole && again.found.len() == suites.len() {
                    suites = again.found;
                }
            }
        }
        Some(VersionSeen {
            version,
            suites,
            server_order,
            complete,
        })
    }

    /// What the server chooses from `list`, one after the other, until it declines.
    async fn choices(&mut self, version: Version, mut list: Vec<u16>) -> Choices {
        let mut found = Vec::new();
        let (mut whole, mut over) = (true, false);
        while !list.is_empty() {
            match self.choose(version, list.clone()).await {
                Choice::Suite(suite) => {
                    found.push(suite);
                    list.retain(|&other| other != suite);
                    if self.prober.depth == Depth::Versions {
                        (whole, over) = (false, true);
                        break;
                    }
                }
                Choice::Declined(Decline::Unsaid) if without_dhe(&mut list) => {}
                Choice::Declined(decline) => {
                    over = decline == Decline::Version;
                    break;
                }
                Choice::Unknown => {
                    (whole, over) = (false, true);
                    break;
                }
            }
        }
        Choices { found, whole, over }
    }

    /// Which groups the server takes in TLS 1.3: struck off one by one like suites.
    async fn groups(&mut self) -> Vec<u16> {
        let mut list = ask::groups(self.prober.depth);
        let mut found = Vec::new();
        while !list.is_empty() {
            let hello = self.prober.asker.groups(self.target, list.clone());
            let talked = self.converse(hello, Goal::Hello).await;
            let group = talked.ok().and_then(|talked| talked.seen?.group);
            let Some(group) = group.filter(|group| list.contains(group)) else {
                break;
            };
            found.push(group);
            list.retain(|&other| other != group);
        }
        found
    }

    /// Whose order decides: the list is offered the wrong way round.
    async fn ordered_by_server(&mut self, version: Version, suites: &[u16]) -> Option<bool> {
        let mut reversed = suites.to_vec();
        reversed.reverse();
        match self.choose(version, reversed).await {
            Choice::Suite(suite) if suites.first() == Some(&suite) => Some(true),
            Choice::Suite(suite) if suites.last() == Some(&suite) => Some(false),
            _ => None,
        }
    }

    async fn choose(&mut self, version: Version, suites: Vec<u16>) -> Choice {
        let asker = &self.prober.asker;
        let hello = asker.version(self.target, version, suites, self.looks);
        let Ok(talked) = self.converse(hello, Goal::Hello).await else {
            return Choice::Unknown;
        };
        match (talked.end, talked.seen) {
            (Ok(()), Some(seen)) if seen.version == version => Choice::Suite(seen.suite),
            (Ok(()), _) => Choice::Declined(Decline::Version),
            (Err(End::Fault(Fault::Alert { description, .. })), _) => {
                Choice::Declined(match description {
                    alert::PROTOCOL_VERSION => Decline::Version,
                    alert::HANDSHAKE_FAILURE | alert::INSUFFICIENT_SECURITY => Decline::Suites,
                    _ => Decline::Unsaid,
                })
            }
            // Servers that close instead of an alert are common enough to count as saying no.
            (Err(End::Fault(Fault::Garbage(_))), _) => Choice::Declined(Decline::Unsaid),
            (Err(_), _) => Choice::Unknown,
        }
    }

    /// For our turn; a slow pace is no time of the server's.
    async fn wait(&mut self) {
        let begun = Instant::now();
        let pause = self.prober.timing.pause;
        if self.connected > 0 && !pause.is_zero() {
            sleep(pause).await;
        }
        self.prober.pace.turn().await;
        self.end += begun.elapsed();
    }

    /// One connection: hello, answer, leave. The error is the outcome if there is no connection.
    async fn converse(&mut self, hello: Hello, goal: Goal) -> Result<Talked, Outcome> {
        let prober = self.prober;
        let timing = &prober.timing;
        self.wait().await;
        let left = self.end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(End::Hung(timing.target).outcome());
        }
        let opened = Line::open(
            self.target,
            timing.connect.min(left),
            timing.answer.min(left),
        );
        let mut line = match opened.await {
            Ok(line) => line,
            Err(outcome) => {
                let ours = matches!(outcome, Outcome::Failed { .. });
                self.silent = self.connected > 0 && !ours;
                return Err(outcome);
            }
        };
        self.connected += 1;
        let early = match self.target.starttls {
            None => Vec::new(),
            Some(protocol) => {
                let host = ask::host(self.target);
                match starttls::upgrade(&mut line, protocol, &host, self.target.port).await {
                    Ok(early) => early,
                    Err(end) => {
                        self.no_tls = true;
                        line.leave(&[]).await;
                        return Ok(Talked {
                            end: Err(end),
                            seen: None,
                        });
                    }
                }
            }
        };
        let (mut client, first) = Client::new(hello, Arc::clone(&prober.keys), goal);
        // Kept from one connection to the next: who waits for a second place while holding one waits for itself.
        line.place = self.place.take();
        let end = line.talk(&mut client, &first, &early, &prober.large).await;
        self.place = line.place.take();
        let farewell = match &end {
            // Whoever does not speak TLS is not answered in it; and who has said no has hung up, and would
            // answer another word with a RST.
            Err(End::Fault(Fault::NotTls(_) | Fault::Alert { .. })) => Vec::new(),
            _ => client.farewell(),
        };
        line.leave(&farewell).await;
        prober.pace.went(!matches!(end, Err(End::Hung(_))));
        Ok(Talked {
            end,
            seen: client.into_seen(),
        })
    }
}

/// Strikes out finite-field Diffie-Hellman if there is anything else: servers without parameters for it are seen
/// to choose it and then hang up. False if nothing was to be struck out.
fn without_dhe(list: &mut Vec<u16>) -> bool {
    let dhe = |code: u16| {
        let exchange = suite::suite(code).map(|suite| suite.key_exchange());
        matches!(
            exchange,
            Some(KeyExchange::Dhe | KeyExchange::DhAnon | KeyExchange::DhePsk)
        )
    };
    let before = list.len();
    list.retain(|&code| !dhe(code));
    !list.is_empty() && list.len() < before
}

/// Whether another hello could fare better than this one did.
fn worth_another(end: &End) -> bool {
    matches!(
        end,
        End::Fault(Fault::Alert { .. } | Fault::Garbage(_) | Fault::NoCertificate(_))
    )
}

/// The alert by which a hello was declined.
fn declined(end: &End) -> Option<u8> {
    match end {
        End::Fault(Fault::Alert { description, .. }) => Some(*description),
        _ => None,
    }
}

/// Of what several hellos came to, which says most about the server.
fn telling(outcome: &Outcome) -> u8 {
    match outcome {
        Outcome::Certificate => 3,
        Outcome::NoCertificate { .. } => 2,
        Outcome::Alert { .. } => 1,
        _ => 0,
    }
}

/// What a conversation came to. A chain that was read stands, whatever came after it.
fn judge(end: Result<(), End>, seen: Option<&Seen>) -> Outcome {
    match (end, seen) {
        (_, Some(seen)) if !seen.chain.is_empty() => Outcome::Certificate,
        (Ok(()), Some(seen)) => {
            let suite = suite::suite(seen.suite);
            let name = suite.map_or("?", |suite| suite.name);
            let why = match suite {
                Some(suite) if suite.shows_certificate() => "the chain is empty".to_owned(),
                _ => format!("{name} shows none"),
            };
            Outcome::NoCertificate { why }
        }
        (Ok(()), None) => Outcome::Garbage {
            what: "nothing was said".to_owned(),
        },
        (Err(end), _) => end.outcome(),
    }
}
