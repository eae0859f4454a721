//! `ward flow system`: who exchanges data.

use access::Action;
use fleet::flow::{Stored, System as Record};
use serde_json::json;

use super::args::{System, SystemFields, Why, list};
use super::{Desk, text};
use crate::clock;
use crate::confirm::confirm;
use crate::output::{Done, Report, add, table};

pub(super) async fn run(desk: &Desk, command: System) -> Done {
    match command {
        System::List { as_of } => all(desk, as_of).await,
        System::Show { system } => show(desk, &system).await,
        System::Add { system, fields } => {
            let new = Record {
                name: system,
                ..Record::default()
            };
            put(desk, new, 0, &fields).await
        }
        System::Change { system, fields } => {
            let Stored { version, is, .. } = desk.fleet.map_record(&system, None).await?;
            put(desk, is, version, &fields).await
        }
        System::Remove { system, why } => remove(desk, &system, &why).await,
    }
}

async fn all(desk: &Desk, as_of: Option<::x509::Time>) -> Done {
    let map = desk.map(as_of).await?;
    let names = map.systems().iter().map(|system| system.name.as_str());
    let known: Vec<_> = names.filter_map(|name| map.system(name)).collect();
    let rows: Vec<Vec<String>> = known
        .iter()
        .map(|(system, known)| text::system_row(system, known))
        .collect();
    let all = known
        .iter()
        .map(|(system, known)| json!({"system": system, "known": known}));
    Ok(Report::new(
        all.collect(),
        table(&text::SYSTEM_HEADINGS, &rows),
    ))
}

async fn show(desk: &Desk, name: &str) -> Done {
    let stored = desk.fleet.map_record::<Record>(name, None).await?;
    let map = desk.fleet.flow_map().await?;
    let known = map.system(name).map(|(_, known)| known);
    let touches = map
        .flows()
        .iter()
        .filter(|flow| flow.from == name || flow.to == name);
    let flows: Vec<_> = touches.filter_map(|flow| map.flow(&flow.name)).collect();
    let rows: Vec<Vec<String>> = flows
        .iter()
        .map(|(flow, known)| text::row(flow, known))
        .collect();
    let mut said = text::system(&stored, known.as_ref());
    if !rows.is_empty() {
        said.push_str("\n\n");
        said.push_str(&table(&text::HEADINGS, &rows));
    }
    let mut value = json!(stored);
    add(&mut value, "known", json!(known));
    let flows = flows
        .iter()
        .map(|(flow, known)| json!({"flow": flow, "known": known}));
    add(&mut value, "flows", flows.collect());
    Ok(Report::new(value, said))
}

async fn put(desk: &Desk, mut system: Record, version: u64, fields: &SystemFields) -> Done {
    fields.onto(&mut system)?;
    if let Some(assets) = list(&fields.assets) {
        system.assets = desk.fleet.system_assets(&assets).await?;
    }
    let permit = desk.context.permit(Action::ManageFlows).await?;
    let put = desk
        .fleet
        .put_on_map(&permit, system, version, clock::now());
    let stored = put.await?;
    let map = desk.fleet.flow_map().await?;
    let known = map.system(&stored.is.name).map(|(_, known)| known);
    let mut value = json!(stored);
    add(&mut value, "known", json!(known));
    Ok(Report::new(value, text::system(&stored, known.as_ref())))
}

async fn remove(desk: &Desk, name: &str, why: &Why) -> Done {
    desk.fleet.map_record::<Record>(name, None).await?;
    let shown = ::x509::describe::escape(name);
    confirm(why.yes, &format!("Take system {shown} from the map?"))?;
    let permit = desk.context.permit(Action::ManageFlows).await?;
    let taken = desk
        .fleet
        .take_from_map::<Record>(&permit, name, &why.why, clock::now());
    taken.await?;
    let value = json!({"name": name, "removed": true});
    Ok(Report::new(value, format!("system {shown} is gone")))
}
