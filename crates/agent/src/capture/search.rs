//! Where TLS begins in a stream, by content and not by port: DICOM, HL7, LDAPS and everything else on whatever port a
//! hospital put it, and protocols that change to TLS after some plain text (STARTTLS).

use crate::observation::StartTls;

/// How much of a stream is searched for a hello. What comes before STARTTLS is a greeting and a few commands.
pub(super) const MAX_SEARCHED: usize = 64 << 10;

/// Bytes of plain text kept to tell the protocol by.
const MAX_PREAMBLE: usize = 1 << 10;

/// Bytes by which a hello is recognised: record header, message header, version.
const HELLO: usize = 11;

/// As many bytes as [`crate::observation::Outcome::NotTls`] shows.
const FIRST: usize = 16;

#[derive(Default)]
pub(super) struct Search {
    searched: usize,
    /// The last bytes, too few to be a hello yet.
    tail: Vec<u8>,
    preamble: Vec<u8>,
    /// What came first after the other side's hello.
    answer: Vec<u8>,
    over: bool,
}

/// What a search came to.
pub(super) enum Found {
    NotYet,
    /// From here on it is TLS.
    Tls(Vec<u8>),
    /// An SSL 2.0 ClientHello that offers more (RFC 5246 Appendix E.2), and what stands behind it.
    OldHello(Vec<u8>),
}

impl Search {
    /// Looks at the next bytes of the stream. `from_start`: the first byte of the connection was seen.
    /// `answering`: the other side has said its hello.
    pub(super) fn feed(&mut self, bytes: &[u8], from_start: bool, answering: bool) -> Found {
        if self.over {
            return Found::NotYet;
        }
        let mut window = std::mem::take(&mut self.tail);
        let old = window.len();
        window.extend_from_slice(bytes);
        if answering && self.answer.len() < FIRST {
            let more = bytes.iter().take(FIRST - self.answer.len());
            self.answer.extend(more);
            // An alert may be all that the server has to say.
            if is_alert(bytes) {
                return Found::Tls(bytes.to_vec());
            }
        }
        let at_start = self.searched == 0 && from_start;
        if at_start && is_old_hello(&window) {
            let length = 2 + usize::from(window[1]) + (usize::from(window[0] & 0x7f) << 8);
            return Found::OldHello(window.split_off(length.min(window.len())));
        }
        if let Some(at) = window.windows(HELLO).position(is_hello) {
            let rest = window.split_off(at);
            self.remember(&window, old);
            return Found::Tls(rest);
        }
        self.searched += bytes.len();
        self.remember(&window, old);
        // A hello may begin in the last bytes.
        let keep = window.len().min(HELLO - 1);
        self.tail = window.split_off(window.len() - keep);
        self.over = self.searched >= MAX_SEARCHED;
        Found::NotYet
    }

    /// Adds to the preamble what is not in it yet.
    fn remember(&mut self, window: &[u8], old: usize) {
        let new = window.get(old..).unwrap_or_default();
        let room = MAX_PREAMBLE.saturating_sub(self.preamble.len());
        match new.get(..room) {
            Some(first) => self.preamble.extend_from_slice(first),
            None => self.preamble.extend_from_slice(new),
        }
    }

    /// The first plain text, as far as it is kept.
    pub(super) fn preamble(&self) -> &[u8] {
        &self.preamble
    }

    /// How the other side's hello was answered, if not with TLS.
    pub(super) fn answer(&self) -> &[u8] {
        &self.answer
    }

    /// Enough was searched: what was said is kept, and nothing more is looked at.
    pub(super) fn is_over(&self) -> bool {
        self.over
    }

    pub(super) fn held(&self) -> usize {
        self.tail.capacity() + self.preamble.capacity() + self.answer.capacity()
    }
}

/// A handshake record that begins with a ClientHello or ServerHello (RFC 8446 §5.1, §4). In random bytes this is
/// met once in 2^70 places.
fn is_hello(b: &[u8]) -> bool {
    let [0x16, 0x03, 0..=4, r1, r2, 1 | 2, 0, m1, m2, 0x03, 0..=3] = *b else {
        return false;
    };
    let (record, message) = (u16::from_be_bytes([r1, r2]), u16::from_be_bytes([m1, m2]));
    // The shortest hello: version, random, three empty lists and what they must hold.
    (6..=1 << 14).contains(&record) && message >= 38
}

fn is_alert(b: &[u8]) -> bool {
    matches!(b, [0x15, 0x03, 0..=4, 0, 2, 1 | 2, _, ..])
}

/// Two octets of length with the upper bit set, CLIENT-HELLO, version 3.x, lengths of ciphers (in threes), session,
/// challenge.
fn is_old_hello(b: &[u8]) -> bool {
    let [l1, l2, 1, 3, 0..=3, c1, c2, 0, 0, 0, 16..=32, ..] = *b else {
        return false;
    };
    let ciphers = usize::from(c1) << 8 | usize::from(c2);
    let length = usize::from(l1 & 0x7f) << 8 | usize::from(l2);
    l1 & 0x80 != 0 && ciphers % 3 == 0 && length == 9 + ciphers + usize::from(b[10])
}

/// Which protocol changed to TLS, by what was said before: RFC 3207, 2595, 4511 §4.14, 4217, 6120 §5, and the
/// documentation of PostgreSQL, MySQL and RDP (MS-RDPBCGR §2.2.1).
pub(super) fn starttls(client: &[u8], server: &[u8]) -> Option<StartTls> {
    let says = |text: &str| {
        let text = text.as_bytes();
        client
            .windows(text.len())
            .any(|w| w.eq_ignore_ascii_case(text))
    };
    match (client, server) {
        // SSLRequest; a GSSENCRequest may have been tried before.
        ([0, 0, 0, 8, 4, 0xd2, 0x16, 0x2f | 0x30, ..], _) => Some(StartTls::Postgres),
        // TPKT, X.224 connection request.
        ([3, 0, _, _, _, 0xe0, ..], _) => Some(StartTls::Rdp),
        // A packet number 0 with protocol version 9 or 10.
        (_, [_, _, 0, 0, 9 | 10, ..]) => Some(StartTls::Mysql),
        ([0x30, ..], _) if says("1.3.6.1.4.1.1466.20037") => Some(StartTls::Ldap),
        _ if says("<starttls") => Some(StartTls::Xmpp),
        (_, [b'*', b' ', ..]) if says("STARTTLS") => Some(StartTls::Imap),
        (_, [b'+', b'O', b'K', ..]) if says("STLS") => Some(StartTls::Pop3),
        _ if says("AUTH TLS") || says("AUTH SSL") => Some(StartTls::Ftp),
        (_, [b'2', b'2', b'0', ..]) if says("STARTTLS") => Some(StartTls::Smtp),
        // One direction was captured only.
        (_, []) if says("EHLO ") && says("STARTTLS") => Some(StartTls::Smtp),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A hello of 47 bytes in one record.
    fn hello() -> Vec<u8> {
        let mut b = vec![0x16, 3, 1, 0, 47, 1, 0, 0, 43, 3, 3];
        b.resize(52, 7);
        b
    }

    #[test]
    fn a_hello_is_found_wherever_it_is_cut() {
        let mut stream = b"220 mail.example ESMTP\r\n220 go ahead\r\n".to_vec();
        let plain = stream.len();
        stream.extend(hello());
        for cut in 0..stream.len() {
            let mut search = Search::default();
            let mut found = search.feed(&stream[..cut], true, false);
            let mut rest = &stream[cut..];
            if let Found::Tls(mut tls) = found {
                tls.extend_from_slice(rest);
                found = Found::Tls(tls);
                rest = &[];
            }
            if let Found::NotYet = found {
                found = search.feed(rest, true, false);
            }
            let Found::Tls(tls) = found else {
                panic!("cut at {cut}");
            };
            assert_eq!(tls, hello(), "cut at {cut}");
            assert_eq!(&search.preamble()[..plain], &stream[..plain]);
        }
    }

    #[test]
    fn a_search_ends() {
        let mut search = Search::default();
        let mut fed = 0;
        while !search.is_over() {
            assert!(matches!(
                search.feed(&[0x16; 1000], true, false),
                Found::NotYet
            ));
            fed += 1000;
            assert!(fed < MAX_SEARCHED + 1000 && search.held() < 8 << 10);
        }
    }

    #[test]
    fn protocols_are_told_by_what_they_said() {
        let cases: [(&[u8], &[u8], Option<StartTls>); 12] = [
            (
                b"EHLO a\r\nSTARTTLS\r\n",
                b"220 m ESMTP\r\n",
                Some(StartTls::Smtp),
            ),
            (b"a1 starttls\r\n", b"* OK IMAP\r\n", Some(StartTls::Imap)),
            (b"STLS\r\n", b"+OK POP3\r\n", Some(StartTls::Pop3)),
            (b"AUTH TLS\r\n", b"220 FTP\r\n", Some(StartTls::Ftp)),
            (
                b"0\x1d\x02\x01\x01w\x18\x80\x161.3.6.1.4.1.1466.20037",
                b"",
                Some(StartTls::Ldap),
            ),
            (
                b"<?xml?><starttls xmlns='urn'/>",
                b"<?xml?>",
                Some(StartTls::Xmpp),
            ),
            (
                &[0, 0, 0, 8, 4, 0xd2, 0x16, 0x2f],
                b"S",
                Some(StartTls::Postgres),
            ),
            (
                &[3, 0, 0, 19, 14, 0xe0, 0, 0],
                &[3, 0, 0, 19],
                Some(StartTls::Rdp),
            ),
            (
                &[32, 0, 0, 1],
                &[0x4a, 0, 0, 0, 10, b'8'],
                Some(StartTls::Mysql),
            ),
            (
                b"CONNECT a:443 HTTP/1.1\r\n\r\n",
                b"HTTP/1.1 200 OK\r\n\r\n",
                None,
            ),
            (b"PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\n", b"", None),
            (b"", b"", None),
        ];
        for (client, server, expected) in cases {
            let text = String::from_utf8_lossy(client);
            assert_eq!(starttls(client, server), expected, "{text}");
        }
    }
}
