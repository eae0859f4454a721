//! What passes along the map. Every system is visited at most once for each thing that passes, so that circles end and the
//! work is linear; the nearest origin is the one that is told.

use std::collections::{HashMap, VecDeque};

use super::{Flow, System, SystemKind};
use crate::Criticality;

/// Where something that passes began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    System(usize),
    Flow(usize),
}

/// What a system or a flow has, of its own or from elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reached {
    pub(super) phi: Option<Origin>,
    pub(super) patients: Option<Origin>,
    pub(super) criticality: Criticality,
    pub(super) critical_from: Origin,
    pub(super) ehr: bool,
}

/// Systems and flows by number; a flow whose ends are not on the map stands alone.
pub(super) struct Graph<'a> {
    systems: &'a [System],
    flows: &'a [Flow],
    ends: Vec<Option<(usize, usize)>>,
    /// From whoever depends on something to what it depends on.
    needs: Vec<Vec<usize>>,
    /// Between systems that may share health information.
    shares: Vec<Vec<usize>>,
}

impl<'a> Graph<'a> {
    pub(super) fn new(
        systems: &'a [System],
        flows: &'a [Flow],
        by_name: &HashMap<String, usize>,
    ) -> Self {
        let at = |name: &String| by_name.get(name).copied();
        let ends: Vec<Option<(usize, usize)>> = flows
            .iter()
            .map(|flow| Some((at(&flow.from)?, at(&flow.to)?)))
            .collect();
        let mut needs = vec![Vec::new(); systems.len()];
        let mut shares = vec![Vec::new(); systems.len()];
        for (flow, ends) in flows.iter().zip(&ends) {
            let Some((from, to)) = *ends else { continue };
            needs[from].push(to);
            if flow.phi != Some(false) {
                shares[from].push(to);
                shares[to].push(from);
            }
        }
        for (number, system) in systems.iter().enumerate() {
            needs[number].extend(system.depends_on.iter().filter_map(at));
        }
        Graph {
            systems,
            flows,
            ends,
            needs,
            shares,
        }
    }

    pub(super) fn ends(&self) -> &[Option<(usize, usize)>] {
        &self.ends
    }

    /// What every system has.
    pub(super) fn systems(&self) -> Vec<Reached> {
        let phi = spread(&self.shares, self.phi_origins());
        let facing = self.own(|system| system.patient_facing);
        let patients = spread(&self.needs, facing);
        let mut reached: Vec<Reached> = (0..self.systems.len())
            .map(|number| Reached {
                phi: phi[number],
                patients: patients[number],
                criticality: self.systems[number].criticality,
                critical_from: Origin::System(number),
                ehr: self.systems[number].kind == SystemKind::Ehr,
            })
            .collect();
        // The worst first: whoever it reaches has it.
        let mut done = vec![false; self.systems.len()];
        for level in Criticality::ALL {
            let own = self.own(|system| system.criticality == *level);
            let asked = self.asked(*level);
            let all = own.chain(asked).filter(|(number, _)| !done[*number]);
            let all: Vec<(usize, Origin)> = all.collect();
            let found = spread_beyond(&self.needs, all.into_iter(), &done);
            for (number, origin) in found.into_iter().enumerate() {
                if let Some(origin) = origin.filter(|_| !done[number]) {
                    reached[number].criticality = *level;
                    reached[number].critical_from = origin;
                    done[number] = true;
                }
            }
        }
        reached
    }

    /// What every flow has: health information from either end, the rest from whoever calls, who stops without it.
    pub(super) fn flows(&self, reached: &[Reached]) -> Vec<Reached> {
        let carried = self.flows.iter().zip(&self.ends).enumerate();
        carried
            .map(|(number, (flow, ends))| {
                let own = Origin::Flow(number);
                let lone = Reached {
                    phi: flow.phi.unwrap_or_default().then_some(own),
                    patients: None,
                    criticality: flow.criticality.unwrap_or_default(),
                    critical_from: own,
                    ehr: false,
                };
                let Some((from, to)) = *ends else { return lone };
                let (from, to) = (&reached[from], &reached[to]);
                let higher = flow.criticality.filter(|own| *own < from.criticality);
                Reached {
                    phi: match flow.phi {
                        Some(_) => lone.phi,
                        None => from.phi.or(to.phi),
                    },
                    patients: from.patients,
                    criticality: higher.unwrap_or(from.criticality),
                    critical_from: higher.map_or(from.critical_from, |_| own),
                    ehr: from.ehr || to.ehr,
                }
            })
            .collect()
    }

    fn own(&self, is: impl Fn(&System) -> bool) -> impl Iterator<Item = (usize, Origin)> {
        let all = self.systems.iter().enumerate();
        all.filter(move |(_, system)| is(system))
            .map(|(number, _)| (number, Origin::System(number)))
    }

    /// Systems with health information of their own, then both ends of flows that are said to carry some.
    fn phi_origins(&self) -> impl Iterator<Item = (usize, Origin)> {
        let flows = self.flows.iter().zip(&self.ends).enumerate();
        let said = flows.filter_map(|(number, (flow, ends))| {
            let (from, to) = (flow.phi == Some(true)).then_some(*ends).flatten()?;
            Some([(from, Origin::Flow(number)), (to, Origin::Flow(number))])
        });
        self.own(|system| system.phi).chain(said.flatten())
    }

    /// Systems that answer flows of a criticality of their own.
    fn asked(&self, level: Criticality) -> impl Iterator<Item = (usize, Origin)> {
        let flows = self.flows.iter().zip(&self.ends).enumerate();
        flows.filter_map(move |(number, (flow, ends))| {
            let (_, to) = (flow.criticality == Some(level))
                .then_some(*ends)
                .flatten()?;
            Some((to, Origin::Flow(number)))
        })
    }
}

fn spread(
    edges: &[Vec<usize>],
    origins: impl Iterator<Item = (usize, Origin)>,
) -> Vec<Option<Origin>> {
    spread_beyond(edges, origins, &vec![false; edges.len()])
}

/// Breadth first, so that each system is told the nearest origin; what is `done` is not entered.
fn spread_beyond(
    edges: &[Vec<usize>],
    origins: impl Iterator<Item = (usize, Origin)>,
    done: &[bool],
) -> Vec<Option<Origin>> {
    let mut found = vec![None; edges.len()];
    let mut queue = VecDeque::new();
    for (number, origin) in origins {
        if found[number].is_none() {
            found[number] = Some(origin);
            queue.push_back(number);
        }
    }
    while let Some(number) = queue.pop_front() {
        for &next in &edges[number] {
            if found[next].is_none() && !done[next] {
                found[next] = found[number];
                queue.push_back(next);
            }
        }
    }
    found
}
