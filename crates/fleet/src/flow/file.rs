//! The map as one file: written, and read again here or elsewhere. All of it is taken in, or nothing.

use std::collections::HashMap;

use access::{Permit, Refusal};
use audit::{Event, Object, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::Write;

use super::check;
use super::keep::{MapRecord, Stored, may_manage};
use super::{Flow, System};
use crate::{Fleet, Result};

/// Systems and flows; those that a file does not name stay as they are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MapFile {
    pub systems: Vec<System>,
    pub flows: Vec<Flow>,
}

/// What an import did, or would do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Imported {
    pub dry_run: bool,
    /// `system EHR`, `flow ADT feed`.
    pub added: Vec<String>,
    pub changed: Vec<String>,
    pub unchanged: usize,
}

/// A record to be written, with the version that it follows.
struct Put<T> {
    new: T,
    before: Option<Stored<T>>,
}

impl Fleet {
    /// The map as a file.
    pub async fn export_map(&self) -> Result<MapFile> {
        let map = self.flow_map().await?;
        Ok(MapFile {
            systems: map.systems().to_vec(),
            flows: map.flows().to_vec(),
        })
    }

    /// Takes in a file, in one write with an event for each change, or says what that would change. Assets may be named by
    /// id, serial number or their name in the asset system.
    pub async fn import_map(
        &self,
        permit: &Permit,
        mut file: MapFile,
        dry_run: bool,
        now: Timestamp,
    ) -> Result<Imported> {
        let object = Object::new("map", "import");
        let checked = may_manage(permit).and_then(|()| tidied(&mut file));
        self.checked(permit, "map.import", &object, checked, now)
            .await?;
        for system in &mut file.systems {
            system.assets = self.system_assets(&system.assets).await?;
        }
        let systems = self.map_records::<System>(None).await?;
        let flows = self.map_records::<Flow>(None).await?;
        let all_systems = merged(&systems, &file.systems);
        let all_flows = merged(&flows, &file.flows);
        let checked = check::whole(&all_systems, &all_flows);
        self.checked(permit, "map.import", &object, checked, now)
            .await?;
        let (systems, same_systems) = changes(systems, file.systems);
        let (flows, same_flows) = changes(flows, file.flows);
        let mut done = Imported {
            dry_run,
            unchanged: same_systems + same_flows,
            ..Imported::default()
        };
        told(&systems, &mut done);
        told(&flows, &mut done);
        if dry_run || systems.is_empty() && flows.is_empty() {
            return Ok(done);
        }
        let counts = json!({"added": done.added.len(), "changed": done.changed.len()});
        let event = Event::new(now, permit.actor().clone(), "map.import", object).after(counts);
        let mut write = Write::new(permit.joined(event))?;
        write = all_put(write, permit, &systems, now)?;
        write = all_put(write, permit, &flows, now)?;
        self.store().commit(write).await?;
        Ok(done)
    }
}

fn tidied(file: &mut MapFile) -> Result<(), Refusal> {
    fn each<T: MapRecord>(all: &mut [T]) -> Result<(), Refusal> {
        let mut seen = std::collections::HashSet::new();
        for one in all {
            one.tidy()?;
            if !seen.insert(one.name().to_owned()) {
                let message = format!("the file has the {} {:?} twice", T::KIND, one.name());
                return Err(check::refuse("map.twice", message, "each name once"));
            }
        }
        Ok(())
    }
    each(&mut file.systems)?;
    each(&mut file.flows)
}

fn merged<T: MapRecord>(stored: &[Stored<T>], new: &[T]) -> Vec<T> {
    let names: std::collections::HashSet<&str> = new.iter().map(MapRecord::name).collect();
    let others = stored.iter().map(|stored| &stored.is);
    let others = others.filter(|one| !names.contains(one.name()));
    others.chain(new).cloned().collect()
}

/// What differs from what there is, and how many do not.
fn changes<T: MapRecord>(stored: Vec<Stored<T>>, new: Vec<T>) -> (Vec<Put<T>>, usize) {
    let named = stored.into_iter();
    let named = named.map(|stored| (stored.is.name().to_owned(), stored));
    let mut stored: HashMap<String, Stored<T>> = named.collect();
    let all = new.len();
    let puts = new.into_iter().filter_map(|new| {
        let before = stored.remove(new.name());
        let same = before.as_ref().is_some_and(|before| before.is == new);
        (!same).then_some(Put { new, before })
    });
    let puts: Vec<Put<T>> = puts.collect();
    let same = all - puts.len();
    (puts, same)
}

fn told<T: MapRecord>(puts: &[Put<T>], done: &mut Imported) {
    for put in puts {
        let list = match put.before {
            None => &mut done.added,
            Some(_) => &mut done.changed,
        };
        list.push(format!("{} {}", T::KIND, put.new.name()));
    }
}

fn all_put<T: MapRecord>(
    mut write: Write,
    permit: &Permit,
    puts: &[Put<T>],
    now: Timestamp,
) -> Result<Write> {
    for put in puts {
        let action = if put.before.is_some() {
            T::UPDATE
        } else {
            T::CREATE
        };
        let object = Object::new(T::KIND, put.new.name());
        let mut event = Event::new(now, permit.actor().clone(), action, object);
        if let Some(before) = &put.before {
            event = event.before(json!(before.is));
        }
        let expected = put.before.as_ref().map_or(0, |before| before.version);
        write = write
            .event(permit.joined(event.after(json!(put.new))))?
            .put_record(T::KIND, put.new.name(), expected, &put.new, now)?;
    }
    Ok(write)
}
