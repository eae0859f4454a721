//! The readers of outside bytes on bytes that may be anything; the fuzz targets call the same functions.

use agent::control::exercise;
use proptest::{collection::vec, prelude::*};

/// The head of an answer to `a.example` of a kind, so that what follows is read as records.
fn answer_head(kind: u8, counts: [u8; 3]) -> Vec<u8> {
    let mut head = vec![
        0, 7, 0x81, 0x80, 0, 1, 0, counts[0], 0, counts[1], 0, counts[2],
    ];
    head.extend(b"\x01a\x07example\0");
    head.extend([u8::from(kind == 2), if kind == 2 { 1 } else { kind }, 0, 1]);
    head
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn dns_answers(data in vec(any::<u8>(), 0..600)) {
        exercise::dns_answer(&data);
    }

    #[test]
    fn dns_records(
        kind in prop::sample::select(vec![1_u8, 2, 16, 28]),
        counts in any::<[u8; 3]>(),
        records in vec((
            prop::sample::select(vec![0_u8, 1, 5, 6, 16, 28, 41]),
            vec(any::<u8>(), 0..40),
            prop::sample::select(vec![vec![0xc0, 12], vec![0xc0, 27], vec![0], vec![1, b'x', 0xc0, 14], vec![0xc0, 40]]),
        ), 0..12),
    ) {
        let mut data = answer_head(kind, counts.map(|c| c % 12));
        for (kind, rdata, owner) in records {
            data.extend(owner);
            data.extend([0, kind, 0, 1, 0, 0, 0, 60, 0, u8::try_from(rdata.len()).unwrap()]);
            data.extend(rdata);
        }
        exercise::dns_answer(&data);
    }

    #[test]
    fn redirects(text in "(https?:)?(//)?[a-z0-9.:@\\[\\]%_-]{0,30}[/?#]?[ -~]{0,40}") {
        exercise::redirect(text.as_bytes());
    }

    #[test]
    fn redirects_of_any_bytes(data in vec(any::<u8>(), 0..200)) {
        exercise::redirect(&data);
    }

    #[test]
    fn caa_values(text in "[ \t]{0,2}(ca.example|[a-z.-]{0,12})[ ;=a-zA-Z0-9:/,.-]{0,60}") {
        exercise::caa_value(text.as_bytes());
    }

    #[test]
    fn certificates(data in vec(any::<u8>(), 0..300)) {
        exercise::tls_alpn_certificate(&data);
    }
}
