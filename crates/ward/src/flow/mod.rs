//! `ward flow`: the PHI data-flow map, and what it lacks.

pub(crate) mod args;
mod system;
mod text;

use std::path::Path;

use access::Action;
use audit::Timestamp;
use fleet::Fleet;
use fleet::flow::{Flow as Record, Map, MapCursor, MapFile, Protects, Stored};
use serde_json::{Value, json};

use crate::args::Place;
use crate::clock;
use crate::confirm::confirm;
use crate::context::Context;
use crate::output::{Done, Failure, Report, add, deliver, failed, read, table};
use args::{Flow, FlowFields, Why};

/// A map of the largest size has some fifty megabytes.
const LARGEST_FILE: usize = 64 << 20;

pub(super) struct Desk {
    pub(super) context: Context,
    pub(super) fleet: Fleet,
}

pub(crate) async fn run(place: &Place, command: Flow) -> Done {
    let context = Context::open(place).await?;
    let desk = Desk {
        fleet: Fleet::open(context.ca.clone())?,
        context,
    };
    match command {
        Flow::List { phi, as_of } => desk.list(phi, as_of).await,
        Flow::Show { flow } => desk.show(&flow).await,
        Flow::Add {
            flow,
            from,
            to,
            fields,
        } => {
            let new = Record {
                name: flow,
                from,
                to,
                ..Record::default()
            };
            desk.put(new, 0, &fields).await
        }
        Flow::Change {
            flow,
            from,
            to,
            fields,
        } => {
            let Stored { version, is, .. } = desk.fleet.map_record::<Record>(&flow, None).await?;
            let changed = Record {
                from: from.unwrap_or(is.from),
                to: to.unwrap_or(is.to),
                ..is
            };
            desk.put(changed, version, &fields).await
        }
        Flow::Remove { flow, why } => desk.remove(&flow, &why).await,
        Flow::Check => desk.check().await,
        Flow::Observed { off_map } => desk.observed(off_map).await,
        Flow::Import { file, dry_run } => desk.import(&file, dry_run).await,
        Flow::Export { out } => {
            let file = desk.fleet.export_map().await?;
            let content = serde_json::to_string_pretty(&file).map_err(failed)?;
            let said = format!("{} systems, {} flows", file.systems.len(), file.flows.len());
            deliver(out.as_ref(), &content, json!(file), said)
        }
        Flow::System(command) => system::run(&desk, command).await,
    }
}

pub(super) fn instant(time: ::x509::Time) -> Timestamp {
    Timestamp(time.0.saturating_mul(1000))
}

impl Desk {
    pub(super) async fn map(&self, as_of: Option<::x509::Time>) -> Result<Map, Failure> {
        Ok(match as_of {
            None => self.fleet.flow_map().await?,
            Some(time) => self.fleet.flow_map_as_of(instant(time)).await?,
        })
    }

    async fn list(&self, phi: bool, as_of: Option<::x509::Time>) -> Done {
        let map = self.map(as_of).await?;
        let flows = map.flows().iter();
        let known = flows.filter_map(|flow| map.flow(&flow.name));
        let known: Vec<(&Record, Protects)> =
            known.filter(|(_, known)| known.phi || !phi).collect();
        let rows: Vec<Vec<String>> = known
            .iter()
            .map(|(flow, known)| text::row(flow, known))
            .collect();
        let all = known
            .iter()
            .map(|(flow, known)| json!({"flow": flow, "known": known}));
        Ok(Report::new(all.collect(), table(&text::HEADINGS, &rows)))
    }

    async fn show(&self, name: &str) -> Done {
        let stored = self.fleet.map_record::<Record>(name, None).await?;
        self.follow().await?;
        let map = self.fleet.flow_map().await?;
        let guarded = self.fleet.flow_guarded(&map, name, clock::now()).await?;
        let mut value = json!(guarded);
        add(&mut value, "version", json!(stored.version));
        add(&mut value, "since", json!(stored.since));
        Ok(Report::new(value, text::flow(&stored, &guarded)))
    }

    async fn put(&self, mut flow: Record, version: u64, fields: &FlowFields) -> Done {
        fields.onto(&mut flow)?;
        let permit = self.context.permit(Action::ManageFlows).await?;
        let put = self.fleet.put_on_map(&permit, flow, version, clock::now());
        let stored = put.await?;
        let map = self.fleet.flow_map().await?;
        let known = map.flow(&stored.is.name).map(|(_, known)| known);
        let mut value = json!(stored);
        add(&mut value, "known", json!(known));
        Ok(Report::new(
            value,
            text::stored_flow(&stored, known.as_ref()),
        ))
    }

    async fn remove(&self, name: &str, why: &Why) -> Done {
        self.fleet.map_record::<Record>(name, None).await?;
        let shown = ::x509::describe::escape(name);
        confirm(why.yes, &format!("Take flow {shown} from the map?"))?;
        let permit = self.context.permit(Action::ManageFlows).await?;
        let taken = self
            .fleet
            .take_from_map::<Record>(&permit, name, &why.why, clock::now());
        taken.await?;
        let value = json!({"name": name, "removed": true});
        Ok(Report::new(value, format!("flow {shown} is gone")))
    }

    /// A server keeps the ends of the map; without one they are looked up now.
    async fn follow(&self) -> Result<(), Failure> {
        self.fleet.follow_map(&mut MapCursor::default()).await?;
        Ok(())
    }

    async fn check(&self) -> Done {
        self.follow().await?;
        let map = self.fleet.flow_map().await?;
        let gaps = self.fleet.flow_gaps(&map, clock::now()).await?;
        let calls = self.fleet.observed_calls(&map, true).await?;
        let (flows, lacking) = (map.flows().len(), gaps.len());
        let mut lines: Vec<String> = gaps.iter().map(text::gap).collect();
        lines.extend(calls.iter().map(text::call));
        lines.push(format!(
            "{flows} flows, {lacking} gaps, {} calls that no flow says",
            calls.len()
        ));
        let value = json!({"flows": flows, "gaps": gaps, "off_map": calls});
        Ok(Report::new(value, lines.join("\n")).judged(lacking == 0))
    }

    async fn observed(&self, off_map: bool) -> Done {
        let map = self.fleet.flow_map().await?;
        let calls = self.fleet.observed_calls(&map, off_map).await?;
        let lines: Vec<String> = calls.iter().map(text::call).collect();
        let said = match lines.is_empty() {
            true => "no calls".to_owned(),
            false => lines.join("\n"),
        };
        Ok(Report::new(json!(calls), said))
    }

    async fn import(&self, file: &Path, dry_run: bool) -> Done {
        let wrong = |why: &dyn std::fmt::Display| failed(format!("{}: {why}", file.display()));
        let bytes = read(file)?;
        if bytes.len() > LARGEST_FILE {
            return Err(wrong(&format!("maps have at most {LARGEST_FILE} bytes")));
        }
        let map: MapFile = serde_json::from_slice(&bytes).map_err(|error| wrong(&error))?;
        let permit = self.context.permit(Action::ManageFlows).await?;
        let imported = self.fleet.import_map(&permit, map, dry_run, clock::now());
        let done = imported.await?;
        let mut lines: Vec<String> = Vec::new();
        for (sign, names) in [('+', &done.added), ('~', &done.changed)] {
            let escaped = names.iter().map(|name| ::x509::describe::escape(name));
            lines.extend(escaped.map(|name| format!("{sign} {name}")));
        }
        let would = if dry_run { "would be " } else { "" };
        lines.push(format!(
            "{} {would}added, {} {would}changed, {} unchanged",
            done.added.len(),
            done.changed.len(),
            done.unchanged
        ));
        let value: Value = json!(done);
        Ok(Report::new(value, lines.join("\n")))
    }
}
