//! `ward cert`: find, show, revoke, hold, release. Issuing is in `issue`.

use std::path::{Path, PathBuf};

use ::ca::revocation::{Revocation, Status};
use ::ca::{CertificateFilter, CertificateState, StoredCertificate};
use serde_json::{Value, json};
use x509::crl::Reason;
use x509::{Certificate, Time};

use crate::args::{Cert, Place, State};
use crate::ca::one_certificate;
use crate::clock;
use crate::context::Context;
use crate::issue;
use crate::output::{Done, Failure, Report, add, deliver, failed, table, word};

const SECONDS_PER_DAY: i64 = 86_400;

pub(crate) async fn run(place: &Place, command: Cert) -> Done {
    if let Cert::Issue(options) = &command {
        return issue::run(place, options).await;
    }
    let context = Context::open(place).await?;
    match command {
        Cert::Issue(_) => Err(Failure::Failed("not a command of this kind".into())),
        Cert::List {
            profile,
            authority,
            contains,
            expires_within,
            state,
            limit,
            after,
        } => {
            let now = clock::now().seconds();
            let until = expires_within.map(|days| now + i64::from(days) * SECONDS_PER_DAY);
            let filter = CertificateFilter {
                profile,
                contains,
                expires_before: until,
                // What has ended does not end any more.
                expires_after: until.map(|_| now),
                state: state.map(|state| match state {
                    State::Issued => CertificateState::Issued,
                    State::Revoked => CertificateState::Revoked,
                    State::Held => CertificateState::Held,
                }),
                after,
                limit: Some(limit),
                ..CertificateFilter::default()
            };
            list(&context, filter, authority.as_deref()).await
        }
        Cert::Show { id, out } => show(&context, &id, out.as_ref()).await,
        Cert::Revoke {
            id,
            reason,
            why,
            invalid_since,
        } => {
            let reason = reason
                .parse::<Reason>()
                .map_err(|_| Failure::Usage(format!("--reason {reason}: {}", reasons())))?;
            change(&context, &id, reason, why, invalid_since).await
        }
        Cert::Hold { id, why } => change(&context, &id, Reason::CertificateHold, why, None).await,
        Cert::Release { id, why } => release(&context, &id, why.as_deref()).await,
    }
}

async fn list(context: &Context, filter: CertificateFilter, authority: Option<&str>) -> Done {
    let mut found = Vec::new();
    let mut next = None;
    for issuer in issuers(context, authority)? {
        let page = context
            .ca
            .certificates(&CertificateFilter {
                issuer,
                ..filter.clone()
            })
            .await?;
        found.extend(page.certificates);
        next = next.max(page.next);
    }
    // Several generations: one list, newest first, of which the first page is shown.
    found.sort_by_key(|certificate| std::cmp::Reverse(certificate.id));
    let limit = filter.limit.unwrap_or(u32::MAX) as usize;
    if found.len() > limit {
        found.truncate(limit);
        next = found.last().map(|last| last.id);
    }
    let rows: Vec<Vec<String>> = found
        .iter()
        .map(|certificate| {
            vec![
                hex::encode(certificate.sha256)
                    .get(..12)
                    .unwrap_or_default()
                    .to_owned(),
                word(&certificate.state),
                certificate.issuer.clone(),
                certificate.profile.clone(),
                certificate.not_after.to_string(),
                shown_names(certificate),
            ]
        })
        .collect();
    let mut text = table(
        &[
            "SHA-256",
            "STATE",
            "ISSUER",
            "PROFILE",
            "ENDS",
            "SUBJECT, NAMES",
        ],
        &rows,
    );
    if let Some(next) = next {
        text.push_str(&format!("\nmore: --after {next}"));
    }
    let certificates: Vec<Value> = found.iter().map(certificate_json).collect();
    Ok(Report::new(
        json!({ "certificates": certificates, "next": next }),
        text,
    ))
}

/// Which issuers a listing goes over: any, all of an authority, or one generation.
fn issuers(context: &Context, authority: Option<&str>) -> Result<Vec<Option<String>>, Failure> {
    let Some(name) = authority else {
        return Ok(vec![None]);
    };
    match context.ca.authority(name) {
        // The first generation has the authority's own name.
        Ok(authority) => Ok(authority.generations.into_iter().map(Some).collect()),
        Err(not_found) => match context.ca.issuer(name) {
            Ok(issuer) => Ok(vec![Some(issuer.name().to_owned())]),
            Err(_) => Err(not_found.into()),
        },
    }
}

fn shown_names(certificate: &StoredCertificate) -> String {
    let mut shown = vec![certificate.subject.as_str()];
    shown.extend(certificate.names.iter().map(String::as_str));
    let text = shown
        .into_iter()
        .filter(|text| !text.is_empty())
        .collect::<Vec<_>>()
        .join(" ");
    x509::describe::escape(&text)
}

async fn show(context: &Context, id: &str, out: Option<&PathBuf>) -> Done {
    let stored = find(context, id).await?;
    let status = context.ca.status(&stored).await?;
    let certificate = Certificate::from_der(&stored.der).map_err(failed)?;
    let mut pem = certificate.to_pem();
    if let Ok(issuer) = context.ca.issuer(&stored.issuer) {
        pem.extend(issuer.chain().iter().map(Certificate::to_pem));
    }
    let mut json = certificate_json(&stored);
    add(&mut json, "status", status.to_json());
    add(&mut json, "certificate", json!(certificate.to_pem()));
    add(&mut json, "chain", json!(pem));
    if out.is_some() {
        return deliver(out, &pem, json, headline(&stored, status));
    }
    let described = x509::describe::describe(&stored.der).map_err(failed)?;
    let text = format!(
        "{}\n\n{}",
        headline(&stored, status),
        x509::describe::render_text(&described).trim_end()
    );
    Ok(Report::new(json, text))
}

fn headline(stored: &StoredCertificate, status: Status) -> String {
    let status = match status {
        Status::Good if stored.not_after.0 < clock::now().seconds() => "expired".to_owned(),
        Status::Good => "good".to_owned(),
        Status::Revoked { at, reason, .. } => format!("revoked ({}) at {at}", reason.name()),
    };
    format!(
        "{}\n  status    {status}\n  issuer    {}\n  profile   {} version {}\n  sha256    {}\n  serial    {}\n  issued    {} for {}",
        shown_names(stored),
        stored.issuer,
        stored.profile,
        stored.profile_version,
        hex::encode(stored.sha256),
        hex::encode(&stored.serial),
        clock::millis(stored.issued_at),
        x509::describe::escape(&stored.requester)
    )
}

async fn change(
    context: &Context,
    id: &str,
    reason: Reason,
    why: Option<String>,
    invalid_since: Option<Time>,
) -> Done {
    let stored = find(context, id).await?;
    let permit = context.permit(context.ca.needed_to_revoke(&stored)).await?;
    let revocation = Revocation {
        reason,
        invalid_since,
        why,
        request_id: None,
    };
    let status = context
        .ca
        .revoke(permit, &stored, revocation, clock::now())
        .await?;
    Ok(changed(
        &stored,
        status,
        if reason == Reason::CertificateHold {
            "on hold"
        } else {
            "revoked"
        },
    ))
}

async fn release(context: &Context, id: &str, why: Option<&str>) -> Done {
    let stored = find(context, id).await?;
    let permit = context.permit(context.ca.needed_to_revoke(&stored)).await?;
    let status = context
        .ca
        .release(permit, &stored, why, None, clock::now())
        .await?;
    Ok(changed(&stored, status, "released"))
}

fn changed(stored: &StoredCertificate, status: Status, what: &str) -> Report {
    let mut json = status.to_json();
    add(&mut json, "sha256", json!(hex::encode(stored.sha256)));
    add(&mut json, "serial", json!(hex::encode(&stored.serial)));
    add(&mut json, "issuer", json!(stored.issuer));
    let text = format!(
        "{what}: {}, serial {}, of {}",
        shown_names(stored),
        hex::encode(&stored.serial),
        stored.issuer
    );
    Report::new(json, text)
}

fn certificate_json(stored: &StoredCertificate) -> Value {
    json!({
        "sha256": hex::encode(stored.sha256),
        "serial": hex::encode(&stored.serial),
        "issuer": stored.issuer,
        "profile": stored.profile,
        "profile_version": stored.profile_version,
        "subject": stored.subject,
        "names": stored.names,
        "not_before": stored.not_before.to_string(),
        "not_after": stored.not_after.to_string(),
        "issued_at": clock::millis(stored.issued_at),
        "requester": stored.requester,
        "state": stored.state,
    })
}

/// By id, or by the certificate itself.
async fn find(context: &Context, id: &str) -> Result<StoredCertificate, Failure> {
    let path = Path::new(id);
    if !path.is_file() {
        return Ok(context.ca.find_certificate(id).await?);
    }
    let certificate = one_certificate(path)?;
    let stored = context.ca.certificate(&certificate.fingerprint()).await?;
    stored.ok_or_else(|| Failure::NotFound(format!("the certificate in {id} was not issued here")))
}

fn reasons() -> String {
    let names: Vec<&str> = Reason::all().map(Reason::name).collect();
    format!("expected one of {}", names.join(", "))
}
