//! Reads any bytes as a server's answer: for fuzzing and for property tests.

use super::bytes::Bytes;
use super::hello::Extensions;
use super::record::Deframer;
use super::suite::all;
use super::{BYTES_LIMIT, CHAIN_LIMIT, Client, Fault, Goal, Hello, KeyShares, Seen, Step};
use super::{handshake as message, handshake::Exchange};
use crate::observation::Version;
use std::sync::{Arc, OnceLock};

/// Every reader there is, on the same bytes; asserts what must hold of whatever comes out.
pub fn exercise(data: &[u8]) {
    let size = 1 + usize::from(data.first().copied().unwrap_or_default()) % 7;
    let whole = comparable(converse(data, data.len().max(1)));
    let pieces = comparable(converse(data, size));
    assert_eq!(whole, pieces, "what was seen depends on how the bytes came");
    if let Ok(Some(seen)) = &whole {
        assert!(seen.chain.len() <= CHAIN_LIMIT);
        let size: usize = seen.chain.iter().map(|der| der.bytes().len()).sum();
        assert!(size <= data.len());
    }
    let _ = message::ServerHello::parse(data);
    let _ = message::encrypted_extensions(data);
    let _ = message::status(data);
    for version in Version::ALL {
        if let Ok((chain, _)) = message::certificates(data, version) {
            assert!(chain.len() <= CHAIN_LIMIT);
        }
        let _ = message::authorities(data, version);
        for suite in all() {
            let _ = Exchange::parse(data, suite.key_exchange(), version);
        }
    }
    let mut deframer = Deframer::default();
    if deframer.push(data).is_ok() {
        while let Ok(Some(record)) = deframer.take() {
            assert!(record.body.len() <= data.len().min(BYTES_LIMIT));
        }
    }
    let mut bytes = Bytes::new(data, "anything");
    while bytes.vector(2).is_ok_and(|vector| !vector.is_empty()) {}
}

/// One conversation in which the server says `data`, in pieces of some size.
fn converse(data: &[u8], piece: usize) -> Result<Option<Seen>, Fault> {
    static KEYS: OnceLock<Arc<KeyShares>> = OnceLock::new();
    let keys = KEYS.get_or_init(|| Arc::new(KeyShares::new(&[1; 32])));
    let hello = Hello {
        versions: Version::ALL.to_vec(),
        suites: all().map(|suite| suite.code).collect(),
        sni: None,
        alpn: Vec::new(),
        random: [2; 32],
        session_id: Vec::new(),
        extensions: Some(Extensions::default()),
    };
    let (mut client, _) = Client::new(hello, Arc::clone(keys), Goal::Certificate);
    for bytes in data.chunks(piece) {
        let mut step = client.receive(bytes)?;
        while let Step::Send(_) = step {
            step = client.receive(&[])?;
        }
        if step == Step::Done {
            break;
        }
    }
    let _ = (client.closed(), client.farewell());
    Ok(client.into_seen())
}

/// How much of another protocol had come is all that the pieces may make a difference in.
fn comparable(read: Result<Option<Seen>, Fault>) -> Result<Option<Seen>, Fault> {
    read.map_err(|fault| match fault {
        Fault::NotTls(_) => Fault::NotTls(Vec::new()),
        other => other,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A whole flight of TLS 1.2 in one record: hello, chain of two, staple, ECDHE, request, done.
    fn flight() -> Vec<u8> {
        let put = |kind: u8, body: &[u8]| {
            let length = (body.len() as u32).to_be_bytes();
            [&[kind], &length[1..], body].concat()
        };
        let hello = [
            &[3, 3],
            &[9; 32][..],
            &[0, 0xc0, 0x2f, 0, 0, 5, 0xff, 1, 0, 1, 0],
        ]
        .concat();
        let chain = [0, 0, 10, 0, 0, 2, 0x30, 0, 0, 0, 2, 0x30, 0];
        let exchange = [&[3, 0, 29, 32], &[4; 32][..], &[8, 4, 0, 2, 1, 1]].concat();
        let messages = [
            put(2, &hello),
            put(11, &chain),
            put(22, &[1, 0, 0, 1, 7]),
            put(12, &exchange),
            put(13, &[1, 1, 0, 2, 8, 4, 0, 4, 0, 2, 0x30, 0]),
            put(14, &[]),
        ]
        .concat();
        let [high, low] = (messages.len() as u16).to_be_bytes();
        [&[22, 3, 3, high, low], &messages[..]].concat()
    }

    #[test]
    fn the_flight_that_is_mutated_below_is_a_good_one() {
        let seen = converse(&flight(), 3).unwrap().unwrap();
        assert_eq!(seen.chain.len(), 2);
        assert_eq!((seen.group, seen.signature), (Some(29), Some(0x0804)));
        assert_eq!(seen.ocsp_staple.unwrap().0, [7]);
        assert_eq!(seen.client_certificate.unwrap().authorities.len(), 1);
        assert_eq!(seen.renegotiation_info, Some(true));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_harm(data in proptest::collection::vec(any::<u8>(), 0..600)) {
            exercise(&data);
        }

        #[test]
        fn a_flight_with_changed_bytes_is_read_without_harm(
            changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
            cut in any::<prop::sample::Index>(),
        ) {
            let mut data = flight();
            for (at, byte) in changes {
                let at = at.index(data.len());
                data[at] = byte;
            }
            exercise(&data);
            data.truncate(cut.index(data.len()));
            exercise(&data);
            exercise(data.get(5..).unwrap_or_default());
        }
    }
}
