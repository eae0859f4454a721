//! `ward acme directory`: the doors.

use access::Action;
use enroll::acme::{Desk, Directory as Door, Offer, StoredDirectory};
use serde_json::{Value, json};

use super::args::Directory;
use super::url;
use crate::clock;
use crate::confirm::confirm;
use crate::context::Context;
use crate::output::{Done, Failure, Report, failed, table, word};
use crate::settings::{begun, begun_anew, changed};

pub(crate) async fn run(context: &Context, desk: &Desk, command: Directory) -> Done {
    match command {
        Directory::List => list(context, desk).await,
        Directory::Show { name } => show(context, desk, &name).await,
        Directory::Create {
            name,
            authority,
            profiles,
            file,
            settings,
        } => {
            let mut door = begun(file.as_deref(), Door::default())?;
            door.name = name;
            door.authority = authority.or(door.authority);
            if !profiles.is_empty() {
                door.profiles = profiles
                    .into_iter()
                    .map(|profile| offer(context, profile))
                    .collect();
            }
            put(context, desk, changed(&door, &settings)?, 0).await
        }
        Directory::Set {
            name,
            file,
            settings,
        } => {
            let stored = desk.directory(&name).await?;
            let mut door = begun_anew(file.as_deref(), &settings, stored.directory)?;
            door.name = name;
            put(context, desk, changed(&door, &settings)?, stored.version).await
        }
        Directory::Remove { name, why, yes } => {
            desk.directory(&name).await?;
            confirm(
                yes,
                &format!("Remove directory {name}: clients that know its URL get 404."),
            )?;
            let permit = context.permit(Action::ManageEnrolment).await?;
            desk.remove_directory(
                permit,
                &name,
                why.as_deref().unwrap_or_default(),
                clock::now(),
            )
            .await?;
            Ok(Report::new(
                json!({ "name": name, "state": "removed" }),
                format!("directory {name} is removed"),
            ))
        }
    }
}

/// The directory that every Ward begins with, if there is an authority for it: `servers`, for `server-tls`, and only for
/// whoever holds an external account key. Gives its URL.
pub(crate) async fn make_default(context: &Context) -> Result<Option<String>, Failure> {
    const NAME: &str = "servers";
    const PROFILE: &str = "server-tls";
    let Ok(profile) = context.ca.profile(PROFILE) else {
        return Ok(None);
    };
    let issues = |authority: &::ca::Authority| {
        let serves = profile.profile.issued_by().contains(&authority.purpose);
        serves && authority.state == ::ca::AuthorityState::Active
    };
    let Some(authority) = context.ca.authorities().into_iter().find(issues) else {
        return Ok(None);
    };
    let door = Door {
        name: NAME.to_owned(),
        authority: Some(authority.name),
        profiles: vec![offer(context, PROFILE.to_owned())],
        ..Door::default()
    };
    let permit = context.permit(Action::ManageEnrolment).await?;
    Desk::new(context.ca.clone())
        .put_directory(permit, door, 0, clock::now())
        .await?;
    Ok(Some(url(context, NAME)))
}

/// What an offer says to clients unless somebody says more.
fn offer(context: &Context, profile: String) -> Offer {
    let known = context.ca.profile(&profile);
    Offer {
        description: known
            .map(|version| version.profile.title().to_owned())
            .unwrap_or_default(),
        profile,
    }
}

async fn list(context: &Context, desk: &Desk) -> Done {
    context.permit(Action::ReadEnrolment).await?;
    let mut rows = Vec::new();
    let mut json = Vec::new();
    for stored in desk.directories().await? {
        let door = &stored.directory;
        let used = desk.directory_use(&door.name).await?;
        let profiles: Vec<&str> = door
            .profiles
            .iter()
            .map(|offer| offer.profile.as_str())
            .collect();
        rows.push(vec![
            door.name.clone(),
            if door.enabled { "enabled" } else { "disabled" }.to_owned(),
            door.authority
                .clone()
                .unwrap_or_else(|| "as the profile".into()),
            profiles.join(", "),
            word(&door.external_account),
            used.accounts.to_string(),
            url(context, &door.name),
        ]);
        json.push(described(context, &stored, json!(used)));
    }
    let text = match rows.is_empty() {
        true => "no directories: ward acme directory create NAME --profile server-tls".to_owned(),
        false => table(
            &[
                "DIRECTORY",
                "STATE",
                "AUTHORITY",
                "PROFILES",
                "EAB",
                "ACCOUNTS",
                "URL",
            ],
            &rows,
        ),
    };
    Ok(Report::new(Value::Array(json), text))
}

async fn show(context: &Context, desk: &Desk, name: &str) -> Done {
    context.permit(Action::ReadEnrolment).await?;
    let stored = desk.directory(name).await?;
    let used = desk.directory_use(name).await?;
    let toml = toml::to_string(&stored.directory).map_err(failed)?;
    let text = format!(
        "# {}\n# version {}, since {}; {} account(s), {} external account key(s)\n{}",
        url(context, name),
        stored.version,
        clock::millis(stored.since),
        used.accounts,
        used.eab_keys,
        toml.trim_end()
    );
    Ok(Report::new(described(context, &stored, json!(used)), text))
}

async fn put(context: &Context, desk: &Desk, door: Door, expected: u64) -> Done {
    let permit = context.permit(Action::ManageEnrolment).await?;
    let stored = desk
        .put_directory(permit, door, expected, clock::now())
        .await?;
    let name = &stored.directory.name;
    let url = url(context, name);
    let text = format!(
        "directory {name} version {} is in force\n  {url}",
        stored.version
    );
    Ok(Report::new(described(context, &stored, Value::Null), text))
}

fn described(context: &Context, stored: &StoredDirectory, used: Value) -> Value {
    json!({
        "name": stored.directory.name,
        "url": url(context, &stored.directory.name),
        "version": stored.version,
        "since": clock::millis(stored.since),
        "use": used,
        "directory": stored.directory,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(settings: &[&str]) -> Result<Door, Failure> {
        let settings: Vec<String> = settings.iter().map(|&setting| setting.to_owned()).collect();
        changed(&Door::default(), &settings)
    }

    #[test]
    fn settings_are_toml_or_words() {
        let door = with(&[
            "external_account=off",
            "reuse = 3600",
            "limits.new_orders=5/m",
            "wildcards=false",
            r#"challenges=["dns-01"]"#,
            "website=https://pki.example.org",
            "validation.http_port=5002",
        ])
        .unwrap();
        assert_eq!(word(&door.external_account), "off");
        assert_eq!(door.reuse, 3600);
        assert_eq!(door.limits.new_orders.to_string(), "5/m");
        assert_eq!(word(&door.challenges), r#"["dns-01"]"#);
        assert_eq!(door.validation.http_port, 5002);
        let settings = ["website=".to_owned()];
        assert_eq!(
            changed(&door, &settings).unwrap().website,
            None,
            "nothing removes"
        );
        for bad in [
            "reuse",
            "nothing=1",
            "limits.nothing=1/m",
            "a.b.c=1",
            "reuse=often",
        ] {
            assert!(matches!(with(&[bad]), Err(Failure::Usage(_))), "{bad}");
        }
    }

    #[test]
    fn a_directory_is_shown_as_it_can_be_read() {
        let door = Door {
            name: "servers".into(),
            profiles: vec![Offer {
                profile: "server-tls".into(),
                description: "TLS \"server\"".into(),
            }],
            names: vec![access::NamePattern::parse("*.example.org").unwrap()],
            ..Door::default()
        };
        let text = toml::to_string(&door).unwrap();
        assert_eq!(toml::from_str::<Door>(&text).unwrap(), door, "{text}");
    }
}
