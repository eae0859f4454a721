//! The map, drawn: which flows and systems a place is an end of, and what a certificate there protects.

use std::collections::HashMap;
use std::net::IpAddr;

use agent::observation::Place;

use super::end::{Ends, is_named};
use super::graph::{Graph, Origin, Reached};
use super::{Flow, MapKind, Protects, Side, System};
use crate::Criticality;
use crate::inventory::PlaceFacts;

/// Systems and flows, and what passes along.
pub struct Map {
    systems: Vec<System>,
    flows: Vec<Flow>,
    by_name: HashMap<String, usize>,
    flow_by_name: HashMap<String, usize>,
    reached: Vec<Reached>,
    carried: Vec<Reached>,
    /// Flows by who answers.
    answered: HashMap<usize, Vec<usize>>,
    flow_ends: Vec<Option<(usize, usize)>>,
    ends: Ends,
}

/// One end that a place is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct At {
    pub(super) kind: MapKind,
    pub(super) number: usize,
    pub(super) side: Side,
}

impl Map {
    /// Draws the map. Flows between systems that are not there are kept and lead nowhere.
    pub fn new(systems: Vec<System>, flows: Vec<Flow>) -> Map {
        let number = |(number, name): (usize, &String)| (name.clone(), number);
        let by_name = systems.iter().map(|system| &system.name);
        let by_name: HashMap<String, usize> = by_name.enumerate().map(number).collect();
        let flow_by_name = flows.iter().map(|flow| &flow.name);
        let flow_by_name = flow_by_name.enumerate().map(number).collect();
        let graph = Graph::new(&systems, &flows, &by_name);
        let reached = graph.systems();
        let carried = graph.flows(&reached);
        let flow_ends = graph.ends().to_vec();
        let mut answered: HashMap<usize, Vec<usize>> = HashMap::new();
        for (number, ends) in flow_ends.iter().enumerate() {
            if let Some((_, to)) = ends {
                answered.entry(*to).or_default().push(number);
            }
        }
        Map {
            ends: Ends::of(&systems),
            systems,
            flows,
            by_name,
            flow_by_name,
            reached,
            carried,
            answered,
            flow_ends,
        }
    }

    pub fn systems(&self) -> &[System] {
        &self.systems
    }

    pub fn flows(&self) -> &[Flow] {
        &self.flows
    }

    pub fn is_empty(&self) -> bool {
        self.systems.is_empty() && self.flows.is_empty()
    }

    /// What a certificate protects that is at these places.
    pub fn protects(&self, places: &[PlaceFacts]) -> Vec<Protects> {
        if self.is_empty() {
            return Vec::new();
        }
        let mut all: Vec<At> = Vec::new();
        for one in places {
            let asset = one.asset.as_ref().map(|asset| asset.id.as_str());
            all.extend(self.at(&one.place, asset));
        }
        all.sort_unstable();
        all.dedup();
        all.into_iter().map(|at| self.described(at)).collect()
    }

    /// What is known of one flow, its own or passed on to it.
    pub fn flow(&self, name: &str) -> Option<(&Flow, Protects)> {
        let number = *self.flow_by_name.get(name)?;
        Some((&self.flows[number], self.by_number(MapKind::Flow, number)))
    }

    /// What is known of one system, its own or passed on to it.
    pub fn system(&self, name: &str) -> Option<(&System, Protects)> {
        let number = *self.by_name.get(name)?;
        let known = self.by_number(MapKind::System, number);
        Some((&self.systems[number], known))
    }

    /// Who answers for a flow: whom it names, else whoever has the system that answers.
    pub fn owner_of<'a>(&'a self, flow: &'a Flow) -> Option<&'a str> {
        let system = || self.systems[*self.by_name.get(&flow.to)?].owner.as_deref();
        flow.owner.as_deref().or_else(system)
    }

    fn by_number(&self, kind: MapKind, number: usize) -> Protects {
        self.described(At {
            kind,
            number,
            side: Side::Server,
        })
    }

    /// The ends that a place is, systems and flows.
    pub(super) fn at(&self, place: &Place, asset: Option<&str>) -> Vec<At> {
        let mut found = Vec::new();
        let system = |number: usize, side: Side| At {
            kind: MapKind::System,
            number,
            side,
        };
        match place {
            Place::Network {
                address, port, sni, ..
            } => {
                let name = sni.as_deref().map(str::to_lowercase);
                for to in self.ends.at(Some(*address), name.as_deref(), asset) {
                    found.push(system(to, Side::Server));
                    let flows = self.answered.get(&to).into_iter().flatten();
                    let answered = flows.filter(|flow| {
                        let flow = &self.flows[**flow];
                        answers(flow, *port) && is_for(flow, name.as_deref())
                    });
                    found.extend(answered.map(|number| At {
                        kind: MapKind::Flow,
                        number: *number,
                        side: Side::Server,
                    }));
                }
            }
            Place::Client {
                address,
                server,
                port,
            } => {
                for from in self.ends.at(Some(*address), None, asset) {
                    found.push(system(from, Side::Client));
                    let flows = self.between(from, *server, *port);
                    found.extend(flows.into_iter().map(|number| At {
                        kind: MapKind::Flow,
                        number,
                        side: Side::Client,
                    }));
                }
            }
            // A file says whose host it lies on, not who asks for it.
            Place::File { host, .. } => {
                let address: Option<IpAddr> = host.parse().ok();
                let name = host.to_lowercase();
                let at = self.ends.at(address, Some(&name), asset);
                found.extend(at.into_iter().map(|number| system(number, Side::Server)));
            }
            Place::Name { .. } | Place::Log { .. } => {}
        }
        found
    }

    /// Flows from a system to whatever stands at an address, over a port.
    fn between(&self, from: usize, server: IpAddr, port: u16) -> Vec<usize> {
        let answered = self.ends.at(Some(server), None, None).into_iter();
        let flows = answered.flat_map(|to| self.answered.get(&to).into_iter().flatten());
        let ours = flows.filter(|flow| {
            let caller = self.flow_ends[**flow].map(|(caller, _)| caller);
            caller == Some(from) && answers(&self.flows[**flow], port)
        });
        ours.copied().collect()
    }

    /// The systems at both ends of an observed call, and whether a flow of the map covers it.
    pub(super) fn call(
        &self,
        from: IpAddr,
        server: IpAddr,
        port: u16,
    ) -> (Vec<&str>, Vec<&str>, bool) {
        let callers = self.ends.at(Some(from), None, None);
        let servers = self.ends.at(Some(server), None, None);
        let covered = callers
            .iter()
            .any(|caller| !self.between(*caller, server, port).is_empty());
        let names = |numbers: Vec<usize>| {
            let names = numbers.into_iter();
            names
                .map(|number| self.systems[number].name.as_str())
                .collect()
        };
        (names(callers), names(servers), covered)
    }

    pub(super) fn name_of(&self, at: At) -> &str {
        match at.kind {
            MapKind::System => &self.systems[at.number].name,
            MapKind::Flow => &self.flows[at.number].name,
        }
    }

    fn described(&self, at: At) -> Protects {
        let (own, known) = match at.kind {
            MapKind::System => (Origin::System(at.number), self.reached[at.number]),
            MapKind::Flow => (Origin::Flow(at.number), self.carried[at.number]),
        };
        let Reached {
            phi,
            patients,
            criticality,
            critical_from,
            ehr,
        } = known;
        let from = |origin: Origin| match origin {
            Origin::System(number) => self.systems[number].name.as_str(),
            Origin::Flow(number) => self.flows[number].name.as_str(),
        };
        let mut passed = Vec::new();
        if let Some(origin) = phi.filter(|origin| *origin != own) {
            passed.push(format!("PHI from {}", from(origin)));
        }
        if let Some(origin) = patients.filter(|origin| *origin != own) {
            passed.push(format!("needed by patient-facing {}", from(origin)));
        }
        // Medium is what nobody has said anything about: where it came from tells nothing.
        if critical_from != own && criticality < Criticality::Medium {
            passed.push(format!("{criticality} for {}", from(critical_from)));
        }
        Protects {
            kind: at.kind,
            name: self.name_of(at).to_owned(),
            side: at.side,
            phi: phi.is_some(),
            ehr,
            patient_facing: patients.is_some(),
            criticality,
            passed: (!passed.is_empty()).then(|| passed.join("; ")),
        }
    }
}

fn answers(flow: &Flow, port: u16) -> bool {
    flow.ports.is_empty() || flow.ports.contains(&port)
}

/// A place that was looked at without a name is whatever answers those who ask for none.
fn is_for(flow: &Flow, name: Option<&str>) -> bool {
    match (&flow.server_name, name) {
        (Some(pattern), Some(name)) => is_named(pattern, name),
        (Some(_), None) => false,
        (None, _) => true,
    }
}
