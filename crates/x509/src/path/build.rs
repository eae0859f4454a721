//! The search for a path: depth first from the target, likeliest issuers first, and back again from
//! wherever a rule fails.

use std::{
    cmp::Reverse,
    collections::{HashMap, HashSet},
};

use super::{
    Budget, PathOptions, Revocation, TrustAnchor, ValidPath,
    check::{self, Goal},
    error::{Fault, PathError, PathRule},
    node::Node,
    revocation::{ListFacts, Status},
};
use crate::{Certificate, Error, Time};

pub(super) struct Search<'a> {
    pub(super) options: &'a PathOptions,
    pub(super) anchors: &'a [TrustAnchor],
    /// The target, then the untrusted, then the anchors.
    pub(super) nodes: Vec<Node>,
    pub(super) by_subject: HashMap<Vec<u8>, Vec<usize>>,
    /// Nodes from which names lead on to an anchor.
    leads_on: Vec<bool>,
    /// Outcomes of signature checks, by child and issuer.
    verified: HashMap<(usize, usize), Result<(), Fault>>,
    pub(super) lists: Vec<ListFacts>,
    /// Outcomes of CRL signature checks, by list and signer.
    pub(super) lists_verified: HashMap<(usize, usize), bool>,
    /// Status by certificate, issuer and anchor; `None` while it is being found out.
    pub(super) statuses: HashMap<(usize, usize, usize), Option<Status>>,
    pub(super) meter: Meter,
    best: Option<PathError>,
    tried: u32,
}

/// A path that holds: nodes from the target upwards without the anchor.
pub(super) struct Found {
    pub(super) path: Vec<usize>,
    pub(super) anchor: usize,
    policies: Vec<crate::Oid>,
}

/// Steps that a walk down a complete path is charged with; it takes about as long as so many candidates.
const WALK_COST: usize = 16;

/// What is left of the budget.
pub(super) struct Meter {
    left: Budget,
}

impl<'a> Search<'a> {
    pub(super) fn new(
        target: &Certificate,
        untrusted: &[Certificate],
        anchors: &'a [TrustAnchor],
        options: &'a PathOptions,
    ) -> Self {
        let mut nodes = vec![Node::new(target.clone(), None)];
        let mut seen: HashSet<&[u8]> = anchors.iter().map(|a| a.certificate.der()).collect();
        let fresh = untrusted.iter().filter(|c| seen.insert(c.der()));
        nodes.extend(fresh.map(|c| Node::new(c.clone(), None)));
        let trusted = anchors.iter().enumerate();
        nodes.extend(trusted.map(|(i, a)| Node::new(a.certificate.clone(), Some(i))));
        let mut by_subject: HashMap<Vec<u8>, Vec<usize>> = HashMap::new();
        for (i, node) in nodes.iter().enumerate().skip(1) {
            by_subject.entry(node.subject.clone()).or_default().push(i);
        }
        let lists = match options.revocation {
            Revocation::Ignored => Vec::new(),
            _ => options
                .crls
                .iter()
                .map(|l| ListFacts::read(l, options))
                .collect(),
        };
        Self {
            options,
            anchors,
            leads_on: leads_on(&nodes),
            nodes,
            by_subject,
            verified: HashMap::new(),
            lists,
            lists_verified: HashMap::new(),
            statuses: HashMap::new(),
            meter: Meter {
                left: options.budget,
            },
            best: None,
            tried: 0,
        }
    }

    pub(super) fn run(mut self) -> Result<ValidPath, PathError> {
        let outcome = self.find(0, Goal::Target);
        let tried = self.tried;
        match outcome {
            Ok(Some(found)) => Ok(self.describe(found)),
            Ok(None) => {
                let failure = self.best.take().unwrap_or_else(|| self.dead_end());
                Err(PathError { tried, ..failure })
            }
            Err(failure) => Err(PathError { tried, ..failure }),
        }
    }

    /// Any valid path from `start`. An error is final; `None` leaves the reason in `best`.
    pub(super) fn find(&mut self, start: usize, goal: Goal) -> Result<Option<Found>, PathError> {
        let facts = self.nodes.get(start).map(Node::facts);
        if let Some(Err(fault)) = facts {
            self.note(fault.at(0));
            return Ok(None);
        }
        self.extend(&mut vec![start], goal)
    }

    fn extend(&mut self, path: &mut Vec<usize>, goal: Goal) -> Result<Option<Found>, PathError> {
        let candidates = self.candidates(path);
        let above = path.len();
        self.meter
            .steps(candidates.len() + 1)
            .map_err(|f| f.at(above))?;
        for issuer in candidates {
            let outcome = match self.nodes[issuer].anchor {
                Some(_) => self.finish(path, issuer, goal).map(Some),
                None => match self.admit(path, issuer) {
                    Err(e) => Err(e),
                    Ok(()) => {
                        path.push(issuer);
                        let found = self.extend(path, goal);
                        path.pop();
                        found
                    }
                },
            };
            match outcome {
                Ok(Some(found)) => return Ok(Some(found)),
                Ok(None) => {}
                Err(e) if e.rule == PathRule::BudgetExhausted => return Err(e),
                Err(e) => self.note(e),
            }
        }
        Ok(None)
    }

    /// Certificates of the issuer that the last one names, likeliest first.
    fn candidates(&self, path: &[usize]) -> Vec<usize> {
        let Some(child) = path.last().and_then(|i| self.nodes.get(*i)) else {
            return Vec::new();
        };
        let named = self.by_subject.get(&child.issuer).map(Vec::as_slice);
        let useful = |i: &&usize| self.leads_on.get(**i) == Some(&true) && !self.is_loop(path, **i);
        let mut found: Vec<usize> = named
            .unwrap_or_default()
            .iter()
            .filter(useful)
            .copied()
            .collect();
        let rank = |i: &usize| {
            let node = &self.nodes[*i];
            let c = &node.certificate;
            let current = is_current(c, self.options.time);
            (
                key_distance(child, node),
                node.anchor.is_none(),
                !current,
                Reverse(c.not_before()),
            )
        };
        found.sort_by_cached_key(rank);
        found
    }

    /// The same name with the same key twice would go in circles (RFC 4158 §2.4.2).
    fn is_loop(&self, path: &[usize], candidate: usize) -> bool {
        let new = &self.nodes[candidate];
        let same = |old: &Node| {
            old.subject == new.subject && old.certificate.spki_der() == new.certificate.spki_der()
        };
        new.anchor.is_none()
            && path
                .iter()
                .any(|i| *i == candidate || same(&self.nodes[*i]))
    }

    /// What can be said of an issuer before it is known where its own path leads.
    fn admit(&mut self, path: &[usize], issuer: usize) -> Result<(), PathError> {
        let index = path.len();
        let below = self.intermediates(path);
        let node = &self.nodes[issuer];
        let counted = below + usize::from(!node.is_self_issued());
        let limit = self.options.max_intermediates;
        if counted > limit || path.len() > 2 * limit + 1 {
            let message = format!("more than {limit} intermediate authorities");
            return Err(Fault::new(PathRule::TooLong, "RFC 5280 §6.1", message).at(index));
        }
        check::issuer(node, below, self.options).map_err(|f| f.at(index))?;
        self.verify_last(path, issuer)
    }

    /// A complete path: checks everything that depends on all of it.
    fn finish(&mut self, path: &[usize], anchor: usize, goal: Goal) -> Result<Found, PathError> {
        if let Goal::CrlIssuer { anchor: wanted } = goal
            && wanted != anchor
        {
            let message = "the CRL's issuer has another trust anchor than the certificate";
            return Err(Fault::new(PathRule::NoPath, "RFC 5280 §6.3.3 (f)", message).at(path.len()));
        }
        let below = self.intermediates(path);
        let settings = self.nodes[anchor].anchor.and_then(|i| self.anchors.get(i));
        if let Some(settings) = settings {
            check::anchor(&self.nodes[anchor], settings, below, self.options)
                .map_err(|f| f.at(path.len()))?;
        }
        self.verify_last(path, anchor)?;
        self.meter.steps(WALK_COST).map_err(|f| f.at(path.len()))?;
        self.tried += 1;
        let walk = check::Walk {
            nodes: &self.nodes,
            path,
            anchor: &self.nodes[anchor],
            settings,
            options: self.options,
            goal,
        };
        let policies = walk.run(&mut self.meter)?;
        self.check_statuses(path, anchor)?;
        Ok(Found {
            path: path.to_vec(),
            anchor,
            policies,
        })
    }

    /// Intermediates on the path that count towards path lengths: all but the first and the self-issued.
    fn intermediates(&self, path: &[usize]) -> usize {
        let above_target = path.iter().skip(1);
        above_target
            .filter(|i| !self.nodes[**i].is_self_issued())
            .count()
    }

    fn verify_last(&mut self, path: &[usize], issuer: usize) -> Result<(), PathError> {
        let index = path.len().saturating_sub(1);
        let Some(child) = path.last().copied() else {
            return Ok(());
        };
        if let Some(known) = self.verified.get(&(child, issuer)) {
            return known.clone().map_err(|f| f.at(index));
        }
        self.meter.signature().map_err(|f| f.at(index))?;
        let outcome = verify(&self.nodes[child], &self.nodes[issuer], self.options);
        self.verified.insert((child, issuer), outcome.clone());
        outcome.map_err(|f| f.at(index))
    }

    /// Keeps the failure that came furthest: of a complete path before that of an incomplete one, and
    /// otherwise the first, which is that of the likeliest path.
    fn note(&mut self, failure: PathError) {
        let tried = self.tried;
        if self
            .best
            .as_ref()
            .is_none_or(|best| best.tried == 0 && tried > 0)
        {
            self.best = Some(PathError { tried, ..failure });
        }
    }

    /// Runs a search for another certificate without losing what is known of this one.
    pub(super) fn aside<T>(&mut self, search: impl FnOnce(&mut Self) -> T) -> T {
        let (best, tried) = (self.best.take(), self.tried);
        let outcome = search(self);
        (self.best, self.tried) = (best, tried);
        outcome
    }

    /// How far names lead from the target, for the message.
    fn dead_end(&self) -> PathError {
        let mut path = vec![0];
        while path.len() <= self.options.max_intermediates {
            let child = &self.nodes[path[path.len() - 1]];
            let named = self.by_subject.get(&child.issuer).into_iter().flatten();
            match named.copied().find(|i| !self.is_loop(&path, *i)) {
                Some(next) => path.push(next),
                None => break,
            }
        }
        let last = &self.nodes[path[path.len() - 1]].certificate;
        let message = format!(
            "no path to a trust anchor: the issuer {} is not known",
            last.issuer()
        );
        Fault::new(PathRule::NoPath, "RFC 5280 §6.1", message).at(path.len() - 1)
    }

    fn describe(&self, found: Found) -> ValidPath {
        let certificate = |i: &usize| self.nodes[*i].certificate.clone();
        ValidPath {
            chain: found.path.iter().map(certificate).collect(),
            anchor: certificate(&found.anchor),
            policies: found.policies,
            tried: self.tried,
        }
    }
}

impl Meter {
    pub(super) fn signature(&mut self) -> Result<(), Fault> {
        spend(&mut self.left.signatures, 1, "signature checks")
    }

    pub(super) fn steps(&mut self, cost: usize) -> Result<(), Fault> {
        let cost = u32::try_from(cost).unwrap_or(u32::MAX);
        spend(&mut self.left.steps, cost, "paths to be tried")
    }

    pub(super) fn compare_names(&mut self, cost: u32) -> Result<(), Fault> {
        spend(
            &mut self.left.name_comparisons,
            cost,
            "name constraint comparisons",
        )
    }

    pub(super) fn policy_node(&mut self) -> Result<(), Fault> {
        spend(&mut self.left.policy_nodes, 1, "policy nodes")
    }
}

fn spend(left: &mut u32, cost: u32, what: &str) -> Result<(), Fault> {
    *left = left.checked_sub(cost).ok_or_else(|| Fault::budget(what))?;
    Ok(())
}

/// Names that lead to an anchor, spread downwards from the anchors; what is not among them need not be
/// tried at all.
fn leads_on(nodes: &[Node]) -> Vec<bool> {
    let mut children: HashMap<&[u8], Vec<usize>> = HashMap::new();
    for (i, node) in nodes.iter().enumerate() {
        children.entry(&node.issuer).or_default().push(i);
    }
    let mut leads: Vec<bool> = nodes.iter().map(|n| n.anchor.is_some()).collect();
    let mut names: Vec<&[u8]> = nodes
        .iter()
        .filter(|n| n.anchor.is_some())
        .map(|n| n.subject.as_slice())
        .collect();
    while let Some(name) = names.pop() {
        for i in children.remove(name).unwrap_or_default() {
            if !std::mem::replace(&mut leads[i], true) {
                names.push(&nodes[i].subject);
            }
        }
    }
    leads
}

/// Key identifiers are hints: 0 they agree, 1 one is missing, 2 they differ (RFC 4158 §3.5.12).
fn key_distance(child: &Node, issuer: &Node) -> u8 {
    let (Ok(child), Ok(issuer)) = (child.facts(), issuer.facts()) else {
        return 1;
    };
    let wanted = child.authority_key.as_ref().and_then(|k| k.key_id.as_ref());
    match (wanted, &issuer.subject_key) {
        (Some(wanted), Some(own)) => 2 * u8::from(*wanted != own.0),
        _ => 1,
    }
}

pub(super) fn is_current(c: &Certificate, time: Time) -> bool {
    c.not_before() <= time && time <= c.not_after()
}

fn verify(child: &Node, issuer: &Node, options: &PathOptions) -> Result<(), Fault> {
    let key = issuer.key()?;
    let c = &child.certificate;
    let outcome = match options.allow_legacy_algorithms {
        true => key.verify_legacy(&c.signature_algorithm(), c.tbs_der(), c.signature()),
        false => c.verify_signed_by(key),
    };
    outcome.map_err(|e| {
        let rule = match e {
            Error::Unsupported { .. } | Error::WeakKey(_) => PathRule::WeakAlgorithm,
            _ => PathRule::Signature,
        };
        Fault::new(rule, "RFC 5280 §6.1.3 (a)(1)", e.to_string())
    })
}
