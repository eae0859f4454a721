//! `ward person`, `ward group` and `ward access`: who works here, what they may, and who did (R37, R11).

use access::{Action, Grant, Group, NamePattern, Person, PersonState, Profile, Role, Scope};
use audit::Timestamp;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::args::Place;
use crate::clock;
use crate::context::Context;
use crate::output::{Done, Report, table};

/// How far back use is looked for unless asked: a quarter.
const SPAN_MS: i64 = 90 * 86_400_000;

/// Who works here.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// List everybody, who has left too.
    #[command(after_help = "Example:\n  ward person list --json")]
    List,
    /// Show somebody, with what they are granted by themselves and by their groups.
    #[command(after_help = "Example:\n  ward person show ada")]
    Show { id: String },
    /// Write somebody down.
    #[command(
        after_help = "A grant is ROLE, or ROLE@LIMIT,LIMIT… with limits site, segment, department, owner, profile, authority and name; the same limit may be repeated.\n\nExample:\n  ward person create ada --name 'Ada Lovelace' --email ada@hospital.example --grant 'clinical-engineering@segment=icu-*'"
    )]
    Create {
        id: String,
        #[arg(long)]
        name: String,
        #[command(flatten)]
        change: Box<PersonChange>,
    },
    /// Change name, address, grants or groups; what is given takes the place of what was.
    #[command(after_help = "Example:\n  ward person change ada --group biomed --no-grants")]
    Change {
        id: String,
        #[arg(long)]
        name: Option<String>,
        #[command(flatten)]
        change: Box<PersonChange>,
        /// Take all grants of their own away; groups stay.
        #[arg(long, conflicts_with = "grants")]
        no_grants: bool,
        /// Take them out of all groups.
        #[arg(long, conflicts_with = "groups")]
        no_groups: bool,
    },
    /// Let somebody in no more for now; their sessions and tokens end.
    #[command(after_help = "Example:\n  ward person suspend ada --why 'badge lost'")]
    Suspend(Ending),
    /// Take somebody back who was suspended; tokens that ended stay so.
    #[command(after_help = "Example:\n  ward person resume ada")]
    Resume(Ending),
    /// Somebody has left, for good: their sessions and tokens end.
    #[command(after_help = "Example:\n  ward person leave ada --why 'end of contract'")]
    Leave(Ending),
    #[command(flatten)]
    SignIn(crate::sign_in::OfPerson),
}

#[derive(Args)]
pub(crate) struct PersonChange {
    /// Where mail reaches them.
    #[arg(long)]
    email: Option<String>,
    /// ROLE or ROLE@segment=icu-*,profile=device-*; repeatable.
    #[arg(long = "grant", value_name = "GRANT", value_parser = grant)]
    grants: Vec<Grant>,
    /// A group that they are in; repeatable.
    #[arg(long = "group", value_name = "NAME")]
    groups: Vec<String>,
}

#[derive(Args)]
pub(crate) struct Ending {
    id: String,
    /// Goes into the log.
    #[arg(long, default_value = "")]
    why: String,
}

/// Groups of people.
#[derive(Subcommand)]
pub(crate) enum GroupCommand {
    /// List groups.
    #[command(after_help = "Example:\n  ward group list")]
    List,
    /// Show a group and who is in it.
    #[command(after_help = "Example:\n  ward group show biomed")]
    Show { name: String },
    /// Make a group.
    #[command(
        after_help = "Example:\n  ward group create biomed --label 'Clinical engineering' --grant clinical-engineering --claim biomed-staff"
    )]
    Create {
        name: String,
        #[command(flatten)]
        group: GroupChange,
    },
    /// Change a group; what is given takes the place of what was.
    #[command(
        after_help = "Example:\n  ward group change biomed --grant 'clinical-engineering@site=main'"
    )]
    Change {
        name: String,
        #[command(flatten)]
        group: GroupChange,
    },
    /// End a group that nobody is in.
    #[command(after_help = "Example:\n  ward group remove biomed")]
    Remove { name: String },
}

#[derive(Args)]
pub(crate) struct GroupChange {
    #[arg(long)]
    label: Option<String>,
    /// What everybody in it is granted, as for `ward person create`; repeatable.
    #[arg(long = "grant", value_name = "GRANT", value_parser = grant)]
    grants: Vec<Grant>,
    /// A value of an identity provider's groups claim that puts people into it; repeatable.
    #[arg(long = "claim", value_name = "VALUE")]
    claims: Vec<String>,
}

/// Who may do what.
#[derive(Subcommand)]
pub(crate) enum AccessCommand {
    /// Who could do what on a date, and who did: grants that nobody used, people who did not come in.
    #[command(
        after_help = "Dates are days (2026-03-31, its end) or instants (2026-03-31T12:00:00Z).\n\nExample:\n  ward access review --as-of 2026-03-31 --since 2026-01-01 --until 2026-03-31\n  ward access review --csv >review.csv"
    )]
    Review {
        /// Grants as of then; now if absent.
        #[arg(long, value_name = "DATE", value_parser = instant)]
        as_of: Option<Timestamp>,
        /// Use from then on; 90 days before the end if absent.
        #[arg(long, value_name = "DATE", value_parser = instant)]
        since: Option<Timestamp>,
        /// Use until then; now if absent.
        #[arg(long, value_name = "DATE", value_parser = instant)]
        until: Option<Timestamp>,
        /// A line for each grant, for spreadsheets.
        #[arg(long)]
        csv: bool,
    },
    /// The matrix: which role may do what.
    #[command(after_help = "Example:\n  ward access roles")]
    Roles,
}

pub(crate) async fn run(place: &Place, command: Command) -> Done {
    if let Command::SignIn(command) = command {
        return crate::sign_in::run_person(place, command).await;
    }
    let context = Context::open(place).await?;
    let access = &context.access;
    match command {
        Command::List => list(access.people().await?),
        Command::Show { id } => show(&context, access.person(&id).await?).await,
        Command::Create { id, name, change } => {
            let permit = context.permit(Action::ManagePeople).await?;
            let profile = Profile {
                name,
                email: change.email,
                grants: change.grants,
                groups: change.groups,
            };
            let person = access.create_person(&permit, &id, profile, clock::now());
            show(&context, person.await?).await
        }
        Command::Change {
            id,
            name,
            change,
            no_grants,
            no_groups,
        } => {
            let permit = context.permit(Action::ManagePeople).await?;
            let person = access.person(&id).await?;
            let mut profile = person.profile();
            profile.name = name.unwrap_or(profile.name);
            profile.email = change.email.or(profile.email);
            if no_grants || !change.grants.is_empty() {
                profile.grants = change.grants;
            }
            if no_groups || !change.groups.is_empty() {
                profile.groups = change.groups;
            }
            let changed = access.change_person(&permit, &id, person.version, profile, clock::now());
            show(&context, changed.await?).await
        }
        Command::Suspend(ending) => end(&context, &ending, PersonState::Suspended).await,
        Command::Resume(ending) => end(&context, &ending, PersonState::Active).await,
        Command::Leave(ending) => end(&context, &ending, PersonState::Left).await,
        // Above.
        Command::SignIn(_) => Err(crate::output::failed("not a command of this kind")),
    }
}

async fn end(context: &Context, ending: &Ending, state: PersonState) -> Done {
    let permit = context.permit(Action::ManagePeople).await?;
    let (id, why) = (&ending.id, &ending.why);
    let changed = context
        .access
        .set_person_state(&permit, id, state, why, clock::now())
        .await?;
    Ok(Report::new(
        json!(changed),
        format!("{id} is {}", changed.state.name()),
    ))
}

fn list(people: Vec<Person>) -> Done {
    let row = |person: &Person| {
        vec![
            person.id.clone(),
            x509::describe::escape(&person.name),
            person.state.name().to_owned(),
            grants_text(&person.grants),
            person.all_groups().collect::<Vec<_>>().join(", "),
        ]
    };
    let rows: Vec<_> = people.iter().map(row).collect();
    let text = table(&["PERSON", "NAME", "STATE", "GRANTS", "GROUPS"], &rows);
    Ok(Report::new(json!(people), text))
}

async fn show(context: &Context, person: Person) -> Done {
    let effective = context.access.grants(&person).await?;
    let mut text = format!(
        "{}  {} ({})\n  mail      {}\n  groups    {}",
        person.id,
        x509::describe::escape(&person.name),
        person.state.name(),
        person.email.as_deref().unwrap_or("-"),
        person.all_groups().collect::<Vec<_>>().join(", "),
    );
    for grant in &effective {
        text.push_str(&format!("\n  grant     {}", grant_text(grant)));
    }
    for link in &person.links {
        let subject = x509::describe::escape(&link.subject);
        text.push_str(&format!("\n  linked    {} as {subject}", link.provider));
    }
    let mut json = json!(person);
    crate::output::add(&mut json, "effective", json!(effective));
    Ok(Report::new(json, text))
}

pub(crate) async fn run_group(place: &Place, command: GroupCommand) -> Done {
    let context = Context::open(place).await?;
    let access = &context.access;
    match command {
        GroupCommand::List => {
            let groups = access.groups().await?;
            let row = |group: &Group| {
                let label = x509::describe::escape(&group.label);
                vec![
                    group.name.clone(),
                    label,
                    grants_text(&group.grants),
                    group.claims.join(", "),
                ]
            };
            let rows: Vec<_> = groups.iter().map(row).collect();
            let text = table(&["GROUP", "LABEL", "GRANTS", "CLAIMS"], &rows);
            Ok(Report::new(json!(groups), text))
        }
        GroupCommand::Show { name } => show_group(&context, access.group(&name).await?).await,
        GroupCommand::Create { name, group } => {
            let new = Group {
                name,
                label: group.label.unwrap_or_default(),
                grants: group.grants,
                claims: group.claims,
                version: 0,
            };
            put_group(&context, new).await
        }
        GroupCommand::Change { name, group } => {
            let mut changed = access.group(&name).await?;
            changed.label = group.label.unwrap_or(changed.label);
            if !group.grants.is_empty() {
                changed.grants = group.grants;
            }
            if !group.claims.is_empty() {
                changed.claims = group.claims;
            }
            put_group(&context, changed).await
        }
        GroupCommand::Remove { name } => {
            let permit = context.permit(Action::ManagePeople).await?;
            access.remove_group(&permit, &name, clock::now()).await?;
            let json = json!({ "group": name, "state": "removed" });
            Ok(Report::new(json, format!("group {name} is gone")))
        }
    }
}

async fn put_group(context: &Context, group: Group) -> Done {
    let permit = context.permit(Action::ManagePeople).await?;
    let group = context.access.put_group(&permit, group, clock::now());
    show_group(context, group.await?).await
}

async fn show_group(context: &Context, group: Group) -> Done {
    let members = context.access.members(&group.name).await?;
    let members: Vec<String> = members.into_iter().map(|person| person.id).collect();
    let text = format!(
        "{}  {}\n  grants    {}\n  claims    {}\n  members   {}",
        group.name,
        x509::describe::escape(&group.label),
        grants_text(&group.grants),
        x509::describe::escape(&group.claims.join(", ")),
        members.join(", "),
    );
    let mut json = json!(group);
    crate::output::add(&mut json, "members", json!(members));
    Ok(Report::new(json, text))
}

pub(crate) async fn run_access(place: &Place, command: AccessCommand) -> Done {
    match command {
        AccessCommand::Roles => Ok(roles()),
        AccessCommand::Review {
            as_of,
            since,
            until,
            csv,
        } => {
            let context = Context::open(place).await?;
            let now = clock::now();
            let until = until.unwrap_or(now);
            let since = since.unwrap_or(Timestamp(until.0 - SPAN_MS));
            let as_of = as_of.unwrap_or(now);
            let review = context.access.review(as_of, since, until).await?;
            let text = if csv {
                review.csv()
            } else {
                review_text(&review)
            };
            Ok(Report::new(json!(review), text.trim_end()))
        }
    }
}

fn review_text(review: &access::Review) -> String {
    let mut rows = Vec::new();
    for held in &review.holders {
        let state = held.state.map_or("token only", PersonState::name);
        let when = |at: Option<i64>| at.map_or_else(|| "never".to_owned(), clock::millis);
        for grant in &held.grants {
            rows.push(vec![
                held.holder.clone(),
                state.to_owned(),
                grant_text(&grant.grant),
                grant.through.clone(),
                if grant.used { "used" } else { "unused" }.to_owned(),
                when(held.last_sign_in),
                when(held.last),
            ]);
        }
    }
    let head = format!(
        "grants as of {}, use from {} to {}{}\n",
        Timestamp(review.as_of),
        Timestamp(review.since),
        Timestamp(review.until),
        if review.complete {
            ""
        } else {
            " (too long to be read whole: only its beginning)"
        },
    );
    let columns = [
        "HOLDER",
        "STATE",
        "GRANT",
        "THROUGH",
        "USE",
        "SIGNED IN",
        "LAST",
    ];
    head + &table(&columns, &rows)
}

fn roles() -> Report {
    let rows: Vec<Vec<String>> = Action::ALL
        .iter()
        .map(|action| {
            let may: Vec<&str> = action.roles().iter().map(|role| role.name()).collect();
            vec![action.name().to_owned(), may.join(", ")]
        })
        .collect();
    let json: Vec<Value> = Role::ALL
        .iter()
        .map(|role| {
            let actions = Action::ALL.iter().filter(|action| role.allows(**action));
            let actions: Vec<&str> = actions.map(|action| action.name()).collect();
            json!({ "name": role.name(), "title": role.title(), "actions": actions })
        })
        .collect();
    Report::new(Value::Array(json), table(&["ACTION", "ROLES"], &rows))
}

fn grants_text(grants: &[Grant]) -> String {
    let texts: Vec<String> = grants.iter().map(grant_text).collect();
    texts.join(" ")
}

/// As `--grant` takes it.
fn grant_text(grant: &Grant) -> String {
    let scope = &grant.scope;
    let lists = [
        ("site", &scope.sites),
        ("segment", &scope.segments),
        ("department", &scope.departments),
        ("owner", &scope.owners),
        ("profile", &scope.profiles),
        ("authority", &scope.authorities),
    ];
    let of_list = |(key, values): &(&str, &Vec<String>)| {
        let texts = values.iter().map(|value| format!("{key}={value}"));
        texts.collect::<Vec<_>>()
    };
    let mut limits: Vec<String> = lists.iter().flat_map(of_list).collect();
    limits.extend(
        scope
            .names
            .iter()
            .map(|name| format!("name={}", name.as_str())),
    );
    match limits.is_empty() {
        true => grant.role.to_string(),
        false => format!("{}@{}", grant.role, limits.join(",")),
    }
}

/// Reads ROLE or ROLE@key=glob,key=glob.
fn grant(text: &str) -> Result<Grant, String> {
    let (role, limits) = text.split_once('@').unwrap_or((text, ""));
    let role: Role = role
        .parse()
        .map_err(|error: access::UnknownRole| error.to_string())?;
    let mut scope = Scope::default();
    for limit in limits.split(',').filter(|limit| !limit.is_empty()) {
        let (key, value) = limit
            .split_once('=')
            .ok_or_else(|| format!("`{limit}` has no `=`"))?;
        let value = value.to_owned();
        match key {
            "site" => scope.sites.push(value),
            "segment" => scope.segments.push(value),
            "department" => scope.departments.push(value),
            "owner" => scope.owners.push(value),
            "profile" => scope.profiles.push(value),
            "authority" => scope.authorities.push(value),
            "name" => scope
                .names
                .push(NamePattern::parse(&value).map_err(|error| error.to_string())?),
            _ => {
                return Err(format!(
                    "`{key}` is no limit; site, segment, department, owner, profile, authority, name are"
                ));
            }
        }
    }
    Ok(Grant { role, scope })
}

/// An instant, or the end of a day.
fn instant(text: &str) -> Result<Timestamp, String> {
    let day = text.len() == 10;
    let full = if day {
        format!("{text}T23:59:59Z")
    } else {
        text.to_owned()
    };
    let wrong =
        |_| format!("`{text}` is neither a day nor an instant: 2026-03-31, 2026-03-31T12:00:00Z");
    full.parse::<Timestamp>().map_err(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grants_are_read_back_as_they_are_shown() {
        for text in [
            "admin",
            "clinical-engineering@segment=icu-*",
            "ra-officer@site=main,segment=a,segment=b,department=x,owner=y,profile=server-*,authority=z,name=*.icu.example",
        ] {
            let read = grant(text).unwrap_or_else(|error| unreachable!("{error}"));
            assert_eq!(grant_text(&read), text);
        }
        for text in [
            "",
            "king",
            "admin@segment",
            "admin@moon=full",
            "admin@name=",
        ] {
            assert!(grant(text).is_err(), "{text}");
        }
    }
}
