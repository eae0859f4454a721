//! Nothing tells why an envelope made no sense: not the answer, not the log, not the time it takes (RFC 8017 §7.2.2 note,
//! RFC 3218).

use std::time::{Duration, Instant};

use x509::Certificate;
use x509::cms::{ContentCipher, EnvelopedData, SealTo, seal};
use x509::oids;

use crate::device::{Device, PKCS_REQ};
use crate::support::{House, on_both};

on_both!(r09_padding_and_decryption_failures_look_the_same);

/// Where the encrypted key stands in an envelope's encoding.
fn key_at(envelope: &[u8], recipient: &Certificate) -> std::ops::Range<usize> {
    let read = EnvelopedData::parse(envelope).unwrap();
    let key = &read.recipient(recipient).unwrap().encrypted_key;
    let found = envelope
        .windows(key.len())
        .position(|part| part == key.as_slice());
    let start = found.unwrap();
    start..start + key.len()
}

/// Envelopes that are wrong in one way each.
fn wrong(house_ra: &Certificate, device: &Device) -> Vec<(&'static str, Vec<u8>)> {
    let sealed = |content: &[u8]| {
        let to = SealTo::certificate(house_ra).unwrap();
        seal(oids::DATA, content, ContentCipher::Aes128Cbc, &[to]).unwrap()
    };
    let csr = device.csr(&device.key);
    let good = sealed(&csr);
    let key = key_at(&good, house_ra);
    let mut wrong = Vec::new();
    // A random integer below the modulus is almost never well padded.
    let mut envelope = good.clone();
    envelope[key.clone()].fill(0x11);
    wrong.push(("key padding", envelope));
    let mut envelope = good.clone();
    envelope[key.clone()].fill(0);
    wrong.push(("key of zeros", envelope));
    let mut envelope = good.clone();
    envelope[key.clone()].fill(0xff);
    wrong.push(("key beyond the modulus", envelope));
    // Well padded, and the key of another envelope.
    let mut envelope = good.clone();
    let other = sealed(&csr);
    let from = key_at(&other, house_ra);
    envelope[key.clone()].copy_from_slice(&other[from]);
    wrong.push(("another content key", envelope));
    // The last block decides the padding, the first one what the content begins with.
    let mut envelope = good.clone();
    let last = envelope.len() - 1;
    envelope[last] ^= 1;
    wrong.push(("content padding", envelope));
    let mut envelope = good.clone();
    envelope[key.end + 60] ^= 1;
    wrong.push(("content", envelope));
    wrong.push(("no request", sealed(b"this is no request")));
    wrong.push(("a request cut short", sealed(&csr[..csr.len() - 1])));
    let mut bent = csr.clone();
    let last = bent.len() - 1;
    bent[last] ^= 1;
    wrong.push(("a request that is not signed", sealed(&bent)));
    let me = SealTo::certificate(&device.certificate).unwrap();
    let foreign = seal(oids::DATA, &csr, ContentCipher::Aes128Cbc, &[me]).unwrap();
    wrong.push(("another recipient", foreign));
    wrong
}

async fn r09_padding_and_decryption_failures_look_the_same(postgres: bool) {
    let house = House::new(postgres).await;
    let password = house.password(&["SN-1"]).await;
    let device = Device::new("SN-1", Some(&password));
    let ra = house.certificates("pumps").await.remove(0);
    let events = house.ca.store().events(0, 1_000_000).await.unwrap().len();
    for (name, envelope) in wrong(&ra, &device) {
        eprintln!("{name}");
        let message = device.signed(PKCS_REQ, envelope);
        let answer = device.post(&house, "pumps", &message, &ra).await;
        let said = (answer.failed(), answer.why.as_deref());
        assert_eq!(said, ("badMessageCheck", None), "{name}");
    }
    // The log is not longer for one than for another.
    let after = house.ca.store().events(0, 1_000_000).await.unwrap().len();
    assert_eq!(after, events);
    timing(&house, &device, &ra).await;
    // The twin: the same device, with nothing wrong.
    device.enrol(&house, "pumps").await.issued();
}

/// Medians of the two failures that an attacker wants to tell apart. A machine that does other things too is no laboratory:
/// this finds an early return, not a cache line.
async fn timing(house: &House, device: &Device, ra: &Certificate) {
    const ROUNDS: usize = 60;
    let wrong = wrong(ra, device);
    let find = |name| {
        let found = wrong.iter().find(|(known, _)| *known == name).unwrap();
        device.signed(PKCS_REQ, found.1.clone())
    };
    let messages = [find("key padding"), find("another content key")];
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..ROUNDS {
        for (message, times) in messages.iter().zip(&mut times) {
            let began = Instant::now();
            device.post(house, "pumps", message, ra).await;
            times.push(began.elapsed());
        }
    }
    let [padding, key] = times.map(|mut times: Vec<Duration>| {
        times.sort();
        times[ROUNDS / 2].as_secs_f64()
    });
    let apart = (padding - key).abs() / padding.max(key);
    assert!(apart < 0.25, "padding {padding} s, key {key} s");
}
