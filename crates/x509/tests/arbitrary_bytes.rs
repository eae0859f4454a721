//! No reader panics, and what is read survives being written: on noise, and on good samples damaged
//! the way transport and hostile clients damage them. The fuzz targets run the same functions.

#![allow(clippy::unwrap_used, clippy::panic)] // Helpers of tests are tests.

mod common;

use std::sync::OnceLock;

use common::Lab;
use proptest::{collection::vec, prelude::*};
use x509::{
    Name, Oid, Time, der,
    der::{Reader, Tag, Writer},
    exercise,
};

const CONFIG: &str = "
[req]
distinguished_name = dn
prompt = no
x509_extensions = ext
req_extensions = rext
utf8 = yes
[dn]
C = US
O = Mercy Hospital
CN = Pump 17
[rext]
subjectAltName = DNS:a.example,IP:10.0.0.1,otherName:1.3.6.1.4.1.311.20.2.3;UTF8:a@b
[ext]
basicConstraints = critical,CA:TRUE,pathlen:1
keyUsage = critical,keyCertSign,cRLSign
extendedKeyUsage = serverAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid:always,issuer:always
subjectAltName = DNS:a.example,IP:10.0.0.1,email:a@b.example,URI:http://x/,RID:1.2.3,otherName:1.3.6.1.4.1.311.20.2.3;UTF8:a@b,dirName:dn
nameConstraints = critical,permitted;DNS:.example,excluded;IP:10.0.0.0/255.0.0.0,permitted;dirName:dn
certificatePolicies = 1.2.3,@pol
policyConstraints = requireExplicitPolicy:0,inhibitPolicyMapping:2
inhibitAnyPolicy = 3
policyMappings = 1.2.3.4:1.2.3.5
authorityInfoAccess = OCSP;URI:http://o.example,caIssuers;URI:http://a.example
crlDistributionPoints = point
freshestCRL = URI:http://d.example
tlsfeature = status_request
noCheck = ignored
[point]
fullname = URI:http://c.example
reasons = keyCompromise
CRLissuer = dirName:dn
[pol]
policyIdentifier = 1.2.4
CPS.1 = http://p.example
userNotice.1 = @notice
[notice]
explicitText = UTF8:Careful
";

struct Samples {
    certificates: Vec<Vec<u8>>,
    requests: Vec<Vec<u8>>,
    keys: Vec<Vec<u8>>,
    names: Vec<Vec<u8>>,
    pems: Vec<Vec<u8>>,
}

fn samples() -> &'static Samples {
    static SAMPLES: OnceLock<Samples> = OnceLock::new();
    SAMPLES.get_or_init(|| {
        let lab = Lab::new();
        let mut s = Samples {
            certificates: vec![],
            requests: vec![],
            keys: vec![],
            names: vec![],
            pems: vec![],
        };
        for kind in ["2048", "P-256", "P-521", "ed25519"] {
            lab.key("k.pem", kind);
            let certificate = lab.certificate("k.pem", CONFIG, "-days 30");
            let parsed = x509::Certificate::from_der(&certificate).unwrap();
            s.names.push(parsed.subject().der().to_vec());
            s.names.push(parsed.subject().to_string().into_bytes());
            s.keys.push(parsed.spki_der().to_vec());
            s.pems.push(parsed.to_pem().into_bytes());
            s.certificates.push(certificate);
            s.requests.push(lab.request("k.pem", CONFIG, ""));
        }
        s
    })
}

/// One way to damage bytes.
#[derive(Debug, Clone)]
enum Damage {
    Set(usize, u8),
    Flip(usize, u8),
    Cut(usize),
    Remove(usize, usize),
    Insert(usize, Vec<u8>),
    Repeat(usize, usize),
    Splice(usize, usize),
}

fn damage() -> impl Strategy<Value = Damage> {
    let at = any::<usize>;
    let interesting = prop_oneof![
        Just(0u8),
        Just(1),
        Just(0x7f),
        Just(0x80),
        Just(0x81),
        Just(0x84),
        Just(0xff),
        Just(0x30),
        Just(0x31),
        Just(0xa0),
        Just(0x02),
        any::<u8>()
    ];
    prop_oneof![
        4 => (at(), interesting).prop_map(|(i, b)| Damage::Set(i, b)),
        4 => (at(), 0u8..8).prop_map(|(i, b)| Damage::Flip(i, b)),
        1 => at().prop_map(Damage::Cut),
        2 => (at(), 1usize..8).prop_map(|(i, n)| Damage::Remove(i, n)),
        2 => (at(), vec(any::<u8>(), 1..8)).prop_map(|(i, v)| Damage::Insert(i, v)),
        1 => (at(), 1usize..64).prop_map(|(i, n)| Damage::Repeat(i, n)),
        1 => (at(), at()).prop_map(|(i, j)| Damage::Splice(i, j)),
    ]
}

fn apply(mut data: Vec<u8>, all: &[Damage]) -> Vec<u8> {
    for d in all {
        let n = data.len().max(1);
        match d.clone() {
            Damage::Set(i, b) => {
                if let Some(slot) = data.get_mut(i % n) {
                    *slot = b;
                }
            }
            Damage::Flip(i, bit) => {
                if let Some(slot) = data.get_mut(i % n) {
                    *slot ^= 1 << bit;
                }
            }
            Damage::Cut(i) => data.truncate(i % n),
            Damage::Remove(i, k) => {
                let start = (i % n).min(data.len());
                let end = (start + k).min(data.len());
                data.drain(start..end);
            }
            Damage::Insert(i, v) => {
                let start = (i % n).min(data.len());
                data.splice(start..start, v);
            }
            Damage::Repeat(i, k) => {
                let start = (i % n).min(data.len());
                let end = (start + k).min(data.len());
                let part = data[start..end].to_vec();
                data.splice(start..start, part);
            }
            Damage::Splice(i, j) => {
                let (a, b) = ((i % n).min(data.len()), (j % n).min(data.len()));
                let part = data[a.min(b)..a.max(b)].to_vec();
                data.splice(b..b, part.into_iter().take(256));
            }
        }
    }
    data
}

fn damaged(samples: &'static [Vec<u8>]) -> impl Strategy<Value = Vec<u8>> {
    (any::<prop::sample::Index>(), vec(damage(), 0..5))
        .prop_map(move |(i, d)| apply(i.get(samples).clone(), &d))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, ..ProptestConfig::default() })]

    #[test]
    fn damaged_certificates(data in damaged(&samples().certificates)) {
        exercise::certificate(&data);
    }

    #[test]
    fn damaged_requests(data in damaged(&samples().requests)) {
        exercise::csr(&data);
    }

    #[test]
    fn damaged_names(data in damaged(&samples().names)) {
        exercise::name(&data);
    }

    #[test]
    fn damaged_keys(data in damaged(&samples().keys)) {
        exercise::key(&data);
    }

    #[test]
    fn damaged_pem(data in damaged(&samples().pems)) {
        exercise::pem(&data);
    }

    #[test]
    fn damaged_extensions(
        which in any::<prop::sample::Index>(),
        damages in vec(damage(), 0..4),
    ) {
        let c = x509::Certificate::from_der(&samples().certificates[0]).unwrap();
        let value = which.get(c.extensions()).value.clone();
        exercise::any_extension(&apply(value, &damages));
    }

    #[test]
    fn noise(data in vec(any::<u8>(), 0..200)) {
        exercise::certificate(&data);
        exercise::csr(&data);
        exercise::name(&data);
        exercise::key(&data);
        exercise::pem(&data);
        exercise::any_extension(&data);
    }

    #[test]
    fn names_in_text(text in "([A-Za-z.0-9]{1,6}=[ -~äß#\\\\,+]{0,12}[,+;]){0,3}CN=\\PC{0,10}") {
        exercise::name(text.as_bytes());
    }

    #[test]
    fn dns_names_that_pass_are_letters_digits_hyphens(name in "[a-z0-9*._-]{0,20}|xn--[a-z0-9-]{1,12}") {
        if x509::dns::check(&name).is_ok() {
            let rest = name.strip_prefix("*.").unwrap_or(&name);
            prop_assert!(rest.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.'));
        }
    }

    #[test]
    fn integers_of_any_size_round_trip(magnitude in vec(any::<u8>(), 0..40)) {
        let mut w = Writer::new();
        w.unsigned(&magnitude);
        let out = w.finish();
        let mut r = Reader::new(&out);
        let read = r.unsigned().unwrap();
        let zeros = magnitude.iter().take_while(|b| **b == 0).count();
        match magnitude[zeros..].is_empty() {
            true => prop_assert_eq!(read, &[0]),
            false => prop_assert_eq!(read, &magnitude[zeros..]),
        }
        prop_assert!(r.is_empty());
    }

    #[test]
    fn elements_of_any_length_round_trip(value in vec(any::<u8>(), 0..70_000), tag in 0u8..31) {
        let out = der::encode(Tag(tag), &value);
        let mut r = Reader::new(&out);
        let e = r.element().unwrap();
        prop_assert_eq!((e.tag, e.value, e.raw), (Tag(tag), &value[..], &out[..]));
        prop_assert_eq!(r.finish(), Ok(()));
        let mut w = Writer::new();
        w.nested(Tag(tag), |w| { w.raw(&value); });
        prop_assert_eq!(w.finish(), out);
    }

    #[test]
    fn identifiers_round_trip(first in 0u128..3, second in 0u128..40, rest in vec(any::<u64>(), 0..5)) {
        let mut arcs = vec![first, second];
        arcs.extend(rest.into_iter().map(u128::from));
        let oid = Oid::from_arcs(&arcs).unwrap();
        prop_assert_eq!(oid.to_string().parse::<Oid>(), Ok(oid));
        prop_assert_eq!(Oid::from_content(oid.as_bytes()), Ok(oid));
    }

    #[test]
    fn times_round_trip(seconds in Time::EARLIEST.0..=Time::NO_EXPIRY.0) {
        let t = Time(seconds);
        prop_assert_eq!(Time::from_civil(t.to_civil()), Some(t));
        prop_assert_eq!(t.to_string().parse::<Time>(), Ok(t));
        let mut w = Writer::new();
        w.time(t);
        prop_assert_eq!(Reader::new(&w.finish()).time(), Ok(t));
    }

    #[test]
    fn what_the_name_builder_writes_reads_back(values in vec("[ -~]{1,20}", 1..5)) {
        let mut b = Name::builder();
        for v in &values {
            b = b.push(x509::oids::ORGANIZATION, v, x509::StringKind::Auto).unwrap();
        }
        let name = b.build();
        prop_assert_eq!(Name::from_der(name.der()), Ok(name.clone()));
        let read: Vec<String> = name.attributes().map(|a| a.text().into_owned()).collect();
        prop_assert_eq!(read, values);
        prop_assert_eq!(name.to_string().parse::<Name>(), Ok(name));
    }
}
