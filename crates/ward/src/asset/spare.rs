//! `ward spare`: certificates with keys that were made ahead.

use access::{Action, RequestId};
use fleet::{Fleet, NewSpare, Spare as Stored};
use serde_json::json;
use x509::describe::escape;

use super::args::Spare;
use crate::args::Place;
use crate::clock;
use crate::confirm::confirm;
use crate::context::Context;
use crate::output::{Done, Failure, Report, SecretFile, table};

const MILLIS_PER_DAY: i64 = 86_400_000;

pub(crate) async fn run(place: &Place, command: Spare) -> Done {
    let context = Context::open(place).await?;
    let fleet = Fleet::open(context.ca.clone())?;
    let now = clock::now();
    match command {
        Spare::Prepare {
            asset,
            profile,
            algorithm,
            unused_days,
            note,
        } => {
            let new = NewSpare {
                asset: fleet.find(&asset).await?.asset.id,
                profile,
                unused_after: now.0 + i64::from(unused_days) * MILLIS_PER_DAY,
                algorithm,
                note,
            };
            let permit = context.permit(Action::ManageAssets).await?;
            let spare = fleet.prepare_spare(permit, new, now).await?;
            Ok(Report::new(json!(spare), describe(&spare)))
        }
        Spare::List { asset, state } => {
            let asset = match asset {
                Some(text) => Some(fleet.find(&text).await?.asset.id),
                None => None,
            };
            let spares = fleet.spares(asset.as_deref(), state).await?;
            let rows: Vec<Vec<String>> = spares.iter().map(row).collect();
            let headings = ["SPARE", "ASSET", "STATE", "PREPARED", "UNUSED UNTIL", "FOR"];
            Ok(Report::new(json!(spares), table(&headings, &rows)))
        }
        Spare::Show { id } => {
            let spare = fleet.spare(&id).await?;
            Ok(Report::new(json!(spare), describe(&spare)))
        }
        Spare::Request {
            id,
            technician,
            reason,
        } => {
            let permit = context.permit(Action::ManageAssets).await?;
            let asked = fleet.request_spare(permit, &id, &technician, &reason, now);
            let request = asked.await?;
            let said = format!(
                "request {} waits for somebody else: `ward spare approve {id}`",
                request.id
            );
            let json = json!({ "request": request.id, "spare": id, "state": request.state });
            Ok(Report::new(json, said))
        }
        Spare::Approve { id, comment } => {
            let request = request_of(&fleet, &id).await?;
            let permit = context.permit(Action::ApproveRequests).await?;
            let comment = comment.as_deref();
            let request = fleet.approve_spare(permit, &request, comment, now).await?;
            Ok(approved(&request))
        }
        Spare::Release {
            id,
            out,
            password_out,
        } => {
            let permit = context.permit(Action::ManageAssets).await?;
            // The files first: what is handed out is handed out once.
            let file = SecretFile::create(&out)?;
            let password_file = password_out
                .as_deref()
                .map(SecretFile::create)
                .transpose()?;
            let released = fleet.release_spare(permit, &id, now).await?;
            file.fill(&released.p12)?;
            let mut json = json!({ "spare": released.spare, "file": out });
            let mut said = format!(
                "{}\nwritten to {}",
                describe(&released.spare),
                out.display()
            );
            match (password_file, password_out) {
                (Some(file), Some(path)) => {
                    file.fill(format!("{}\n", released.password.as_str()).as_bytes())?;
                    json["password_file"] = json!(path);
                    said.push_str(&format!("\npassword in {}", path.display()));
                }
                _ => {
                    json["password"] = json!(released.password.as_str());
                    said.push_str(&format!(
                        "\npassword, shown this once: {}",
                        released.password.as_str()
                    ));
                }
            }
            Ok(Report::new(json, said))
        }
        Spare::Revoke { id, yes } => {
            let spare = fleet.spare(&id).await?;
            confirm(yes, &format!("{}\nRevoke it?", describe(&spare)))?;
            let permit = context.permit(Action::ManageAssets).await?;
            let spare = fleet.revoke_spare(permit, &id, now).await?;
            Ok(Report::new(json!(spare), describe(&spare)))
        }
    }
}

/// What `ward request approve` says of a release, too.
pub(crate) fn approved(request: &access::Request) -> Report {
    let json =
        json!({ "request": request.id, "state": request.state, "approvals": request.approvals() });
    let said = format!(
        "request {}: {} of {} have agreed; whoever asked can release the spare",
        request.id,
        request.approvals(),
        request.needed
    );
    Report::new(json, said)
}

async fn request_of(fleet: &Fleet, id: &str) -> Result<RequestId, Failure> {
    if let Some(request) = RequestId::parse(id) {
        return Ok(request);
    }
    let spare = fleet.spare(id).await?;
    let request = spare.request.as_deref().and_then(RequestId::parse);
    request.ok_or_else(|| Failure::NotFound(format!("nobody has asked for spare {id}")))
}

fn row(spare: &Stored) -> Vec<String> {
    vec![
        spare.id.clone(),
        spare.asset.clone(),
        spare.state.name().to_owned(),
        clock::millis(spare.prepared_at),
        clock::millis(spare.unused_after),
        escape(spare.technician.as_deref().unwrap_or_default()).to_string(),
    ]
}

fn describe(spare: &Stored) -> String {
    let mut text = format!(
        "spare {} of asset {}: {}\n  certificate   {}\n  profile       {}\n  prepared      {} by {}\n  unused until  {}",
        spare.id,
        spare.asset,
        spare.state.name(),
        spare.sha256,
        spare.profile,
        clock::millis(spare.prepared_at),
        spare.prepared_by,
        clock::millis(spare.unused_after),
    );
    let mut line = |name: &str, value: Option<String>| {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            text.push_str(&format!("\n  {name:<13} {}", escape(&value)));
        }
    };
    line("request", spare.request.clone());
    line("technician", spare.technician.clone());
    line("released", spare.released_at.map(clock::millis));
    line("released by", spare.released_by.clone());
    line("ended", spare.ended.map(clock::millis));
    line("note", Some(spare.note.clone()));
    text
}
