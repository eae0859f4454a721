//! `ward session`, and the part of `ward person` that is about getting in: at the machine, where nobody has to sign in. This
//! is what a hospital does whose only administrator has lost their key.

use access::{Action, SessionId};
use clap::Subcommand;
use serde_json::json;

use crate::args::Place;
use crate::clock;
use crate::confirm::confirm;
use crate::context::Context;
use crate::output::{Done, Failure, Report, table};

#[derive(Subcommand)]
pub(crate) enum Session {
    /// List who is signed in, since when, from where.
    #[command(after_help = "Example:\n  ward session list --person jo.doe")]
    List {
        /// Only this person's.
        #[arg(long, value_name = "ID")]
        person: Option<String>,
    },
    /// End sessions: the next request with them is refused.
    #[command(
        after_help = "Examples:\n  ward session end s0123456789abcdef\n  ward session end --person jo.doe --why \"laptop stolen\""
    )]
    End {
        /// A session, `s` and sixteen digits.
        #[arg(required_unless_present = "person", conflicts_with = "person")]
        id: Option<String>,
        /// Every session of this person.
        #[arg(long, value_name = "ID")]
        person: Option<String>,
        /// Goes into the log.
        #[arg(long)]
        why: Option<String>,
    },
}

/// How one person gets in.
#[derive(Subcommand)]
pub(crate) enum OfPerson {
    /// Make a one-time link by which somebody registers a passkey. Earlier links of theirs end.
    #[command(after_help = "Example:\n  ward person invite jo.doe")]
    Invite {
        /// The person's id.
        id: String,
        /// How long the link works; [sign_in] invitation_hours when absent.
        #[arg(long, value_parser = clap::value_parser!(u32).range(1..=336))]
        hours: Option<u32>,
    },
    /// List somebody's passkeys, or remove one.
    #[command(
        after_help = "Examples:\n  ward person passkeys jo.doe\n  ward person passkeys jo.doe --remove 4f0a91"
    )]
    Passkeys {
        /// The person's id.
        id: String,
        /// Remove this one: the beginning of its id, as the list shows it.
        #[arg(long, value_name = "PASSKEY")]
        remove: Option<String>,
        /// Goes into the log.
        #[arg(long)]
        why: Option<String>,
    },
    /// Make ten recovery codes, each good for one sign-in; those of before end. They are printed once.
    #[command(after_help = "Example:\n  ward person recovery jo.doe --yes")]
    Recovery {
        /// The person's id.
        id: String,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
}

pub(crate) async fn run_session(place: &Place, command: Session) -> Done {
    let context = Context::open(place).await?;
    match command {
        Session::List { person } => list(&context, person.as_deref()).await,
        Session::End { id, person, why } => {
            let permit = context.permit(Action::RecoverSignIn).await?;
            let why = why.as_deref().unwrap_or("ended at the machine");
            let now = clock::now();
            let ended = match (id, person) {
                (Some(id), _) => {
                    let id = SessionId::parse(&id).ok_or_else(|| {
                        Failure::Usage(format!(
                            "{id}: a session's id is `s` and sixteen hex digits"
                        ))
                    })?;
                    let ended = context
                        .access
                        .end_session(permit.actor(), &id, why, None, now);
                    usize::from(ended.await?)
                }
                (None, person) => {
                    let person = person.unwrap_or_default();
                    let access = &context.access;
                    access
                        .end_sessions_of(permit.actor(), &person, None, why, now)
                        .await?
                }
            };
            Ok(Report::new(
                json!({ "ended": ended }),
                format!("ended: {ended}"),
            ))
        }
    }
}

async fn list(context: &Context, person: Option<&str>) -> Done {
    let now = clock::now();
    let rules = &context.config.sign_in.sessions;
    let mut live = context.access.live_sessions(now).await?;
    live.retain(|session| {
        person.is_none_or(|person| session.person == person) && session.fault(rules, now).is_none()
    });
    let rows: Vec<Vec<String>> = live
        .iter()
        .map(|session| {
            vec![
                session.id.to_string(),
                session.person.clone(),
                session.via.text(),
                clock::millis(session.since),
                clock::millis(session.idle_expires(rules)),
                session.source.clone(),
            ]
        })
        .collect();
    let text = table(&["SESSION", "PERSON", "BY", "SINCE", "ENDS", "FROM"], &rows);
    Ok(Report::new(json!(live), text))
}

pub(crate) async fn run_person(place: &Place, command: OfPerson) -> Done {
    let context = Context::open(place).await?;
    match command {
        OfPerson::Invite { id, hours } => invite(&context, &id, hours).await,
        OfPerson::Passkeys { id, remove, why } => match remove {
            None => passkeys(&context, &id).await,
            Some(passkey) => remove_passkey(&context, &id, &passkey, why.as_deref()).await,
        },
        OfPerson::Recovery { id, yes } => recovery(&context, &id, yes).await,
    }
}

async fn invite(context: &Context, id: &str, hours: Option<u32>) -> Done {
    let permit = context.permit(Action::RecoverSignIn).await?;
    let usual = context.config.sign_in.invitation_ms;
    let lasts = hours.map_or(usual, |hours| i64::from(hours) * 3_600_000);
    let access = &context.access;
    let (invitation, token) = access.invite(&permit, id, lasts, clock::now()).await?;
    let url = access::welcome_url(&context.config.sign_in_origin(), &token);
    let ends = clock::millis(invitation.expires);
    let text = format!("{id} registers a passkey at this link, once, until {ends}:\n{url}");
    let json = json!({ "id": invitation.id, "person": id, "url": url, "expires": ends });
    Ok(Report::new(json, text))
}

async fn passkeys(context: &Context, id: &str) -> Done {
    let person = context.access.person(id).await?;
    let passkeys = context.access.passkeys_of(&person.id).await?;
    let rows: Vec<Vec<String>> = passkeys
        .iter()
        .map(|passkey| {
            vec![
                passkey.id.get(..12).unwrap_or_default().to_owned(),
                passkey.name.clone(),
                clock::millis(passkey.created),
                passkey
                    .used
                    .map_or_else(|| "never".to_owned(), clock::millis),
                if passkey.backup_eligible {
                    "may be copied"
                } else {
                    "one device"
                }
                .to_owned(),
            ]
        })
        .collect();
    let left = context.access.recovery_state(&person.id).await?.left;
    let shown = table(&["PASSKEY", "NAME", "SINCE", "LAST USED", "WHERE"], &rows);
    let text = format!("{shown}\nrecovery codes left: {left}");
    Ok(Report::new(
        json!({ "person": id, "passkeys": passkeys, "recovery_codes": left }),
        text,
    ))
}

async fn remove_passkey(context: &Context, id: &str, passkey: &str, why: Option<&str>) -> Done {
    let permit = context.permit(Action::RecoverSignIn).await?;
    let passkeys = context.access.passkeys_of(id).await?;
    let mut meant = passkeys.iter().filter(|one| one.id.starts_with(passkey));
    let found = match (meant.next(), meant.next()) {
        (Some(found), None) => found.id.clone(),
        (None, _) => return Err(Failure::NotFound(format!("{id} has no passkey {passkey}"))),
        (Some(_), Some(_)) => {
            return Err(Failure::Usage(format!(
                "{passkey} is the beginning of more than one passkey"
            )));
        }
    };
    let why = why.unwrap_or("removed at the machine");
    let removed = context
        .access
        .remove_passkey(permit.actor(), id, &found, why, clock::now())
        .await?;
    let text = format!("the passkey \"{}\" of {id} is removed", removed.name);
    Ok(Report::new(
        json!({ "id": removed.id, "state": "removed" }),
        text,
    ))
}

async fn recovery(context: &Context, id: &str, yes: bool) -> Done {
    let permit = context.permit(Action::RecoverSignIn).await?;
    let has_some = context.access.recovery_state(id).await?.left > 0;
    confirm(
        yes || !has_some,
        &format!("{id} has recovery codes, which end."),
    )?;
    let access = &context.access;
    let codes = access
        .make_recovery_codes(permit.actor(), id, None, clock::now())
        .await?;
    let shown: Vec<&str> = codes.iter().map(|code| code.as_str()).collect();
    let text = format!(
        "recovery codes of {id}, each good for one sign-in, shown this once:\n{}",
        shown.join("\n")
    );
    Ok(Report::new(json!({ "person": id, "codes": shown }), text))
}

/// The link of the first administrator, while nobody can sign in.
pub(crate) async fn first_link(context: &Context) -> Result<Option<String>, Failure> {
    let by = &context.principal;
    let link = server::first_administrator(&context.config, &context.access, by, clock::now());
    Ok(link.await?)
}

/// As `ward init` and `ward serve` say it.
pub(crate) fn first_words(url: &str) -> String {
    format!(
        "Nobody can sign in yet. The first administrator registers a passkey at this link, once:\n  {url}"
    )
}
