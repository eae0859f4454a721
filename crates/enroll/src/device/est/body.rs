//! Bodies: lenient about what comes in, exact about what goes out (RFC 8951 §3).
//!
//! Devices send base64 in one line, in lines of 64 or 76 characters, with any white space, as PEM, or plain DER; some say
//! so in a header and some do not. The bytes tell them apart, so no header is asked (Content-Transfer-Encoding means
//! nothing in HTTP, RFC 8951 §3.1).

use access::Refusal;
use base64::Engine;
use base64::alphabet::STANDARD as ALPHABET;
use base64::engine::general_purpose::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use x509::CertificationRequest;

/// Bytes behind a line of 76 characters (RFC 2045 §6.8).
const LINE: usize = 57;

/// The first octet of every structure that is sent here. In base64 it would stand for an octet that begins none of them.
pub(super) const SEQUENCE: u8 = 0x30;

const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &ALPHABET,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// The request in a body, its signature not yet verified.
pub(super) fn request(body: &[u8]) -> Result<CertificationRequest, Refusal> {
    if body.first() != Some(&SEQUENCE) && x509::pem::is_pem(body) {
        return CertificationRequest::from_pem(body).map_err(ca::csr_refusal);
    }
    CertificationRequest::from_der(&decode(body)?).map_err(ca::csr_refusal)
}

/// DER, whether it came as itself or in base64.
pub(super) fn decode(body: &[u8]) -> Result<Vec<u8>, Refusal> {
    if body.first() == Some(&SEQUENCE) {
        return Ok(body.to_vec());
    }
    let text: Vec<u8> = body.iter().copied().filter(|b| !is_space(*b)).collect();
    if text.is_empty() {
        return Err(malformed("the body is empty"));
    }
    LENIENT
        .decode(&text)
        .map_err(|error| malformed(&format!("the body is no base64: {error}")))
}

/// Also what Unix and Windows call white space and ASCII's own predicate does not.
fn is_space(byte: u8) -> bool {
    byte.is_ascii_whitespace() || byte == 0x0b
}

fn malformed(message: &str) -> Refusal {
    Refusal::new("est.body", "RFC 8951 §3.1", message.to_owned())
        .accepted("a PKCS #10 request in base64, PEM or DER")
}

/// Base64 in lines of 76 characters, which every reader of MIME takes (RFC 2045 §6.8).
pub(super) fn encode(der: &[u8], end_of_line: &str) -> String {
    let lines = der.len().div_ceil(LINE);
    let mut out = String::with_capacity(lines * (76 + end_of_line.len()));
    for line in der.chunks(LINE) {
        STANDARD.encode_string(line, &mut out);
        out.push_str(end_of_line);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a client may do to the base64 of a request, and that each comes out as the same bytes (RFC 8951 §3.1).
    #[test]
    fn r09_every_kind_of_white_space_is_passed_over() {
        let der: Vec<u8> = [0x30, 0x82, 0x01, 0x00]
            .into_iter()
            .chain(0..=255)
            .collect();
        let plain = STANDARD.encode(&der);
        let every = |n: usize, with: &str| -> String {
            let lines = plain.as_bytes().chunks(n).map(String::from_utf8_lossy);
            lines.map(|line| format!("{line}{with}")).collect()
        };
        let table = [
            plain.clone(),
            every(64, "\n"),
            every(76, "\r\n"),
            every(1, " "),
            every(4, "\t\x0b\x0c"),
            every(76, "\r"),
            format!("\r\n  {plain}  \n\n"),
            plain.trim_end_matches('=').to_owned(),
        ];
        for text in table {
            assert_eq!(decode(text.as_bytes()).as_deref(), Ok(&der[..]), "{text:?}");
        }
        assert_eq!(decode(&der).as_deref(), Ok(&der[..]));
    }

    #[test]
    fn what_is_no_base64_is_refused() {
        for text in ["", "   \r\n", "MII*", "MI\u{e9}I", "{\"csr\":1}", "M"] {
            assert_eq!(
                decode(text.as_bytes()).unwrap_err().rule,
                "est.body",
                "{text:?}"
            );
        }
    }

    #[test]
    fn lines_of_76_characters_go_out() {
        let text = encode(&[7; 200], "\n");
        let lengths: Vec<usize> = text.lines().map(str::len).collect();
        assert_eq!(lengths, [76, 76, 76, 40]);
        assert!(text.ends_with('\n'));
        assert_eq!(decode(text.as_bytes()).unwrap(), [7; 200]);
        assert_eq!(encode(&[], "\n"), "");
    }
}
