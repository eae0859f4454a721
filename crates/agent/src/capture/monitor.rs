//! Packets in, observations out: the connections that are under way, within limits.

use super::{
    Limits, Packet, Summary,
    decode::{Endpoint, Segment, segment},
    report::{Connection, Reporter},
    session::{Ended, Session},
    stream::{self, Stream},
    table::Table,
};
use crate::observation::Observation;

/// Reads packets as they come, from a file or an interface. Memory stays within its [`Limits`] whatever comes.
pub struct Monitor {
    limits: Limits,
    flows: Table<Key, Flow>,
    /// Bytes that connections hold.
    held: usize,
    reporter: Reporter,
}

/// Both ends, the lower one first.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Key([Endpoint; 2]);

struct Flow {
    streams: [Stream; 2],
    /// None once all was seen, or given up: later segments are then passed over quickly.
    session: Option<Box<Session>>,
    opener: Option<usize>,
    /// Sequence numbers behind the last byte, by FIN.
    ends: [Option<u32>; 2],
    reset: bool,
    has_bytes: bool,
    at: i64,
    held: usize,
}

impl Monitor {
    /// `name` is what observations say they come from.
    pub fn new(name: &str, limits: Limits) -> Self {
        Self {
            flows: Table::new(),
            held: 0,
            reporter: Reporter::new(name, limits.clone()),
            limits,
        }
    }

    /// Looks at a packet. What it completes is then to be had from [`Monitor::found`].
    pub fn packet(&mut self, packet: &Packet<'_>) {
        let summary = &mut self.reporter.summary;
        summary.packets += 1;
        summary.bytes += packet.data.len() as u64;
        match segment(packet.link, packet.data) {
            Ok(segment) => {
                summary.segments += 1;
                summary.cut_segments += u64::from(segment.cut);
                self.expire(packet.at);
                self.segment(&segment, packet.at);
            }
            Err(why) => summary.not_segments.count(why),
        }
    }

    /// The next observation, until there is none.
    pub fn found(&mut self) -> Option<Observation> {
        self.reporter.take()
    }

    /// Numbers so far.
    pub fn summary(&self) -> &Summary {
        &self.reporter.summary
    }

    /// Bytes that connections hold, for whoever wants to see that it is bounded.
    pub fn held(&self) -> usize {
        self.held
    }

    /// Nothing more will come: ends every connection. What is left to take is returned with the numbers.
    pub fn finish(mut self) -> (Summary, Vec<Observation>) {
        while let Some((key, flow)) = self.flows.pop_oldest() {
            self.end(key, flow, Ended::Capture);
        }
        let mut rest = Vec::new();
        while let Some(observation) = self.found() {
            rest.push(observation);
        }
        (self.reporter.summary, rest)
    }

    fn segment(&mut self, segment: &Segment<'_>, at: i64) {
        let (key, side) = key(segment);
        let opens = segment.syn && !segment.ack;
        let mut slot = self.flows.find(&key);
        let used_up = |flow: &mut Flow| flow.session.is_none() || flow.is_finished();
        if opens && slot.and_then(|at| self.flows.at(at)).is_some_and(used_up) {
            // The same ports again.
            slot = None;
            if let Some(flow) = self.flows.remove(&key) {
                self.end(key, flow, Ended::Closed);
            }
        }
        let slot = match slot {
            Some(slot) => slot,
            None if !segment.syn && segment.payload.is_empty() => {
                self.reporter.summary.stray_segments += 1;
                return;
            }
            None => {
                self.make_room();
                self.reporter.summary.connections += 1;
                self.flows.insert(key, Flow::new(at))
            }
        };
        let limits = stream::Limits {
            bytes: self.limits.waiting_bytes,
            pieces: self.limits.waiting_pieces,
        };
        let Some(flow) = self.flows.at(slot) else {
            return;
        };
        let before = flow.held;
        let ended = flow.take(side, segment, at, limits);
        let after = flow.held;
        self.held = self.held + after - before;
        if let Some(ended) = ended {
            // Its entry stays, so that what still comes is known to belong to it.
            let rest = Flow::over(flow);
            let flow = std::mem::replace(flow, rest);
            self.end(key, flow, ended);
        }
        while self.held > self.limits.memory && self.evict() {}
    }

    /// Time has passed without a packet: what was quiet for long is over.
    pub fn tick(&mut self, now: i64) {
        self.expire(now);
    }

    /// Ends connections on which nothing has come for long.
    fn expire(&mut self, now: i64) {
        let limit = self.limits.idle_ms;
        while let Some((_, flow)) = self.flows.oldest() {
            if now.saturating_sub(flow.at) < limit {
                return;
            }
            if let Some((key, flow)) = self.flows.pop_oldest() {
                let after_ms = limit.unsigned_abs();
                self.end(key, flow, Ended::Idle { after_ms });
            }
        }
    }

    fn make_room(&mut self) {
        while self.flows.len() >= self.limits.connections.max(1) && self.evict() {}
    }

    fn evict(&mut self) -> bool {
        let oldest = self.flows.pop_oldest();
        oldest.is_some_and(|(key, flow)| {
            self.end(key, flow, Ended::Evicted);
            true
        })
    }

    fn end(&mut self, key: Key, flow: Flow, ended: Ended) {
        self.held -= flow.held;
        let contradictions = flow.streams.iter().map(|s| u64::from(s.contradictions()));
        self.reporter.summary.contradictions += contradictions.sum::<u64>();
        let hole = flow.streams.iter().any(Stream::has_hole);
        let Some(session) = flow.session else {
            return;
        };
        let ended = match ended {
            Ended::Closed | Ended::Idle { .. } | Ended::Capture if hole => Ended::Lost,
            ended => ended,
        };
        let connection = Connection {
            ends: key.0,
            session,
            opener: flow.opener,
            at: flow.at,
            has_bytes: flow.has_bytes,
        };
        self.reporter.connection(connection, ended);
    }
}

fn key(segment: &Segment<'_>) -> (Key, usize) {
    let (from, to) = (segment.from, segment.to);
    match from <= to {
        true => (Key([from, to]), 0),
        false => (Key([to, from]), 1),
    }
}

impl Flow {
    fn new(at: i64) -> Self {
        Self {
            streams: [Stream::default(), Stream::default()],
            session: Some(Box::new(Session::new())),
            opener: None,
            ends: [None; 2],
            reset: false,
            has_bytes: false,
            at,
            held: 0,
        }
    }

    /// What is left of a connection that nothing more is expected from.
    fn over(flow: &Flow) -> Self {
        Self {
            session: None,
            opener: flow.opener,
            ends: flow.ends,
            reset: flow.reset,
            has_bytes: flow.has_bytes,
            at: flow.at,
            held: 0,
            streams: [Stream::default(), Stream::default()],
        }
    }

    /// Takes a segment, and says if nothing more is needed.
    fn take(
        &mut self,
        side: usize,
        segment: &Segment<'_>,
        at: i64,
        limits: stream::Limits,
    ) -> Option<Ended> {
        self.at = at;
        let session = self.session.as_mut()?;
        let mut sequence = segment.sequence;
        if segment.syn {
            self.streams[side].begin(sequence);
            sequence = sequence.wrapping_add(1);
            session.begin(side);
            let opener = if segment.ack { 1 - side } else { side };
            self.opener.get_or_insert(opener);
        }
        self.has_bytes |= !segment.payload.is_empty();
        let stream = &mut self.streams[side];
        if session.is_over(side) {
            stream.abandon();
        } else {
            let deliver = |bytes: &[u8]| session.feed(side, bytes);
            if stream
                .push(sequence, segment.payload, limits, deliver)
                .is_err()
            {
                return Some(Ended::Lost);
            }
        }
        self.held = session.held()
            + self
                .streams
                .iter()
                .map(Stream::waiting_bytes)
                .sum::<usize>();
        if segment.fin {
            self.ends[side] = Some(sequence.wrapping_add(segment.payload.len() as u32));
        }
        self.reset |= segment.rst;
        if session.is_over(0) && session.is_over(1) {
            return Some(Ended::Read);
        }
        // What is missing before a FIN may still come.
        let mut sides = self.streams.iter().zip(self.ends).enumerate();
        let all = sides.all(|(side, (stream, end))| match end {
            Some(end) => session.is_over(side) || stream.has_reached(end),
            None => false,
        });
        (self.reset || all).then_some(Ended::Closed)
    }

    /// Both ends have said that they are done.
    fn is_finished(&self) -> bool {
        self.reset || self.ends.iter().all(Option::is_some)
    }
}
