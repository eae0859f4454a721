//! Status messages, bundles and descriptions.

use crate::{
    Certificate, SignatureAlgorithm, Time,
    cms::{self, EnvelopedData, SignedData, Strength},
    convert::{self, Format},
    crl::{CertificateList, encode_entry},
    describe, jks, ocsp,
    ocsp::{Query, Request, Response, assemble_response},
    pkcs7, pkcs12,
};

/// Reads a CRL, walks it and writes its entries again.
pub fn crl(data: &[u8]) {
    let Ok(list) = CertificateList::from_der(data) else {
        return;
    };
    assert_eq!(list.der(), data);
    let mut encoded = Vec::new();
    for entry in list.entries().flatten() {
        let before = encoded.len();
        encode_entry(&entry, &mut encoded);
        assert!(encoded.len() > before);
    }
    let _ = (list.number(), list.delta_base(), list.freshest_crl());
    let _ = (list.authority_key_id(), list.issuing_distribution_point());
    let _ = (list.unknown_critical_extension(), list.find(&[1]));
    assert_eq!(
        CertificateList::from_pem(list.to_pem().as_bytes()).map(|again| again.der().to_vec()),
        Ok(data.to_vec())
    );
}

/// Reads a request in DER and in the form of a GET path.
pub fn ocsp_request(data: &[u8]) {
    if let Ok(path) = std::str::from_utf8(data) {
        let _ = ocsp::decode_get_path(path).map(|der| Request::parse(&der));
    }
    if let Ok(request) = Request::parse(data) {
        let unsigned = Request::new(request.cert_ids, request.nonce);
        assert_eq!(Request::parse(&unsigned.encode()), Ok(unsigned));
    }
}

/// Reads a response, tries to believe it and writes it again.
pub fn ocsp_response(data: &[u8]) {
    let Some(basic) = Response::parse(data).ok().and_then(|r| r.basic) else {
        return;
    };
    for issuer in &basic.certificates {
        let query = Query {
            issuer,
            serial: issuer.serial(),
            nonce: basic.data.nonce.as_ref(),
        };
        let _ = basic.verify(query, Time(0));
    }
    let written = assemble_response(
        &basic.data.encode(),
        SignatureAlgorithm::Ed25519,
        &basic.signature,
        &basic.certificates,
    );
    let again = Response::parse(&written).ok().and_then(|r| r.basic);
    assert_eq!(again.map(|again| again.data), Some(basic.data));
}

/// Reads a bundle in DER or BER and packs it again.
pub fn pkcs7(data: &[u8]) {
    let _ = pkcs7::join_octet_fragments(data);
    let Ok(bundle) = pkcs7::parse(data) else {
        return;
    };
    let written = pkcs7::build(
        bundle.certificates.iter().map(Certificate::der),
        &bundle.crls,
    );
    let again = pkcs7::parse(&written);
    assert_eq!(
        again.as_ref().map(|a| &a.certificates),
        Ok(&bundle.certificates)
    );
    assert_eq!(again.map(|a| a.crls), Ok(bundle.crls));
}

/// Reads a message as either kind, asks it everything and verifies it with what it brings along.
pub fn cms(data: &[u8]) {
    let _ = cms::content_type(data);
    if let Ok(signed) = SignedData::parse(data) {
        for certificate in &signed.certificates {
            let Ok(key) = certificate.public_key() else {
                continue;
            };
            for strength in [Strength::Current, Strength::Legacy] {
                let _ = signed.verify(&key, strength);
                let _ = signed.verify_detached(data, &key, strength);
            }
        }
        let _ = signed.signer_certificate();
        for signer in &signed.signers {
            for attribute in signer.signed_attributes.iter() {
                let attributes = &signer.signed_attributes;
                let oid = &attribute.oid;
                let _ = (attributes.text(oid), attributes.octet_string(oid));
                let _ = (attributes.oid(oid), attributes.time(oid));
            }
        }
    }
    if let Ok(envelope) = EnvelopedData::parse(data) {
        let key = vec![1; envelope.cipher.key_len()];
        if let Ok(content) = envelope.decrypt(&key) {
            assert!(content.len() <= data.len());
        }
    }
}

/// Reads a Java key store and writes its certificates again.
pub fn jks(data: &[u8]) {
    let _ = jks::parse(data, Some("changeit"));
    let shown = jks::contents(data).map(|c| c.entries.into_iter().filter(|e| !e.has_key).count());
    if let Ok(entries) = jks::parse(data, None) {
        assert_eq!(shown, Ok(entries.len()));
    }
    if let Ok(entries) = jks::parse(data, None)
        && let Ok(written) = jks::build(&entries, "x")
    {
        let again = jks::parse(&written, Some("x"));
        assert_eq!(again.map(|again| again.len()), Ok(entries.len()));
    }
}

/// Reads a PKCS #12 file without a password, and with two within little work.
pub fn pkcs12(data: &[u8]) {
    let _ = pkcs12::outline(data);
    for password in ["", "x"] {
        let _ = pkcs12::parse_within(data, password, 5000);
    }
}

/// Describes anything, and checks that nothing in it could steer a terminal.
pub fn describe(data: &[u8]) {
    if let Ok(value) = describe::describe(data) {
        let text = describe::render_text(&value);
        assert_eq!(
            describe::escape(&text.replace('\n', "")),
            text.replace('\n', "")
        );
        let parsed = serde_json::from_str(&value.to_string()).ok();
        assert_eq!(parsed, Some(value));
    }
    for format in [Format::Pem, Format::Der, Format::P7b] {
        let _ = convert::convert(data, format);
    }
}

/// Reads a CMP message, works with everything in it, and writes it again.
pub fn cmp(data: &[u8]) {
    use crate::cmp::{Body, InfoTypeAndValue, Mac, Message, TemplateAnswer};

    let Ok(message) = Message::from_der(data) else {
        return;
    };
    let header = &message.header;
    let _ = (header.implicit_confirm(), header.certificate_profiles());
    if let Some(algorithm) = &header.protection_alg
        && let Ok(mac) = Mac::from_identifier(algorithm)
        && mac.iterations < 1000
    {
        let _ = mac.verify(b"secret", &message.protected_part(), &[]);
        assert_eq!(Mac::from_identifier(&mac.identifier()), Ok(mac));
    }
    let information = |items: &[InfoTypeAndValue]| {
        for item in items {
            let _ = (item.root_certificate(), item.crl_statuses());
            let _ = TemplateAnswer::from_der(item.value.as_deref().unwrap_or_default());
        }
    };
    match &message.body {
        Body::Ir(requests) | Body::Cr(requests) | Body::Kur(requests) => {
            for request in requests {
                let _ = (
                    request.verify_possession(&header.sender),
                    request.old_cert_id(),
                );
            }
        }
        Body::Genm(items) | Body::Genp(items) => information(items),
        Body::Nested | Body::Other(_) => return,
        _ => {}
    }
    let mut again = Message::new(header.clone(), message.body.clone());
    again.protection.clone_from(&message.protection);
    again.extra_certs.clone_from(&message.extra_certs);
    let written = again.encode();
    let read = Message::from_der(&written);
    assert_eq!(read.map(|read| read.encode()).ok(), Some(written));
}
