//! `ward enrol list|show`: who has enrolled, who waits, who was denied.

use access::Action;
use enroll::device::{Desk, Registered, RegistrationFilter, RegistrationState};
use serde_json::json;

use super::args::List;
use crate::clock;
use crate::context::Context;
use crate::output::{Done, Failure, Report, table};

pub(crate) async fn list(context: &Context, desk: &Desk, wanted: List) -> Done {
    context.permit(Action::ReadEnrolment).await?;
    let state = match &wanted.state {
        Some(word) => Some(state(word)?),
        None => None,
    };
    let filter = RegistrationFilter {
        endpoint: wanted.endpoint,
        state,
        asset: wanted.asset,
        serial: wanted.serial,
        after: None,
        limit: Some(wanted.limit),
    };
    let page = desk.registrations(&filter).await?;
    let rows: Vec<Vec<String>> = page
        .registrations
        .iter()
        .map(|row| {
            vec![
                row.id.clone(),
                clock::millis(row.created),
                row.endpoint.clone(),
                row.protocol.clone(),
                row.serial.clone(),
                row.asset.clone().unwrap_or_else(|| "-".into()),
                row.state.as_str().to_owned(),
                outcome(row),
            ]
        })
        .collect();
    let headings = [
        "REGISTRATION",
        "ASKED",
        "ENDPOINT",
        "OVER",
        "SERIAL",
        "ASSET",
        "STATE",
        "OUTCOME",
    ];
    Ok(Report::new(json!(page), table(&headings, &rows)))
}

pub(crate) async fn show(context: &Context, desk: &Desk, id: &str) -> Done {
    context.permit(Action::ReadEnrolment).await?;
    let row = desk.registration(id).await?;
    let or_none = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".into());
    let confirmed = match row.confirmed {
        Some(true) => "the device has confirmed it",
        Some(false) => "the device has rejected it",
        None => "-",
    };
    let text = format!(
        "registration {id}: {}\n  serial      {}\n  asset       {}\n  endpoint    {} over {}\n  right       {}\n  from        {}\n  asked       {}\n  changed     {}\n  outcome     {}\n  confirmed   {confirmed}",
        row.state.as_str(),
        row.serial,
        or_none(&row.asset),
        row.endpoint,
        row.protocol,
        or_none(&row.right),
        row.peer,
        clock::millis(row.created),
        clock::millis(row.changed),
        outcome(&row),
    );
    Ok(Report::new(json!(row), text))
}

fn outcome(row: &Registered) -> String {
    match (row.state, &row.certificate, &row.approval) {
        (RegistrationState::Issued, Some(sha256), _) => {
            format!("certificate {}", hex::encode(sha256))
        }
        (RegistrationState::Pending, _, Some(approval)) => {
            format!("waits: ward request show {approval}")
        }
        _ => row.reason.clone().unwrap_or_else(|| "-".into()),
    }
}

fn state(word: &str) -> Result<RegistrationState, Failure> {
    serde_json::from_value(json!(word)).map_err(|_| {
        Failure::Usage(format!(
            "--state: `{word}` is none of pending, issued, refused"
        ))
    })
}
