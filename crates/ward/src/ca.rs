//! `ward ca`: the hierarchy and its generations.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ::ca::profile::Duration;
use ::ca::{
    Authority, AuthorityAnswers, AuthorityState, Carry, Constraints, CrossSign, Issuer,
    IssuerRecord, ParentKey,
};
use access::{Action, Target};
use serde_json::{Value, json};
use x509::Certificate;

use crate::args::{Ca, Place, RootKey};
use crate::clock;
use crate::confirm::confirm;
use crate::context::Context;
use crate::output::{Done, Failure, Report, add, deliver, failed, read, read_secret, table, word};

const DAYS_PER_YEAR: i64 = 365;

pub(crate) async fn run(place: &Place, command: Ca) -> Done {
    let context = Context::open(place).await?;
    match command {
        Ca::List => Ok(list(&context)),
        Ca::Show { name } => show(&context, &name),
        Ca::Export { name, out, chain } => export(&context, &name, out.as_ref(), chain),
        Ca::Create {
            name,
            title,
            purpose,
            parent,
            algorithm,
            backend,
            years,
            path_length,
            permit_dns,
            root,
        } => {
            let mut answers = AuthorityAnswers::new(&name);
            answers.title = title;
            answers.purpose = purpose;
            answers.backend = backend;
            answers.path_length = path_length;
            answers.validity = Duration::days(i64::from(years) * DAYS_PER_YEAR);
            answers.constraints.permitted_dns = permit_dns;
            if let Some(algorithm) = algorithm {
                answers.algorithm = algorithm;
            }
            let permit = manage(&context, &parent).await?;
            let made = context
                .ca
                .create_authority(permit, &parent, parent_key(&root)?, &answers, clock::now())
                .await?;
            Ok(made_issuer("created", &made))
        }
        Ca::Rotate {
            name,
            algorithm,
            backend,
            root,
        } => {
            let permit = manage(&context, &name).await?;
            let made = context
                .ca
                .rotate_authority(
                    permit,
                    &name,
                    parent_key(&root)?,
                    algorithm,
                    backend,
                    clock::now(),
                )
                .await?;
            Ok(made_issuer("new generation", &made))
        }
        Ca::CrossSign {
            name,
            certificate,
            permit_dns,
            permit_email,
            permit_ip,
            path_length,
            days,
            out,
            root,
        } => {
            let constraints = Constraints {
                permitted_dns: permit_dns,
                permitted_email: permit_email,
                permitted_ip: permit_ip,
                ..Constraints::default()
            };
            let cross = CrossSign {
                subject: one_certificate(&certificate)?,
                constraints,
                path_length,
                validity: Duration::days(i64::from(days)),
            };
            let permit = manage(&context, &name).await?;
            let made = context
                .ca
                .cross_sign(permit, &name, parent_key(&root)?, &cross, clock::now())
                .await?;
            let json = certificate_json(&made);
            deliver(
                out.as_ref(),
                &made.to_pem(),
                json,
                format!("{} certified by {name}", made.subject()),
            )
        }
        Ca::AcceptClock { why, yes } => accept_clock(&context, &why, yes).await,
        Ca::Retire { name, why, yes } => retire(&context, &name, why.as_deref(), yes).await,
    }
}

async fn manage(context: &Context, authority: &str) -> Result<access::Permit, Failure> {
    let target = Target {
        authority: Some(authority),
        ..Target::default()
    };
    context.permit_on(Action::ManageAuthorities, &target).await
}

/// The key that signs: in the keyring, or brought along for this one command.
pub(crate) fn parent_key(root: &RootKey) -> Result<ParentKey, Failure> {
    let (Some(path), Some(passphrase_file)) = (&root.root_key, &root.root_passphrase_file) else {
        return Ok(ParentKey::Online);
    };
    let directory = match path.is_dir() {
        true => path.clone(),
        // The key file was named: it is known by its place beside the root's certificate.
        false => path.parent().map(Path::to_path_buf).unwrap_or_default(),
    };
    Ok(ParentKey::Carried(Carry {
        directory,
        passphrase: read_secret(passphrase_file)?,
    }))
}

/// An authority's present generation, or the generation that is named.
pub(crate) fn issuer(context: &Context, name: &str) -> Result<Arc<Issuer>, Failure> {
    match context.ca.authority(name) {
        Ok(authority) => Ok(context.ca.issuer(&authority.issuer)?),
        Err(not_found) => context.ca.issuer(name).map_err(|_| not_found.into()),
    }
}

fn list(context: &Context) -> Report {
    let authorities = context.ca.authorities();
    let mut rows = Vec::new();
    for authority in &authorities {
        for id in &authority.generations {
            let Ok(issuer) = context.ca.issuer(id) else {
                continue;
            };
            rows.push(vec![
                if *id == authority.issuer {
                    authority.name.clone()
                } else {
                    String::new()
                },
                id.clone(),
                word(&issuer.record().state),
                issuer.record().algorithm.to_string(),
                issuer
                    .key()
                    .map_or_else(|| "carried away".to_owned(), |key| backend(&key.backend)),
                issuer.not_after().to_string(),
                authority.parent.clone().unwrap_or_default(),
            ]);
        }
    }
    let json = authorities
        .iter()
        .map(|authority| authority_json(context, authority))
        .collect();
    Report::new(
        Value::Array(json),
        table(
            &[
                "AUTHORITY",
                "GENERATION",
                "STATE",
                "KEY",
                "WHERE",
                "ENDS",
                "SIGNED BY",
            ],
            &rows,
        ),
    )
}

fn show(context: &Context, name: &str) -> Done {
    let authority = context.ca.authority(name)?;
    let mut text = format!(
        "{}  {}\n  subject   {}\n  purpose   {}\n  state     {}\n  parent    {}",
        authority.name,
        authority.title,
        authority.subject,
        authority.purpose,
        word(&authority.state),
        authority.parent.as_deref().unwrap_or("none")
    );
    if authority.name_constraints != Constraints::default() {
        let constraints = serde_json::to_string(&authority.name_constraints).unwrap_or_default();
        text.push_str(&format!("\n  may name  {constraints}"));
    }
    for id in &authority.generations {
        let issuer = context.ca.issuer(id)?;
        let certificate = issuer.certificate();
        text.push_str(&format!(
            "\n\n{id}  {}\n  key       {} {}\n  serial    {}\n  sha256    {}\n  valid     {} to {}",
            word(&issuer.record().state),
            issuer.record().algorithm,
            issuer
                .record()
                .key
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_else(|| "carried away".into()),
            hex::encode(certificate.serial()),
            hex::encode(certificate.fingerprint()),
            certificate.not_before(),
            certificate.not_after(),
        ));
        for cross in &issuer.record().cross {
            text.push_str(&format!(
                "\n  also certified by {} until {}",
                cross.issuer(),
                cross.not_after()
            ));
        }
    }
    Ok(Report::new(authority_json(context, &authority), text))
}

fn authority_json(context: &Context, authority: &Authority) -> Value {
    let generations = authority
        .generations
        .iter()
        .filter_map(|id| context.ca.issuer(id).ok());
    let generations: Vec<Value> = generations
        .map(|issuer| issuer_json(issuer.record()))
        .collect();
    let mut json = json!(authority);
    add(&mut json, "issuers", Value::Array(generations));
    json
}

fn issuer_json(issuer: &IssuerRecord) -> Value {
    let mut json = certificate_json(&issuer.certificate);
    add(&mut json, "id", json!(issuer.id));
    add(&mut json, "authority", json!(issuer.authority));
    add(&mut json, "generation", json!(issuer.generation));
    add(&mut json, "state", json!(issuer.state));
    add(&mut json, "algorithm", json!(issuer.algorithm));
    add(&mut json, "key", json!(issuer.key));
    add(&mut json, "parent", json!(issuer.parent));
    json
}

fn certificate_json(certificate: &Certificate) -> Value {
    json!({
        "subject": certificate.subject().to_string(),
        "serial": hex::encode(certificate.serial()),
        "sha256": hex::encode(certificate.fingerprint()),
        "not_before": certificate.not_before().to_string(),
        "not_after": certificate.not_after().to_string(),
        "certificate": certificate.to_pem(),
    })
}

fn export(context: &Context, name: &str, out: Option<&PathBuf>, with_chain: bool) -> Done {
    let issuer = issuer(context, name)?;
    let mut certificates = vec![issuer.certificate().clone()];
    if with_chain {
        let mut above = issuer.record().parent.clone();
        // A cycle in the records must not hang.
        while let Some(parent) = above.take().filter(|_| certificates.len() < 10) {
            let parent = context.ca.issuer(&parent)?;
            certificates.push(parent.certificate().clone());
            above.clone_from(&parent.record().parent);
        }
    }
    let pem: String = certificates.iter().map(Certificate::to_pem).collect();
    let json = json!({ "issuer": issuer.name(), "certificates": certificates.iter().map(certificate_json).collect::<Vec<_>>() });
    deliver(
        out,
        &pem,
        json,
        format!("{}: {} certificate(s)", issuer.name(), certificates.len()),
    )
}

fn made_issuer(what: &str, issuer: &IssuerRecord) -> Report {
    let certificate = &issuer.certificate;
    let text = format!(
        "{what}: {}\n  subject {}\n  key     {}\n  sha256  {}\n  valid   {} to {}",
        issuer.id,
        certificate.subject(),
        issuer.algorithm,
        hex::encode(certificate.fingerprint()),
        certificate.not_before(),
        certificate.not_after()
    );
    Report::new(issuer_json(issuer), text)
}

async fn accept_clock(context: &Context, why: &str, yes: bool) -> Done {
    let now = clock::now();
    confirm(yes, &format!("From now on {now} counts as right."))?;
    let permit = context.permit(Action::ManageAuthorities).await?;
    context.ca.accept_clock(permit, why, now).await?;
    Ok(Report::new(
        json!({ "clock": now.to_string() }),
        format!(
            "{now} counts as right; look at the certificates that were issued for a later date"
        ),
    ))
}

async fn retire(context: &Context, name: &str, why: Option<&str>, yes: bool) -> Done {
    let authority = context.ca.authority(name)?;
    if authority.state == AuthorityState::Retired {
        return Ok(Report::new(
            json!({ "authority": name, "state": "retired" }),
            format!("{name} is retired already"),
        ));
    }
    confirm(yes, &format!("{name} will never issue again."))?;
    let permit = manage(context, name).await?;
    context
        .ca
        .retire_authority(permit, name, why.unwrap_or_default(), clock::now())
        .await?;
    let text = format!(
        "{name} is retired: it issues no more, and its revocation lists and OCSP answers go on"
    );
    Ok(Report::new(
        json!({ "authority": name, "state": "retired" }),
        text,
    ))
}

pub(crate) fn one_certificate(file: &Path) -> Result<Certificate, Failure> {
    let bytes = read(file)?;
    let certificate = match x509::pem::is_pem(&bytes) {
        true => Certificate::from_pem(&bytes),
        false => Certificate::from_der(&bytes),
    };
    certificate.map_err(|error| failed(format!("{}: {error}", file.display())))
}

pub(crate) fn backend(backend: &keys::Backend) -> String {
    match backend {
        keys::Backend::Software => "software".into(),
        keys::Backend::Pkcs11 { token } => format!("pkcs11:{token}"),
    }
}
