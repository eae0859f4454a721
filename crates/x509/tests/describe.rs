//! Descriptions and conversions of what other tools write.

#![allow(clippy::unwrap_used, clippy::panic)] // Helpers of tests are tests.

mod authority;

use authority::{Bench, Entity};
use serde_json::Value;
use x509::{
    Certificate,
    convert::{Format, certificates, convert},
    crl::Reason,
    describe::{Kind, describe, render_text},
    oids,
};

const CONFIG: &str = "[req]\ndistinguished_name=dn\n[dn]\n[e]\n\
    subjectAltName=DNS:pump.example,IP:10.1.2.3,IP:fe80::1,URI:https://id.gs1.org/01/51022222233336/21/7,email:a@b.example,RID:1.2.3.4,otherName:1.3.6.1.4.1.311.20.2.3;UTF8:nurse@hospital.example,dirName:dn1\n\
    basicConstraints=critical,CA:TRUE,pathlen:2\nkeyUsage=critical,keyCertSign,cRLSign,digitalSignature\n\
    extendedKeyUsage=serverAuth,clientAuth,1.2.3.4.5\n\
    certificatePolicies=1.3.6.1.4.1.41179.0.1.3,@p\nnameConstraints=critical,permitted;DNS:example,excluded;IP:10.0.0.0/255.0.0.0\n\
    policyConstraints=requireExplicitPolicy:0\ninhibitAnyPolicy=1\npolicyMappings=1.2.3:1.2.4\n\
    authorityInfoAccess=OCSP;URI:http://ocsp.example/,caIssuers;URI:http://pki.example/ca.cer\n\
    crlDistributionPoints=URI:http://pki.example/1.crl\nfreshestCRL=URI:http://pki.example/d.crl\n\
    tlsfeature=status_request\nnoCheck=ignored\n1.2.3.4.5.6=DER:0403010203\n\
    [p]\npolicyIdentifier=1.2.3.99\nCPS.1=http://cps.example/\n[dn1]\nCN=dir\n";

/// The extension of this name in a description.
fn extension<'a>(described: &'a Value, name: &str) -> &'a Value {
    let list = described["extensions"].as_array().unwrap();
    let found = list.iter().find(|e| e["name"] == name || e["oid"] == name);
    found.unwrap_or_else(|| panic!("{name} is not in {described:#}"))
}

#[test]
fn names_every_extension_of_a_certificate() {
    let bench = Bench::new();
    bench.write("c.cnf", CONFIG);
    bench.run("openssl req -x509 -config c.cnf -extensions e -newkey rsa:2048 -nodes -keyout k.pem -subj /O=Sankt-Anna/CN=pump -set_serial 0x00ff12 -out c.pem");
    let described = describe(&bench.read("c.pem")).unwrap();
    assert_eq!(described["kind"], "certificate");
    assert_eq!(described["serial"], "00:ff:12");
    assert_eq!(described["subject"], "CN=pump,O=Sankt-Anna");
    assert_eq!(described["publicKey"]["bits"], 2048);
    assert_eq!(described["publicKey"]["algorithm"], "rsa-2048");
    assert_eq!(described["signatureAlgorithm"], "sha256WithRSAEncryption");

    let table = [
        ("basicConstraints", r#"{"ca":true,"pathLength":2}"#),
        (
            "keyUsage",
            r#"["digitalSignature","keyCertSign","cRLSign"]"#,
        ),
        ("extKeyUsage", r#"["serverAuth","clientAuth","1.2.3.4.5"]"#),
        (
            "policyConstraints",
            r#"{"inhibitPolicyMapping":null,"requireExplicitPolicy":0}"#,
        ),
        ("inhibitAnyPolicy", "1"),
        (
            "policyMappings",
            r#"[{"issuerPolicy":"1.2.3","subjectPolicy":"1.2.4"}]"#,
        ),
        ("tlsFeature", "[5]"),
        ("ocspNoCheck", "true"),
        (
            "cRLDistributionPoints",
            r#"[{"name":["http://pki.example/1.crl"]}]"#,
        ),
        ("freshestCRL", r#"[{"name":["http://pki.example/d.crl"]}]"#),
        (
            "authorityInfoAccess",
            r#"[{"location":"http://ocsp.example/","method":"ocsp"},{"location":"http://pki.example/ca.cer","method":"caIssuers"}]"#,
        ),
        (
            "nameConstraints",
            r#"{"excluded":[{"type":"iPAddress","value":"10.0.0.0/255.0.0.0"}],"permitted":[{"type":"dNSName","value":"example"}]}"#,
        ),
        (
            "certificatePolicies",
            r#"["1.3.6.1.4.1.41179.0.1.3",{"policy":"1.2.3.99","qualifiers":[{"type":"cps","value":"http://cps.example/"}]}]"#,
        ),
        (
            "subjectAltName",
            r#"[{"type":"dNSName","value":"pump.example"},{"type":"iPAddress","value":"10.1.2.3"},{"type":"iPAddress","value":"fe80::1"},{"type":"uniformResourceIdentifier","value":"https://id.gs1.org/01/51022222233336/21/7"},{"type":"rfc822Name","value":"a@b.example"},{"type":"registeredID","value":"1.2.3.4"},{"type":"otherName","value":"userPrincipalName: nurse@hospital.example"},{"type":"directoryName","value":"CN=dir"}]"#,
        ),
    ];
    for (name, expected) in table {
        let expected: Value = serde_json::from_str(expected).unwrap();
        assert_eq!(extension(&described, name)["value"], expected, "{name}");
    }
    assert_eq!(extension(&described, "1.2.3.4.5.6")["hex"], "0403010203");
    assert_eq!(extension(&described, "keyUsage")["critical"], true);

    let text = render_text(&described);
    for line in [
        "    Subject: CN=pump,O=Sankt-Anna\n",
        "        keyUsage (critical): digitalSignature, keyCertSign, cRLSign\n",
        "            dNSName: pump.example\n",
        "        1.2.3.4.5.6: 0403010203\n",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
}

#[test]
fn tells_kinds_apart_in_der_and_pem() {
    let bench = Bench::new();
    let ca = Entity::root("Kinds");
    let leaf = Entity::leaf(&ca, "leaf", &[5]);
    bench
        .write("ca.pem", ca.certificate.to_pem())
        .write("leaf.pem", leaf.certificate.to_pem())
        .write("leaf.key", leaf.key_pem())
        .write("message", "m");
    for command in [
        "openssl x509 -in ca.pem -outform DER -out certificate",
        "openssl req -new -key leaf.key -subj /CN=leaf -outform DER -out certificationRequest",
        "openssl pkey -in leaf.key -pubout -outform DER -out publicKey",
        "openssl pkey -in leaf.key -outform DER -out privateKey",
        "openssl crl2pkcs7 -nocrl -certfile ca.pem -outform DER -out pkcs7",
        "openssl pkcs12 -export -in leaf.pem -inkey leaf.key -passout pass:x -out pkcs12",
        "openssl ocsp -issuer ca.pem -cert leaf.pem -reqout ocspRequest",
    ] {
        bench.run(command);
    }
    bench
        .write("ocspResponse", x509::ocsp::errors::UNAUTHORIZED)
        .write("crl", include_bytes!("data/openssl.crl"));
    for kind in [
        Kind::Certificate,
        Kind::CertificationRequest,
        Kind::PublicKey,
        Kind::PrivateKey,
        Kind::Pkcs7,
        Kind::Pkcs12,
        Kind::OcspRequest,
        Kind::OcspResponse,
        Kind::Crl,
    ] {
        let der = bench.read(kind.name());
        assert_eq!(Kind::of(&der), Ok(kind));
        let described = describe(&der).unwrap();
        assert_eq!(described["kind"], kind.name());
        assert!(described.get("refused").is_none(), "{described:#}");
        assert!(!render_text(&described).is_empty());
        let armoured = x509::pem::encode("SOMETHING", &der);
        assert_eq!(describe(armoured.as_bytes()).unwrap(), described);
        let bare: String = armoured.lines().filter(|l| !l.starts_with('-')).collect();
        assert_eq!(describe(bare.as_bytes()).unwrap(), described);
    }
    bench.run("openssl cms -sign -stream -binary -nodetach -in message -signer leaf.pem -inkey leaf.key -outform DER -out ber");
    assert_eq!(describe(&bench.read("ber")).unwrap()["signers"], 1);
    let key = describe(&bench.read("leaf.key")).unwrap();
    assert_eq!(key["kind"], "privateKey");
    assert!(!key.to_string().contains(&hex::encode(&leaf.pkcs8[36..68])));
    let crl = describe(include_bytes!("data/openssl.crl")).unwrap();
    assert_eq!(crl["entryCount"], 1);
    assert_eq!(crl["entries"][0]["serial"], "30:39");
    assert_eq!(crl["entries"][0]["reason"], Reason::Superseded.name());
}

#[test]
fn hostile_names_cannot_steer_a_terminal() {
    let ca = Entity::root("Hostile");
    // By hand: our own builder refuses such a name.
    let subject = x509::der::sequence(|w| {
        w.set(|w| {
            w.sequence(|w| {
                w.oid(&oids::COMMON_NAME).utf8_string("a\u{202e}b\u{1b}[2J");
            });
        });
    });
    let subject = x509::Name::from_der(&subject).unwrap();
    let tbs = x509::TbsCertificate {
        serial: vec![1],
        signature: authority::ALGORITHM,
        issuer: ca.certificate.subject().clone(),
        not_before: authority::now(),
        not_after: authority::now(),
        subject,
        spki_der: ca.certificate.spki_der().to_vec(),
        extensions: Vec::new(),
    }
    .encode();
    let der = x509::assemble(&tbs, authority::ALGORITHM, &ca.sign(&tbs));
    let text = render_text(&describe(&der).unwrap());
    assert!(!text.contains(['\u{202e}', '\u{1b}']), "{text}");
    assert!(text.contains("202E"), "{text}");
}

#[test]
fn converts_between_packagings() {
    let bench = Bench::new();
    let ca = Entity::root("Convert");
    let leaf = Entity::leaf(&ca, "leaf", &[5]);
    let chain = [leaf.certificate.clone(), ca.certificate.clone()];
    let pem: String = chain.iter().map(Certificate::to_pem).collect();
    let p7b = convert(pem.as_bytes(), Format::P7b).unwrap();
    bench.write("c.p7b", &p7b);
    let text = bench.run("openssl pkcs7 -inform DER -in c.p7b -print_certs -noout");
    assert!(
        text.contains("CN = leaf") && text.contains("CN = Convert"),
        "{text}"
    );
    assert_eq!(convert(&p7b, Format::Pem).unwrap(), pem.as_bytes());
    assert_eq!(certificates(&p7b).unwrap(), chain);
    assert_eq!(certificates(pem.as_bytes()).unwrap(), chain);
    let one = ca.certificate.to_pem();
    let der = convert(one.as_bytes(), Format::Der).unwrap();
    assert_eq!(der, ca.certificate.der());
    assert_eq!(convert(&der, Format::Pem).unwrap(), one.as_bytes());
    let crl = include_bytes!("data/openssl.crl");
    bench.write("crl.pem", convert(crl, Format::Pem).unwrap());
    bench.run("openssl crl -in crl.pem -noout");

    assert!(convert(pem.as_bytes(), Format::Der).is_err());
    assert!(convert(leaf.key_pem().as_bytes(), Format::Pem).is_err());
    assert!(convert(leaf.certificate.spki_der(), Format::P7b).is_err());
    assert!("pfx".parse::<Format>().is_err());
}
