//! `ward cert issue`: from a CSR, or with a key that is made here, given once and forgotten.

use std::path::{Path, PathBuf};

use ::ca::profile::Duration;
use ::ca::{Exception, GeneratedKey, IssueRequest, Issued, KeyPackage, Outcome};
use access::{Action, Evidence, Refusal, RequestId, Target};
use clap::Args;
use serde_json::{Value, json};
use x509::{CertificationRequest, GeneralName, Name};
use zeroize::Zeroizing;

use crate::args::Place;
use crate::ca::one_certificate;
use crate::clock;
use crate::context::Context;
use crate::output::{Done, Failure, Report, SecretFile, add, read, read_secret, write};

#[derive(Args)]
pub(crate) struct Issue {
    #[arg(long)]
    profile: String,
    /// The profile's usual one when absent.
    #[arg(long)]
    authority: Option<String>,
    /// Certification request, PEM or DER; `-` reads standard input.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["generate", "p12"])]
    csr: Option<PathBuf>,
    /// Make a key here, give it once, keep it nowhere; of this algorithm, or the profile's first.
    #[arg(long, value_name = "ALGORITHM", num_args = 0..=1)]
    generate: Option<Option<::x509::KeyAlgorithm>>,
    /// Subject, RFC 4514, instead of the request's.
    #[arg(long)]
    subject: Option<String>,
    /// Alternative names instead of the request's: dns:…, ip:…, email:…, uri:…, upn:…; repeatable.
    #[arg(long = "name", value_name = "KIND:VALUE")]
    names: Vec<String>,
    /// Days of validity; the profile's default when absent.
    #[arg(long)]
    days: Option<u32>,
    /// The account's SID, for Microsoft's strong mapping.
    #[arg(long)]
    sid: Option<String>,
    /// The workstation that a session is bound to: a file with its certificate, or its SHA-256 in hex.
    #[arg(long, value_name = "FILE|SHA256")]
    workstation: Option<String>,
    /// Have clients insist on a stapled OCSP answer (RFC 7633).
    #[arg(long)]
    must_staple: bool,
    /// Leave to exceed the profile's validity: who answers for it.
    #[arg(long, value_name = "WHO", requires_all = ["exception_reason", "exception_until"])]
    exception_owner: Option<String>,
    /// Why it is needed.
    #[arg(long, value_name = "WHY", requires = "exception_owner")]
    exception_reason: Option<String>,
    /// When it has to be looked at again (RFC 3339).
    #[arg(long, value_name = "TIME", requires = "exception_owner")]
    exception_until: Option<::x509::Time>,
    /// When the asset will be scrapped: nothing outlives it (RFC 3339).
    #[arg(long, value_name = "TIME")]
    service_life_ends: Option<::x509::Time>,
    /// What supports the request, kept with it: `ticket:CHG-1234`, `asset:…`; repeatable.
    #[arg(long, value_name = "KIND:TEXT")]
    evidence: Vec<String>,
    /// The chain as PEM, after the key when that is made here (a new file, 0600).
    #[arg(long, short, value_name = "FILE", conflicts_with = "p12")]
    out: Option<PathBuf>,
    /// Make a key here and write it with the chain as PKCS#12 (a new file, 0600).
    #[arg(long, value_name = "FILE", requires = "p12_password_file")]
    p12: Option<PathBuf>,
    #[arg(long, value_name = "FILE", requires = "p12")]
    p12_password_file: Option<PathBuf>,
}

pub(crate) async fn run(place: &Place, issue: &Issue) -> Done {
    let context = Context::open(place).await?;
    let request = match request(issue) {
        Err(Failure::Refused(refusal)) => return Err(refused(&context, issue, *refusal).await),
        other => other?,
    };
    let written: Vec<String> = request
        .names
        .iter()
        .flatten()
        .map(ToString::to_string)
        .collect();
    let target = Target {
        profile: Some(&issue.profile),
        authority: issue.authority.as_deref(),
        names: &written,
        ..Target::default()
    };
    let permit = context.permit_on(Action::IssueCertificate, &target).await?;
    // The place for a key is made before the key: a key that cannot be written would be lost.
    let makes_key = issue.csr.is_none();
    let secret = match (makes_key, issue.p12.as_ref().or(issue.out.as_ref())) {
        (true, Some(path)) => Some(SecretFile::create(path)?),
        _ => None,
    };
    let outcome = context.ca.issue(permit, request, clock::now()).await?;
    match outcome {
        Outcome::Pending(id) => Ok(waiting(&id)),
        Outcome::Issued(issued) => hand_over(
            &issued,
            issue.p12.as_deref().or(issue.out.as_deref()),
            secret,
        ),
    }
}

/// What is refused before it could be read in full is in the log like everything else that is refused.
async fn refused(context: &Context, issue: &Issue, refusal: Refusal) -> Failure {
    let object = audit::Object::new("profile", &issue.profile);
    let recorded = context.access.record_refusal(
        &refusal,
        &context.principal,
        "certificate.refuse",
        object,
        None,
        clock::now(),
    );
    match recorded.await {
        Ok(()) => refusal.into(),
        Err(error) => error.into(),
    }
}

pub(crate) fn waiting(id: &RequestId) -> Report {
    let text = format!("request {id} waits for another person: ward request approve {id}");
    Report::new(json!({ "request": id, "state": "pending" }), text)
}

/// Gives out a certificate, and its key if it was made here.
pub(crate) fn hand_over(issued: &Issued, out: Option<&Path>, secret: Option<SecretFile>) -> Done {
    let mut json = json!({
        "sha256": hex::encode(issued.sha256),
        "serial": hex::encode(&issued.serial),
        "issuer": issued.issuer,
        "profile": issued.profile,
        "profile_version": issued.profile_version,
        "not_before": issued.not_before.to_string(),
        "not_after": issued.not_after.to_string(),
        "certificate": x509::pem::encode(x509::pem::CERTIFICATE, &issued.der),
        "chain": issued.chain_pem(),
    });
    let summary = format!(
        "{} by {} under {} version {}\n  sha256 {}\n  serial {}\n  valid  {} to {}",
        if issued.repeated {
            "issued earlier"
        } else {
            "issued"
        },
        issued.issuer,
        issued.profile,
        issued.profile_version,
        hex::encode(issued.sha256),
        hex::encode(&issued.serial),
        issued.not_before,
        issued.not_after
    );
    let pem = match &issued.key {
        Some(GeneratedKey::Pkcs12(bytes)) => {
            return match (secret, out) {
                (Some(file), Some(path)) => {
                    file.fill(bytes)?;
                    Ok(written(json, &summary, path, "key and chain as PKCS#12"))
                }
                _ => Err(Failure::Failed("PKCS#12 without a file".into())),
            };
        }
        Some(GeneratedKey::Pem(key)) => {
            let mut pem = Zeroizing::new(String::with_capacity(key.len() + 16 * 1024));
            pem.push_str(key);
            pem.push_str(&issued.chain_pem());
            pem
        }
        None => Zeroizing::new(issued.chain_pem()),
    };
    match (secret, out) {
        (Some(file), Some(path)) => {
            file.fill(pem.as_bytes())?;
            Ok(written(json, &summary, path, "key and chain"))
        }
        (None, Some(path)) => {
            write(path, pem.as_bytes())?;
            Ok(written(json, &summary, path, "chain"))
        }
        (_, None) => {
            if let Some(GeneratedKey::Pem(key)) = &issued.key {
                add(&mut json, "private_key", json!(**key));
            }
            Ok(Report::new(json, pem.trim_end()))
        }
    }
}

fn written(mut json: Value, summary: &str, path: &Path, what: &str) -> Report {
    add(&mut json, "file", json!(path));
    Report::new(
        json,
        format!("{summary}\n{what} written to {}", path.display()),
    )
}

fn request(issue: &Issue) -> Result<IssueRequest, Failure> {
    let subject: Option<Name> = match &issue.subject {
        Some(text) => Some(text.parse().map_err(|error| {
            Failure::Usage(format!(
                "--subject {text}: {error}; for example CN=host,O=Hospital"
            ))
        })?),
        None => None,
    };
    let read_name = |text: &String| {
        text.parse::<GeneralName>()
            .map_err(|error| Failure::Usage(format!("--name: {error}")))
    };
    let names = issue
        .names
        .iter()
        .map(read_name)
        .collect::<Result<Vec<_>, _>>()?;
    let mut request = match &issue.csr {
        Some(file) => {
            let mut request = IssueRequest::from_csr(&issue.profile, csr(file)?);
            request.subject = subject;
            request.names = (!names.is_empty()).then_some(names);
            request
        }
        None if issue.generate.is_some() || issue.p12.is_some() => {
            let algorithm = issue.generate.flatten();
            IssueRequest::generate(
                &issue.profile,
                algorithm,
                package(issue)?,
                subject.unwrap_or_else(Name::empty),
                names,
            )
        }
        None => {
            return Err(Failure::Usage(
                "say whose key: --csr FILE, or --generate, or --p12 FILE".into(),
            ));
        }
    };
    request.authority.clone_from(&issue.authority);
    request.sid.clone_from(&issue.sid);
    request.workstation = issue.workstation.as_deref().map(fingerprint).transpose()?;
    request.validity = issue.days.map(|days| Duration::days(i64::from(days)));
    request.must_staple = issue.must_staple;
    request.service_life_ends = issue.service_life_ends;
    if let (Some(owner), Some(reason), Some(until)) = (
        &issue.exception_owner,
        &issue.exception_reason,
        issue.exception_until,
    ) {
        request.exception = Some(Exception {
            owner: owner.clone(),
            reason: reason.clone(),
            until: until.0,
        });
    }
    request.evidence = issue
        .evidence
        .iter()
        .map(|text| evidence(text))
        .collect::<Result<_, _>>()?;
    Ok(request)
}

fn csr(file: &Path) -> Result<CertificationRequest, Failure> {
    let bytes = read(file)?;
    let csr = match x509::pem::is_pem(&bytes) {
        true => CertificationRequest::from_pem(&bytes),
        false => CertificationRequest::from_der(&bytes),
    };
    csr.map_err(|mut error| {
        error.message = format!("{}: {}", file.display(), error.message);
        ca::csr_refusal(error).into()
    })
}

fn fingerprint(text: &str) -> Result<[u8; 32], Failure> {
    let path = Path::new(text);
    if path.is_file() {
        return Ok(one_certificate(path)?.fingerprint());
    }
    let mut sha256 = [0; 32];
    match hex::decode_to_slice(text, &mut sha256) {
        Ok(()) => Ok(sha256),
        Err(_) => Err(Failure::Usage(format!(
            "--workstation {text}: neither a file nor a SHA-256 in hex"
        ))),
    }
}

fn package(issue: &Issue) -> Result<KeyPackage, Failure> {
    match &issue.p12_password_file {
        Some(file) => Ok(KeyPackage::Pkcs12 {
            password: read_secret(file)?,
        }),
        None => Ok(KeyPackage::Pem),
    }
}

fn evidence(text: &str) -> Result<Evidence, Failure> {
    match text.split_once(':') {
        Some((kind, text)) if !kind.is_empty() && !text.is_empty() => Ok(Evidence {
            kind: kind.to_owned(),
            text: text.to_owned(),
            sha256: None,
        }),
        _ => Err(Failure::Usage(format!(
            "--evidence {text}: expected KIND:TEXT, for example ticket:CHG-1234"
        ))),
    }
}
