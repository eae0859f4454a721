//! `ward profile`: what may be issued, looked at, checked and changed.

use std::path::Path;
use std::sync::Arc;

use ::ca::profile::{self, Change, Severity};
use ::ca::{Profile as Rules, ProfileVersion};
use access::Action;
use serde_json::{Value, json};

use crate::args::{Place, Profile};
use crate::clock;
use crate::context::Context;
use crate::output::{Done, Failure, Report, add, failed, read_text, table, word};

pub(crate) async fn run(place: &Place, command: Profile) -> Done {
    if let Profile::Check { file } = &command {
        return check(file);
    }
    let context = Context::open(place).await?;
    match command {
        Profile::Check { file } => check(&file),
        Profile::List => Ok(list(&context)),
        Profile::Show { name, version } => show(&*find(&context, &name, version).await?),
        Profile::Diff {
            name,
            file,
            version,
        } => diff(&context, &name, file.as_deref(), version).await,
        Profile::Set { file } => set(&context, &file).await,
    }
}

fn list(context: &Context) -> Report {
    let profiles = context.ca.profiles();
    let rows: Vec<Vec<String>> = profiles
        .iter()
        .map(|version| {
            let rules = &version.profile;
            vec![
                rules.name().to_owned(),
                version.version.to_string(),
                word(&version.origin),
                rules.issued_by().join(", "),
                rules.default_validity().to_string(),
                rules.approvals().to_string(),
                rules.title().to_owned(),
            ]
        })
        .collect();
    let json = profiles.iter().map(|version| summary(version)).collect();
    Report::new(
        Value::Array(json),
        table(
            &[
                "PROFILE",
                "VERSION",
                "ORIGIN",
                "ISSUED BY",
                "VALIDITY",
                "APPROVALS",
                "FOR",
            ],
            &rows,
        ),
    )
}

fn summary(version: &ProfileVersion) -> Value {
    json!({
        "name": version.profile.name(),
        "title": version.profile.title(),
        "version": version.version,
        "origin": version.origin,
        "in_force_since": clock::millis(version.valid_from),
        "issued_by": version.profile.issued_by(),
        "approvals": version.profile.approvals(),
    })
}

fn show(version: &ProfileVersion) -> Done {
    let mut json = summary(version);
    add(&mut json, "toml", json!(version.toml));
    add(&mut json, "profile", version.profile.to_json().clone());
    Ok(Report::new(json, version.toml.trim_end()))
}

fn check(file: &Path) -> Done {
    let findings = profile::check(&read_text(file)?);
    let is_sound = findings
        .iter()
        .all(|finding| finding.severity != Severity::Error);
    let text = match findings.is_empty() {
        true => "sound".to_owned(),
        false => findings
            .iter()
            .map(|finding| format!("{}: {finding}", file.display()))
            .collect::<Vec<_>>()
            .join("\n"),
    };
    Ok(Report::new(json!({ "sound": is_sound, "findings": findings }), text).judged(is_sound))
}

async fn diff(context: &Context, name: &str, file: Option<&Path>, version: Option<u64>) -> Done {
    let in_force = context.ca.profile(name)?;
    let changes = match (file, version) {
        (Some(file), _) => profile::diff(&in_force.profile, &parse(file)?),
        (None, Some(version)) => profile::diff(
            &find(context, name, Some(version)).await?.profile,
            &in_force.profile,
        ),
        (None, None) => {
            return Err(Failure::Usage(
                "say what to compare with: a file, or --version N".into(),
            ));
        }
    };
    let rows: Vec<Vec<String>> = changes
        .iter()
        .map(|change| {
            vec![
                change.field.clone(),
                shown(&change.before),
                shown(&change.after),
            ]
        })
        .collect();
    let text = match changes.is_empty() {
        true => "no difference".to_owned(),
        false => table(&["FIELD", "BEFORE", "AFTER"], &rows),
    };
    Ok(Report::new(
        json!({ "profile": name, "changes": changes }),
        text,
    ))
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

async fn set(context: &Context, file: &Path) -> Done {
    let text = read_text(file)?;
    let rules = parse(file)?;
    let changes: Vec<Change> = match context.ca.profile(rules.name()) {
        Ok(in_force) => profile::diff(&in_force.profile, &rules),
        Err(_) => Vec::new(),
    };
    let permit = context.permit(Action::ManageProfiles).await?;
    let version = context.ca.put_profile(permit, &text, clock::now()).await?;
    let mut json = summary(&version);
    add(&mut json, "changes", json!(changes));
    let text = format!(
        "{} version {} is in force; {} field(s) changed",
        rules.name(),
        version.version,
        changes.len()
    );
    Ok(Report::new(json, text))
}

fn parse(file: &Path) -> Result<Rules, Failure> {
    Rules::parse(&read_text(file)?).map_err(|error| failed(format!("{}: {error}", file.display())))
}

async fn find(
    context: &Context,
    name: &str,
    version: Option<u64>,
) -> Result<Arc<ProfileVersion>, Failure> {
    let Some(version) = version else {
        return Ok(context.ca.profile(name)?);
    };
    let versions = context.ca.profile_versions(name).await?;
    let found = versions
        .into_iter()
        .find(|candidate| candidate.version == version);
    found
        .map(Arc::new)
        .ok_or_else(|| Failure::NotFound(format!("profile {name} has no version {version}")))
}
