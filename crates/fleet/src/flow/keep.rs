//! Systems and flows kept: put, changed, taken away, and looked at as they were. Permit first, an event always.

use access::{Action, Permit, Refusal};
use audit::{Event, Object, Timestamp};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::json;
use store::{Record, StoreError, Write};

use super::check::{self, refuse};
use super::{FLOW_RECORDS, Flow, Map, SYSTEM_RECORDS, System};
use crate::{Fleet, FleetError, Result, refused};

/// A system or a flow.
pub trait MapRecord: Clone + PartialEq + Serialize + DeserializeOwned + Send + Sync {
    /// The kind under which it is kept, and what people call it.
    const KIND: &'static str;
    const CREATE: &'static str;
    const UPDATE: &'static str;
    const REMOVE: &'static str;

    fn name(&self) -> &str;
    fn set_name(&mut self, name: &str);
    /// Those of its sort on a map.
    fn of(map: &Map) -> &[Self];
    fn tidy(&mut self) -> Result<(), Refusal>;
    /// The map with these in the place of its own.
    fn whole(all: &[Self], map: &Map) -> Result<(), Refusal>;
}

impl MapRecord for System {
    const KIND: &'static str = SYSTEM_RECORDS;
    const CREATE: &'static str = "system.create";
    const UPDATE: &'static str = "system.update";
    const REMOVE: &'static str = "system.remove";

    fn name(&self) -> &str {
        &self.name
    }

    fn set_name(&mut self, name: &str) {
        name.clone_into(&mut self.name);
    }

    fn of(map: &Map) -> &[Self] {
        map.systems()
    }

    fn tidy(&mut self) -> Result<(), Refusal> {
        check::system(self)
    }

    fn whole(all: &[Self], map: &Map) -> Result<(), Refusal> {
        check::whole(all, map.flows())
    }
}

impl MapRecord for Flow {
    const KIND: &'static str = FLOW_RECORDS;
    const CREATE: &'static str = "flow.create";
    const UPDATE: &'static str = "flow.update";
    const REMOVE: &'static str = "flow.remove";

    fn name(&self) -> &str {
        &self.name
    }

    fn set_name(&mut self, name: &str) {
        name.clone_into(&mut self.name);
    }

    fn of(map: &Map) -> &[Self] {
        map.flows()
    }

    fn tidy(&mut self) -> Result<(), Refusal> {
        check::flow(self)
    }

    fn whole(all: &[Self], map: &Map) -> Result<(), Refusal> {
        check::whole(map.systems(), all)
    }
}

/// A record with the number of its version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Stored<T> {
    pub version: u64,
    /// Since when it is so, Unix milliseconds.
    pub since: i64,
    #[serde(flatten)]
    pub is: T,
}

impl<T: MapRecord> Stored<T> {
    fn read(record: &Record) -> Result<Self> {
        Ok(Stored {
            version: record.version,
            since: record.valid_from.0,
            is: record.parse()?,
        })
    }
}

impl Fleet {
    /// The map as it is.
    pub async fn flow_map(&self) -> Result<Map> {
        let systems = self.map_records::<System>(None).await?;
        let flows = self.map_records::<Flow>(None).await?;
        Ok(drawn(systems, flows))
    }

    /// The map as it was at `at` (R52).
    pub async fn flow_map_as_of(&self, at: Timestamp) -> Result<Map> {
        let systems = self.map_records::<System>(Some(at)).await?;
        let flows = self.map_records::<Flow>(Some(at)).await?;
        Ok(drawn(systems, flows))
    }

    /// Systems or flows by name, as they are or were.
    pub async fn map_records<T: MapRecord>(&self, at: Option<Timestamp>) -> Result<Vec<Stored<T>>> {
        let records = match at {
            None => self.store().records(T::KIND).await?,
            Some(at) => self.store().records_as_of(T::KIND, at).await?,
        };
        records.iter().map(Stored::read).collect()
    }

    /// One system or flow, as it is or was.
    pub async fn map_record<T: MapRecord>(
        &self,
        name: &str,
        at: Option<Timestamp>,
    ) -> Result<Stored<T>> {
        let record = match at {
            None => self.store().record(T::KIND, name).await?,
            Some(at) => self.store().record_as_of(T::KIND, name, at).await?,
        };
        let record = record.ok_or_else(|| FleetError::not_found(T::KIND, name))?;
        Stored::read(&record)
    }

    /// Puts a system or a flow on the map (`expected` 0) or changes one (`expected` is the version that was read).
    pub async fn put_on_map<T: MapRecord>(
        &self,
        permit: &Permit,
        mut new: T,
        expected: u64,
        now: Timestamp,
    ) -> Result<Stored<T>> {
        let action = if expected == 0 { T::CREATE } else { T::UPDATE };
        let object = Object::new(T::KIND, shown(new.name()));
        let checked = may_manage(permit).and_then(|()| new.tidy());
        self.checked(permit, action, &object, checked, now).await?;
        let map = self.flow_map().await?;
        let checked = T::whole(&with(T::of(&map), &new), &map);
        self.checked(permit, action, &object, checked, now).await?;
        let mut event = Event::new(now, permit.actor().clone(), action, object.clone());
        let before = T::of(&map).iter().find(|one| one.name() == new.name());
        if let Some(before) = before {
            event = event.before(json!(before));
        }
        let event = permit.joined(event.after(json!(new)));
        let write = Write::new(event)?.put_record(T::KIND, new.name(), expected, &new, now)?;
        match self.store().commit(write).await {
            Ok(_) => self.map_record(new.name(), None).await,
            Err(StoreError::Conflict(_)) if expected == 0 => {
                let message = format!("there is a {} {:?} already", T::KIND, new.name());
                let refusal = refuse("map.duplicate", message, "another name, or a change");
                Err(refused(self.access(), permit, action, &object, refusal, now).await)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Takes a system or a flow from the map. A system goes after the flows and dependencies that name it.
    pub async fn take_from_map<T: MapRecord>(
        &self,
        permit: &Permit,
        name: &str,
        why: &str,
        now: Timestamp,
    ) -> Result<()> {
        let object = Object::new(T::KIND, shown(name));
        self.checked(permit, T::REMOVE, &object, may_manage(permit), now)
            .await?;
        let stored = self.map_record::<T>(name, None).await?;
        let map = self.flow_map().await?;
        let rest = T::of(&map).iter().filter(|one| one.name() != name);
        let rest: Vec<T> = rest.cloned().collect();
        let checked = T::whole(&rest, &map).map_err(|refusal| {
            let message = format!("it is in use: {}", refusal.message);
            refuse(
                "map.in-use",
                message,
                "flows and dependencies that name it are changed first",
            )
        });
        self.checked(permit, T::REMOVE, &object, checked, now)
            .await?;
        let mut event = Event::new(now, permit.actor().clone(), T::REMOVE, object);
        event = event.before(json!(stored.is));
        if !why.is_empty() {
            event = event.why(why);
        }
        let event = permit.joined(event);
        let write = Write::new(event)?.remove_record(T::KIND, name, stored.version, now);
        self.store().commit(write).await?;
        Ok(())
    }

    /// The assets of a system, each by whatever name it was given, as ids.
    pub async fn system_assets(&self, named: &[String]) -> Result<Vec<String>> {
        let mut ids = Vec::with_capacity(named.len());
        for name in named {
            ids.push(self.find(name).await?.asset.id);
        }
        Ok(ids)
    }
}

pub(super) fn may_manage(permit: &Permit) -> Result<(), Refusal> {
    permit.require(Action::ManageFlows)
}

fn drawn(systems: Vec<Stored<System>>, flows: Vec<Stored<Flow>>) -> Map {
    let systems = systems.into_iter().map(|stored| stored.is);
    let flows = flows.into_iter().map(|stored| stored.is);
    Map::new(systems.collect(), flows.collect())
}

/// All of them, with this one in the place of the one of its name.
fn with<T: MapRecord>(all: &[T], new: &T) -> Vec<T> {
    let others = all.iter().filter(|one| one.name() != new.name());
    others.chain([new]).cloned().collect()
}

/// A name that is going to be refused may have any length.
fn shown(name: &str) -> String {
    name.chars().take(80).collect()
}
