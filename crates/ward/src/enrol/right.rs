//! `ward enrol right`: what lets devices in.

use access::{Action, Evidence};
use enroll::device::{Credential, Desk, For, NewCredential, NewRight, Right, RightView};
use fleet::Fleet;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::args::{NewRight as Wanted, Right as Command};
use super::{endpoint, label};
use crate::clock;
use crate::confirm::confirm;
use crate::context::Context;
use crate::output::{Done, Failure, Report, SecretFile, add, read_text, table, with_state};

const MILLIS_PER_DAY: i64 = 86_400_000;

pub(crate) async fn run(context: &Context, desk: &Desk, fleet: &Fleet, command: Command) -> Done {
    match command {
        Command::Create(wanted) => create(context, desk, fleet, *wanted).await,
        Command::List { endpoint, active } => {
            list(context, desk, endpoint.as_deref(), active).await
        }
        Command::Show { id } => show(context, desk, &id).await,
        Command::Revoke { id, why, yes } => {
            let view = desk.right(&id).await?;
            confirm(
                yes,
                &format!(
                    "Revoke right {id} for {}: no device gets a certificate by it any more.",
                    view.right.r#for
                ),
            )?;
            let permit = context.permit(Action::ManageRights).await?;
            let why = why.as_deref().unwrap_or_default();
            let right = desk.revoke_right(permit, &id, why, clock::now()).await?;
            Ok(Report::new(
                json!(right.without_hash()),
                format!(
                    "right {id} is revoked; it gave {} certificate(s)",
                    view.used
                ),
            ))
        }
    }
}

async fn create(context: &Context, desk: &Desk, fleet: &Fleet, wanted: Wanted) -> Done {
    let now = clock::now();
    let files = [&wanted.label, &wanted.out].map(|path| path.as_deref().map(SecretFile::create));
    let [label, out] = files.map(Option::transpose);
    let (label, out) = (label?, out?);
    let new = NewRight {
        r#for: whose(fleet, &wanted).await?,
        credential: credential(&wanted)?,
        uses: wanted.uses,
        expires: wanted
            .days
            .map(|days| now.0 + i64::from(days) * MILLIS_PER_DAY),
        evidence: wanted
            .evidence
            .iter()
            .map(|text| evidence(text))
            .collect::<Result<_, _>>()?,
        note: wanted.note.clone().unwrap_or_default(),
        endpoint: wanted.endpoint.clone(),
    };
    let permit = context.permit(Action::ManageRights).await?;
    let (right, secret) = desk.create_right(permit, new, now).await?;
    let urls = urls(context, desk, &right).await?;
    let about = format!(
        "right {} for {}: {}, {}, {}\n  {}",
        right.id,
        right.r#for,
        right.credential.kind(),
        uses(&right, 0),
        ends(&right),
        urls.join("\n  ")
    );
    let mut json = with_state(json!(right.clone().without_hash()), "active");
    add(&mut json, "urls", json!(urls));
    let Some(secret) = secret else {
        return Ok(Report::new(json, about));
    };
    let mut text = about;
    if let (Some(file), Some(path)) = (label, wanted.label.as_deref()) {
        let device = device_of(fleet, &right).await?;
        let svg = label::svg(&label::Label {
            right: &right,
            device: &device,
            urls: &urls,
            user: user(&right),
            secret: &secret,
            ends: right.expires.map(clock::millis),
            ca_sha256: fingerprint(context, desk, &right).await?,
        })?;
        file.fill(svg.as_bytes())?;
        add(&mut json, "label", json!(path));
        text.push_str(&format!("\n\nThe label is in {}", path.display()));
    }
    match (out, wanted.out.as_deref()) {
        (Some(file), Some(path)) => {
            file.fill(Zeroizing::new(format!("{}\n", *secret)).as_bytes())?;
            add(&mut json, "file", json!(path));
            text.push_str(&format!("\n\nThe secret is in {}", path.display()));
        }
        _ => {
            add(&mut json, "secret", json!(*secret));
            text.push_str(&format!(
                "\n\nThe secret is shown this once:\n  {}\n  secret     {}",
                user(&right).map_or_else(String::new, |(what, user)| format!("{what:<10} {user}")),
                *secret
            ));
        }
    }
    if let Some((what, user)) = user(&right) {
        add(&mut json, what, json!(user));
    }
    Ok(Report::new(json, text))
}

async fn whose(fleet: &Fleet, wanted: &Wanted) -> Result<For, Failure> {
    if let Some(text) = &wanted.asset {
        let found = fleet.find(text).await;
        let found = found.map_err(enroll::device::DeviceError::from)?;
        return Ok(For::Asset(found.asset.id));
    }
    if let (Some(model), Some(manufacturer)) = (&wanted.model, &wanted.manufacturer) {
        return Ok(For::Model {
            manufacturer: manufacturer.clone(),
            model: model.clone(),
        });
    }
    match wanted.serial.is_empty() {
        true => Ok(For::Any),
        false => Ok(For::Batch(wanted.serial.clone())),
    }
}

fn credential(wanted: &Wanted) -> Result<NewCredential, Failure> {
    if let Some(user) = &wanted.http {
        return Ok(NewCredential::HttpPassword {
            user: Some(user.clone()).filter(|user| !user.is_empty()),
        });
    }
    if wanted.shared_secret {
        return Ok(NewCredential::SharedSecret);
    }
    if wanted.vendor.is_empty() {
        return Ok(NewCredential::OneTimePassword);
    }
    let mut anchors = Vec::new();
    for file in &wanted.vendor {
        const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
        let text = read_text(file)?;
        // A file may hold several.
        anchors.extend(
            text.split(BEGIN)
                .skip(1)
                .map(|rest| format!("{BEGIN}{rest}")),
        );
    }
    let field = serde_json::from_value(json!(wanted.serial_field));
    Ok(NewCredential::Vendor {
        anchors,
        serial_field: field.map_err(|error| Failure::Usage(format!("--serial-field: {error}")))?,
    })
}

fn evidence(text: &str) -> Result<Evidence, Failure> {
    match text.split_once('=') {
        Some((kind, text)) => Ok(Evidence {
            kind: kind.to_owned(),
            text: text.to_owned(),
            sha256: None,
        }),
        None => Err(Failure::Usage(format!(
            "--evidence: `{text}` is not KIND=TEXT"
        ))),
    }
}

/// Where a device with this right goes.
async fn urls(context: &Context, desk: &Desk, right: &Right) -> Result<Vec<String>, Failure> {
    match &right.endpoint {
        Some(name) => Ok(endpoint::urls(
            context,
            &desk.endpoint(name).await?.endpoint,
        )),
        None => Ok(vec![context.url()]),
    }
}

/// The SHA-256 of the authority that will sign, by which a technician knows that the device talks to the right one.
async fn fingerprint(
    context: &Context,
    desk: &Desk,
    right: &Right,
) -> Result<Option<String>, Failure> {
    let Some(name) = &right.endpoint else {
        return Ok(None);
    };
    let endpoint = desk.endpoint(name).await?.endpoint;
    let issuer = endpoint.issuer(&context.ca)?;
    Ok(Some(hex::encode_upper(issuer.certificate().fingerprint())))
}

async fn device_of(fleet: &Fleet, right: &Right) -> Result<String, Failure> {
    let For::Asset(id) = &right.r#for else {
        return Ok(right.r#for.to_string());
    };
    let found = fleet.asset(id).await;
    let asset = found.map_err(enroll::device::DeviceError::from)?.asset;
    let parts = [&asset.manufacturer, &asset.model, &asset.serial];
    let parts: Vec<&str> = parts
        .into_iter()
        .map(String::as_str)
        .filter(|text| !text.is_empty())
        .collect();
    Ok(parts.join(" "))
}

/// What has to be said with the secret, and what it is called.
fn user(right: &Right) -> Option<(&'static str, String)> {
    match &right.credential {
        Credential::HttpPassword { user, .. } => Some(("user", user.clone())),
        Credential::SharedSecret => Some(("reference", right.id.to_string())),
        Credential::OneTimePassword { .. } | Credential::Vendor { .. } => None,
    }
}

async fn list(context: &Context, desk: &Desk, endpoint: Option<&str>, active: bool) -> Done {
    context.permit(Action::ReadEnrolment).await?;
    let now = clock::now();
    let mut views = desk.rights().await?;
    views.retain(|view| {
        let here = endpoint.is_none_or(|name| view.right.endpoint.as_deref() == Some(name));
        here && (!active || view.state(now) == "active")
    });
    let rows: Vec<Vec<String>> = views
        .iter()
        .map(|view| {
            vec![
                view.right.id.to_string(),
                view.right.endpoint.clone().unwrap_or_else(|| "any".into()),
                view.state(now).to_owned(),
                view.right.credential.kind().to_owned(),
                view.right.r#for.to_string(),
                uses(&view.right, view.used),
                ends(&view.right),
                view.right.created_by.clone(),
            ]
        })
        .collect();
    let json = views
        .into_iter()
        .map(|view| {
            let state = view.state(now);
            with_state(json!(view.without_hash()), state)
        })
        .collect();
    let headings = [
        "RIGHT", "ENDPOINT", "STATE", "PROOF", "FOR", "USES", "ENDS", "MADE BY",
    ];
    Ok(Report::new(Value::Array(json), table(&headings, &rows)))
}

async fn show(context: &Context, desk: &Desk, id: &str) -> Done {
    context.permit(Action::ReadEnrolment).await?;
    let view: RightView = desk.right(id).await?;
    let (right, state) = (&view.right, view.state(clock::now()));
    let evidence: Vec<String> = right
        .evidence
        .iter()
        .map(|item| format!("{}: {}", item.kind, item.text))
        .collect();
    let or_none = |text: String| {
        if text.is_empty() {
            "-".to_owned()
        } else {
            text
        }
    };
    let text = format!(
        "right {id}: {state}\n  endpoint {}\n  for      {}\n  proof    {}\n  uses     {}\n  ends     {}\n  evidence {}\n  note     {}\n  made     {} by {}",
        right.endpoint.clone().unwrap_or_else(|| "any".into()),
        right.r#for,
        right.credential.kind(),
        uses(right, view.used),
        ends(right),
        or_none(evidence.join("; ")),
        or_none(right.note.clone()),
        clock::millis(right.created),
        right.created_by,
    );
    Ok(Report::new(
        with_state(json!(view.without_hash()), state),
        text,
    ))
}

fn uses(right: &Right, used: u64) -> String {
    match right.uses {
        Some(most) => format!("{used} of {most} used"),
        None => format!("{used} used, any number"),
    }
}

fn ends(right: &Right) -> String {
    right.expires.map_or_else(
        || "no end".to_owned(),
        |end| format!("until {}", clock::millis(end)),
    )
}
