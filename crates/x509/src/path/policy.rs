//! The valid policy graph (RFC 9618 §5, which replaces the tree of RFC 5280 §6.1.2 to §6.1.5).
//!
//! A level holds at most one node for each policy, whatever the number of ways that lead to it, so its
//! size is bounded by what the certificates say and not by the product of what they say.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    PolicyInputs,
    build::Meter,
    error::{Fault, PathRule, ensure},
    node::{Facts, Node},
};
use crate::{
    Oid,
    ext::{CertificatePolicies, PolicyMappings},
    oids,
};

const ANY: Oid = oids::ANY_POLICY;

/// The state variables of RFC 5280 §6.1.2 that concern policies.
pub(super) struct PolicyState {
    /// `None` is the NULL graph.
    graph: Option<Vec<Level>>,
    explicit: usize,
    mapping: usize,
    inhibit_any: usize,
}

type Level = BTreeMap<Oid, PolicyNode>;

#[derive(Default)]
struct PolicyNode {
    expected: BTreeSet<Oid>,
    /// Policies of the nodes above that this one hangs from.
    parents: BTreeSet<Oid>,
}

impl PolicyState {
    /// RFC 5280 §6.1.2 (a), (d), (e), (f), for a path of `n` certificates.
    pub(super) fn new(inputs: &PolicyInputs, n: usize) -> Self {
        let unless = |flag: bool| if flag { 0 } else { n + 1 };
        let root = PolicyNode {
            expected: BTreeSet::from([ANY]),
            parents: BTreeSet::new(),
        };
        Self {
            graph: Some(vec![BTreeMap::from([(ANY, root)])]),
            explicit: unless(inputs.require_explicit),
            mapping: unless(inputs.inhibit_mapping),
            inhibit_any: unless(inputs.inhibit_any),
        }
    }

    /// RFC 5280 §6.1.3 (d), (e), (f).
    pub(super) fn process(
        &mut self,
        node: &Node,
        facts: &Facts,
        is_final: bool,
        meter: &mut Meter,
    ) -> Result<(), Fault> {
        match (&facts.policies, self.graph.as_mut()) {
            (Some(policies), Some(graph)) => {
                check_repeats(policies)?;
                let any_allowed = self.inhibit_any > 0 || (!is_final && node.is_self_issued());
                let above = graph.last().map(expected_index).unwrap_or_default();
                let level = next_level(policies, &above, any_allowed, meter)?;
                graph.push(level);
                self.prune();
            }
            _ => self.graph = None,
        }
        self.check_explicit()
    }

    /// RFC 5280 §6.1.4 (a), (b), (h), (i), (j).
    pub(super) fn prepare_next(
        &mut self,
        node: &Node,
        facts: &Facts,
        meter: &mut Meter,
    ) -> Result<(), Fault> {
        if let Some(mappings) = &facts.mappings {
            let involves_any = mappings.0.iter().any(|(i, s)| *i == ANY || *s == ANY);
            ensure(
                !involves_any,
                PathRule::Policy,
                "RFC 5280 §6.1.4 (a)",
                "a policy is mapped to or from anyPolicy",
            )?;
            self.map(mappings, meter)?;
        }
        if !node.is_self_issued() {
            self.explicit = self.explicit.saturating_sub(1);
            self.mapping = self.mapping.saturating_sub(1);
            self.inhibit_any = self.inhibit_any.saturating_sub(1);
        }
        if let Some(limits) = &facts.policy_constraints {
            lower(&mut self.explicit, limits.require_explicit);
            lower(&mut self.mapping, limits.inhibit_mapping);
        }
        lower(&mut self.inhibit_any, facts.inhibit_any.map(|i| i.0));
        Ok(())
    }

    /// RFC 5280 §6.1.5 (a), (b), (g): the user-constrained policy set.
    pub(super) fn conclude(mut self, facts: &Facts, acceptable: &[Oid]) -> Result<Vec<Oid>, Fault> {
        self.explicit = self.explicit.saturating_sub(1);
        let limits = facts.policy_constraints.unwrap_or_default();
        if limits.require_explicit == Some(0) {
            self.explicit = 0;
        }
        let authority = self.authority_set();
        let any_acceptable = acceptable.is_empty() || acceptable.contains(&ANY);
        let user: Vec<Oid> = match (any_acceptable, authority.contains(&ANY)) {
            (true, _) => authority.into_iter().collect(),
            (false, true) => acceptable.to_vec(),
            (false, false) => authority
                .into_iter()
                .filter(|p| acceptable.contains(p))
                .collect(),
        };
        match self.explicit > 0 || !user.is_empty() {
            true => Ok(user),
            false => Err(no_policy()),
        }
    }

    fn check_explicit(&self) -> Result<(), Fault> {
        match self.explicit > 0 || self.graph.is_some() {
            true => Ok(()),
            false => Err(no_policy()),
        }
    }

    /// RFC 9618 §5.4 (b).
    fn map(&mut self, mappings: &PolicyMappings, meter: &mut Meter) -> Result<(), Fault> {
        let Some([.., above, level]) = self.graph.as_deref_mut() else {
            return Ok(());
        };
        let mut by_issuer: BTreeMap<Oid, BTreeSet<Oid>> = BTreeMap::new();
        for (issuer, subject) in &mappings.0 {
            meter.policy_node()?;
            by_issuer.entry(*issuer).or_default().insert(*subject);
        }
        for (issuer, subjects) in by_issuer {
            if self.mapping == 0 {
                level.remove(&issuer);
                continue;
            }
            let any_above = above.contains_key(&ANY) && level.contains_key(&ANY);
            match level.get_mut(&issuer) {
                Some(node) => node.expected = subjects,
                None if any_above => {
                    let node = PolicyNode {
                        expected: subjects,
                        parents: BTreeSet::from([ANY]),
                    };
                    level.insert(issuer, node);
                }
                None => {}
            }
        }
        self.prune();
        Ok(())
    }

    /// RFC 9618 §5.3 (d)(3): nodes without children go, and with the last of them the graph.
    fn prune(&mut self) {
        let Some(graph) = &mut self.graph else {
            return;
        };
        let mut wanted: Option<BTreeSet<Oid>> = None;
        for level in graph.iter_mut().rev() {
            if let Some(wanted) = &wanted {
                level.retain(|policy, _| wanted.contains(policy));
            }
            wanted = Some(
                level
                    .values()
                    .flat_map(|n| n.parents.iter().copied())
                    .collect(),
            );
        }
        if graph.last().is_none_or(BTreeMap::is_empty) {
            self.graph = None;
        }
    }

    /// RFC 9618 §5.6 (g): policies that an authority asserted first, at whatever depth, and that still
    /// lead somewhere; anyPolicy if it was asserted all the way down.
    fn authority_set(&self) -> BTreeSet<Oid> {
        let graph = self.graph.as_deref().unwrap_or_default();
        let from_any = |(policy, node): (&Oid, &PolicyNode)| {
            (*policy != ANY && node.parents.contains(&ANY)).then_some(*policy)
        };
        let mut set: BTreeSet<Oid> = graph.iter().flatten().filter_map(from_any).collect();
        if graph.last().is_some_and(|level| level.contains_key(&ANY)) {
            set.insert(ANY);
        }
        set
    }
}

/// For each policy expected by some node, the nodes that expect it.
fn expected_index(level: &Level) -> BTreeMap<Oid, BTreeSet<Oid>> {
    let mut index: BTreeMap<Oid, BTreeSet<Oid>> = BTreeMap::new();
    for (policy, node) in level {
        for expected in &node.expected {
            index.entry(*expected).or_default().insert(*policy);
        }
    }
    index
}

/// RFC 9618 §5.3 (d)(1) and (2).
fn next_level(
    policies: &CertificatePolicies,
    above: &BTreeMap<Oid, BTreeSet<Oid>>,
    any_allowed: bool,
    meter: &mut Meter,
) -> Result<Level, Fault> {
    let mut level = Level::new();
    let mut add = |policy: Oid, parents: &BTreeSet<Oid>| {
        meter.policy_node()?;
        level.entry(policy).or_insert_with(|| PolicyNode {
            expected: BTreeSet::from([policy]),
            parents: parents.clone(),
        });
        Ok(())
    };
    // A node for anyPolicy expects anyPolicy, so this finds it where it exists.
    let any_parents = above.get(&ANY);
    for policy in policies.0.iter().map(|p| p.policy).filter(|p| *p != ANY) {
        if let Some(parents) = above.get(&policy).or(any_parents) {
            add(policy, parents)?;
        }
    }
    if any_allowed && policies.0.iter().any(|p| p.policy == ANY) {
        for (policy, parents) in above {
            add(*policy, parents)?;
        }
    }
    Ok(level)
}

fn check_repeats(policies: &CertificatePolicies) -> Result<(), Fault> {
    let unique: BTreeSet<Oid> = policies.0.iter().map(|p| p.policy).collect();
    ensure(
        unique.len() == policies.0.len(),
        PathRule::Policy,
        "RFC 5280 §4.2.1.4",
        "a certificate policy occurs twice",
    )
}

fn lower(counter: &mut usize, limit: Option<u32>) {
    if let Some(limit) = limit {
        *counter = (*counter).min(limit as usize);
    }
}

fn no_policy() -> Fault {
    Fault::new(
        PathRule::Policy,
        "RFC 5280 §6.1.3 (f), §6.1.5 (g)",
        "the path asserts no acceptable certificate policy",
    )
}
