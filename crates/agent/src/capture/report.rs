//! From connections to observations, each said once in a while and not once a connection: a server that a thousand
//! clients call shows the same certificate a thousand times.

use std::{
    collections::VecDeque,
    hash::{BuildHasher, RandomState},
};

use super::{
    Limits, Summary,
    decode::Endpoint,
    records::hex,
    session::{Ended, Seen, Session},
    table::Table,
};
use crate::observation::{How, Observation, Outcome, Place, TlsSeen};

/// As many bytes as [`Outcome::NotTls`] shows.
const FIRST: usize = 16;

pub(super) struct Reporter {
    name: String,
    limits: Limits,
    pub(super) summary: Summary,
    /// What was said, by its hash, and when.
    said: Table<u64, i64>,
    /// How many names each server was asked for.
    asked: Table<Endpoint, u32>,
    hash: RandomState,
    found: VecDeque<Observation>,
}

/// A connection that is looked at no longer.
pub(super) struct Connection {
    pub(super) ends: [Endpoint; 2],
    pub(super) session: Box<Session>,
    /// Which of them opened it, if that was seen.
    pub(super) opener: Option<usize>,
    pub(super) at: i64,
    pub(super) has_bytes: bool,
}

impl Reporter {
    pub(super) fn new(name: &str, limits: Limits) -> Self {
        Self {
            name: name.to_owned(),
            limits,
            summary: Summary::default(),
            said: Table::new(),
            asked: Table::new(),
            hash: RandomState::new(),
            found: VecDeque::new(),
        }
    }

    /// What was found and not taken yet.
    pub(super) fn take(&mut self) -> Option<Observation> {
        self.found.pop_front()
    }

    /// Counts the connection, and says what it showed.
    pub(super) fn connection(&mut self, connection: Connection, ended: Ended) {
        let Connection { ends, at, .. } = connection;
        let plain = connection.plain_server();
        let late = connection.opener.is_none();
        let Some((seen, outcome)) = connection.session.conclude(ended) else {
            let count = &mut self.summary.ended;
            match ended {
                _ if !connection.has_bytes => count.empty += 1,
                Ended::Lost => count.lost += 1,
                Ended::Evicted => count.evicted += 1,
                _ if late => count.joined_late += 1,
                _ => count.not_tls += 1,
            }
            if let Some((server, first_bytes)) = plain.filter(|_| self.limits.plain_text) {
                let place = place(server, None, &Seen::default());
                self.say(at, place, Outcome::NotTls { first_bytes }, Seen::default());
            }
            return;
        };
        match outcome {
            Outcome::Failed { .. } => self.summary.ended.tls_incomplete += 1,
            _ => self.summary.ended.tls += 1,
        }
        self.handshake(ends, at, seen, outcome);
    }

    fn handshake(&mut self, ends: [Endpoint; 2], at: i64, mut seen: Seen, outcome: Outcome) {
        let client = seen.client.unwrap_or(0) & 1;
        let (client, server) = (ends[client], ends[1 - client]);
        let sni = seen.sni.take().filter(|name| self.may_name(server, name));
        let client_chain = std::mem::take(&mut seen.client_chain);
        self.say(at, place(server, sni, &seen), outcome, seen);
        if !client_chain.is_empty() {
            let place = Place::Client {
                address: client.address,
                server: server.address,
                port: server.port,
            };
            let shown = Seen::chain(client_chain);
            self.say(at, place, Outcome::Certificate, shown);
        }
    }

    /// Whoever invents names when calling a server must not fill the inventory with them.
    fn may_name(&mut self, server: Endpoint, name: &str) -> bool {
        let key = self.hash.hash_one((server, name));
        if self.said.touch(&key).is_some() {
            return true;
        }
        let count = match self.asked.touch(&server) {
            Some(count) => count,
            None => {
                if self.asked.len() >= self.limits.remembered {
                    self.asked.pop_oldest();
                }
                self.asked.insert(server, 0);
                match self.asked.touch(&server) {
                    Some(count) => count,
                    None => return true,
                }
            }
        };
        if *count >= self.limits.names_per_server {
            self.summary.names_dropped += 1;
            return false;
        }
        *count += 1;
        self.remember(key, i64::MAX);
        true
    }

    fn say(&mut self, at: i64, place: Place, outcome: Outcome, seen: Seen) {
        let chain = seen.chain.unwrap_or_default();
        let negotiated = seen.tls.negotiated;
        let key = (&place, format!("{outcome:?}"), negotiated, &chain);
        let key = self.hash.hash_one(key);
        if let Some(said) = self.said.touch(&key) {
            if at.saturating_sub(*said) < self.limits.repeat_after_ms {
                self.summary.repeated += 1;
                return;
            }
            *said = at;
        } else {
            self.remember(key, at);
        }
        let mut observation = Observation::new(at, &self.name, How::Capture, place, outcome);
        observation.tls = (seen.tls != TlsSeen::default()).then_some(seen.tls);
        observation.chain = chain;
        self.summary.observations += 1;
        self.found.push_back(observation);
    }

    fn remember(&mut self, key: u64, at: i64) {
        if self.said.len() >= self.limits.remembered {
            self.said.pop_oldest();
        }
        self.said.insert(key, at);
    }
}

fn place(server: Endpoint, sni: Option<String>, seen: &Seen) -> Place {
    Place::Network {
        address: server.address,
        port: server.port,
        sni,
        starttls: seen.starttls,
    }
}

impl Connection {
    /// A server that greeted or answered in plain text, and its first bytes. What clients say is not noted: it may
    /// begin with a patient's name.
    fn plain_server(&self) -> Option<(Endpoint, String)> {
        let side = 1 - (self.opener? & 1);
        let plain = self.session.plain(side);
        let seen = !plain.is_empty() && self.session.is_from_start(side);
        seen.then(|| (self.ends[side], hex(plain.get(..FIRST).unwrap_or(plain))))
    }
}
