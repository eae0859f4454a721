//! Tells people what becomes of requests (R07): by mail whoever may decide and whoever asked, and the program of `[alerts]`
//! if it wants that too. A mail says that something waits and where to look, and no more: what is asked for may name
//! patients' devices, and mail is read on the way.
//!
//! What waits is the store's (`access::Notice`). A round sends each person one mail with all that is news for them; whoever
//! could not be told is tried again, so a mail may come twice after a crash and is known by its `Message-ID`.

mod mail;

use std::collections::BTreeMap;

use access::{AccessError, Moment, Notice, Person};
use serde_json::json;

use crate::{Services, alerts};
use mail::{Item, Post};

/// How the program of `[alerts]` stands among those who have been told; no id of a person has a colon.
const WEBHOOK: &str = "program:alerts";

/// Tells whoever is due.
pub(crate) async fn tell(services: &Services) -> Result<(), AccessError> {
    let now = services.now();
    let mut due = services.access.notices_due(now).await?;
    if due.is_empty() {
        return Ok(());
    }
    let mut failed: Vec<Option<String>> = vec![None; due.len()];
    if services.config.mail.is_some() {
        by_mail(services, &mut due, &mut failed).await?;
    }
    let alerts = services.config.alerts.as_ref();
    if let Some(alerts) = alerts.filter(|alerts| alerts.requests) {
        by_webhook(services, alerts, &mut due, &mut failed).await;
    }
    for (notice, failed) in due.iter().zip(&failed) {
        let access = &services.access;
        access.notice_told(notice, failed.as_deref(), now).await?;
    }
    Ok(())
}

/// One mail for each person, with everything that is news for them.
async fn by_mail(
    services: &Services,
    due: &mut [Notice],
    failed: &mut [Option<String>],
) -> Result<(), AccessError> {
    let Some(config) = &services.config.mail else {
        return Ok(());
    };
    let people = services.access.people().await?;
    let mut letters: BTreeMap<String, (Person, Vec<usize>)> = BTreeMap::new();
    for (at, notice) in due.iter().enumerate() {
        let them = services.access.notice_for(notice, &people, services.now());
        for person in them.await? {
            if person.email.is_some() && !notice.told.contains(&person.id) {
                let id = person.id.clone();
                letters.entry(id).or_insert((person, Vec::new())).1.push(at);
            }
        }
    }
    if letters.is_empty() {
        return Ok(());
    }
    let post = match Post::open(services, config).await {
        Ok(post) => post,
        Err(why) => {
            let waiting = letters.values().flat_map(|(_, news)| news);
            waiting.for_each(|at| failed[*at] = Some(why.clone()));
            complain(&why);
            return Ok(());
        }
    };
    for (person, news) in letters.values() {
        let items = news.iter().map(|at| item(services, &due[*at]));
        let items: Vec<Item> = items.collect();
        let first = news.first().map_or(0, |at| due[*at].id);
        let sent = post.send(person, first, &items, services.now()).await;
        for at in news {
            match &sent {
                Ok(()) => due[*at].told.push(person.id.clone()),
                Err(why) => failed[*at] = Some(why.clone()),
            }
        }
        match sent {
            Ok(()) => metrics::counter!("ward_mails_total").increment(1),
            Err(why) => complain(&why),
        }
    }
    Ok(())
}

async fn by_webhook(
    services: &Services,
    alerts: &crate::config::Alerts,
    due: &mut [Notice],
    failed: &mut [Option<String>],
) {
    for (notice, failed) in due.iter_mut().zip(failed) {
        if notice.told.iter().any(|one| one == WEBHOOK) {
            continue;
        }
        let item = item(services, notice);
        let request = &notice.request;
        let body = json!({
            "action": format!("request.{}", notice.moment.name()),
            "time": audit::Timestamp(notice.created).to_string(),
            "what": item.title,
            "details": {
                "request": request.id,
                "url": item.url,
                "state": request.state_at(services.now()),
                "needed": request.needed,
                "approvals": request.approvals(),
                "expires": request.expires,
            },
        });
        let id = format!("notice-{}", notice.id);
        match alerts::post(services, alerts, body.to_string(), id).await {
            Ok(()) => notice.told.push(WEBHOOK.to_owned()),
            Err(why) => {
                complain(&why);
                *failed = Some(why);
                // Whoever does not answer one would hold up the round with each.
                return;
            }
        }
    }
}

fn complain(why: &str) {
    metrics::counter!("ward_mail_failures_total").increment(1);
    tracing::error!(%why, "somebody could not be told of a request; trying again");
}

/// A title of words that Ward's own people chose (a profile, a policy), and where to look.
fn item(services: &Services, notice: &Notice) -> Item {
    let request = &notice.request;
    let what = match &request.call {
        Some(call) => format!("Call {} (policy {})", call.action, call.policy),
        None if fleet::is_release(request) => "Release of a spare".to_owned(),
        None => format!("Certificate of profile {}", request.profile),
    };
    let state = request.state_at(services.now()).name();
    let news = match notice.moment {
        Moment::Asked => "waits for your decision".to_owned(),
        Moment::Handed => "was handed to you for decision".to_owned(),
        Moment::Soon => {
            let at = audit::Timestamp(request.expires);
            format!("lapses undecided at {at}")
        }
        Moment::Review => "was done in an emergency and waits for your review".to_owned(),
        Moment::Decided => format!("is {state}"),
    };
    let origin = services.config.sign_in_origin();
    Item {
        title: format!("{what} {news}"),
        url: format!("{origin}/requests/{}", request.id),
    }
}
