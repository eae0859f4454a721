//! DNS messages (RFC 1035 §4, EDNS RFC 6891, CAA RFC 8659 §4.1, extended errors RFC 8914): what is asked
//! and the little of the answers that control checks need.
//!
//! Bytes from the network: every read is bounded, compression pointers only lead backwards, and records
//! beyond a number nobody honest needs are refused.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::name::{Name, NameBuilder};

/// Records in one message, all sections together. An RRset of 65,535 octets with the smallest records
/// could have 5,000; nobody's challenge or CAA set comes near this.
const MAX_RECORDS: u32 = 512;
/// Compression pointers followed for one name. Encoders make one, seldom two.
const MAX_POINTERS: u32 = 16;
/// Octets over UDP that fit every path without fragments (DNS flag day 2020).
const UDP_SIZE: u16 = 1232;
/// Octets of a resolver's own words that are passed on.
const MAX_WORDS: usize = 160;

/// The record types asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    A,
    Aaaa,
    Txt,
    Caa,
}

impl Kind {
    const fn code(self) -> u16 {
        match self {
            Kind::A => 1,
            Kind::Txt => 16,
            Kind::Aaaa => 28,
            Kind::Caa => 257,
        }
    }

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Kind::A => "A",
            Kind::Aaaa => "AAAA",
            Kind::Txt => "TXT",
            Kind::Caa => "CAA",
        }
    }
}

const HEADER: usize = 12;
const CNAME: u16 = 5;
const SOA: u16 = 6;
const OPT: u16 = 41;
const IN: u16 = 1;

/// A question and the identifier that its answer must repeat.
#[derive(Debug, Clone)]
pub(crate) struct Question {
    pub(crate) id: u16,
    pub(crate) name: Name,
    pub(crate) kind: Kind,
}

impl Question {
    /// The query; `edns` off for servers that do not know it.
    pub(crate) fn encode(&self, edns: bool) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.name.wire().len() + 27);
        out.extend(self.id.to_be_bytes());
        out.extend([0x01, 0x00]); // recursion desired
        out.extend([0, 1, 0, 0, 0, 0, 0, u8::from(edns)]);
        out.extend(self.name.wire());
        out.extend(self.kind.code().to_be_bytes());
        out.extend(IN.to_be_bytes());
        if edns {
            out.push(0);
            out.extend(OPT.to_be_bytes());
            out.extend(UDP_SIZE.to_be_bytes());
            out.extend([0; 6]);
        }
        out
    }
}

/// What a record says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Data {
    A(Ipv4Addr),
    Aaaa(Ipv6Addr),
    Cname(Name),
    /// Its strings joined (RFC 8555 §8.4 gives no meaning to where they are cut).
    Txt(Vec<u8>),
    Caa(CaaRecord),
}

/// One property (RFC 8659 §4.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CaaRecord {
    pub(crate) critical: bool,
    /// Lower case.
    pub(crate) tag: String,
    pub(crate) value: Vec<u8>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) owner: Name,
    pub(crate) ttl: u32,
    pub(crate) data: Data,
}

/// The answer to one question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    /// The extended code if there is one (RFC 6891 §6.1.3).
    pub(crate) rcode: u16,
    pub(crate) truncated: bool,
    /// Records of the answer section of the kind asked for, and aliases; others are left out.
    pub(crate) records: Vec<Record>,
    /// How long the absence of records holds, if the answer says so (RFC 2308 §5).
    pub(crate) negative_ttl: Option<u32>,
    /// Why the resolver failed, in its words (RFC 8914).
    pub(crate) words: Option<String>,
}

/// Why bytes are no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum MessageError {
    /// To another question, or nobody's: keep waiting for the right one.
    #[error("it answers another question")]
    Foreign,
    #[error("it ends too early")]
    Short,
    #[error("a name in it is malformed")]
    Name,
    #[error("a {0} record in it is malformed")]
    Record(&'static str),
    #[error("it has more than {MAX_RECORDS} records")]
    TooMany,
}

impl Answer {
    /// Reads what came for `question`.
    pub(crate) fn decode(data: &[u8], question: &Question) -> Result<Answer, MessageError> {
        let mut r = Reader { data, at: 0 };
        if data.len() < HEADER {
            return Err(MessageError::Foreign);
        }
        let (id, flags) = (r.u16()?, r.u16()?);
        let [questions, answers, authorities, additionals] =
            [r.u16()?, r.u16()?, r.u16()?, r.u16()?].map(u32::from);
        // QR set, OPCODE zero (RFC 1035 §4.1.1).
        if id != question.id || flags & 0xf800 != 0x8000 {
            return Err(MessageError::Foreign);
        }
        let rcode = flags & 0x0f;
        let mut answer = Answer {
            rcode,
            truncated: flags & 0x0200 != 0,
            records: Vec::new(),
            negative_ttl: None,
            words: None,
        };
        if questions == 0 && rcode != 0 {
            // Some servers do not repeat a question they could not read.
            return Ok(answer);
        }
        let same = questions == 1
            && r.name()? == question.name
            && r.u16()? == question.kind.code()
            && r.u16()? == IN;
        if !same {
            return Err(MessageError::Foreign);
        }
        if answer.truncated {
            return Ok(answer);
        }
        if answers + authorities + additionals > MAX_RECORDS {
            return Err(MessageError::TooMany);
        }
        for _ in 0..answers {
            let raw = r.record()?;
            answer.records.extend(raw.interpret(data, question.kind)?);
        }
        for _ in 0..authorities {
            let raw = r.record()?;
            if raw.kind == SOA {
                answer.negative_ttl = raw.negative_ttl();
            }
        }
        for _ in 0..additionals {
            let raw = r.record()?;
            if raw.kind == OPT {
                answer.rcode |= u16::try_from(raw.ttl >> 24).unwrap_or(0) << 4;
                answer.words = extended_error(raw.data);
            }
        }
        Ok(answer)
    }
}

/// The name of a response code (RFC 6895 §2.3).
pub(crate) fn rcode_name(rcode: u16) -> String {
    let name = match rcode {
        0 => "NOERROR",
        1 => "FORMERR",
        2 => "SERVFAIL",
        3 => "NXDOMAIN",
        4 => "NOTIMP",
        5 => "REFUSED",
        9 => "NOTAUTH",
        16 => "BADVERS",
        other => return format!("RCODE {other}"),
    };
    name.to_owned()
}

/// The first extended error among EDNS options.
fn extended_error(mut options: &[u8]) -> Option<String> {
    loop {
        let [c0, c1, l0, l1, rest @ ..] = options else {
            return None;
        };
        let length = usize::from(u16::from_be_bytes([*l0, *l1]));
        let (value, tail) = rest.split_at_checked(length)?;
        options = tail;
        let ([0, 15], [i0, i1, text @ ..]) = ([*c0, *c1], value) else {
            continue;
        };
        let code = u16::from_be_bytes([*i0, *i1]);
        let words: String = String::from_utf8_lossy(text.get(..MAX_WORDS).unwrap_or(text))
            .chars()
            .filter(|c| !c.is_control())
            .collect();
        let reason = extended_error_name(code);
        return Some(match (reason, words.trim()) {
            ("", "") => format!("extended error {code}"),
            ("", words) => words.to_owned(),
            (reason, "") => reason.to_owned(),
            (reason, words) => format!("{reason}: {words}"),
        });
    }
}

/// RFC 8914 §4, those a resolver gives for its failures.
fn extended_error_name(code: u16) -> &'static str {
    match code {
        3 => "stale answer",
        6 => "DNSSEC bogus",
        7 => "signature expired",
        8 => "signature not yet valid",
        9 => "DNSKEY missing",
        10 => "RRSIGs missing",
        12 => "NSEC missing",
        13 => "cached error",
        14 => "not ready",
        15 => "blocked",
        16 => "censored",
        17 => "filtered",
        18 => "prohibited",
        20 => "not authoritative",
        21 => "not supported",
        22 => "no reachable authority",
        23 => "network error",
        24 => "invalid data",
        _ => "",
    }
}

struct RawRecord<'a> {
    owner: Name,
    kind: u16,
    class: u16,
    ttl: u32,
    data: &'a [u8],
    /// Where `data` starts in the message, for names in it.
    at: usize,
}

impl RawRecord<'_> {
    fn interpret(self, message: &[u8], wanted: Kind) -> Result<Option<Record>, MessageError> {
        if self.class != IN || (self.kind != CNAME && self.kind != wanted.code()) {
            return Ok(None);
        }
        let bad = || MessageError::Record(wanted.as_str());
        let data = if self.kind == CNAME {
            let mut r = Reader {
                data: message,
                at: self.at,
            };
            let target = r.name()?;
            if r.at != self.at + self.data.len() {
                return Err(MessageError::Record("CNAME"));
            }
            Data::Cname(target)
        } else {
            match wanted {
                Kind::A => Data::A(<[u8; 4]>::try_from(self.data).map_err(|_| bad())?.into()),
                Kind::Aaaa => {
                    Data::Aaaa(<[u8; 16]>::try_from(self.data).map_err(|_| bad())?.into())
                }
                Kind::Txt => Data::Txt(strings(self.data).ok_or_else(bad)?),
                Kind::Caa => Data::Caa(caa(self.data).ok_or_else(bad)?),
            }
        };
        // RFC 2181 §8: the top bit set means zero.
        let ttl = if self.ttl > i32::MAX as u32 {
            0
        } else {
            self.ttl
        };
        Ok(Some(Record {
            owner: self.owner,
            ttl,
            data,
        }))
    }

    /// The smaller of the SOA's own life and its MINIMUM field, which comes last (RFC 2308 §5).
    fn negative_ttl(&self) -> Option<u32> {
        let minimum = self.data.last_chunk::<4>()?;
        Some(self.ttl.min(u32::from_be_bytes(*minimum)))
    }
}

/// Character strings, joined (RFC 1035 §3.3.14).
fn strings(mut data: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(data.len());
    while let Some((&length, rest)) = data.split_first() {
        let (string, tail) = rest.split_at_checked(usize::from(length))?;
        out.extend(string);
        data = tail;
    }
    Some(out)
}

fn caa(data: &[u8]) -> Option<CaaRecord> {
    let [flags, length, rest @ ..] = data else {
        return None;
    };
    let (tag, value) = rest.split_at_checked(usize::from(*length))?;
    if tag.is_empty() || !tag.iter().all(u8::is_ascii_alphanumeric) {
        return None;
    }
    Some(CaaRecord {
        critical: flags & 0x80 != 0,
        tag: tag
            .iter()
            .map(|b| char::from(b.to_ascii_lowercase()))
            .collect(),
        value: value.to_vec(),
    })
}

struct Reader<'a> {
    data: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, n: usize) -> Result<&'a [u8], MessageError> {
        let end = self.at.checked_add(n).ok_or(MessageError::Short)?;
        let taken = self.data.get(self.at..end).ok_or(MessageError::Short)?;
        self.at = end;
        Ok(taken)
    }

    fn u8(&mut self) -> Result<u8, MessageError> {
        self.take(1)?.first().copied().ok_or(MessageError::Short)
    }

    fn u16(&mut self) -> Result<u16, MessageError> {
        let bytes = self.take(2)?.try_into().map_err(|_| MessageError::Short)?;
        Ok(u16::from_be_bytes(bytes))
    }

    fn u32(&mut self) -> Result<u32, MessageError> {
        let bytes = self.take(4)?.try_into().map_err(|_| MessageError::Short)?;
        Ok(u32::from_be_bytes(bytes))
    }

    /// A name, following pointers, which must each lead to before the place they were found in.
    fn name(&mut self) -> Result<Name, MessageError> {
        let mut name = NameBuilder::default();
        let mut resume = None;
        let mut pointers = 0;
        loop {
            let start = self.at;
            let length = self.u8()?;
            match length {
                0 => break,
                1..=63 => name
                    .push(self.take(usize::from(length))?)
                    .ok_or(MessageError::Name)?,
                0xc0.. => {
                    let target = usize::from(u16::from_be_bytes([length & 0x3f, self.u8()?]));
                    pointers += 1;
                    if target >= start || pointers > MAX_POINTERS {
                        return Err(MessageError::Name);
                    }
                    resume.get_or_insert(self.at);
                    self.at = target;
                }
                _ => return Err(MessageError::Name),
            }
        }
        if let Some(at) = resume {
            self.at = at;
        }
        Ok(name.finish())
    }

    fn record(&mut self) -> Result<RawRecord<'a>, MessageError> {
        let owner = self.name()?;
        let (kind, class, ttl) = (self.u16()?, self.u16()?, self.u32()?);
        let length = usize::from(self.u16()?);
        let at = self.at;
        Ok(RawRecord {
            owner,
            kind,
            class,
            ttl,
            data: self.take(length)?,
            at,
        })
    }
}

#[cfg(test)]
mod tests;
