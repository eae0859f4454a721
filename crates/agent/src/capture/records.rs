//! One direction that is only listened to: what its records bring, until it becomes unreadable. The readers are the
//! scanner's ([`crate::tls`]); only what a client says first is read here, because the scanner is the one who says it.

use crate::{
    observation::Outcome,
    tls::{
        Fault,
        bytes::Bytes,
        handshake::Joiner,
        record::{ALERT, CHANGE_CIPHER_SPEC, Deframer, HANDSHAKE},
    },
};

/// Longest host name (RFC 1035 §2.3.4) with its dot.
const MAX_NAME: usize = 254;

#[derive(Default)]
pub(super) struct Records {
    records: Deframer,
    messages: Joiner,
}

/// What a record brought.
pub(super) enum Event<'a> {
    Message {
        kind: u8,
        body: &'a [u8],
    },
    /// What follows is encrypted, or may be.
    ChangeCipherSpec,
    Alert {
        level: u8,
        description: u8,
    },
    ApplicationData,
}

/// Whether to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Go {
    On,
    /// Nothing further in this direction is of use.
    Enough,
}

impl Records {
    /// Reads what is there. A fault is what the stream did wrong.
    pub(super) fn feed(
        &mut self,
        bytes: &[u8],
        mut event: impl FnMut(Event<'_>) -> Result<Go, Fault>,
    ) -> Result<Go, Fault> {
        self.records.push(bytes)?;
        while let Some(record) = self.records.take()? {
            let go = match (record.kind, record.body.as_slice()) {
                (HANDSHAKE, body) => {
                    self.messages.push(body);
                    let mut go = Go::On;
                    while go == Go::On
                        && let Some(message) = self.messages.next()?
                    {
                        let body = message.body();
                        let kind = message.kind;
                        go = event(Event::Message { kind, body })?;
                    }
                    go
                }
                (CHANGE_CIPHER_SPEC, _) => event(Event::ChangeCipherSpec)?,
                (ALERT, [level, description]) => event(Event::Alert {
                    level: *level,
                    description: *description,
                })?,
                // An alert of another length is an encrypted one.
                _ => event(Event::ApplicationData)?,
            };
            if go == Go::Enough {
                return Ok(go);
            }
        }
        Ok(Go::On)
    }

    /// At most: bytes wait for the end of their record, then of their message.
    pub(super) fn held(&self) -> usize {
        2 * self.records.received()
    }
}

/// The name that a ClientHello asks for (RFC 6066 §3), in lower case; none if there is none, or none that is a host
/// name.
pub(super) fn server_name(body: &[u8]) -> Result<Option<String>, Fault> {
    let mut f = Bytes::new(body, "ClientHello");
    f.take(2 + 32)?;
    f.vector(1)?;
    f.vector(2)?;
    f.vector(1)?;
    if f.is_empty() {
        return Ok(None);
    }
    let mut extensions = f.inner(2)?;
    while !extensions.is_empty() {
        let kind = extensions.u16()?;
        let mut value = extensions.inner(2)?;
        if kind == 0 {
            let mut names = value.inner(2)?;
            let is_host_name = names.u8()? == 0;
            let name = names.vector(2)?;
            return Ok(host_name(name).filter(|_| is_host_name));
        }
    }
    Ok(None)
}

/// Names go into tables and onto screens: letters, digits, hyphens, dots, and the underscore that people use.
fn host_name(bytes: &[u8]) -> Option<String> {
    let fine = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
    let name = str::from_utf8(bytes).ok()?;
    let plausible = (1..=MAX_NAME).contains(&name.len()) && bytes.iter().all(fine);
    plausible.then(|| name.trim_end_matches('.').to_ascii_lowercase())
}

/// The outcome that a fault is.
pub(super) fn outcome(fault: Fault) -> Outcome {
    match fault {
        Fault::TooLarge { what, limit } => Outcome::TooLarge {
            what: what.to_owned(),
            limit: limit as u64,
        },
        fault => garbage(fault.to_string()),
    }
}

pub(super) fn garbage(what: String) -> Outcome {
    Outcome::Garbage { what }
}

/// Digits of a few bytes.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
