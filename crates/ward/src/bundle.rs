//! `ward bundle`: which anchors an audience is given, and the files themselves.

use std::path::{Path, PathBuf};

use access::Action;
use clap::{Args, Subcommand};
use fleet::FleetError;
use fleet::bundle::{Bundles, Definition, Format, Preview, STORE_PASSWORD, StoredBundle};
use serde_json::{Value, json};
use x509::Certificate;

use crate::args::Place;
use crate::clock;
use crate::confirm::confirm;
use crate::context::Context;
use crate::output::{Done, Failure, Report, add, failed, read, table, write};

/// Trust bundles.
#[derive(Subcommand)]
pub(crate) enum Bundle {
    /// Make a bundle for an audience.
    #[command(
        after_help = "Example:\n  ward bundle create devices --audience 'Infusion pumps, ICU' --authority devices\n  ward bundle create hie --authority servers --foreign hie-root.pem --dry-run"
    )]
    Create {
        /// Part of its addresses: lower-case letters, digits, hyphens.
        name: String,
        #[command(flatten)]
        contents: Contents,
        /// Only say what it would hold.
        #[arg(long)]
        dry_run: bool,
    },
    /// List bundles.
    #[command(after_help = "Example:\n  ward bundle list --json")]
    List,
    /// Show a bundle: its certificates, its addresses, its versions.
    #[command(after_help = "Example:\n  ward bundle show devices --version 1")]
    Show {
        name: String,
        #[arg(long)]
        version: Option<u64>,
    },
    /// Write a bundle to a file. Key stores have the password `changeit`.
    #[command(after_help = "Example:\n  ward bundle export devices --format jks --out anchors.jks")]
    Export {
        name: String,
        /// pem, der, p7b, jks or p12.
        #[arg(long, default_value = "pem")]
        format: Format,
        #[arg(long)]
        version: Option<u64>,
        /// File to write; standard output for PEM if absent.
        #[arg(long)]
        out: Option<PathBuf>,
    },
    /// Change a bundle: what is given replaces what was. Machines see the next version.
    #[command(
        after_help = "Example:\n  ward bundle set devices --authority devices --authority servers --dry-run"
    )]
    Set {
        name: String,
        #[command(flatten)]
        contents: Contents,
        /// Take out the anchors of others.
        #[arg(long, conflicts_with = "foreign")]
        no_foreign: bool,
        /// Only say what would change.
        #[arg(long)]
        dry_run: bool,
    },
    /// Take a bundle away: its addresses answer no more. Its versions stay in the log.
    #[command(after_help = "Example:\n  ward bundle remove pilot --why 'the pilot is over'")]
    Remove {
        name: String,
        /// Goes into the log.
        #[arg(long)]
        why: Option<String>,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Args)]
pub(crate) struct Contents {
    /// Whose machines it is for.
    #[arg(long)]
    audience: Option<String>,
    /// An authority of this Ward whose roots it holds; several may be given.
    #[arg(long = "authority", value_name = "NAME")]
    authorities: Vec<String>,
    /// PEM file with anchors of others; several may be given.
    #[arg(long, value_name = "FILE")]
    foreign: Vec<PathBuf>,
    /// Issuing CAs too (yes), or roots only (no).
    #[arg(long, value_name = "yes|no", value_parser = yes_or_no)]
    issuers: Option<bool>,
}

fn yes_or_no(text: &str) -> Result<bool, String> {
    match text {
        "yes" => Ok(true),
        "no" => Ok(false),
        _ => Err("yes or no".to_owned()),
    }
}

impl Contents {
    /// The definition with what was given in the place of what was.
    fn onto(self, mut definition: Definition) -> Result<Definition, Failure> {
        if let Some(audience) = self.audience {
            definition.audience = audience;
        }
        if !self.authorities.is_empty() {
            definition.authorities = self.authorities;
        }
        if let Some(issuers) = self.issuers {
            definition.issuers = issuers;
        }
        if !self.foreign.is_empty() {
            definition.foreign.clear();
        }
        for file in &self.foreign {
            definition.foreign.extend(anchors(file)?);
        }
        Ok(definition)
    }
}

fn anchors(file: &Path) -> Result<Vec<Certificate>, Failure> {
    let wrong = |why: &dyn std::fmt::Display| failed(format!("{}: {why}", file.display()));
    let blocks = x509::pem::decode_all(&read(file)?).map_err(|error| wrong(&error))?;
    if blocks.is_empty() {
        return Err(wrong(&"holds no PEM certificate"));
    }
    let parse = |der: &[u8]| Certificate::from_der(der).map_err(|error| wrong(&error));
    blocks.iter().map(|block| parse(&block.der)).collect()
}

pub(crate) async fn run(place: &Place, command: Bundle) -> Done {
    let context = Context::open(place).await?;
    let bundles = Bundles::open(context.ca.clone());
    match command {
        Bundle::Create {
            name,
            contents,
            dry_run,
        } => {
            let definition = contents.onto(Definition {
                name,
                ..Definition::default()
            })?;
            if dry_run {
                return preview(&bundles, &definition).await;
            }
            let permit = context.permit(Action::ManageAuthorities).await?;
            let made = bundles.create(permit, &definition, clock::now()).await;
            Ok(described(&context, &made.map_err(failure)?, "made"))
        }
        Bundle::Set {
            name,
            contents,
            no_foreign,
            dry_run,
        } => {
            let current = bundles.bundle(&name).await.map_err(failure)?;
            let mut definition = contents.onto(current.bundle.definition)?;
            if no_foreign {
                definition.foreign.clear();
            }
            if dry_run {
                return preview(&bundles, &definition).await;
            }
            let permit = context.permit(Action::ManageAuthorities).await?;
            let set = bundles.set(permit, &definition, Some(current.version), clock::now());
            Ok(described(&context, &set.await.map_err(failure)?, "set"))
        }
        Bundle::List => list(&bundles).await,
        Bundle::Show { name, version } => show(&context, &bundles, &name, version).await,
        Bundle::Export {
            name,
            format,
            version,
            out,
        } => export(&bundles, &name, format, version, out.as_deref()).await,
        Bundle::Remove { name, why, yes } => {
            bundles.bundle(&name).await.map_err(failure)?;
            confirm(yes, &format!("Take bundle {name} away from its machines?"))?;
            let permit = context.permit(Action::ManageAuthorities).await?;
            let why = why.unwrap_or_default();
            let removed = bundles.remove(permit, &name, &why, clock::now()).await;
            removed.map_err(failure)?;
            let json = json!({ "name": name, "removed": true });
            Ok(Report::new(json, format!("bundle {name} is gone")))
        }
    }
}

fn failure(error: FleetError) -> Failure {
    match error {
        FleetError::Refused(refusal) => refusal.into(),
        FleetError::NotFound { .. } => Failure::NotFound(error.to_string()),
        FleetError::Access(error) => error.into(),
        FleetError::Ca(error) => error.into(),
        FleetError::Store(error) => error.into(),
        other => Failure::Failed(other.to_string()),
    }
}

async fn preview(bundles: &Bundles, definition: &Definition) -> Done {
    let preview = bundles.preview(definition, clock::now()).await;
    let preview: Preview = preview.map_err(failure)?;
    let line =
        |sign: char| move |certificate: &Certificate| format!("{sign} {}", one_line(certificate));
    let mut lines: Vec<String> = preview.added.iter().map(line('+')).collect();
    lines.extend(preview.removed.iter().map(line('-')));
    if lines.is_empty() {
        lines.push("the same certificates".to_owned());
    }
    lines.push("nothing was changed".to_owned());
    let mut json = serde_json::to_value(&preview).map_err(failed)?;
    add(&mut json, "dry_run", json!(true));
    Ok(Report::new(json, lines.join("\n")))
}

fn one_line(certificate: &Certificate) -> String {
    format!(
        "{} until {} sha256:{}",
        x509::describe::escape(&certificate.subject().to_string()),
        certificate.not_after(),
        hex::encode(certificate.fingerprint())
    )
}

async fn list(bundles: &Bundles) -> Done {
    let found = bundles.list().await.map_err(failure)?;
    let rows: Vec<Vec<String>> = found
        .iter()
        .map(|stored| {
            let definition = &stored.bundle.definition;
            vec![
                definition.name.clone(),
                stored.version.to_string(),
                stored.bundle.certificates.len().to_string(),
                definition.authorities.join(", "),
                definition.audience.clone(),
            ]
        })
        .collect();
    let headings = ["BUNDLE", "VERSION", "CERTIFICATES", "AUTHORITIES", "FOR"];
    let json = found.iter().map(facts).collect();
    Ok(Report::new(Value::Array(json), table(&headings, &rows)))
}

async fn show(context: &Context, bundles: &Bundles, name: &str, version: Option<u64>) -> Done {
    let stored = match version {
        Some(version) => bundles.version(name, version).await,
        None => bundles.bundle(name).await,
    };
    let stored = stored.map_err(failure)?;
    let versions = bundles.versions(name).await.map_err(failure)?;
    let mut report_json = facts(&stored);
    let dates: Vec<Value> = versions
        .iter()
        .map(|version| json!({ "version": version.version, "since": version.since }))
        .collect();
    add(&mut report_json, "versions", Value::Array(dates));
    Ok(Report::new(report_json, text(context, &stored)))
}

async fn export(
    bundles: &Bundles,
    name: &str,
    format: Format,
    version: Option<u64>,
    out: Option<&Path>,
) -> Done {
    let published = bundles.published(name, version).await.map_err(failure)?;
    let version = published.stored.version;
    let Some(bytes) = published.file(format) else {
        return Err(Failure::Failed(format!(
            "bundle {name} has several certificates, and {format} holds one: use pem or p7b"
        )));
    };
    let Some(out) = out else {
        if format != Format::Pem {
            return Err(Failure::Usage(format!(
                "{format} is not text: say with --out where to write it"
            )));
        }
        let pem = String::from_utf8_lossy(bytes).into_owned();
        let json = json!({ "name": name, "version": version, "pem": pem });
        return Ok(Report::new(json, pem.trim_end()));
    };
    write(out, bytes)?;
    let mut said = format!("{name} version {version} is in {}", out.display());
    if matches!(format, Format::Jks | Format::P12) {
        said.push_str(&format!("; its password is {STORE_PASSWORD}"));
    }
    let json = json!({ "name": name, "version": version, "format": format, "file": out });
    Ok(Report::new(json, said))
}

fn described(context: &Context, stored: &StoredBundle, done: &str) -> Report {
    let head = format!(
        "bundle {} is {done}: version {}",
        stored.bundle.definition.name, stored.version
    );
    let text = format!("{head}\n{}", text(context, stored));
    Report::new(facts(stored), text)
}

fn text(context: &Context, stored: &StoredBundle) -> String {
    let definition = &stored.bundle.definition;
    let (name, version) = (&definition.name, stored.version);
    let base = context.ca.publish_url().unwrap_or_default();
    let mut lines = vec![
        format!("audience     {}", definition.audience),
        format!("authorities  {}", definition.authorities.join(", ")),
        format!("in force     {base}/bundles/{name}/anchors.pem (der, p7b, jks, p12)"),
        format!("version {version}    {base}/bundles/{name}/v{version}/anchors.pem"),
    ];
    lines.extend(stored.bundle.certificates.iter().map(one_line));
    lines.join("\n")
}

fn facts(stored: &StoredBundle) -> Value {
    let definition = &stored.bundle.definition;
    let certificates: Vec<Value> = stored
        .bundle
        .certificates
        .iter()
        .map(|certificate| {
            json!({
                "subject": certificate.subject().to_string(),
                "sha256": hex::encode(certificate.fingerprint()),
                "not_after": certificate.not_after().to_string(),
            })
        })
        .collect();
    json!({
        "name": definition.name,
        "audience": definition.audience,
        "authorities": definition.authorities,
        "issuers": definition.issuers,
        "version": stored.version,
        "since": stored.since,
        "certificates": certificates,
        "path": format!("/bundles/{}/v{}/", definition.name, stored.version),
    })
}
