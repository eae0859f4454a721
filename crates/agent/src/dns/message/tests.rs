//! Expectations are bytes written by hand after RFC 1035 §4, or made by dnspython.

use super::*;

fn question(kind: Kind) -> Question {
    Question {
        id: 0x1234,
        name: Name::parse("a.example").unwrap(),
        kind,
    }
}

const NAME: &[u8] = b"\x01a\x07example\0";

/// Header, question, then `rest`; `counts` are answers, authorities, additionals.
fn reply(flags: u16, kind: u16, counts: [u8; 3], rest: &[u8]) -> Vec<u8> {
    let mut out = vec![0x12, 0x34];
    out.extend(flags.to_be_bytes());
    out.extend([0, 1, 0, counts[0], 0, counts[1], 0, counts[2]]);
    out.extend(NAME);
    out.extend(kind.to_be_bytes());
    out.extend([0, 1]);
    out.extend(rest);
    out
}

fn record(owner: &[u8], kind: u16, ttl: u32, data: &[u8]) -> Vec<u8> {
    let mut out = owner.to_vec();
    out.extend(kind.to_be_bytes());
    out.extend([0, 1]);
    out.extend(ttl.to_be_bytes());
    out.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
    out.extend(data);
    out
}

const OWN: &[u8] = &[0xc0, 12];

#[test]
fn a_query_is_as_rfc_1035_and_rfc_6891_say() {
    let plain = question(Kind::Txt).encode(false);
    let mut expected = b"\x12\x34\x01\x00\0\x01\0\0\0\0\0\0".to_vec();
    expected.extend(NAME);
    expected.extend([0, 16, 0, 1]);
    assert_eq!(plain, expected);
    expected[11] = 1;
    expected.extend(b"\0\0\x29\x04\xd0\0\0\0\0\0\0");
    assert_eq!(question(Kind::Txt).encode(true), expected);
}

#[test]
fn an_alias_and_strings_are_read() {
    // a.example CNAME b.example (compressed), b.example TXT "hello " "world"
    let mut rest = record(OWN, 5, 60, &[1, b'b', 0xc0, 14]);
    rest.extend(record(b"\x01B\xc0\x0e", 16, 30, b"\x06hello \x05world"));
    let answer =
        Answer::decode(&reply(0x8180, 16, [2, 0, 0], &rest), &question(Kind::Txt)).unwrap();
    let b = Name::parse("b.example").unwrap();
    assert_eq!(answer.rcode, 0);
    assert_eq!(answer.records[0].data, Data::Cname(b.clone()));
    assert_eq!(answer.records[1].owner, b);
    assert_eq!(answer.records[1].ttl, 30);
    assert_eq!(answer.records[1].data, Data::Txt(b"hello world".to_vec()));
}

#[test]
fn rfc_8659_property() {
    let rest = record(OWN, 257, 60, b"\x80\x05ISSUEca.example; a=b");
    let answer =
        Answer::decode(&reply(0x8180, 257, [1, 0, 0], &rest), &question(Kind::Caa)).unwrap();
    let expected = CaaRecord {
        critical: true,
        tag: "issue".into(),
        value: b"ca.example; a=b".to_vec(),
    };
    assert_eq!(answer.records[0].data, Data::Caa(expected));
}

#[test]
fn rfc_2308_negative_ttl_and_rfc_8914_words() {
    let soa = [NAME, NAME, &[0; 16], &[0, 0, 0, 90]].concat();
    let mut rest = record(OWN, 6, 300, &soa);
    let words = b"\x00\x0f\x00\x0a\x00\x16no\x07 luck"; // option 15, code 22
    rest.extend(record(&[0], 41, 0x0100_0000, words));
    let answer = Answer::decode(&reply(0x8182, 1, [0, 1, 1], &rest), &question(Kind::A)).unwrap();
    assert_eq!(answer.negative_ttl, Some(90));
    assert_eq!(answer.rcode, 0x12);
    assert_eq!(
        answer.words.as_deref(),
        Some("no reachable authority: no luck")
    );
}

#[test]
fn what_answers_something_else_is_not_taken() {
    let good = reply(0x8180, 1, [0, 0, 0], &[]);
    let q = question(Kind::A);
    assert!(Answer::decode(&good, &q).is_ok());
    let mut other_id = good.clone();
    other_id[0] ^= 1;
    let mut a_query = good.clone();
    a_query[2] = 0x01;
    let mut other_name = good.clone();
    other_name[13] = b'b';
    let other_kind = reply(0x8180, 28, [0, 0, 0], &[]);
    for bytes in [other_id, a_query, other_name, other_kind] {
        assert_eq!(Answer::decode(&bytes, &q), Err(MessageError::Foreign));
    }
}

#[test]
fn malformed_bytes_are_named() {
    let decode = |counts, rest: &[u8], kind: u16, k| {
        Answer::decode(&reply(0x8180, kind, counts, rest), &question(k))
    };
    // A pointer to itself, one forwards, and two that lead to each other.
    let itself = record(&[0xc0, 27], 1, 0, &[1, 2, 3, 4]);
    assert_eq!(
        decode([1, 0, 0], &itself, 1, Kind::A),
        Err(MessageError::Name)
    );
    let forwards = record(&[0xc0, 40], 1, 0, &[1, 2, 3, 4]);
    assert_eq!(
        decode([1, 0, 0], &forwards, 1, Kind::A),
        Err(MessageError::Name)
    );
    let reserved = record(&[0x40, 0], 1, 0, &[1, 2, 3, 4]);
    assert_eq!(
        decode([1, 0, 0], &reserved, 1, Kind::A),
        Err(MessageError::Name)
    );
    let short = record(OWN, 1, 0, &[1, 2, 3]);
    assert_eq!(
        decode([1, 0, 0], &short, 1, Kind::A),
        Err(MessageError::Record("A"))
    );
    let string = record(OWN, 16, 0, b"\x05four");
    assert_eq!(
        decode([1, 0, 0], &string, 16, Kind::Txt),
        Err(MessageError::Record("TXT"))
    );
    let tag = record(OWN, 257, 0, b"\x00\x00ca.example");
    assert_eq!(
        decode([1, 0, 0], &tag, 257, Kind::Caa),
        Err(MessageError::Record("CAA"))
    );
    assert_eq!(decode([1, 0, 0], &[], 1, Kind::A), Err(MessageError::Short));
    let mut many = reply(0x8180, 1, [0, 0, 0], &[]);
    many[6] = 0xff;
    assert_eq!(
        Answer::decode(&many, &question(Kind::A)),
        Err(MessageError::TooMany)
    );
    // Labels that repeat through a pointer until the name is too long.
    let long = record(b"\x01a\xc0\x1b", 1, 0, &[1, 2, 3, 4]);
    assert_eq!(
        decode([1, 0, 0], &long, 1, Kind::A),
        Err(MessageError::Name)
    );
}

#[test]
fn records_of_other_kinds_and_classes_are_left_out() {
    let mut rest = record(OWN, 46, 60, b"a signature");
    let mut chaos = record(OWN, 1, 60, &[1, 2, 3, 4]);
    chaos[5] = 3;
    rest.extend(chaos);
    rest.extend(record(OWN, 1, 0xffff_ffff, &[10, 1, 2, 3]));
    let answer = Answer::decode(&reply(0x8180, 1, [3, 0, 0], &rest), &question(Kind::A)).unwrap();
    assert_eq!(answer.records.len(), 1);
    assert_eq!(answer.records[0].data, Data::A(Ipv4Addr::new(10, 1, 2, 3)));
    assert_eq!(answer.records[0].ttl, 0);
}
