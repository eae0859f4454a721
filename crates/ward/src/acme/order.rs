//! `ward acme order`: what was asked for.

use access::Action;
use enroll::acme::{Desk, OrderFilter, OrderView};
use serde_json::{Value, json};

use super::args::Order;
use crate::clock;
use crate::context::Context;
use crate::output::{Done, Report, table};

/// Names of an order that a list shows.
const SHOWN: usize = 3;

pub(crate) async fn run(context: &Context, desk: &Desk, command: Order) -> Done {
    context.permit(Action::ReadEnrolment).await?;
    match command {
        Order::List {
            directory,
            account,
            status,
            limit,
            after,
        } => {
            let filter = OrderFilter {
                directory,
                account,
                status,
                after,
                limit: Some(limit),
            };
            list(desk, &filter).await
        }
        Order::Show { id } => {
            let order = desk.order(&id, clock::now()).await?;
            Ok(Report::new(json!(order), described(&order)))
        }
    }
}

async fn list(desk: &Desk, filter: &OrderFilter) -> Done {
    let page = desk.orders(filter, clock::now()).await?;
    let rows: Vec<Vec<String>> = page
        .orders
        .iter()
        .map(|order| {
            vec![
                order.id.clone(),
                order.status.to_owned(),
                order.directory.clone(),
                order.account.clone(),
                clock::millis(order.created),
                names(order),
            ]
        })
        .collect();
    let mut text = table(
        &["ORDER", "STATUS", "DIRECTORY", "ACCOUNT", "PLACED", "NAMES"],
        &rows,
    );
    if let Some(next) = &page.next {
        text.push_str(&format!("\nmore: --after {next}"));
    }
    Ok(Report::new(json!(page), text))
}

fn names(order: &OrderView) -> String {
    let shown: Vec<&str> = order
        .names
        .iter()
        .take(SHOWN)
        .map(|name| name.name.as_str())
        .collect();
    match order.names.len().saturating_sub(SHOWN) {
        0 => shown.join(" "),
        more => format!("{} and {more} more", shown.join(" ")),
    }
}

fn described(order: &OrderView) -> String {
    let or = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".into());
    let mut text = format!(
        "order {}: {}\n  directory   {}\n  account     {}\n  profile     {}\n  placed      {}\n  ends        {}\n  replaces    {}\n  certificate {}",
        order.id,
        order.status,
        order.directory,
        order.account,
        order.profile,
        clock::millis(order.created),
        clock::millis(order.expires),
        or(&order.replaces),
        or(&order.certificate),
    );
    if let Some(error) = &order.error {
        text.push_str(&format!("\n  error       {}", detail(error)));
    }
    for name in &order.names {
        text.push_str(&format!("\n  {} {}", name.status, name.name));
        if let Some(challenge) = name.challenge {
            text.push_str(&format!(" by {challenge}"));
        }
        if let Some(origin) = &name.origin {
            text.push_str(&format!(", from {origin}"));
        }
        if let Some(error) = &name.error {
            text.push_str(&format!("\n    {}", detail(error)));
        }
    }
    text
}

/// The sentence of a problem document.
fn detail(problem: &Value) -> &str {
    problem["detail"].as_str().unwrap_or("no reason is kept")
}
