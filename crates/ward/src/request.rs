//! `ward request`: what waits for a second person.

use std::path::Path;

use ::ca::Outcome;
use access::{Action, Request as Waiting, RequestId, RequestState};
use serde_json::{Value, json};

use crate::args::{Place, Request};
use crate::clock;
use crate::context::Context;
use crate::issue;
use crate::output::{Done, Failure, Report, table, word};

pub(crate) async fn run(place: &Place, command: Request) -> Done {
    let context = Context::open(place).await?;
    match command {
        Request::List { pending } => list(&context, pending).await,
        Request::Show { id } => Ok(show(&context.access.request(&parse(&id)?).await?)),
        Request::Approve { id, comment, out } => {
            approve(&context, &id, comment.as_deref(), out.as_deref()).await
        }
        Request::Comment { id, text } => {
            let (id, who) = (parse(&id)?, &context.principal);
            let asked = context.access.request(&id).await?;
            // As over the API: whoever asked, and whoever may decide.
            if !who.is_same_holder(asked.requester.actor()) {
                context.permit(Action::ApproveRequests).await?;
            }
            let said = context
                .access
                .comment(who, &id, &text, Vec::new(), clock::now());
            Ok(show(&said.await?))
        }
        Request::Delegate { id, to } => {
            let permit = context.permit(Action::ApproveRequests).await?;
            let id = parse(&id)?;
            let handed = context.access.delegate(&permit, &id, &to, clock::now());
            Ok(show(&handed.await?))
        }
        Request::Deny { id, comment } => {
            let permit = context.permit(Action::ApproveRequests).await?;
            let denied = context
                .access
                .deny(permit, &parse(&id)?, comment.as_deref(), clock::now())
                .await?;
            Ok(Report::new(
                request_json(&denied),
                format!("request {id} is denied"),
            ))
        }
    }
}

async fn list(context: &Context, only_pending: bool) -> Done {
    let now = clock::now();
    let mut requests = match only_pending {
        true => context.access.open_requests().await?,
        false => context.access.requests().await?,
    };
    requests.retain(|request| !only_pending || request.state_at(now) == RequestState::Pending);
    requests.sort_by_key(|request| {
        (
            request.state_at(now) != RequestState::Pending,
            -request.created,
        )
    });
    let rows: Vec<Vec<String>> = requests
        .iter()
        .map(|request| {
            vec![
                request.id.to_string(),
                word(&request.state_at(now)),
                format!("{}/{}", request.approvals(), request.needed),
                request.profile.clone(),
                request.requester.actor().id.clone(),
                clock::millis(request.created),
                x509::describe::escape(&request.summary),
            ]
        })
        .collect();
    let json = requests.iter().map(request_json).collect();
    Ok(Report::new(
        Value::Array(json),
        table(
            &[
                "REQUEST", "STATE", "AGREED", "PROFILE", "ASKED BY", "AT", "FOR",
            ],
            &rows,
        ),
    ))
}

fn show(request: &Waiting) -> Report {
    let mut text = format!(
        "{}  {}\n  for       {}\n  profile   {} by {}\n  asked by  {} at {}\n  agreed    {} of {}\n  lapses    {}",
        request.id,
        word(&request.state_at(clock::now())),
        x509::describe::escape(&request.summary),
        request.profile,
        request.authority,
        request.requester.actor().id,
        clock::millis(request.created),
        request.approvals(),
        request.needed,
        clock::millis(request.expires),
    );
    for name in &request.names {
        text.push_str(&format!("\n  name      {}", x509::describe::escape(name)));
    }
    for evidence in &request.evidence {
        text.push_str(&format!(
            "\n  evidence  {}: {}",
            x509::describe::escape(&evidence.kind),
            x509::describe::escape(&evidence.text)
        ));
    }
    for said in &request.decisions {
        let verdict = if said.approved { "agreed" } else { "refused" };
        let why = said
            .why
            .as_deref()
            .map(|why| format!(": {}", x509::describe::escape(why)))
            .unwrap_or_default();
        text.push_str(&format!(
            "\n  {verdict:<9} {} at {}{why}",
            said.by.id,
            clock::millis(said.at)
        ));
    }
    for said in &request.comments {
        let words = x509::describe::escape(&said.text);
        let at = clock::millis(said.at);
        text.push_str(&format!("\n  said      {} at {at}: {words}", said.by.id));
    }
    for handed in &request.delegations {
        text.push_str(&format!(
            "\n  handed    {} to {}",
            handed.from.id, handed.to
        ));
    }
    for change in request.call.iter().flat_map(|call| &call.diff) {
        let (before, after) = (change.before.to_string(), change.after.to_string());
        let before = x509::describe::escape(&before);
        let after = x509::describe::escape(&after);
        text.push_str(&format!(
            "\n  change    {}: {before} -> {after}",
            x509::describe::escape(&change.at)
        ));
    }
    if let Some(outcome) = request.call.as_ref().and_then(|call| call.outcome.as_ref()) {
        let at = clock::millis(outcome.at);
        text.push_str(&format!(
            "\n  made      at {at}, answered {} {}",
            outcome.status,
            x509::describe::escape(&outcome.body)
        ));
    }
    if let Some(sha256) = &request.result {
        text.push_str(&format!("\n  issued    {sha256}"));
    }
    Report::new(request_json(request), text)
}

async fn approve(context: &Context, id: &str, comment: Option<&str>, out: Option<&Path>) -> Done {
    let request = parse(id)?;
    let permit = context.permit(Action::ApproveRequests).await?;
    let waiting = context.access.request(&request).await?;
    if waiting.call.is_some() {
        let agreed = context
            .access
            .approve(permit, &request, comment, clock::now());
        agreed.await?;
        return Ok(show(&context.access.request(&request).await?));
    }
    if fleet::is_release(&waiting) {
        let fleet = fleet::Fleet::open(context.ca.clone())?;
        let agreed = fleet.approve_spare(permit, &request, comment, clock::now());
        return Ok(crate::asset::approved(&agreed.await?));
    }
    // Agreed before, and then something went wrong: carry on where it stopped.
    let outcome = match context.access.request(&request).await?.state {
        RequestState::Approved => context.ca.resume(permit, &request, clock::now()).await?,
        _ => {
            context
                .ca
                .approve(permit, &request, comment, clock::now())
                .await?
        }
    };
    match outcome {
        Outcome::Issued(issued) => issue::hand_over(&issued, out, None),
        Outcome::Pending(id) => {
            let request = context.access.request(&id).await?;
            let text = format!(
                "noted; {} of {} have agreed",
                request.approvals(),
                request.needed
            );
            Ok(Report::new(request_json(&request), text))
        }
    }
}

fn request_json(request: &Waiting) -> Value {
    json!({
        "request": request.id,
        "state": request.state_at(clock::now()),
        "profile": request.profile,
        "authority": request.authority,
        "summary": request.summary,
        "names": request.names,
        "requester": request.requester.actor(),
        "evidence": request.evidence,
        "needed": request.needed,
        "approvals": request.approvals(),
        "created": clock::millis(request.created),
        "expires": clock::millis(request.expires),
        "decisions": request.decisions,
        "comments": request.comments,
        "delegations": request.delegations,
        "call": request.call,
        "result": request.result,
    })
}

fn parse(id: &str) -> Result<RequestId, Failure> {
    RequestId::parse(id).ok_or_else(|| {
        Failure::Usage(format!(
            "{id}: a request's id is `r` and sixteen hex digits"
        ))
    })
}
