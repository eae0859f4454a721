//! Microsoft SQL Server's packets (MS-TDS §2.2.3.1), in which TLS handshakes travel until they are done (§2.2.6.5).

const HEADER: usize = 8;
const PRELOGIN: u8 = 0x12;
const RESPONSE: u8 = 0x04;

/// Takes the headers out of one direction.
#[derive(Default)]
pub(super) struct Tds {
    header: Vec<u8>,
    /// Bytes of the packet that are still to come.
    left: usize,
    /// TLS has left the packets.
    bare: bool,
}

impl Tds {
    /// Whether a connection begins with such a packet.
    pub(super) fn begins(bytes: &[u8], other_does: bool) -> bool {
        let [kind, 0 | 1, l1, l2, _, _, _, 0, ..] = *bytes else {
            return false;
        };
        let length = usize::from(u16::from_be_bytes([l1, l2]));
        let kinds = match kind {
            PRELOGIN => true,
            RESPONSE => other_does,
            _ => false,
        };
        kinds && (HEADER..=1 << 15).contains(&length)
    }

    /// What the packets hold.
    pub(super) fn unwrap(&mut self, mut bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(bytes.len());
        while !bytes.is_empty() {
            if self.bare {
                out.extend_from_slice(bytes);
                break;
            }
            if self.left > 0 {
                let (body, rest) = bytes.split_at(self.left.min(bytes.len()));
                out.extend_from_slice(body);
                self.left -= body.len();
                bytes = rest;
                continue;
            }
            let (part, rest) = bytes.split_at((HEADER - self.header.len()).min(bytes.len()));
            self.header.extend_from_slice(part);
            bytes = rest;
            match self.header.as_slice() {
                [PRELOGIN | RESPONSE, _, l1, l2, _, _, _, _] => {
                    let length = usize::from(u16::from_be_bytes([*l1, *l2]));
                    self.left = length.saturating_sub(HEADER);
                    self.header.clear();
                }
                [PRELOGIN | RESPONSE, ..] => {}
                _ => {
                    self.bare = true;
                    out.append(&mut self.header);
                }
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_open_wherever_they_are_cut() {
        let stream =
            b"\x12\x01\x00\x0b\x00\x00\x00\x00abc\x12\x01\x00\x0a\x00\x00\x01\x00de\x17\x03\x03fg";
        for cut in 0..stream.len() {
            let mut tds = Tds::default();
            let mut out = tds.unwrap(&stream[..cut]);
            out.extend(tds.unwrap(&stream[cut..]));
            assert_eq!(out, b"abcde\x17\x03\x03fg", "{cut}");
        }
        assert!(Tds::begins(stream, false));
        assert!(!Tds::begins(b"\x04\x01\x00\x2b\x00\x00\x01\x00", false));
        assert!(Tds::begins(b"\x04\x01\x00\x2b\x00\x00\x01\x00", true));
        assert!(!Tds::begins(b"GET / HTTP/1.1", true));
    }
}
