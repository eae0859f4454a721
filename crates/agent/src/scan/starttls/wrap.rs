//! TDS carries TLS inside packets of its own until the handshake is over ([MS-TDS] §2.2.6.5).

use crate::tls::Fault;

const HEADER: usize = 8;
const PRELOGIN: u8 = 0x12;

/// Takes the packets off and puts them on.
#[derive(Default)]
pub(in crate::scan) struct Wrap {
    pending: Vec<u8>,
}

impl Wrap {
    pub(in crate::scan) fn open(&mut self, bytes: &[u8]) -> Result<Vec<u8>, Fault> {
        self.pending.extend_from_slice(bytes);
        let mut content = Vec::new();
        let mut at = 0;
        while let Some(header) = self.pending.get(at..at + HEADER) {
            let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
            if header[0] != PRELOGIN && header[0] != 0x04 || length < HEADER {
                return Err(Fault::garbage("a packet that is none of TDS's"));
            }
            let Some(body) = self.pending.get(at + HEADER..at + length) else {
                break;
            };
            content.extend_from_slice(body);
            at += length;
        }
        self.pending.drain(..at);
        Ok(content)
    }

    /// In packets of 4096 bytes, the size that every server starts with.
    pub(in crate::scan) fn seal(&self, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(bytes.len() + HEADER);
        let mut pieces = bytes.chunks(4096 - HEADER).peekable();
        while let Some(piece) = pieces.next() {
            let last = u8::from(pieces.peek().is_none());
            let [high, low] = ((piece.len() + HEADER) as u16).to_be_bytes();
            out.extend([PRELOGIN, last, high, low, 0, 0, 0, 0]);
            out.extend(piece);
        }
        out
    }
}
