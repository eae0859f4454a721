//! The record layer, as far as it is in the clear: bytes in any pieces to records, with a budget.

use super::{BYTES_LIMIT, Fault};

pub const CHANGE_CIPHER_SPEC: u8 = 20;
pub const ALERT: u8 = 21;
pub const HANDSHAKE: u8 = 22;
pub const APPLICATION_DATA: u8 = 23;

const HEADER: usize = 5;

/// 2^14 and the 2048 by which compression and encryption may expand (RFC 5246 §6.2.3).
const LONGEST: usize = (1 << 14) + 2048;

/// Records of one conversation. A certificate of a mebibyte in the smallest fragments that servers are seen to make
/// (512 bytes, RFC 6066 §4) takes 2,050.
const RECORDS_LIMIT: usize = 4096;

/// Collects bytes and gives records.
#[derive(Default)]
pub struct Deframer {
    buffer: Vec<u8>,
    /// Where in the buffer the next record begins.
    at: usize,
    received: usize,
    records: usize,
}

/// One record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    pub kind: u8,
    /// The five bytes in front, which TLS 1.3 authenticates (RFC 8446 §5.2).
    pub header: [u8; HEADER],
    pub body: Vec<u8>,
}

impl Deframer {
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        self.received = self.received.saturating_add(bytes.len());
        if self.received > BYTES_LIMIT {
            return Err(Fault::TooLarge {
                what: "bytes of one conversation",
                limit: BYTES_LIMIT,
            });
        }
        if self.at == self.buffer.len() {
            self.buffer.clear();
            self.at = 0;
        }
        self.buffer.extend_from_slice(bytes);
        Ok(())
    }

    /// Nothing has come, or nothing but whole records.
    pub fn is_between(&self) -> bool {
        self.at == self.buffer.len()
    }

    pub fn received(&self) -> usize {
        self.received
    }

    /// The next whole record, or `None` until more bytes come.
    pub fn take(&mut self) -> Result<Option<Record>, Fault> {
        let rest = self.buffer.get(self.at..).unwrap_or_default();
        if let Some(fault) = self.fault(rest) {
            return Err(fault);
        }
        let Some((header, rest)) = rest.split_first_chunk::<HEADER>() else {
            return Ok(None);
        };
        let length = usize::from(u16::from_be_bytes([header[3], header[4]]));
        if length > LONGEST {
            return Err(Fault::garbage(format!(
                "a record that says it has {length} bytes; {LONGEST} are allowed"
            )));
        }
        let Some(body) = rest.get(..length) else {
            return Ok(None);
        };
        let record = Record {
            kind: header[0],
            header: *header,
            body: body.to_vec(),
        };
        self.at += HEADER + length;
        self.records += 1;
        if self.records > RECORDS_LIMIT {
            return Err(Fault::TooLarge {
                what: "records of one conversation",
                limit: RECORDS_LIMIT,
            });
        }
        Ok(Some(record))
    }

    /// Whether what has come of a header cannot become one. Said as early as can be: who is greeted in another
    /// protocol should not wait for a fifth byte.
    fn fault(&self, rest: &[u8]) -> Option<Fault> {
        let kind_known = |kind: u8| (CHANGE_CIPHER_SPEC..=APPLICATION_DATA).contains(&kind);
        // A server's first record is a handshake message or an alert.
        let first = self.records == 0;
        let kind_fits =
            |kind: u8| kind_known(kind) && (!first || matches!(kind, ALERT | HANDSHAKE));
        let fits = rest.first().is_none_or(|&kind| kind_fits(kind))
            && rest.get(1).is_none_or(|&major| major == 3)
            && rest.get(2).is_none_or(|&minor| minor <= 4);
        match (fits, first) {
            (true, _) => None,
            (false, true) => Some(Fault::NotTls(rest.iter().take(16).copied().collect())),
            (false, false) => Some(Fault::garbage("what follows a record is no record")),
        }
    }
}
