//! `ward x509`: look at, lint, validate and convert anything that is DER or PEM. Needs no data directory.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use x509::crl::CertificateList;
use x509::describe::Kind;
use x509::lint::Severity;
use x509::path::{PathOptions, Profile, ReferenceName, Revocation, TrustAnchor, ValidPath};
use x509::{Certificate, Oid, Time, describe, lint, pem, pkcs7};

use crate::args::X509;
use crate::clock;
use crate::output::{Done, Failure, Report, failed, read, table, write};

/// Certificates that one file may contribute.
const CERTIFICATES_PER_FILE: usize = 10_000;

#[derive(Args)]
#[command(
    after_help = "Example:\n  ward x509 verify --anchors root.pem --untrusted issuing.pem --name fhir.example.org --eku serverAuth fhir.pem"
)]
pub(crate) struct Verify {
    /// Certificate to validate; the first of the file, the others count as untrusted.
    pub(crate) certificate: PathBuf,
    /// Trust anchors; repeatable.
    #[arg(long, required = true, value_name = "FILE")]
    anchors: Vec<PathBuf>,
    /// Intermediates that may be used; repeatable.
    #[arg(long, value_name = "FILE")]
    untrusted: Vec<PathBuf>,
    /// Validate as of this time (RFC 3339); now when absent.
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// DNS name that the certificate must present; repeatable.
    #[arg(long, value_name = "DNS")]
    name: Vec<String>,
    #[arg(long, value_name = "ADDRESS")]
    ip: Vec<IpAddr>,
    #[arg(long, value_name = "ADDRESS")]
    email: Vec<String>,
    #[arg(long, value_name = "URI")]
    uri: Vec<String>,
    #[arg(long, value_name = "UPN")]
    upn: Vec<String>,
    /// Purpose that must be allowed: a name such as serverAuth, or an OID; repeatable.
    #[arg(long, value_name = "PURPOSE")]
    eku: Vec<String>,
    /// Acceptable certificate policy (user-initial-policy-set); repeatable.
    #[arg(long, value_name = "OID")]
    policy: Vec<Oid>,
    /// initial-explicit-policy.
    #[arg(long)]
    require_explicit_policy: bool,
    /// initial-policy-mapping-inhibit.
    #[arg(long)]
    inhibit_policy_mapping: bool,
    /// initial-any-policy-inhibit.
    #[arg(long)]
    inhibit_any_policy: bool,
    /// Revocation lists, complete or delta; repeatable.
    #[arg(long, value_name = "FILE")]
    crl: Vec<PathBuf>,
    /// Refuse certificates whose status the given CRLs do not tell.
    #[arg(long)]
    require_status: bool,
    /// How much more than the algorithm is demanded.
    #[arg(long, value_enum, default_value_t = Demands::Rfc5280)]
    profile: Demands,
    /// Longest chain of intermediates.
    #[arg(long, default_value_t = 8)]
    max_intermediates: usize,
    /// Accept RSA below 2048 bits and SHA-1, as legacy devices have them.
    #[arg(long)]
    allow_legacy: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Demands {
    /// RFC 5280 §6 and nothing else.
    Algorithm,
    /// Also what §4 demands of a conforming authority's certificates.
    Rfc5280,
    /// Also what the CA/Browser Forum demands.
    WebPki,
}

pub(crate) fn run(command: X509) -> Done {
    match command {
        X509::Show { file } => show(&file),
        X509::Lint { rules: true, .. } => Ok(list_rules()),
        X509::Lint {
            files,
            rules: false,
        } => lint_files(&files),
        X509::Verify(verify) => run_verify(&verify),
        X509::Convert { file, to, out } => convert(&file, to, out.as_deref()),
    }
}

fn show(file: &Path) -> Done {
    let value = describe::describe(&read(file)?).map_err(|error| in_file(file, error))?;
    let text = describe::render_text(&value);
    Ok(Report::new(value, text.trim_end()))
}

fn list_rules() -> Report {
    let rows: Vec<Vec<String>> = lint::rules()
        .map(|rule| {
            vec![
                rule.name.into(),
                severity(rule.severity).into(),
                rule.citation.into(),
                rule.text.into(),
            ]
        })
        .collect();
    let json = lint::rules().map(|rule| {
        json!({ "name": rule.name, "severity": rule.severity, "citation": rule.citation, "text": rule.text, "scope": rule.scope })
    });
    Report::new(
        Value::Array(json.collect()),
        table(&["RULE", "SEVERITY", "CITATION", "DEMANDS"], &rows),
    )
}

fn lint_files(files: &[PathBuf]) -> Done {
    if files.is_empty() {
        return Err(Failure::Usage("name at least one file, or --rules".into()));
    }
    let (mut json, mut rows, mut errors) = (Vec::new(), Vec::new(), 0);
    for file in files {
        for (position, der) in blocks(file)?.into_iter().enumerate() {
            let findings = match Certificate::from_der(&der) {
                Ok(certificate) => lint::lint_certificate(&certificate),
                Err(_) => lint::lint_crl_der(&der),
            };
            errors += findings
                .iter()
                .filter(|finding| finding.severity == Severity::Error)
                .count();
            let place = format!("{}#{position}", file.display());
            for finding in &findings {
                let message = finding.message.to_string();
                rows.push(vec![
                    place.clone(),
                    severity(finding.severity).into(),
                    finding.rule.into(),
                    finding.citation.into(),
                    message,
                ]);
            }
            json.push(json!({ "file": file, "position": position, "findings": findings }));
        }
    }
    let text = match rows.is_empty() {
        true => "no findings".to_owned(),
        false => table(&["WHERE", "SEVERITY", "RULE", "CITATION", "FOUND"], &rows),
    };
    Ok(Report::new(json!({ "objects": json, "errors": errors }), text).judged(errors == 0))
}

fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Notice => "notice",
    }
}

fn run_verify(verify: &Verify) -> Done {
    let mut given = certificates(&verify.certificate)?.into_iter();
    let target = given
        .next()
        .ok_or_else(|| in_file(&verify.certificate, "there is no certificate in it"))?;
    let mut untrusted: Vec<Certificate> = given.collect();
    for file in &verify.untrusted {
        untrusted.extend(certificates(file)?);
    }
    let mut anchors = Vec::new();
    for file in &verify.anchors {
        anchors.extend(certificates(file)?.into_iter().map(TrustAnchor::new));
    }
    let options = options(verify)?;
    Ok(
        match x509::path::validate(&target, &untrusted, &anchors, &options) {
            Ok(path) => {
                let json = json!({
                    "valid": true,
                    "chain": path.chain.iter().map(summary).collect::<Vec<_>>(),
                    "anchor": summary(&path.anchor),
                    "policies": path.policies.iter().map(ToString::to_string).collect::<Vec<_>>(),
                    "paths_tried": path.tried,
                });
                Report::new(json, valid_text(&path))
            }
            Err(error) => {
                let json = json!({ "valid": false, "error": error });
                let text = format!(
                    "NOT VALID: {error}\n  rule: {}, certificate {} of the path (0 is the target), paths tried: {}",
                    rule_name(&error),
                    error.index,
                    error.tried
                );
                Report::new(json, text).judged(false)
            }
        },
    )
}

/// As it stands in the JSON form.
fn rule_name(error: &x509::path::PathError) -> String {
    serde_json::to_value(error.rule)
        .ok()
        .and_then(|rule| rule.as_str().map(str::to_owned))
        .unwrap_or_default()
}

fn options(verify: &Verify) -> Result<PathOptions, Failure> {
    let time = match &verify.at {
        Some(text) => text.parse().map_err(|_| {
            Failure::Usage(format!(
                "--at {text}: expected RFC 3339, for example 2026-11-22T12:00:00Z"
            ))
        })?,
        None => Time(clock::now().seconds()),
    };
    let mut options = PathOptions::at(time);
    options.profile = match verify.profile {
        Demands::Algorithm => Profile::Algorithm,
        Demands::Rfc5280 => Profile::Rfc5280,
        Demands::WebPki => Profile::WebPki,
    };
    options.max_intermediates = verify.max_intermediates;
    options.names = verify
        .name
        .iter()
        .cloned()
        .map(ReferenceName::Dns)
        .collect();
    options
        .names
        .extend(verify.ip.iter().copied().map(ReferenceName::Ip));
    options
        .names
        .extend(verify.email.iter().cloned().map(ReferenceName::Email));
    options
        .names
        .extend(verify.uri.iter().cloned().map(ReferenceName::Uri));
    options
        .names
        .extend(verify.upn.iter().cloned().map(ReferenceName::Upn));
    for purpose in &verify.eku {
        let oid = x509::oid::by_name(purpose).or_else(|| purpose.parse().ok());
        options.purposes.push(oid.ok_or_else(|| {
            Failure::Usage(format!(
                "--eku {purpose}: neither a known purpose nor an OID"
            ))
        })?);
    }
    options.policies.acceptable = verify.policy.clone();
    options.policies.require_explicit = verify.require_explicit_policy;
    options.policies.inhibit_mapping = verify.inhibit_policy_mapping;
    options.policies.inhibit_any = verify.inhibit_any_policy;
    for file in &verify.crl {
        for der in blocks(file)? {
            options
                .crls
                .push(CertificateList::from_vec(der).map_err(|error| in_file(file, error))?);
        }
    }
    options.revocation = match (verify.require_status, verify.crl.is_empty()) {
        (true, _) => Revocation::Required,
        (false, false) => Revocation::RefuseRevoked,
        (false, true) => Revocation::Ignored,
    };
    options.allow_legacy_algorithms = verify.allow_legacy;
    Ok(options)
}

fn valid_text(path: &ValidPath) -> String {
    let mut text = "valid".to_owned();
    for (depth, certificate) in path.chain.iter().chain([&path.anchor]).enumerate() {
        let role = if depth == path.chain.len() {
            "anchor"
        } else {
            "      "
        };
        text.push_str(&format!(
            "\n  {depth} {role} {}",
            describe::escape(&certificate.subject().to_string())
        ));
    }
    text
}

fn summary(certificate: &Certificate) -> Value {
    json!({
        "subject": certificate.subject().to_string(),
        "serial": hex::encode(certificate.serial()),
        "sha256": hex::encode(certificate.fingerprint()),
    })
}

/// What `convert` writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Text blocks (RFC 7468), one for each object.
    Pem,
    /// The bytes themselves; one object.
    Der,
    /// PKCS#7 with all certificates and CRLs, in DER.
    P7b,
}

fn convert(file: &Path, to: Format, out: Option<&Path>) -> Done {
    let bytes = in_format(&objects(file)?, to).map_err(|error| in_file(file, error))?;
    let Some(out) = out else {
        return match String::from_utf8(bytes) {
            Ok(text) if to == Format::Pem => {
                Ok(Report::new(json!({ "content": text }), text.trim_end()))
            }
            _ => Err(Failure::Usage(
                "the result is binary: name a file with --out".into(),
            )),
        };
    };
    write(out, &bytes)?;
    Ok(Report::new(
        json!({ "file": out, "bytes": bytes.len() }),
        format!("{} bytes written to {}", bytes.len(), out.display()),
    ))
}

fn in_format(objects: &[Vec<u8>], to: Format) -> Result<Vec<u8>, String> {
    match (to, objects) {
        (Format::Der, [one]) => Ok(one.clone()),
        (Format::Der, several) => Err(format!(
            "DER holds one object, and there are {}; use pem or p7b",
            several.len()
        )),
        (Format::Pem, objects) => {
            let labelled = objects.iter().map(|der| Ok(pem::encode(label(der)?, der)));
            labelled
                .collect::<Result<String, String>>()
                .map(String::into_bytes)
        }
        (Format::P7b, objects) => {
            let (mut certificates, mut lists) = (Vec::new(), Vec::new());
            for der in objects {
                match Kind::of(der) {
                    Ok(Kind::Certificate) => certificates.push(der),
                    Ok(Kind::Crl) => lists.push(der),
                    _ => return Err("PKCS#7 carries certificates and CRLs only".into()),
                }
            }
            Ok(pkcs7::build(certificates, lists))
        }
    }
}

/// The label of RFC 7468 for an object. Private keys are not handled here.
fn label(der: &[u8]) -> Result<&'static str, String> {
    match Kind::of(der).map_err(|error| error.to_string())? {
        Kind::Certificate => Ok(pem::CERTIFICATE),
        Kind::CertificationRequest => Ok(pem::CERTIFICATE_REQUEST),
        Kind::Crl => Ok(pem::X509_CRL),
        Kind::PublicKey => Ok(pem::PUBLIC_KEY),
        Kind::Pkcs7 => Ok(pem::PKCS7),
        other => Err(format!("there is no PEM form for {}", other.name())),
    }
}

/// The objects in a file, those inside of a PKCS#7 bundle taken out.
fn objects(file: &Path) -> Result<Vec<Vec<u8>>, Failure> {
    let mut objects = Vec::new();
    for der in blocks(file)? {
        match Kind::of(&der) {
            Ok(Kind::Pkcs7) => {
                let bundle = pkcs7::parse(&der).map_err(|error| in_file(file, error))?;
                objects.extend(
                    bundle
                        .certificates
                        .iter()
                        .map(|certificate| certificate.der().to_vec()),
                );
                objects.extend(bundle.crls);
            }
            Ok(Kind::PrivateKey) => {
                return Err(in_file(
                    file,
                    "private keys are not converted here; use openssl pkey",
                ));
            }
            Ok(_) => objects.push(der),
            Err(error) => return Err(in_file(file, error)),
        }
    }
    Ok(objects)
}

fn certificates(file: &Path) -> Result<Vec<Certificate>, Failure> {
    let ders = objects(file)?;
    let ders = ders
        .iter()
        .filter(|der| !matches!(Kind::of(der), Ok(Kind::Crl | Kind::PublicKey)));
    ders.map(|der| Certificate::from_der(der).map_err(|error| in_file(file, error)))
        .collect()
}

/// The DER objects in a file: every PEM block, or the whole file.
fn blocks(file: &Path) -> Result<Vec<Vec<u8>>, Failure> {
    let bytes = read(file)?;
    if !pem::is_pem(&bytes) {
        return Ok(vec![bytes]);
    }
    let found = pem::decode_all(&bytes).map_err(|error| in_file(file, error))?;
    if found.len() > CERTIFICATES_PER_FILE {
        return Err(in_file(
            file,
            format!("more than {CERTIFICATES_PER_FILE} objects"),
        ));
    }
    Ok(found.into_iter().map(|block| block.der).collect())
}

fn in_file(file: &Path, error: impl std::fmt::Display) -> Failure {
    failed(format!("{}: {error}", file.display()))
}
