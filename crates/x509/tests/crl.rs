//! CRLs (R13): what we build, judged by OpenSSL and GnuTLS, and what OpenSSL builds, read by us.

#![allow(clippy::unwrap_used, clippy::panic)] // Helpers of tests are tests.

mod authority;

use authority::{ALGORITHM, Bench, Entity, now};
use x509::{
    GeneralName, SignatureAlgorithm, Time,
    crl::{CertificateList, Reason, RevokedEntry, TbsCrl, encode_entry},
    ext::{
        AuthorityKeyId, CrlNumber, DeltaCrlIndicator, DistributionPoint, DistributionPointName,
        ExtensionValue, FreshestCrl, IssuingDistributionPoint,
    },
};

fn header(issuer: &Entity) -> TbsCrl {
    TbsCrl {
        issuer: issuer.certificate.subject().clone(),
        signature: ALGORITHM,
        this_update: now().plus_seconds(-60),
        next_update: now().plus_days(7),
        extensions: vec![
            AuthorityKeyId {
                key_id: Some(issuer.public_key().key_id().to_vec()),
                ..AuthorityKeyId::default()
            }
            .encode(),
            CrlNumber(vec![0x01, 0x2c]).encode(),
        ],
    }
}

fn signed(issuer: &Entity, header: &TbsCrl, entries: &[RevokedEntry]) -> Vec<u8> {
    let encoded: Vec<Vec<u8>> = entries.iter().map(encoded).collect();
    let len = encoded.iter().map(Vec::len).sum();
    let unsigned = header.encode(&encoded, len).unwrap();
    let signature = issuer.sign(unsigned.tbs());
    unsigned.assemble(&signature)
}

fn encoded(entry: &RevokedEntry) -> Vec<u8> {
    let mut out = Vec::new();
    encode_entry(entry, &mut out);
    out
}

#[test]
fn r13_openssl_and_gnutls_accept_a_full_crl() {
    let ca = Entity::root("CRL root");
    let leaf = Entity::leaf(&ca, "pump-1", &[0x30, 0x39]);
    let other = Entity::leaf(&ca, "pump-2", &[0x30, 0x40]);
    let mut compromised = RevokedEntry::new(vec![0x30, 0x39], now(), Some(Reason::KeyCompromise));
    compromised.invalidity_date = Some(Time(1_700_000_000));
    let plain = RevokedEntry::new(vec![0x05], Time(1_690_000_000), Some(Reason::Unspecified));
    let der = signed(&ca, &header(&ca), &[compromised, plain]);

    let bench = Bench::new();
    bench
        .write("crl.der", &der)
        .write("ca.pem", ca.certificate.to_pem())
        .write("leaf.pem", leaf.certificate.to_pem())
        .write("other.pem", other.certificate.to_pem());
    let text = bench.run("openssl crl -inform DER -in crl.der -text -noout");
    for fact in [
        "Version 2",
        "Serial Number: 3039",
        "Key Compromise",
        "Nov 14 22:13:20 2023 GMT",
        "X509v3 CRL Number: \n                300",
        "Serial Number: 05",
    ] {
        assert!(text.contains(fact), "{fact} is not in\n{text}");
    }
    assert!(!text.contains("Unspecified"), "{text}");
    bench.run("openssl crl -inform DER -in crl.der -out crl.pem");
    let verified = bench.run("openssl crl -in crl.pem -CAfile ca.pem -noout");
    assert!(verified.contains("verify OK"), "{verified}");
    bench.run("openssl verify -x509_strict -crl_check -CAfile ca.pem -CRLfile crl.pem other.pem");
    let refused =
        bench.run_failing("openssl verify -crl_check -CAfile ca.pem -CRLfile crl.pem leaf.pem");
    assert!(refused.contains("certificate revoked"), "{refused}");
    let gnutls = bench.run("certtool --crl-info --inder --infile crl.der");
    assert!(gnutls.contains("Revoked certificates (2)"), "{gnutls}");
    let accepted = bench.run("certtool --verify-crl --load-ca-certificate ca.pem --infile crl.pem");
    assert!(accepted.contains("Verified"), "{accepted}");
}

#[test]
fn reads_back_what_was_built() {
    let ca = Entity::root("CRL root");
    let stranger = Entity::root("Another");
    let indirect = RevokedEntry {
        serial: vec![0x00, 0x80],
        date: Time(2_524_608_000), // 2050, hence GeneralizedTime
        reason: Some(Reason::CertificateHold),
        invalidity_date: Some(Time(1)),
        certificate_issuer: Some(stranger.certificate.subject().clone()),
    };
    let entries = [
        RevokedEntry::new(vec![7], Time(2_524_607_999), Some(Reason::Superseded)),
        indirect.clone(),
        RevokedEntry::new(vec![9], Time(0), None),
    ];
    let mut header = header(&ca);
    header.extensions.push(
        IssuingDistributionPoint {
            name: Some(DistributionPointName::Full(vec![GeneralName::Uri(
                "http://pki.example/crl/1.crl".into(),
            )])),
            indirect_crl: true,
            ..IssuingDistributionPoint::default()
        }
        .encode(),
    );
    let der = signed(&ca, &header, &entries);
    let list = CertificateList::from_der(&der).unwrap();

    list.verify_signed_by(&ca.public_key()).unwrap();
    assert!(list.verify_signed_by(&stranger.public_key()).is_err());
    assert_eq!(list.der(), der);
    let again = CertificateList::from_pem(list.to_pem().as_bytes()).unwrap();
    assert_eq!(again.der(), der);
    assert_eq!(list.version(), 2);
    assert_eq!(list.issuer(), ca.certificate.subject());
    assert_eq!(list.this_update(), header.this_update);
    assert_eq!(list.next_update(), Some(header.next_update));
    assert_eq!(list.number().unwrap(), Some(CrlNumber(vec![1, 0x2c])));
    assert_eq!(list.delta_base().unwrap(), None);
    assert!(list.unknown_critical_extension().is_none());
    let point = list.issuing_distribution_point().unwrap().unwrap();
    assert!(point.indirect_crl && !point.only_ca_certs);

    let read: Vec<RevokedEntry> = list.entries().collect::<Result<_, _>>().unwrap();
    // RFC 5280 §5.3.3: an entry without certificateIssuer inherits it.
    let inherited = RevokedEntry {
        certificate_issuer: indirect.certificate_issuer.clone(),
        ..entries[2].clone()
    };
    assert_eq!(read, [entries[0].clone(), indirect.clone(), inherited]);
    assert_eq!(list.find(&[7]).unwrap(), Some(entries[0].clone()));
    assert_eq!(list.find(&[9]).unwrap(), None);
    let elsewhere = stranger.certificate.subject();
    assert_eq!(
        list.find_issued_by(elsewhere, &[0, 0x80]).unwrap(),
        Some(indirect)
    );
    // 2.5.29.28, critical
    let idp = [0x06, 0x03, 0x55, 0x1d, 0x1c, 0x01, 0x01, 0xff];
    assert!(der.windows(idp.len()).any(|w| w == idp));
}

#[test]
fn an_empty_crl_has_no_list_at_all() {
    let ca = Entity::root("CRL root");
    let der = signed(&ca, &header(&ca), &[]);
    let list = CertificateList::from_der(&der).unwrap();
    assert_eq!(list.entries().count(), 0);
    assert_eq!(list.find(&[1]).unwrap(), None);
    let bench = Bench::new();
    bench
        .write("crl.der", &der)
        .write("ca.pem", ca.certificate.to_pem());
    let text = bench.run("openssl crl -inform DER -in crl.der -text -noout -CAfile ca.pem");
    assert!(text.contains("No Revoked Certificates."), "{text}");
    assert!(text.contains("verify OK"), "{text}");
}

#[test]
fn r13_openssl_follows_a_delta() {
    let ca = Entity::root("Delta root");
    let leaf = Entity::leaf(&ca, "pump-1", &[0x30, 0x39]);
    let point = DistributionPoint {
        name: Some(DistributionPointName::Full(vec![GeneralName::Uri(
            "http://pki.example/crl/1-delta.crl".into(),
        )])),
        ..DistributionPoint::default()
    };
    let mut base_header = header(&ca);
    base_header
        .extensions
        .push(FreshestCrl(vec![point]).encode()); // without it OpenSSL looks for no delta
    let base = signed(&ca, &base_header, &[]);
    let mut delta_header = header(&ca);
    delta_header.extensions[1] = CrlNumber(vec![0x01, 0x2d]).encode();
    delta_header
        .extensions
        .push(DeltaCrlIndicator(vec![0x01, 0x2c]).encode());
    let entry = RevokedEntry::new(vec![0x30, 0x39], now(), Some(Reason::KeyCompromise));
    let delta = signed(&ca, &delta_header, &[entry]);
    let list = CertificateList::from_der(&delta).unwrap();
    assert_eq!(
        list.delta_base().unwrap(),
        Some(DeltaCrlIndicator(vec![0x01, 0x2c]))
    );

    let bench = Bench::new();
    let both = [&base, &delta].map(|der| x509::pem::encode(x509::pem::X509_CRL, der));
    bench
        .write("crls.pem", both.concat())
        .write("base.pem", &both[0])
        .write("ca.pem", ca.certificate.to_pem())
        .write("leaf.pem", leaf.certificate.to_pem());
    let verify = "openssl verify -extended_crl -crl_check -CAfile ca.pem";
    bench.run(&format!("{verify} -CRLfile base.pem leaf.pem"));
    let refused = bench.run_failing(&format!("{verify} -use_deltas -CRLfile crls.pem leaf.pem"));
    assert!(refused.contains("certificate revoked"), "{refused}");
}

#[test]
fn reads_what_openssl_publishes() {
    let ca = Entity::root("OpenSSL root");
    let bench = Bench::new();
    let config = "[ca]\ndefault_ca=a\n[a]\ndatabase=index.txt\ndefault_md=sha256\n\
                  default_crl_days=3\ncrlnumber=number\n";
    bench
        .write("ca.cnf", config)
        .write("number", "0A\n")
        .write("ca.pem", ca.certificate.to_pem())
        .write("ca.key", ca.key_pem())
        .write(
            "index.txt",
            "R\t300101000000Z\t240101120000Z,keyCompromise\t3039\tunknown\t/CN=a\n\
             R\t300101000000Z\t240101120001Z\t00FF\tunknown\t/CN=b\n\
             R\t300101000000Z\t240101120002Z,holdInstruction,holdInstructionReject\t07\tunknown\t/CN=c\n",
        );
    let generate = "openssl ca -config ca.cnf -gencrl -keyfile ca.key -cert ca.pem -out crl.pem";
    bench.write(
        "ca.cnf",
        format!("{config}[v2]\nauthorityKeyIdentifier=keyid\n"),
    );
    for extensions in ["", " -crlexts v2"] {
        bench.run(&format!("{generate}{extensions}"));
        bench.run("openssl crl -in crl.pem -outform DER -out crl.der");
        let list = CertificateList::from_der(&bench.read("crl.der")).unwrap();
        list.verify_signed_by(&ca.public_key()).unwrap();
        let entries: Vec<RevokedEntry> = list.entries().collect::<Result<_, _>>().unwrap();
        assert_eq!(entries.len(), 3);
        for (serial, reason) in [
            (&[0x30, 0x39][..], Some(Reason::KeyCompromise)),
            (&[0x00, 0xff], None),
            (&[0x07], Some(Reason::CertificateHold)),
        ] {
            assert_eq!(list.find(serial).unwrap().unwrap().reason, reason);
        }
    }
}

#[test]
fn an_unknown_critical_entry_extension_spoils_the_list() {
    let ca = Entity::root("CRL root");
    // SEQUENCE { 5, date, SEQUENCE { SEQUENCE { 1.2.3, TRUE, NULL } } }
    let mut entry = encoded(&RevokedEntry::new(vec![5], Time(0), None));
    let extension = [
        0x30, 0x0d, 0x30, 0x0b, 0x06, 0x02, 0x2a, 0x03, 0x01, 0x01, 0xff, 0x04, 0x02, 0x05, 0x00,
    ];
    entry.extend_from_slice(&extension);
    entry[1] += extension.len() as u8;
    let unsigned = header(&ca).encode([&entry], entry.len()).unwrap();
    let signature = ca.sign(unsigned.tbs());
    let list = CertificateList::from_der(&unsigned.assemble(&signature)).unwrap();
    assert!(list.find(&[6]).is_err());
    assert!(list.entries().any(|entry| entry.is_err()));
}

#[test]
fn a_wrong_total_is_refused() {
    let ca = Entity::root("CRL root");
    let entry = encoded(&RevokedEntry::new(vec![5], Time(0), None));
    for wrong in [entry.len() - 1, entry.len() + 1, 0] {
        assert!(header(&ca).encode([&entry], wrong).is_err());
    }
}

/// R13: the size at which others take seconds and hundreds of megabytes. Entries come as one block per thousand,
/// as a store would keep them.
#[test]
fn r13_a_large_crl_is_one_buffer() {
    const ENTRIES: u32 = 100_000;
    let ca = Entity::root("CRL root");
    let mut blocks: Vec<Vec<u8>> = Vec::new();
    for i in 0..ENTRIES {
        if i % 1000 == 0 {
            blocks.push(Vec::new());
        }
        let mut serial = vec![0x5a; 12];
        serial.extend_from_slice(&i.to_be_bytes());
        let entry = RevokedEntry::new(serial, Time(1_700_000_000), Some(Reason::Superseded));
        encode_entry(&entry, blocks.last_mut().unwrap());
    }
    let len = blocks.iter().map(Vec::len).sum();
    let unsigned = header(&ca).encode(&blocks, len).unwrap();
    let buffer = unsigned.tbs().as_ptr();
    let signature = ca.sign(unsigned.tbs());
    let der = unsigned.assemble(&signature);
    let moved = (der.as_ptr() as usize).abs_diff(buffer as usize);
    assert!(moved < 16, "the buffer was copied");
    let list = CertificateList::from_vec(der).unwrap();
    list.verify_signed_by(&ca.public_key()).unwrap();
    assert_eq!(list.entries().count(), ENTRIES as usize);
    let mut last = vec![0x5a; 12];
    last.extend_from_slice(&(ENTRIES - 1).to_be_bytes());
    assert!(list.find(&last).unwrap().is_some());
}

#[test]
fn every_signature_length_fits() {
    let ca = Entity::root("CRL root");
    for (algorithm, len) in [
        (SignatureAlgorithm::Ed25519, 64),
        (SignatureAlgorithm::EcdsaSha512, 139),
        (SignatureAlgorithm::RsaPssSha512, 512),
    ] {
        let header = TbsCrl {
            signature: algorithm,
            ..header(&ca)
        };
        let der = header
            .encode(Vec::<Vec<u8>>::new(), 0)
            .unwrap()
            .assemble(&vec![0xaa; len]);
        let list = CertificateList::from_der(&der).unwrap();
        assert_eq!(list.signature().len(), len);
        assert_eq!(list.signature_algorithm(), &algorithm.identifier());
    }
}
