//! `ward enrol endpoint`: the doors of devices.

use access::Action;
use enroll::device::{Desk, Endpoint as Door, StoredEndpoint};
use serde_json::{Value, json};

use super::args::{Endpoint, NewEndpoint};
use crate::clock;
use crate::confirm::confirm;
use crate::context::Context;
use crate::output::{Done, Failure, Report, add, failed, table, word};
use crate::settings::{begun, begun_anew, changed};

pub(crate) async fn run(context: &Context, desk: &Desk, command: Endpoint) -> Done {
    match command {
        Endpoint::List => list(context, desk).await,
        Endpoint::Show { name } => show(context, desk, &name).await,
        Endpoint::Create(wanted) => {
            let door = new(*wanted)?;
            put(context, desk, door, 0).await
        }
        Endpoint::Set {
            name,
            file,
            settings,
        } => {
            let stored = desk.endpoint(&name).await?;
            let mut door = begun_anew(file.as_deref(), &settings, stored.endpoint)?;
            door.name = name;
            put(context, desk, changed(&door, &settings)?, stored.version).await
        }
        Endpoint::Disable { name } => {
            let stored = desk.endpoint(&name).await?;
            let mut door = stored.endpoint;
            door.enabled = false;
            put(context, desk, door, stored.version).await
        }
        Endpoint::Remove { name, why, yes } => {
            desk.endpoint(&name).await?;
            confirm(
                yes,
                &format!("Remove endpoint {name}: devices that know its URL get 404."),
            )?;
            let permit = context.permit(Action::ManageEnrolment).await?;
            let why = why.as_deref().unwrap_or_default();
            desk.remove_endpoint(permit, &name, why, clock::now())
                .await?;
            Ok(Report::new(
                json!({ "name": name, "state": "removed" }),
                format!("endpoint {name} is removed"),
            ))
        }
    }
}

fn new(wanted: NewEndpoint) -> Result<Door, Failure> {
    let mut door = begun(wanted.file.as_deref(), Door::default())?;
    door.name = wanted.name;
    door.authority = wanted.authority.or(door.authority);
    door.profile = wanted.profile.unwrap_or(door.profile);
    door.protocols.est |= wanted.est;
    door.protocols.scep |= wanted.scep;
    door.protocols.cmp |= wanted.cmp;
    let mut door = changed(&door, &wanted.settings)?;
    if door.paths().is_empty() {
        door.protocols.est = true;
    }
    Ok(door)
}

async fn list(context: &Context, desk: &Desk) -> Done {
    context.permit(Action::ReadEnrolment).await?;
    let mut rows = Vec::new();
    let mut json = Vec::new();
    for stored in desk.endpoints().await? {
        let door = &stored.endpoint;
        let used = desk.endpoint_use(&door.name).await?;
        rows.push(vec![
            door.name.clone(),
            if door.enabled { "enabled" } else { "disabled" }.to_owned(),
            door.profile.clone(),
            protocols(door),
            word(&door.unregistered),
            word(&door.approval),
            used.registrations.to_string(),
            used.rights.to_string(),
        ]);
        json.push(described(context, &stored, json!(used)));
    }
    let text = match rows.is_empty() {
        true => {
            "no endpoints: ward enrol endpoint create NAME --profile device-ldevid --est".to_owned()
        }
        false => table(
            &[
                "ENDPOINT",
                "STATE",
                "PROFILE",
                "PROTOCOLS",
                "UNREGISTERED",
                "APPROVAL",
                "ENROLLED",
                "RIGHTS",
            ],
            &rows,
        ),
    };
    Ok(Report::new(Value::Array(json), text))
}

async fn show(context: &Context, desk: &Desk, name: &str) -> Done {
    context.permit(Action::ReadEnrolment).await?;
    let stored = desk.endpoint(name).await?;
    let used = desk.endpoint_use(name).await?;
    let toml = toml::to_string(&stored.endpoint).map_err(failed)?;
    let urls: Vec<String> = urls(context, &stored.endpoint);
    let text = format!(
        "# {}\n# version {}, since {}; {} registration(s), {} right(s)\n{}",
        urls.join("\n# "),
        stored.version,
        clock::millis(stored.since),
        used.registrations,
        used.rights,
        toml.trim_end()
    );
    Ok(Report::new(described(context, &stored, json!(used)), text))
}

async fn put(context: &Context, desk: &Desk, door: Door, expected: u64) -> Done {
    let permit = context.permit(Action::ManageEnrolment).await?;
    let (stored, secret) = desk
        .put_endpoint(permit, door, expected, clock::now())
        .await?;
    let door = &stored.endpoint;
    let state = match door.enabled {
        true => "in force",
        false => "disabled",
    };
    let mut text = format!(
        "endpoint {} version {} is {state}: {} over {}\n  {}",
        door.name,
        stored.version,
        door.profile,
        protocols(door),
        urls(context, door).join("\n  ")
    );
    let mut json = described(context, &stored, Value::Null);
    if let Some(secret) = secret {
        text.push_str(
            "\n\nQuestions of its webhook are signed with this secret, shown this once:\n  ",
        );
        text.push_str(&secret);
        add(&mut json, "webhook_secret", json!(*secret));
    }
    Ok(Report::new(json, text))
}

/// Where its devices come in.
pub(super) fn urls(context: &Context, door: &Door) -> Vec<String> {
    let base = context.url();
    door.paths()
        .iter()
        .map(|path| format!("{base}{path}"))
        .collect()
}

fn protocols(door: &Door) -> String {
    let spoken = [
        ("EST", door.protocols.est),
        ("SCEP", door.protocols.scep),
        ("CMP", door.protocols.cmp),
    ];
    let names: Vec<&str> = spoken
        .into_iter()
        .filter_map(|(name, on)| on.then_some(name))
        .collect();
    names.join(", ")
}

fn described(context: &Context, stored: &StoredEndpoint, used: Value) -> Value {
    json!({
        "name": stored.endpoint.name,
        "urls": urls(context, &stored.endpoint),
        "version": stored.version,
        "since": clock::millis(stored.since),
        "use": used,
        "endpoint": stored.endpoint,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_shown_as_it_can_be_read_and_changed() {
        let door = Door {
            name: "pumps".into(),
            profile: "device-ldevid".into(),
            networks: vec!["10.20.0.0/16".parse().unwrap()],
            ..Door::default()
        };
        let text = toml::to_string(&door).unwrap();
        assert_eq!(toml::from_str::<Door>(&text).unwrap(), door, "{text}");
        let settings: Vec<String> = [
            "unregistered=wait",
            "renewal.from=50",
            "renewal.previous={revoke-after=86400}",
            "webhook={url=\"https://mdm.example.org/ward\", on_failure=\"wait\"}",
            "serial_from=[\"common-name\"]",
        ]
        .map(str::to_owned)
        .to_vec();
        let door = changed(&door, &settings).unwrap();
        assert_eq!(word(&door.unregistered), "wait");
        assert_eq!(door.renewal.from, 50);
        assert_eq!(word(&door.renewal.previous), r#"{"revoke-after":86400}"#);
        let text = toml::to_string(&door).unwrap();
        assert_eq!(toml::from_str::<Door>(&text).unwrap(), door, "{text}");
    }
}
