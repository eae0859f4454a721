//! What OpenSSL, GnuTLS, pkilint and zlint say about every built-in profile's certificates and their chain.

use std::fs;
use std::path::Path;

use access::Evidence;
use ca::profile::BUILT_IN;
use ca::{Answers, IssueRequest, Issued};
use x509::{GeneralName, KeyAlgorithm, Oid};

use crate::support::{House, csr, dns, run};

/// A request that a profile accepts.
pub(crate) fn request_for(profile: &str, algorithm: KeyAlgorithm) -> IssueRequest {
    let upn = || GeneralName::upn("ada@example.org");
    let uri = |text: &str| GeneralName::Uri(text.to_owned());
    let email = |text: &str| GeneralName::Email(text.to_owned());
    let ip = || GeneralName::Ip("10.20.0.9".parse().unwrap());
    let hardware = || {
        let kind: Oid = "1.3.6.1.4.1.32473.7".parse().unwrap();
        GeneralName::hardware_module_name(kind, b"SN-4711")
    };
    let (subject, names) = match profile {
        "server-tls" => (
            "CN=ehr.example.org",
            vec![dns("ehr.example.org"), dns("*.apps.example.org"), ip()],
        ),
        "api-tls" => (
            "",
            vec![dns("api.example.org"), uri("spiffe://example.org/api")],
        ),
        "client-tls" => ("CN=engine,OU=Integration", vec![dns("engine.example.org")]),
        "fhir-mtls" | "hie-gateway" | "radius-server" => ("", vec![dns("gw.example.org")]),
        "udap-client" => (
            "CN=App",
            vec![uri("https://fhir.example.org/r4/Client%20App")],
        ),
        "direct-address" => ("", vec![email("Dr.Ada@direct.example.org")]),
        "direct-org" => ("", vec![dns("direct.example.org")]),
        "smime" => ("CN=Ada Lovelace", vec![email("ada@example.org")]),
        "dicom-node" => (
            "CN=CT1,serialNumber=CT-7",
            vec![dns("ct1.rad.example.org"), ip()],
        ),
        "device-ldevid" | "device-rsa" => (
            "CN=Pump 7,serialNumber=SN-4711",
            vec![
                hardware(),
                uri("https://id.gs1.org/01/51022222233336/21/SN-4711"),
            ],
        ),
        "device-small" => ("serialNumber=SN-4711", vec![dns("pump7.icu.example.org")]),
        "eap-tls-client" => ("CN=pump7", vec![dns("pump7.icu.example.org")]),
        "clinician-logon" | "workstation-session" => ("CN=Ada Lovelace", vec![upn()]),
        "vpn-client" => ("CN=Ada Lovelace", vec![upn(), email("ada@example.org")]),
        "vpn-gateway" => ("", vec![dns("vpn.example.org"), ip()]),
        "legacy-listener" => ("CN=enrol.example.org", vec![dns("enrol.example.org"), ip()]),
        "tls-gateway" => ("CN=gateway 3", vec![dns("old-ct.example.org"), ip()]),
        "sdc-provider" | "sdc-consumer" => (
            "CN=Monitor,serialNumber=M-1",
            vec![uri("urn:uuid:0b1a2c3d-1111-4222-8333-444455556666")],
        ),
        "code-signing"
        | "firmware-signing"
        | "ocsp-responder"
        | "registration-authority"
        | "time-stamping"
        | "log-signing"
        | "sub-ca" => ("CN=Signer 1", vec![]),
        other => panic!("no request for {other}"),
    };
    let mut request = IssueRequest::from_csr(profile, csr(algorithm, subject, names));
    request.evidence = vec![Evidence {
        kind: "ticket".to_owned(),
        text: "CHG-1".to_owned(),
        sha256: None,
    }];
    match profile {
        "clinician-logon" => {
            request.sid = Some("S-1-5-21-1004336348-1177238915-682003330-512".to_owned())
        }
        "workstation-session" => request.workstation = Some([7; 32]),
        "legacy-listener" | "ocsp-responder" | "registration-authority" => {
            request.authority = Some("devices".to_owned())
        }
        "sub-ca" => request.authority = Some("partners".to_owned()),
        _ => {}
    }
    request
}

/// The default hierarchy and one authority that may have CAs below it.
pub(crate) fn answers_with_partners() -> Answers {
    let mut answers = crate::support::answers();
    let mut partners = ca::AuthorityAnswers::new("partners");
    partners.path_length = 1;
    answers.authorities.push(partners);
    answers
}

/// R04: every profile, with every key algorithm that it allows (each once over all profiles for the
/// slow ones), passes `openssl verify -x509_strict`, GnuTLS, pkilint and zlint.
#[tokio::test(flavor = "multi_thread")]
async fn r04_every_profile_passes_openssl_gnutls_pkilint_and_zlint() {
    // GnuTLS knows no time but the machine's.
    let clock = std::time::UNIX_EPOCH.elapsed().unwrap().as_millis();
    let now = audit::Timestamp(i64::try_from(clock).unwrap());
    let house = House::bare_at(false, now).await;
    house.init(&answers_with_partners()).await;
    let root = house.path("stick/root.pem");
    let mut files = Vec::new();
    for (profile, _) in BUILT_IN {
        let algorithms = house
            .ca
            .profile(profile)
            .unwrap()
            .profile
            .algorithms()
            .to_vec();
        for algorithm in algorithms {
            if algorithm == KeyAlgorithm::Rsa4096 && *profile != "sub-ca" {
                continue;
            }
            let request = request_for(profile, algorithm);
            let issued = house
                .issue_approved(request)
                .await
                .unwrap_or_else(|error| panic!("{profile}: {error}"));
            let name = format!("{profile}-{algorithm}");
            let file = house.path(&format!("{name}.pem"));
            fs::write(
                &file,
                x509::pem::encode(x509::pem::CERTIFICATE, &issued.der),
            )
            .unwrap();
            verify_openssl(&root, &file, &issued, &name);
            files.push((name, file));
        }
    }
    verify_gnutls(&house, &root, &files);
    let issuers: Vec<(String, std::path::PathBuf)> = house
        .ca
        .issuers()
        .iter()
        .map(|issuer| {
            let file = house.path(&format!("issuer-{}.pem", issuer.name()));
            fs::write(&file, issuer.certificate().to_pem()).unwrap();
            (format!("issuer {}", issuer.name()), file)
        })
        .collect();
    files.extend(issuers);
    lint_with_pkilint(&files);
    lint_with_zlint(&files);
}

fn verify_openssl(root: &Path, file: &Path, issued: &Issued, name: &str) {
    let chain: String = issued.chain.iter().map(x509::Certificate::to_pem).collect();
    let chain_file = file.with_extension("chain");
    fs::write(&chain_file, chain).unwrap();
    let (good, said) = run(
        "openssl",
        &[
            "verify",
            "-x509_strict",
            "-policy_check",
            "-CAfile",
            &root.display().to_string(),
            "-untrusted",
            &chain_file.display().to_string(),
            &file.display().to_string(),
        ],
    );
    assert!(good, "{name}: {said}");
}

/// GnuTLS reads a chain from one file, leaf first.
fn verify_gnutls(house: &House, root: &Path, files: &[(String, std::path::PathBuf)]) {
    for (name, file) in files {
        let chain = fs::read_to_string(file).unwrap()
            + &fs::read_to_string(file.with_extension("chain")).unwrap();
        let whole = house.path("whole.pem");
        fs::write(&whole, chain).unwrap();
        let (good, said) = run(
            "certtool",
            &[
                "--verify",
                "--load-ca-certificate",
                &root.display().to_string(),
                "--infile",
                &whole.display().to_string(),
            ],
        );
        assert!(good && said.contains("Verified"), "{name}: {said}");
    }
}

/// What the linters find and we keep: certificates, finding, reason.
const KEPT: &[(&str, &str, &str)] = &[
    (
        "server-tls-*",
        "invalid_domain_name_syntax Invalid domain name syntax: \"*.apps.example.org\"",
        "RFC 9525 §6.3 allows the wildcard; pkilint's PKIX linter knows RFC 5280 alone",
    ),
    (
        "api-tls-*",
        "invalid_uri_syntax Invalid URI syntax: \"spiffe://",
        "an absolute URI (RFC 3986 §4.3) of a scheme that pkilint does not know",
    ),
    (
        "sdc-*",
        "invalid_uri_syntax Invalid URI syntax: \"urn:uuid:",
        "an absolute URI (RFC 8141) without the authority that pkilint expects",
    ),
];

fn lint_with_pkilint(files: &[(String, std::path::PathBuf)]) {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/ca/lint.py");
    let mut arguments = vec![script.to_owned()];
    arguments.extend(files.iter().map(|(_, file)| file.display().to_string()));
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (good, said) = run(&python(), &arguments);
    assert!(good, "{said}");
    let mut unexpected = Vec::new();
    for line in said.lines() {
        let Some((file, finding)) = line.split_once('\t') else {
            panic!("pkilint: {said}");
        };
        let name = Path::new(file)
            .file_stem()
            .unwrap()
            .to_string_lossy()
            .into_owned();
        let kept = KEPT
            .iter()
            .any(|(glob, code, _)| access::glob(glob, &name) && finding.contains(code));
        if !kept {
            unexpected.push(format!("{name}: {finding}"));
        }
    }
    assert!(unexpected.is_empty(), "{}", unexpected.join("\n"));
}

/// What zlint knows beyond the RFCs: rules of the public web, which a private CA is outside of.
const NOT_OURS: &str = "Apple,CABF_BR,CABF_EV,CABF_SMIME_BR,Mozilla,ETSI_ESI";

fn lint_with_zlint(files: &[(String, std::path::PathBuf)]) {
    let mut unexpected = Vec::new();
    for (name, file) in files {
        let file = file.display().to_string();
        let (good, said) = run("zlint", &["-excludeSources", NOT_OURS, &file]);
        assert!(good, "{name}: {said}");
        let results: serde_json::Value = serde_json::from_str(&said).unwrap();
        for (lint, result) in results.as_object().unwrap() {
            let result = result["result"].as_str().unwrap_or_default();
            let kept = KEPT
                .iter()
                .any(|(glob, code, _)| access::glob(glob, name) && lint.contains(code));
            if matches!(result, "error" | "fatal") && !kept {
                unexpected.push(format!("{name}: {lint} {result}"));
            }
        }
    }
    assert!(unexpected.is_empty(), "{}", unexpected.join("\n"));
}

/// The interpreter of the project's virtual environment.
fn python() -> String {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    let named = std::env::var("WARD_VENV").ok();
    let places = [named.unwrap_or_default(), format!("{root}/.tmp/venv")];
    places
        .iter()
        .map(|place| format!("{place}/bin/python"))
        .find(|path| Path::new(path).exists())
        .expect("pkilint is needed: run scripts/install-deps.sh")
}
