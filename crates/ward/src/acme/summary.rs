//! What `ward status` says about ACME.

use enroll::acme::Desk;
use serde_json::{Value, json};

use crate::context::Context;
use crate::output::Failure;

/// One line, the same as JSON, and what somebody has to do something about.
pub(crate) struct Summary {
    pub(crate) text: String,
    pub(crate) json: Value,
    pub(crate) attention: Vec<String>,
}

pub(crate) async fn of(context: &Context) -> Result<Summary, Failure> {
    let desk = Desk::new(context.ca.clone());
    let (mut texts, mut rows, mut attention) = (Vec::new(), Vec::new(), Vec::new());
    for stored in desk.directories().await? {
        let door = &stored.directory;
        let used = desk.directory_use(&door.name).await?;
        let state = match door.enabled {
            true => format!("{} account(s)", used.accounts),
            false => "disabled".to_owned(),
        };
        texts.push(format!("{}: {state}", door.name));
        rows.push(json!({ "directory": door.name, "enabled": door.enabled, "use": used }));
        // A profile or an authority may have changed since the directory was put in force.
        if door.enabled
            && let Err(refusal) = door.check(&context.ca)
        {
            attention.push(format!(
                "ACME directory {} issues nothing: {}",
                door.name, refusal.message
            ));
        }
    }
    let recalls = desk.recalls().await?;
    let in_force: Vec<&str> = recalls
        .iter()
        .filter(|recall| recall.ended.is_none())
        .map(|recall| recall.id.as_str())
        .collect();
    for id in &in_force {
        attention.push(format!(
            "{id} is in force: when all is replaced, ward acme recall end {id}"
        ));
    }
    let text = match texts.is_empty() {
        true => "no directory".to_owned(),
        false => texts.join(", "),
    };
    Ok(Summary {
        text,
        json: json!({ "directories": rows, "recalls": in_force }),
        attention,
    })
}
